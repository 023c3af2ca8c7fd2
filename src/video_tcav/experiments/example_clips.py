"""Example clips of a report: frames, where in them and when each concept raised the class, and the files that hold this."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import interpolate

from video_tcav.attribution import Method
from video_tcav.attribution.methods import methods_with
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import AxesError, EmptyMapError, MethodError
from video_tcav.core.files import read_json, write_json
from video_tcav.core.progress import Advance
from video_tcav.core.tables import write_tensors
from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.digests import RESUME, damage_reported
from video_tcav.experiments.file import Experiment
from video_tcav.explanation.clips import PreparedClip, prepare_clip
from video_tcav.explanation.concepts import maps_of_cavs
from video_tcav.media import VideoSource, load_clips
from video_tcav.media.loader import LoadedClips
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.preprocess import seen_box
from video_tcav.tcav import load_cavs

# Of the frames in a page, which carries them inline: its size grows with the square of this.
LONGEST_SIDE_PX = 160
SALIENCY = "gradcam"
# What a clip's JSON file holds under the names of its fields.
_FACTS = ("model", "target", "clip", "window", "layer", "value", "probability", "why")


@dataclass(frozen=True, kw_only=True, eq=False)
class TimedMap:
    """One map over a clip, and its sum over the picture at each time of the layer.

    Attributes:
        name: the concept, or the attribution method.
        values: -127 to 127, in units of `scale`; on the frames of the clip.
        scale: the map's value behind a step of one.
        line: sum over height and width, at each time of the layer, in target units per unit of activation; it adds up to
            the directional derivative of a concept.
        line_s: when, in seconds of the video.
    """

    name: str
    values: Int8[Tensor, "time height width"]
    scale: float
    line: Float[np.ndarray, " step"]
    line_s: Float[np.ndarray, " step"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownClip:
    """One clip as a report shows it.

    Attributes:
        model: name of the model in the experiment.
        target: class.
        clip: key of its source.
        window: which clip of the video.
        layer: where the maps are from.
        value: of the target.
        probability: of the class, in [0, 1]; the number itself where the model's outputs are plain numbers.
        why: why it was chosen, such as "Of 20 clips, swing raised the class most here".
        effects: of each concept at this clip, in units of the target.
        times_s: when each frame is on display.
        frames: as the model saw them, made smaller.
        concepts: a map for each concept.
        attribution: the map of an attribution method, Grad-CAM if not chosen otherwise, if it applies there.
    """

    model: str
    target: str
    clip: str
    window: int
    layer: str
    value: float
    probability: float
    why: str
    effects: Mapping[str, float]
    times_s: Float[np.ndarray, " time"]
    frames: UInt8[Tensor, "time 3 height width"]
    concepts: tuple[TimedMap, ...]
    attribution: TimedMap | None

    @property
    def maps(self) -> tuple[TimedMap, ...]:
        """Those of the concepts, then that of the attribution method."""
        return (*self.concepts, *([self.attribution] if self.attribution else []))


def choose_clips(analysis: Analysis, layer: str, count: int) -> list[tuple[int, str, dict[str, float]]]:
    """Class clips worth seeing: where each concept raised the class most, and where least, in turn.

    Returns:
        Index among the analysis' clips, why, and the effect of every concept there.
    """
    results = [stored for stored in analysis.found if stored.result.layer == layer]
    results = [stored for stored in results if stored.result.versus == "random" and stored.result.twin == "none"]
    results.sort(key=lambda stored: -abs(stored.result.effect))
    reasons: dict[int, dict[str, list[str]]] = {}  # by clip and phrase, the concepts
    for pick, phrases in (
        (np.argmax, ("raised the class most", "lowered the class least")),
        (np.argmin, ("raised the class least", "lowered the class most")),
    ):
        for stored in results:  # the concept with the largest effect first
            index = int(pick(stored.by_clip))
            phrase = phrases[int(stored.by_clip[index] < 0)]
            reasons.setdefault(index, {}).setdefault(phrase, []).append(stored.result.concept)
    return [
        (
            index,
            _why(reasons[index], len(analysis.clips)),
            {stored.result.concept: float(stored.by_clip[index]) for stored in results},
        )
        for index in list(reasons)[:count]
    ]


def _why(concepts: Mapping[str, Sequence[str]], clip_count: int) -> str:
    """Why a clip was chosen: `Of 20 clips, swing and racket raised the class most here; court lowered the class most here`."""
    clauses = [f"{' and '.join(names)} {phrase} here" for phrase, names in concepts.items()]
    return f"Of {clip_count} clips, {'; '.join(clauses)}"


def show_clips(
    model: VideoModel,
    analysis: Analysis,
    sources: Mapping[str, VideoSource],
    *,
    layer: str,
    experiment: Experiment,
    advance: Advance,
) -> Iterator[ShownClip]:
    """Choose, decode and explain the example clips of an analysis.

    Args:
        model: that was explained.
        analysis: of that model, with its CAVs.
        sources: of the class clips, by key.
        layer: where to look.
        experiment: its target's definition, clips of each video, and attribution method beside the concept maps.
        advance: progress callback; its steps add up to `experiment.shown`.
    """
    cavs, attribution = load_cavs(analysis.folder / "cavs.safetensors"), experiment.attribution
    # Against random clips alone, as the effects are; the CAVs of other feature spaces have no positions.
    mapped = [cav for cav in cavs if (cav.layer, cav.versus, cav.space) == (layer, "random", "flatten")]
    # A method that looks at pixels goes without the layer.
    (saliency_method,) = methods_with([attribution], {"layers": (layer,)}, used_elsewhere=["layers"])
    methods: list[tuple[str, Method]] = [*maps_of_cavs(mapped), (attribution, saliency_method)]
    target = parse_target(model, analysis.which.target, experiment.against)
    chosen = choose_clips(analysis, layer, experiment.shown)
    advance(experiment.shown - len(chosen))
    for index, why, effects in chosen:
        key, window = analysis.clips[index]
        (loaded,) = load_clips([sources[key]], model.clip_spec, windows=experiment.windows, threads=1)
        if loaded.clips is not None:
            clip = prepare_clip(model, loaded, window, target)
            frames = seen_frames(model.clip_spec, loaded, window)
            maps = {name: timed for name, method in methods if (timed := _timed_map(name, clip, method, frames))}
            yield ShownClip(
                model=analysis.which.model,
                target=analysis.which.target,
                clip=key,
                window=window,
                layer=layer,
                value=clip.value,
                # JSON has no NaN, which a regression's probability is.
                probability=clip.value if math.isnan(clip.probability) else clip.probability,
                why=why,
                effects=effects,
                times_s=np.asarray(loaded.timestamps_s[window]),
                frames=frames,
                concepts=tuple(timed for name, timed in maps.items() if name != attribution),
                attribution=maps.get(attribution),
            )
        advance(1)


def _timed_map(name: str, clip: PreparedClip, method: Method, frames: Tensor) -> TimedMap | None:
    """The map made as small as the frames and quantised; none where the layer has no positions, or the map is empty."""
    try:
        attribution = method(clip.model, clip.inputs, target=clip.target)
    except (AxesError, MethodError, EmptyMapError):
        return None
    (layer,) = attribution.layers
    times_s = np.asarray(clip.loaded.timestamps_s[clip.window])
    (line,), line_frames = attribution.time_profile(layer)
    values = attribution.values(layer)[0][:, None].float().cpu()
    small = interpolate(values, size=frames.shape[-2:], mode="bilinear", antialias=True)[:, 0]
    scale = float(small.abs().max()) / 127 or 1.0  # the largest value takes the last of int8's steps; zeros stay zeros
    return TimedMap(
        name=name,
        values=(small / scale).round().to(torch.int8),
        scale=scale,
        line=line,
        line_s=np.interp(line_frames, np.arange(len(times_s)), times_s),
    )


def seen_frames(spec: ClipSpec, loaded: LoadedClips, window: int) -> UInt8[Tensor, "time 3 height width"]:
    """The part of the frames that a model of this clip spec saw, made small enough for a page."""
    assert loaded.clips is not None
    clip = loaded.clips[window]
    top, left, bottom, right = (round(edge) for edge in seen_box((clip.shape[-2], clip.shape[-1]), spec))
    cropped = clip[..., top:bottom, left:right].float()
    height, width = cropped.shape[-2:]
    shrink = min(1.0, LONGEST_SIDE_PX / max(height, width))
    # Even numbers of pixels: video encoders halve the resolution of colour.
    size = (max(2, round(height * shrink / 2) * 2), max(2, round(width * shrink / 2) * 2))
    small = interpolate(cropped, size=size, mode="area" if shrink < 1 else "nearest")
    return small.round().clamp(0, 255).to(torch.uint8)


def save_shown(folder: Path, number: int, clip: ShownClip) -> None:
    """Write an example clip as two files; the JSON file comes second, so that the tensors are there where it is."""
    tensors = {"frames": clip.frames, **{f"map.{index}": timed.values for index, timed in enumerate(clip.maps)}}
    write_tensors(folder / f"{number:03d}.safetensors", {name: tensor.contiguous() for name, tensor in tensors.items()})
    facts: dict[str, Any] = {name: getattr(clip, name) for name in _FACTS}
    facts |= {"effects": dict(clip.effects), "times_s": clip.times_s.tolist()}
    facts["maps"] = [
        {"name": timed.name, "scale": timed.scale, "line": timed.line.tolist(), "line_s": timed.line_s.tolist()}
        for timed in clip.maps
    ]
    if clip.attribution is not None and clip.attribution.name != SALIENCY:  # files without a name hold Grad-CAM
        facts["attribution"] = clip.attribution.name
    write_json(folder / f"{number:03d}.json", facts)


def load_shown(folder: Path) -> tuple[ShownClip, ...]:
    """All example clips of a folder."""
    return tuple(_load(path) for path in sorted(folder.glob("[0-9]*.json")))


def _load(path: Path) -> ShownClip:
    with damage_reported(path, f"Delete the folder {path.parent}, {RESUME}"):
        facts = read_json(path)
        tensors = load_file(path.with_suffix(".safetensors"))
        attribution = facts.pop("attribution", SALIENCY)
        maps = [
            TimedMap(
                name=stored["name"],
                values=tensors[f"map.{index}"],
                scale=stored["scale"],
                line=np.asarray(stored["line"]),
                line_s=np.asarray(stored["line_s"]),
            )
            for index, stored in enumerate(facts.pop("maps"))
        ]
        return ShownClip(
            **{**facts, "times_s": np.asarray(facts["times_s"])},
            frames=tensors["frames"],
            concepts=tuple(timed for timed in maps if timed.name != attribution),
            attribution=next((timed for timed in maps if timed.name == attribution), None),
        )
