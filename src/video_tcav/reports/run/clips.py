"""Clips of a run inside its page: what each set holds, and clips with their maps, as small as is good to look at."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Analysis, Run, ShownClip
from video_tcav.experiments.example_clips import SALIENCY, TimedMap
from video_tcav.experiments.previews import Preview
from video_tcav.media import find_videos, read_frames
from video_tcav.reports.clips import data_uri
from video_tcav.reports.maps.heat import STRENGTH, heat_colours, heat_levels, heat_scale, level_shares
from video_tcav.reports.run.timeline import Line, timeline
from video_tcav.reports.run.view import file_words, model_words

_QUALITY, _POSTER_QUALITY, _MAP_PX = 80, 72, 48
HALF = 2
_AROUND = 600
"""Bytes of the page around a clip or map."""
_TITLES = {SALIENCY: "Grad-CAM"}


@dataclass(frozen=True, kw_only=True)
class PlayedClip:
    """One clip of a set.

    Attributes:
        uri: the clip; empty for a picture.
        poster: its first frame, or the picture.
        label: what it is.
    """

    uri: str
    poster: str
    label: str

    @property
    def size(self) -> int:
        return len(self.uri) + len(self.poster) + _AROUND


@dataclass(frozen=True, kw_only=True)
class PlayedMap:
    """One map of a clip in the player.

    Attributes:
        name: concept, or Grad-CAM.
        uri: a picture of all its times, one below the other, in levels of heat.
        scale: heat behind the full colour.
        effect: of the concept at this clip; `None` for Grad-CAM.
        look: of its line in the timeline, see `line_look`; -1 if it has none.
    """

    name: str
    uri: str
    scale: float
    effect: float | None
    look: int


@dataclass(frozen=True, kw_only=True)
class Player:
    """A clip that is shown in full.

    Attributes:
        clip: as the run has it.
        file: its name, short.
        model: its name, short.
        frames: a picture of all frames, one below the other.
        width: of a frame in pixels.
        height: of a frame.
        map_width: of a map.
        map_height: of a map.
        maps: concepts by falling effect, then Grad-CAM.
        times_s: when each frame is on display, from the first.
        first_s: when the first frame is on display in the video.
        poster: the frame to begin with: where the first map's line is furthest from zero.
        chart: the timelines.
        unit: of the timelines.
        comparable: whether the maps of concepts share a unit.
    """

    clip: ShownClip
    file: str
    model: str
    frames: str
    width: int
    height: int
    map_width: int
    map_height: int
    maps: tuple[PlayedMap, ...]
    times_s: tuple[float, ...]
    first_s: float
    poster: int
    chart: Markup
    unit: str
    comparable: bool

    @property
    def shared(self) -> list[float]:
        """The scale of each concept's map as a share of the largest; 0 for maps that share no unit."""
        largest = max((one.scale for one in self.maps if one.look >= 0), default=0.0)
        return [one.scale / largest if self.comparable and one.look >= 0 and largest else 0.0 for one in self.maps]

    @property
    def facts(self) -> dict[str, Any]:
        """What the page's script needs."""
        return {
            "sizes": [self.width, self.height, self.map_width, self.map_height],
            "times": self.times_s,
            "first": round(self.first_s, 4),
            "poster": self.poster,
            "looks": [one.look for one in self.maps],
            "shared": [round(share, 5) for share in self.shared],
        }

    @property
    def size(self) -> int:
        return len(self.frames) + sum(len(one.uri) + _AROUND for one in self.maps) + len(self.chart) + 4 * _AROUND


def played_preview(folder: Path, one: Preview) -> PlayedClip:
    """A clip of a set as the page plays it.

    Raises:
        ExperimentError: if its file is missing.
    """
    path, label = folder / one.file, f"{one.name}: {file_words(one.clip)}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExperimentError(
            f"{path}: a preview must be readable. Got: {error.strerror}. Delete the folder {folder.parent} and resume."
        ) from error
    if not one.moves:
        return PlayedClip(uri="", poster=data_uri("image/png", content), label=label)
    first = read_frames(find_videos(path)[0], [0])[0]
    return PlayedClip(uri=data_uri("video/mp4", content), poster=_webp(first, _POSTER_QUALITY), label=label)


def player(run: Run, clip: ShownClip, analysis: Analysis, *, number: int, unit: str, shrink: int = 1) -> Player:
    """A shown clip for the page.

    With mean-difference CAVs, a map in units of the concept's distance from random clips adds up to the concept's effect, so
    that maps of several concepts can be compared. Other CAVs give no such distance, and their maps are left as they are.

    Args:
        run: the run.
        clip: one of its shown clips.
        analysis: that it is from.
        number: in the page.
        unit: of effects.
        shrink: divide the size of frames by this.
    """
    comparable = run.experiment.cav == "mean"
    factors = {one.name: _distance(analysis, one.name, clip.layer) if comparable else 1.0 for one in clip.concepts}
    concepts = sorted(clip.concepts, key=lambda one: -abs(clip.effects.get(one.name, 0.0)))
    looks = {name: number for number, name in enumerate(run.experiment.all_concepts())}
    height, width = (max(1, side // shrink) for side in clip.frames.shape[-2:])
    map_size = _map_size(height, width)
    maps = [
        _played_map(one, map_size, factors[one.name], clip.effects.get(one.name), looks.get(one.name, 0))
        for one in concepts
    ]
    if clip.attribution is not None:
        maps.append(_played_map(clip.attribution, map_size, 1.0, None, -1))
    times_s = clip.times_s - clip.times_s[0]
    lines = [
        Line(
            name=one.name,
            look=looks.get(one.name, 0),
            values=one.line * factors[one.name],
            times_s=one.line_s - clip.times_s[0],
        )
        for one in concepts
    ]
    what = unit if comparable else f"{unit} per unit of activation"
    return Player(
        clip=clip,
        file=file_words(clip.clip) + (f", clip {clip.window + 1}" if run.experiment.windows > 1 else ""),
        model=model_words(clip.model),
        frames=_webp(_stacked(clip.frames, height, width), _QUALITY),
        width=width,
        height=height,
        map_width=map_size[1],
        map_height=map_size[0],
        maps=tuple(maps),
        times_s=tuple(round(float(time), 4) for time in times_s),
        first_s=float(clip.times_s[0]),
        poster=_peak(lines[0], times_s) if lines else len(times_s) // 2,
        chart=timeline(lines, length_s=float(times_s[-1]), unit=what, name=f"timeline-{number}")
        if lines
        else Markup(""),
        unit=what,
        comparable=comparable,
    )


def heat_table() -> list[list[int]]:
    """Red, green, blue and opacity of each of the 256 levels of heat."""
    opacity = np.rint(255 * STRENGTH * level_shares(True)).astype(int)
    return [[*map(int, colour), int(alpha)] for colour, alpha in zip(heat_colours(True), opacity, strict=True)]


def chosen_previews(previews: Sequence[PlayedClip], sets: Sequence[int], budget: int) -> list[int]:
    """How many clips of each set fit: as many of each as of any other.

    Args:
        previews: of all sets, one set after the other.
        sets: how many clips each set has.
        budget: bytes for all of them.
    """
    starts = np.cumsum([0, *sets[:-1]]) if sets else []
    for most in range(max(sets, default=0), 0, -1):
        taken = [min(most, count) for count in sets]
        size = sum(
            one.size for start, count in zip(starts, taken, strict=True) for one in previews[start : start + count]
        )
        if size <= budget:
            return taken
    return [0] * len(sets)


def _distance(analysis: Analysis, concept: str, layer: str) -> float:
    """Between the average random and the average concept clip: what turns a derivative along the CAV into an effect."""
    found = analysis.get(concept, layer)
    if found is None or found.result.tcav_magnitude == 0:
        return 1.0
    return found.result.effect / found.result.tcav_magnitude


def _played_map(one: TimedMap, size: tuple[int, int], factor: float, effect: float | None, look: int) -> PlayedMap:
    heat = one.values.float() * one.scale * factor
    small = torch.nn.functional.interpolate(heat[:, None], size=size, mode="area")[:, 0].numpy()
    scale = heat_scale(torch.from_numpy(small))
    levels = heat_levels(small, scale, signed=True).reshape(-1, size[1])
    uri = data_uri("image/png", cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 7])[1].tobytes())
    name = one.name if look >= 0 else _TITLES.get(one.name, one.name)
    return PlayedMap(name=name, uri=uri, scale=scale, effect=effect, look=look)


def _map_size(height: int, width: int) -> tuple[int, int]:
    shrink = min(1.0, _MAP_PX / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _stacked(
    frames: UInt8[Tensor, "time 3 height width"], height: int, width: int
) -> UInt8[Tensor, "3 all_height width"]:
    small = frames
    if (height, width) != tuple(frames.shape[-2:]):
        small = (
            torch.nn.functional.interpolate(frames.float(), size=(height, width), mode="area").round().to(torch.uint8)
        )
    return small.permute(1, 0, 2, 3).reshape(3, -1, width)


def _webp(picture: UInt8[Tensor, "3 height width"], quality: int) -> str:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy())).save(
        content, "WEBP", quality=quality, method=4
    )
    return data_uri("image/webp", content.getvalue())


def _peak(line: Line, times_s: Float[np.ndarray, " time"]) -> int:
    when = line.times_s[int(np.abs(line.values).argmax())]
    return int(np.abs(times_s - when).argmin())
