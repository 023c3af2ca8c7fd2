"""One clip at a time: its target, its maps by a method, the motion split, and deletion beside each map."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution import Method, split_motion
from video_tcav.attribution.attribution_map import Map, MapSum, to_clip
from video_tcav.attribution.method import silent
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.attribution.perturbation import Baseline
from video_tcav.core.errors import InputError
from video_tcav.core.progress import Advance
from video_tcav.explanation.result import DELETION_FIGURES, Explanation, Part
from video_tcav.media import LoadedClips
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.models.hooks import check_finite, untouched
from video_tcav.models.preprocess import seen_box
from video_tcav.models.targets import target_name

# Of the deletion beside each map: steps of its curve, and opponents of the map. The five curves have nine points each between
# the ends that they share: 47 passes a map. Half of the opponents are maps of other clips, as far as there are any; the
# others are the map itself elsewhere.
_STEPS, _OPPONENTS = 10, 4
MAPS_OF_OTHER_CLIPS = _OPPONENTS // 2


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


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerMap:
    """A method's map of one clip at one layer, before its deletion is measured.

    Attributes:
        clip: that it explains.
        method_number: which of the run's methods made it; two of them may have one name.
        method: its name.
        concept: what it maps, of a concept map; empty for other methods.
        layer: where the method looked.
        components: the whole map and, where it was split, its parts.
        motion_share: how much of the whole does not survive freezing; NaN where it was not split.
        map_sum: what the whole adds up to, of methods that know it.
    """

    clip: PreparedClip
    method_number: int
    method: str
    concept: str
    layer: str
    components: Mapping[Part, Map]
    motion_share: float
    map_sum: MapSum | None = None


Check = Callable[[LayerMap, Sequence[Map]], dict[str, float]]


def measure_deletion(
    layer_map: LayerMap, maps_of_others: Sequence[Map], *, baseline: Baseline, seed: int
) -> dict[str, float]:
    """Deletion by a map, by the same map elsewhere, and by maps of other clips, as figures of an `Explanation`."""
    clip, values = layer_map.clip, layer_map.components["whole"]
    frames, height, width = values.shape[1:]
    other_clips = [
        # A model that takes clips of any size has maps of any size.
        other_map if other_map.shape == values.shape else to_clip(other_map, (frames, height, width))
        for other_map in maps_of_others[:MAPS_OF_OTHER_CLIPS]
    ]
    # The class's probability, whatever the target is contrasted with: it has the same meaning for every target.
    curves = faithfulness(
        clip.model,
        clip.inputs,
        values,
        clip.target.class_index,
        baseline=baseline,
        steps=_STEPS,
        draws=_OPPONENTS - len(other_clips),
        seed=seed,
        checks=("deletion",),
        other_clips=other_clips,
    )
    return {name: float(getattr(curves, name)) for name in DELETION_FIGURES}


def maps_of_clip(
    clip: PreparedClip,
    method: Method,
    *,
    method_number: int,
    concept: str = "",
    split: bool = False,
    advance: Advance = silent,
) -> list[LayerMap]:
    """Every layer's map of one clip by one method; with `split`, the map averaged over layers, and its components.

    The steps of `advance` add up to one.
    """
    motion_share = math.nan
    components: dict[str, dict[Part, Map]]
    sums: Mapping[str, MapSum]
    if split:
        motion = split_motion(method, clip.model, clip.inputs, target=clip.target, advance=advance)
        motion_share = float(motion.motion_share)
        components = {
            "+".join(motion.layers): {"whole": motion.total, "static": motion.static, "motion": motion.motion}
        }
        sums = motion.sums
    else:
        attribution = method(clip.model, clip.inputs, target=clip.target, advance=advance)
        components = {layer: {"whole": attribution.values(layer)} for layer in attribution.layers}
        sums = attribution.sums
    return [
        LayerMap(
            clip=clip,
            method_number=method_number,
            method=method.name,
            concept=concept,
            layer=layer,
            components=layer_components,
            motion_share=motion_share,
            map_sum=sums.get(layer),
        )
        for layer, layer_components in components.items()
    ]


def explain_map(layer_map: LayerMap, maps_of_others: Sequence[Map], check: Check | None) -> Iterator[Explanation]:
    """The map and its parts with their figures; `check` is `measure_deletion` with its settings."""
    figures = check(layer_map, maps_of_others) if check else dict.fromkeys(DELETION_FIGURES, math.nan)
    for component, values in layer_map.components.items():
        # its components have no sum of their own: what a clamp does to the frozen clip is divided among other positions
        map_sum = layer_map.map_sum if component == "whole" else None
        yield _explanation(
            layer_map.clip,
            values[0],
            part=component,
            method=layer_map.method,
            concept=layer_map.concept,
            layer=layer_map.layer,
            motion_share=layer_map.motion_share,
            clamp=float(map_sum.total) if map_sum else math.nan,
            clamp_unplaced=float(map_sum.unplaced) if map_sum else math.nan,
            clamp_gap=float(map_sum.gap) if map_sum else math.nan,
            **figures,
        )


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
