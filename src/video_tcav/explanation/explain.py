"""From videos to maps, and what each map is worth: the function behind `video-tcav explain`."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution import Method, make_method, split_motion
from video_tcav.attribution.methods import LOOKS, settings_of
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.attribution.perturbation import Baseline
from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import EmptyMapError, InputError, MethodError
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.explanation.clips import Clip, of_any_class, prepared_clips
from video_tcav.explanation.concepts import concept_maps
from video_tcav.explanation.result import Explanation, Explanations, Part
from video_tcav.media import Skipped, load_clips
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.preprocess import seen_box
from video_tcav.tcav import SavedCav

TOP = "top"
"""The target that stands for each clip's most probable class."""
_STEPS, _DRAWS = 10, 3
"""Of the deletion that is measured beside each map: steps, and maps elsewhere."""


def explain(
    model: VideoModel,
    videos: Sources,
    *,
    target: str | int = TOP,
    against: str = "log_odds",
    methods: Sequence[str | Method] | None = None,
    layers: Sequence[str] | None = None,
    baseline: Baseline | None = None,
    concepts: Mapping[str, Sources] | None = None,
    random: Sources | None = None,
    cavs: Sequence[SavedCav] = (),
    split: bool = False,
    check: bool = True,
    windows: int = 1,
    seed: int = 0,
    strict: bool = False,
    threads: int = 2,
    each: Callable[[Explanation], None] | None = None,
    progress: bool = False,
) -> Explanations:
    """Where and when the model looked in each video, and whether the map can be believed.

    Args:
        model: from `load_model`.
        videos: a file, folder, glob or manifest, clips in memory, or an iterable of these, see `concepts.as_sources`.
        target: class to explain, by name or number; `top` is each clip's most probable one.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        methods: names out of `attribution.METHODS`, or methods with settings; Grad-CAM if neither methods nor concepts are given.
        layers: where methods and concepts look; the deepest stage if not given.
        baseline: what is shown where a clip is hidden, by methods that do so and by the check: `grey`, `black`, `blur`, `frozen`
            or `reversed`; the last two hide motion and order alone. Each method's own, and `blur` for the check, if not given.
        concepts: clips of concepts, by name; each gets a concept map.
        random: clips without the concepts.
        cavs: CAVs of an earlier run (`load_cavs`), each of which gets a concept map, too.
        split: whether to split each map into what survives freezing the clip and what does not.
        check: whether to measure deletion, which takes some dozens of passes a map.
        windows: clips taken from each video.
        seed: of all draws.
        strict: whether a file that cannot be used ends the run instead of being listed.
        threads: files decoded at once, beside the model.
        each: told of each map as soon as it is there, such as `reports.MapWriter`. What it was told is then not kept: a map
            takes as much memory as the clip.
        progress: whether to show a progress bar on standard error.

    Raises:
        InputError: if no video can be explained, or concepts come without random clips.
        VideoTcavError: one of its other kinds, with a cure in the message.
    """
    top = target == TOP and TOP not in model.classes
    aim = of_any_class(model, against) if top else parse_target(model, target, against)
    # one class among one is certain whatever is taken away
    check = check and not (len(model.classes) == 1 and model.outputs.is_exclusive)
    sources = as_sources(videos)
    chosen = methods if methods is not None else () if concepts or cavs else ("gradcam",)
    given = {"layers": layers, "baseline": baseline, "seed": seed}
    named = [
        ("", one) for one in _methods(chosen, given, elsewhere={"layers": bool(concepts or cavs), "baseline": check})
    ]
    named += concept_maps(model, concepts, random, layers, cavs, seed=seed, progress=progress)
    if not named:
        raise InputError("`methods` must hold one at least, or concepts be given. Got none. Leave it out for gradcam.")
    worth = _Check(baseline=baseline or "blur", seed=seed) if check else None
    found: list[Explanation] = []
    skipped: list[Skipped] = []
    with progress_bar("maps", len(sources) * windows * len(named), visible=progress) as advance:
        for loaded in load_clips(sources, model.clip_spec, windows=windows, threads=threads):
            if loaded.error is not None:
                if strict:
                    raise loaded.error
                skipped.append(Skipped(path=loaded.source.key, reason=loaded.error.reason))
                advance(windows * len(named))
                continue
            for clip in prepared_clips(model, loaded, aim, top=top):
                if isinstance(clip, InputError):
                    if strict:
                        raise clip
                    skipped.append(Skipped(path=loaded.source.key, reason=str(clip)))
                    advance(len(named))
                    continue
                for concept, method in named:
                    try:
                        for one in _explained(clip, method, concept, split=split, check=worth, advance=advance):
                            if each is not None:
                                each(one)
                            found.append(one if each is None else replace(one, values=None))
                    except EmptyMapError as error:
                        if strict:
                            raise
                        skipped.append(Skipped(path=loaded.source.key, reason=str(error)))
    if not found:
        raise InputError(
            f"`videos` must hold one that can be explained. Got {len(skipped)} that cannot, the first: {skipped[0].path}: "
            f"{skipped[0].reason}"
        )
    return Explanations(
        explanations=tuple(found),
        skipped=tuple(skipped),
        provenance=provenance(
            settings={
                "target": target,
                "against": against,
                "windows": windows,
                "seed": seed,
                "split": split,
                "deletion_baseline": worth.baseline if worth else None,
            },
            methods=[repr(method) if not concept else f"concept map of {concept}" for concept, method in named],
            model={"name": model.name, "weights": model.weights_digest, "trained": model.trained},
        ),
    )


def _methods(
    chosen: Sequence[str | Method], given: Mapping[str, Any], *, elsewhere: Mapping[str, bool]
) -> Iterator[Method]:
    """Methods by name get those of the given settings that they have; a setting that nothing looks at is refused.

    Args:
        chosen: names, and methods that have their settings.
        given: settings; `None` where there is none.
        elsewhere: whether something beside the methods looks at a setting.
    """
    names = [one for one in chosen if isinstance(one, str)]
    taken = {name: settings_of(name) for name in names}
    for setting, used in elsewhere.items():
        if given[setting] is not None and not used and not any(setting in known for known in taken.values()):
            found = ", ".join(names) or "methods with settings of their own"
            raise MethodError(
                f"`{setting}` must go with a method that {LOOKS[setting]}. Got {found}, which does not. Leave it out."
            )
    for one in chosen:
        if isinstance(one, str):
            yield make_method(one, **{name: value for name, value in given.items() if name in taken[one]})
        else:
            yield one


def _explained(
    clip: Clip, method: Method, concept: str, *, split: bool, check: "_Check | None", advance: Advance
) -> Iterator[Explanation]:
    """Every layer's map of one clip by one method, or the parts of the map."""
    share = 0.5 if check else 1.0  # of the bar, for the map; the rest is the check

    def some(steps: float) -> None:
        advance(steps * share)

    layers: dict[str, dict[Part, Tensor]]
    if split:
        parts = split_motion(method, clip.model, clip.inputs, target=clip.target, advance=some)
        maps: dict[Part, Tensor] = {"whole": parts.total, "static": parts.static, "motion": parts.motion}
        layers, motion_share = {"+".join(parts.layers): maps}, float(parts.motion_share)
    else:
        found = method(clip.model, clip.inputs, target=clip.target, advance=some)
        layers, motion_share = {}, math.nan
        for name in found.layers:
            layers[name] = {"whole": found.values(name)}
    for layer, maps in layers.items():
        worth = (math.nan, math.nan)
        if check:
            worth = check(clip, maps["whole"])
            advance((1 - share) / len(layers))
        for part, values in maps.items():
            yield _explanation(clip, method.name, concept, layer, part, values[0], motion_share, worth)


@dataclass(frozen=True, kw_only=True)
class _Check:
    """Measures deletion by a map, and by the same map elsewhere."""

    baseline: Baseline
    seed: int

    def __call__(self, clip: Clip, values: Float[Tensor, "one time height width"]) -> tuple[float, float]:
        curves = faithfulness(
            clip.model,
            clip.inputs,
            values,
            clip.target.class_index,
            baseline=self.baseline,
            steps=_STEPS,
            draws=_DRAWS,
            seed=self.seed,
            checks=("deletion",),
        )
        return float(curves.deletion), float(curves.deletion_elsewhere)


def _explanation(
    clip: Clip,
    method: str,
    concept: str,
    layer: str,
    part: Part,
    values: Float[Tensor, "time height width"],
    motion_share: float,
    worth: tuple[float, float],
) -> Explanation:
    assert clip.loaded.clips is not None
    height, width = clip.loaded.clips.shape[-2:]
    peak = int(values.amax((1, 2)).argmax())
    return Explanation(
        source=clip.loaded.source,
        window=clip.window,
        method=method,
        concept=concept,
        layer=layer,
        target=clip.model.classes[clip.target.class_index],
        against=clip.against,
        value=clip.value,
        probability=clip.probability,
        part=part,
        motion_share=motion_share,
        deletion=worth[0],
        deletion_elsewhere=worth[1],
        peak_s=float(clip.loaded.timestamps_s[clip.window, peak]),
        values=values,
        seen=seen_box((height, width), clip.model.clip_spec),
        frame_indices=tuple(clip.loaded.frame_indices[clip.window].tolist()),
    )
