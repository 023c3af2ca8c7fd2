"""One clip at a time: its target, its map by a method, the motion split, and deletion beside the map."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution import Method, split_motion
from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import silent
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.attribution.perturbation import Baseline
from video_tcav.core.errors import InputError
from video_tcav.core.progress import Advance
from video_tcav.explanation.result import Explanation, Part
from video_tcav.media import LoadedClips
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.models.hooks import check_finite, untouched
from video_tcav.models.preprocess import seen_box
from video_tcav.models.targets import target_name

# Of the deletion beside each map: steps of its curve, and moved maps that stand for elsewhere. Each of the four curves has
# eleven points: 44 passes a map.
_STEPS, _DRAWS = 10, 3


class TopClassError(InputError):
    """A clip's most probable class cannot be explained, because the target is contrasted with it."""


@dataclass(frozen=True, kw_only=True)
class PreparedClip:
    """One clip as the model takes it, with its target, and the class's probability (NaN where outputs are plain numbers)."""

    model: VideoModel
    loaded: LoadedClips
    window: int
    inputs: Float[Tensor, "one ..."]
    target: Target
    value: float
    probability: float


def any_class_target(model: VideoModel, against: str) -> Target:
    """The target that `against` describes, checked before any pass, for a class that is set clip by clip."""
    kind, _, contrasted = against.partition(":")
    # A contrast must not name its own class: any other one does until the clip's own is set.
    first_is_contrasted = kind == "contrast" and bool(contrasted) and model.class_index(contrasted) == 0
    return parse_target(model, model.classes[-1 if first_is_contrasted else 0], against)


def prepare_clip(
    model: VideoModel, loaded: LoadedClips, window: int, target: Target, *, top: bool = False
) -> PreparedClip:
    """Prepare a decoded clip and evaluate its target, with `top` for the clip's most probable class.

    Raises:
        TopClassError: if the most probable class is the one that the target is contrasted with.
        NonFiniteError: if the model gives NaN or infinity.
    """
    assert loaded.clips is not None
    inputs = model.prepare(loaded.clips[window])[None]
    with untouched(model.module), torch.no_grad():
        logits = check_finite(model.logits(inputs), f"the logits of {loaded.source.key}")
    best = int(logits[0].argmax())
    if top and best == target.other_index:
        raise TopClassError(
            f"`contrast` must name another class than the most probable one. Got {model.classes[best]} for a clip of"
            f" {loaded.source.key}. Choose another class, or give --target."
        )
    target = replace(target, class_index=best) if top else target
    probability = float(model.outputs.probabilities(logits)[0, target.class_index])
    return PreparedClip(
        model=model,
        loaded=loaded,
        window=window,
        inputs=inputs,
        target=target,
        value=float(target(logits)[0]),
        probability=probability if model.outputs.has_probabilities else math.nan,
    )


def measure_deletion(clip: PreparedClip, values: Map, *, baseline: Baseline, seed: int) -> dict[str, float]:
    """Deletion by a map, and by the same map elsewhere, as figures of an `Explanation`."""
    # The class's probability, whatever the target is contrasted with: it has the same meaning for every target.
    curves = faithfulness(
        clip.model,
        clip.inputs,
        values,
        clip.target.class_index,
        baseline=baseline,
        steps=_STEPS,
        draws=_DRAWS,
        seed=seed,
        checks=("deletion",),
    )
    return {"deletion": float(curves.deletion), "deletion_elsewhere": float(curves.deletion_elsewhere)}


def explain_clip(
    clip: PreparedClip,
    method: Method,
    *,
    concept: str = "",
    split: bool = False,
    check: Callable[[PreparedClip, Map], dict[str, float]] | None = None,
    advance: Advance = silent,
) -> Iterator[Explanation]:
    """Every layer's map of one clip by one method; with `split`, the map averaged over layers, and its components.

    `concept` is what the method maps, if any; `check` is `measure_deletion` with its settings; the steps of `advance` add up
    to one.
    """
    share = 0.5 if check else 1.0  # of the progress bar, for the map; what is left is the check's
    facts: dict[str, Any] = {"method": method.name, "concept": concept, "motion_share": math.nan}
    facts |= {"deletion": math.nan, "deletion_elsewhere": math.nan}
    maps: dict[str, dict[Part, Map]]

    def advance_share(steps: float) -> None:
        advance(steps * share)

    if split:
        motion = split_motion(method, clip.model, clip.inputs, target=clip.target, advance=advance_share)
        facts["motion_share"] = float(motion.motion_share)
        maps = {"+".join(motion.layers): {"whole": motion.total, "static": motion.static, "motion": motion.motion}}
    else:
        attribution = method(clip.model, clip.inputs, target=clip.target, advance=advance_share)
        maps = {layer: {"whole": attribution.values(layer)} for layer in attribution.layers}
    for layer, components in maps.items():
        if check:
            facts |= check(clip, components["whole"])
            advance((1 - share) / len(maps))
        for component, values in components.items():
            yield _explanation(clip, values[0], layer=layer, part=component, **facts)


def _explanation(clip: PreparedClip, values: Float[Tensor, "time height width"], **facts: Any) -> Explanation:
    """The map with all that the clip says."""
    assert clip.loaded.clips is not None
    height, width = clip.loaded.clips.shape[-2:]
    peak = int(values.amax((1, 2)).argmax())
    return Explanation(
        source=clip.loaded.source,
        window=clip.window,
        target=clip.model.classes[clip.target.class_index],
        against=target_name(clip.model, clip.target),
        value=clip.value,
        probability=clip.probability,
        peak_s=float(clip.loaded.timestamps_s[clip.window, peak]),
        values=values,
        seen=seen_box((height, width), clip.model.clip_spec),
        frame_indices=tuple(clip.loaded.frame_indices[clip.window].tolist()),
        **facts,
    )
