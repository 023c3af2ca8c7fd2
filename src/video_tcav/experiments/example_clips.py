"""Clips that a report shows in full: frames, where each concept raised the class (METHOD: where and when), and when."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8
from safetensors.torch import load_file
from torch import Tensor

from video_tcav.attribution import ConceptMap, Method, make_method
from video_tcav.core.errors import EmptyMapError, ExperimentError, MethodError, VideoTcavError
from video_tcav.core.files import read_json, reason_of, write_json
from video_tcav.core.tables import write_tensors
from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.digests import DAMAGE
from video_tcav.media import VideoSource, load_clips
from video_tcav.media.loader import LoadedClips
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.hooks import untouched
from video_tcav.models.preprocess import seen_box
from video_tcav.tcav import SavedCav, load_cavs

LONGEST_SIDE_PX = 160
SALIENCY = "gradcam"


@dataclass(frozen=True, kw_only=True, eq=False)
class TimedMap:
    """One map over a clip, and its sum over the picture at each time of the layer.

    Attributes:
        name: the concept, or the method of attribution.
        values: -127 to 127, in units of `scale`; on the frames of the clip.
        scale: the map's value behind a step of one.
        line: sum over all places, at each time of the layer, in target units per unit of activation; it adds up to the
            directional derivative of a concept.
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
        why: why it is shown, such as "swing raised it most".
        effects: of each concept at this clip, in units of the target.
        times_s: when each frame is on display.
        frames: as the model saw them, made smaller.
        concepts: a map for each concept.
        attribution: Grad-CAM at that layer, if it applies there.
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


def choose(analysis: Analysis, layer: str, count: int) -> list[tuple[int, str, dict[str, float]]]:
    """Class clips worth seeing: where each concept raised the class most, and where least, in turn.

    Returns:
        Index among the analysis' clips, why, and the effect of every concept there.
    """
    found = [one for one in analysis.found if one.result.layer == layer]
    own = [one for one in found if one.result.versus == "random" and one.result.twin == "none"]
    own.sort(key=lambda one: -abs(one.result.effect))
    wanted: list[tuple[int, str]] = []
    for pick, words in (
        (np.argmax, ("raised it most", "lowered it least")),
        (np.argmin, ("raised it least", "lowered it most")),
    ):
        for one in own:
            index = int(pick(one.by_clip))
            wanted.append((index, f"{one.result.concept} {words[int(one.by_clip[index] < 0)]}"))
    reasons: dict[int, str] = {}
    for index, why in wanted:
        reasons[index] = f"{reasons[index]}; {why}" if index in reasons else why
    effects = [{one.result.concept: float(one.by_clip[index]) for one in own} for index in reasons]
    return [(index, why, effect) for (index, why), effect in zip(reasons.items(), effects, strict=True)][:count]


def show_clips(
    model: VideoModel,
    analysis: Analysis,
    sources: Mapping[str, VideoSource],
    *,
    layer: str,
    against: str,
    count: int,
    windows: int,
    advance: Any,
) -> Iterator[ShownClip]:
    """Look at the clips worth seeing.

    Args:
        model: that was explained.
        analysis: of that model, with its CAVs.
        sources: of the class clips, by key.
        layer: where to look.
        against: the target's definition.
        count: how many clips.
        windows: clips of each video.
        advance: told of each clip.
    """
    cavs = [
        one for one in load_cavs(analysis.folder / "cavs.safetensors") if one.layer == layer and one.versus == "random"
    ]
    chosen = choose(analysis, layer, count)
    advance(count - len(chosen))
    for index, why, effects in chosen:
        key, window = analysis.clips[index]
        (loaded,) = load_clips([sources[key]], model.clip_spec, windows=windows, threads=1)
        if loaded.clips is not None:
            yield _shown(model, analysis, loaded, window, cavs, layer, against, why, effects)
        advance(1)


def _shown(
    model: VideoModel,
    analysis: Analysis,
    loaded: LoadedClips,
    window: int,
    cavs: Sequence[SavedCav],
    layer: str,
    against: str,
    why: str,
    effects: Mapping[str, float],
) -> ShownClip:
    assert loaded.clips is not None
    frames = seen_frames(model, loaded, window)
    inputs = model.prepare(loaded.clips[window])[None].to(model.device)
    target = parse_target(model, analysis.which.target, against)
    with untouched(model.module), torch.no_grad():
        logits = model.logits(inputs)
    times_s = np.asarray(loaded.timestamps_s[window])
    named: list[tuple[str, Method]] = [
        (one.concept, ConceptMap(cavs={layer: one.vector})) for one in cavs if one.space == "flatten"
    ]
    named.append((SALIENCY, make_method(SALIENCY, layers=[layer])))
    maps: dict[str, TimedMap] = {}
    for name, method in named:
        try:
            found = method(model, inputs, target=target)
        except (MethodError, EmptyMapError):
            continue  # this layer has no positions, or the map is empty: the clip is shown without it
        line = found.layers[layer][0].double().sum((1, 2)).cpu().numpy()
        spacing = found.spacings[layer][0] if layer in found.spacings else None
        steps = np.arange(len(line))
        share = len(times_s) / len(line)
        places = spacing.first + steps * spacing.step if spacing else (steps + 0.5) * share - 0.5
        maps[name] = _timed(
            name, found.values(layer)[0], frames, line, np.interp(places, np.arange(len(times_s)), times_s)
        )
    return ShownClip(
        model=analysis.which.model,
        target=analysis.which.target,
        clip=loaded.source.key,
        window=window,
        layer=layer,
        value=float(target(logits)[0]),
        probability=float(model.outputs.probabilities(logits)[0, target.class_index]),
        why=why,
        effects=effects,
        times_s=times_s,
        frames=frames,
        concepts=tuple(one for name, one in maps.items() if name != SALIENCY),
        attribution=maps.get(SALIENCY),
    )


def seen_frames(model: VideoModel, loaded: LoadedClips, window: int) -> UInt8[Tensor, "time 3 height width"]:
    """The part of the frames that the model saw, made small enough for a page."""
    assert loaded.clips is not None
    clip = loaded.clips[window]
    top, left, bottom, right = (round(edge) for edge in seen_box((clip.shape[-2], clip.shape[-1]), model.clip_spec))
    part = clip[..., top:bottom, left:right].float()
    height, width = part.shape[-2:]
    shrink = min(1.0, LONGEST_SIDE_PX / max(height, width))
    size = (max(2, round(height * shrink / 2) * 2), max(2, round(width * shrink / 2) * 2))
    small = torch.nn.functional.interpolate(part, size=size, mode="area" if shrink < 1 else "nearest")
    return small.round().clamp(0, 255).to(torch.uint8)


def _timed(name: str, values: Tensor, frames: Tensor, line: np.ndarray, line_s: np.ndarray) -> TimedMap:
    size = tuple(frames.shape[-2:])
    small = torch.nn.functional.interpolate(values[:, None].float().cpu(), size=size, mode="bilinear", antialias=True)[
        :, 0
    ]
    scale = float(small.abs().max()) / 127 or 1.0
    return TimedMap(name=name, values=(small / scale).round().to(torch.int8), scale=scale, line=line, line_s=line_s)


def save_shown(folder: Path, number: int, clip: ShownClip) -> None:
    """Write a shown clip as two files, the second of which says that both are there.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    tensors = {"frames": clip.frames}
    maps = [*clip.concepts, *([clip.attribution] if clip.attribution else [])]
    for index, one in enumerate(maps):
        tensors[f"map.{index}"] = one.values
    write_tensors(folder / f"{number:03d}.safetensors", {name: tensor.contiguous() for name, tensor in tensors.items()})
    facts = {
        name: getattr(clip, name)
        for name in ("model", "target", "clip", "window", "layer", "value", "probability", "why")
    }
    lines = [{"name": m.name, "scale": m.scale, "line": m.line.tolist(), "line_s": m.line_s.tolist()} for m in maps]
    write_json(
        folder / f"{number:03d}.json",
        {**facts, "effects": dict(clip.effects), "times_s": clip.times_s.tolist(), "maps": lines},
    )


def load_shown(folder: Path) -> tuple[ShownClip, ...]:
    """All shown clips of a folder.

    Raises:
        ExperimentError: if a file is damaged.
    """
    return tuple(_load(path) for path in sorted(folder.glob("[0-9]*.json")))


def _load(path: Path) -> ShownClip:
    try:
        facts = read_json(path)
        tensors = load_file(path.with_suffix(".safetensors"))
        maps = [
            TimedMap(
                name=one["name"],
                values=tensors[f"map.{index}"],
                scale=one["scale"],
                line=np.asarray(one["line"]),
                line_s=np.asarray(one["line_s"]),
            )
            for index, one in enumerate(facts.pop("maps"))
        ]
        attribution = next((one for one in maps if one.name == SALIENCY), None)
        return ShownClip(
            **{**facts, "times_s": np.asarray(facts["times_s"])},
            frames=tensors["frames"],
            concepts=tuple(one for one in maps if one is not attribution),
            attribution=attribution,
        )
    except VideoTcavError:
        raise
    except DAMAGE as error:
        raise ExperimentError(
            f"{path}: a shown clip must be whole. Got: {reason_of(error)[:200]}. Delete the folder {path.parent} and resume."
        ) from error
