"""Where and when did a model look? From videos to maps, and what each map is worth: the function behind `explain`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution import ConceptMap, Method, make_method, split_motion
from video_tcav.attribution.perturbation import Baseline
from video_tcav.benchmark.faithfulness import faithfulness
from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import EmptyMapError, InputError, ModelError
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.media import LoadedClips, VideoSource, load_clips
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.models.preprocess import seen_box
from video_tcav.models.record import check_finite, untouched
from video_tcav.tcav import SavedCav, learn_cavs
from video_tcav.tcav.passes import Skipped

Part = Literal["whole", "static", "motion"]
TOP = "top"
"""The target that stands for each clip's most probable class."""
_STEPS, _DRAWS = 10, 3
"""Of the deletion that is measured beside each map: steps, and maps elsewhere."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """One map of one clip.

    Attributes:
        source: the video.
        window: which clip of the video.
        method: how it was explained.
        concept: of a concept map, what concept; empty for other methods.
        layer: where the method looked; `input` for the pixels.
        target: the class.
        against: what else the target is made of, as `run_tcav` has it.
        value: of the target, in its own units.
        probability: of the class, in [0, 1].
        part: of the map: all of it, what survives freezing the clip, or what does not.
        motion_share: how much of the whole map does not survive freezing, in [0, 1]; NaN where that was not asked.
        deletion: area under the class's probability as the clip is taken away in the order of the map, in [0, 1]; NaN where
            that was not asked.
        deletion_elsewhere: the same for a map that is as smooth, but in another place: what `deletion` must be below.
        peak_s: when the map is at its largest, in seconds of the video.
        values: the map, signed, on the frames and pixels that the model took.
        seen: what part of the video's picture these pixels cover: top, left, bottom, right in pixels of the video.
        frame_indices: which frames of the video these frames are.
    """

    source: VideoSource
    window: int
    method: str
    concept: str
    layer: str
    target: str
    against: str
    value: float
    probability: float
    part: Part
    motion_share: float
    deletion: float
    deletion_elsewhere: float
    peak_s: float
    values: Float[Tensor, "time height width"]
    seen: tuple[float, float, float, float]
    frame_indices: tuple[int, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the map, as plain values."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("source", "values")}
        return {"path": self.source.key, **plain}


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """All maps, what could not be explained, and how they were made."""

    explanations: tuple[Explanation, ...]
    skipped: tuple[Skipped, ...]
    provenance: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """One row a map, without its values."""
        return pd.DataFrame([one.facts() for one in self.explanations])


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
    progress: bool = False,
) -> Explanations:
    """Where and when the model looked in each video, and whether the map can be believed.

    Args:
        model: from `load_model`.
        videos: a file, folder, glob or manifest, or several of these.
        target: class to explain, by name or number; `top` is each clip's most probable one.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        methods: names out of `attribution.METHODS`, or methods with settings; Grad-CAM if neither methods nor concepts are given.
        layers: where methods and concepts look; the deepest stage if not given.
        baseline: what methods show where they hide a clip: `grey`, `black`, `blur`, `frozen` or `reversed`; the last two hide
            motion and order alone. Each method's own if not given.
        concepts: clips of concepts, by name; each gets a concept map.
        random: clips without the concepts.
        cavs: CAVs of an earlier run (`load_cavs`), each of which gets a concept map, too.
        split: whether to split each map into what survives freezing the clip and what does not.
        check: whether to measure deletion, which takes some dozens of passes a map.
        windows: clips taken from each video.
        seed: of all draws.
        strict: whether a file that cannot be used ends the run instead of being listed.
        threads: files decoded at once, beside the model.
        progress: whether to show a progress bar on standard error.

    Raises:
        InputError: if no video can be explained, or concepts come without random clips.
        VideoTcavError: one of its other kinds, with a cure in the message.
    """
    fixed = None if target == TOP and TOP not in model.classes else parse_target(model, target, against)
    sources = as_sources(videos)
    options: dict[str, Any] = {"layers": layers, "baseline": baseline, "seed": seed}
    chosen = methods if methods is not None else () if concepts or cavs else ("gradcam",)
    named = [("", make_method(one, **options) if isinstance(one, str) else one) for one in chosen]
    named += _concept_maps(model, concepts, random, layers, cavs, seed=seed, progress=progress)
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
            for clip in _clips(model, loaded, fixed, against):
                for concept, method in named:
                    try:
                        found += _explained(clip, method, concept, split=split, check=check, seed=seed, advance=advance)
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
            settings={"target": target, "against": against, "windows": windows, "seed": seed, "split": split},
            methods=[repr(method) if not concept else f"concept map of {concept}" for concept, method in named],
            model={"name": model.name, "weights": model.weights_digest, "trained": model.trained},
        ),
    )


def _concept_maps(
    model: VideoModel,
    concepts: Mapping[str, Sources] | None,
    random: Sources | None,
    layers: Sequence[str] | None,
    cavs: Sequence[SavedCav],
    *,
    seed: int,
    progress: bool,
) -> Iterator[tuple[str, Method]]:
    """A method for each concept: of CAVs that are learned here, and of CAVs that were saved."""
    if bool(concepts) != (random is not None):
        raise InputError(
            "`concepts` must come with random clips, and random clips with concepts. Got one without the other."
            " Give --concept NAME=PATH and --random PATH."
        )
    wanted = tuple(layers or model.default_layers[-1:])
    learned: Sequence[SavedCav] = ()
    if concepts and random is not None:
        learned = learn_cavs(model, concepts=concepts, random=random, layers=wanted, seed=seed, progress=progress)
    for cav in cavs:
        if cav.weights_digest != model.weights_digest:
            raise ModelError(
                f"`cavs` must be learned on this model. Got a CAV of {cav.concept} of other weights."
                " Load the model it was learned on."
            )
        if cav.space != "flatten":
            raise InputError(f"`cavs` must be of the space flatten to be mapped. Got {cav.space}. Run `test` with it.")
    saved = [cav for cav in cavs if cav.layer in wanted]
    if cavs and not saved:
        raise InputError(
            f"`cavs` must be of the layers to look at, {', '.join(wanted)}. Got {', '.join({one.layer for one in cavs})}."
            " Give one of these with --layer."
        )
    for cav in (*learned, *saved):
        name = cav.concept if cav.versus == "random" else f"{cav.concept} vs {cav.versus}"
        yield name, ConceptMap(cavs={cav.layer: cav.vector})


@dataclass(frozen=True, kw_only=True)
class _Clip:
    """One prepared clip, and what the model says about it."""

    model: VideoModel
    loaded: LoadedClips
    window: int
    inputs: Float[Tensor, "one ..."]
    target: Target
    value: float
    probability: float

    @property
    def against(self) -> str:
        """The target's kind as the user writes it."""
        other = self.target.other_index
        return self.target.kind if other is None else f"contrast:{self.model.classes[other]}"


def _clips(model: VideoModel, loaded: LoadedClips, fixed: Target | None, against: str) -> Iterator[_Clip]:
    assert loaded.clips is not None
    for window, clip in enumerate(loaded.clips):
        inputs = model.prepare(clip)[None]
        with untouched(model.module), torch.no_grad():
            logits = check_finite(model.logits(inputs), f"the logits of {loaded.source.key}")
        target = fixed or parse_target(model, model.classes[int(logits[0].argmax())], against)
        yield _Clip(
            model=model,
            loaded=loaded,
            window=window,
            inputs=inputs,
            target=target,
            value=float(target(logits)[0]),
            probability=float(logits[0].softmax(0)[target.class_index]),
        )


def _explained(
    clip: _Clip, method: Method, concept: str, *, split: bool, check: bool, seed: int, advance: Advance
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
            worth = _deletion(clip, maps["whole"], seed)
            advance((1 - share) / len(layers))
        for part, values in maps.items():
            yield _explanation(clip, method.name, concept, layer, part, values[0], motion_share, worth)


def _deletion(clip: _Clip, values: Float[Tensor, "one time height width"], seed: int) -> tuple[float, float]:
    """Deletion by the map, and by the same map elsewhere."""
    curves = faithfulness(
        clip.model,
        clip.inputs,
        values,
        clip.target.class_index,
        steps=_STEPS,
        draws=_DRAWS,
        seed=seed,
        checks=("deletion",),
    )
    return float(curves.deletion), float(curves.deletion_elsewhere)


def _explanation(
    clip: _Clip,
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
