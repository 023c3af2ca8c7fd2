"""Clips of a run inside its page: previews of each set, and clips with their maps, compressed for the web."""

import io
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
from torch.nn.functional import interpolate

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Analysis, Run, ShownClip
from video_tcav.experiments.example_clips import SALIENCY, TimedMap
from video_tcav.experiments.previews import Preview
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.media import find_videos, read_frames
from video_tcav.reports.clips import data_uri
from video_tcav.reports.maps.heat import STRENGTH, heat_colours, heat_levels, heat_scale, level_shares
from video_tcav.reports.run.text import short_clip, short_model
from video_tcav.reports.run.timeline import Line, timeline
from video_tcav.tcav.wording import units

# Of WebP. Frames are drawn at twice their size, where blocks would show; posters are small.
_FRAME_QUALITY, _POSTER_QUALITY = 80, 72
# Longer side of a map: layers have 4 to 28 positions a side, and the browser draws smoothly between pixels.
_MAP_PX = 48
# Bytes of HTML around a clip or map, roughly.
_AROUND = 600
_TITLES = {SALIENCY: "Grad-CAM"}


@dataclass(frozen=True, kw_only=True)
class PlayedClip:
    """One clip of a set."""

    uri: str  # empty for a picture
    poster: str  # first frame, or the picture
    label: str  # set and file

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.uri) + len(self.poster) + _AROUND


@dataclass(frozen=True, kw_only=True)
class PlayedMap:
    """One map of a clip in the player."""

    name: str  # concept, or Grad-CAM
    uri: str  # a picture of all its times, one below the other, in levels of heat
    scale: float  # heat behind the full colour
    effect: float | None  # of the concept at this clip; `None` for Grad-CAM
    look: int  # of its line in the timeline, see `line_look`; -1 if it has none


@dataclass(frozen=True, kw_only=True)
class Player:
    """A clip with its maps; sizes are height and width."""

    clip: ShownClip
    file: str  # its name, short; likewise that of the model
    model: str
    frames: str  # a picture of all frames, one below the other
    size_px: tuple[int, int]
    map_size_px: tuple[int, int]
    maps: tuple[PlayedMap, ...]  # concepts by falling effect, then Grad-CAM
    times_s: tuple[float, ...]  # when each frame is on display, from the first
    first_s: float  # when the first frame is on display in the video
    poster: int  # number of the frame to begin with: where the first map's line is furthest from zero
    chart: Markup  # the timelines
    unit: str  # of the timelines
    comparable: bool  # whether the maps of concepts share a unit

    @property
    def shared(self) -> list[float]:
        """The scale of each concept's map as a share of the largest; 0 for maps that share no unit."""
        scales = [map_.scale if self.comparable and map_.look >= 0 else 0.0 for map_ in self.maps]
        largest = max(scales, default=0.0)
        return [scale / largest if largest else 0.0 for scale in scales]

    @property
    def facts(self) -> dict[str, Any]:
        """Variables of the page's script."""
        return {
            "sizes": [*self.size_px[::-1], *self.map_size_px[::-1]],
            "times": self.times_s,
            "first": round(self.first_s, 4),
            "poster": self.poster,
            "looks": [map_.look for map_ in self.maps],
            "shared": [round(share, 5) for share in self.shared],
        }

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.frames) + sum(len(map_.uri) + _AROUND for map_ in self.maps) + len(self.chart) + 4 * _AROUND


def played_preview(folder: Path, preview: Preview) -> PlayedClip:
    """A clip of a set for the page."""
    path, label = folder / preview.file, f"{preview.name}: {short_clip(preview.clip)}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExperimentError(
            f"{path}: a preview must be readable. Got: {error.strerror}. Delete the folder {folder.parent} and resume."
        ) from error
    # The poster is what a page without running videos, such as one on paper, shows.
    if not preview.moves:
        return PlayedClip(uri="", poster=data_uri("image/png", content), label=label)
    first = read_frames(find_videos(path)[0], [0])[0]
    return PlayedClip(uri=data_uri("video/mp4", content), poster=_webp(first, _POSTER_QUALITY), label=label)


def player(run: Run, clip: ShownClip, analysis: Analysis, *, number: int, shrink: int = 1) -> Player:
    """A clip of an analysis with its maps, by its number in the page, with frames of a size that is divided by `shrink`.

    A map in units of the concept's distance from random clips adds up to the concept's effect, so that maps of several
    concepts can be compared. Other maps are left as they are.
    """
    experiment = run.experiment
    # CAVs along the difference of the means have a distance to multiply their maps with.
    comparable = cav_fitter(experiment.cav).parallel_to_means
    looks = {name: look for look, name in enumerate(experiment.all_concepts())}
    height, width = (max(1, side // shrink) for side in clip.frames.shape[-2:])
    map_shrink = min(1.0, _MAP_PX / max(height, width))
    map_size = max(1, round(height * map_shrink)), max(1, round(width * map_shrink))
    times_s = clip.times_s - clip.times_s[0]
    maps, lines = [], []
    for concept in sorted(clip.concepts, key=lambda concept: -abs(clip.effects.get(concept.name, 0.0))):
        name, look = concept.name, looks.get(concept.name, 0)
        factor = _distance(analysis, name, clip.layer) if comparable else 1.0
        maps.append(_played_map(concept, map_size, factor=factor, effect=clip.effects.get(name), look=look))
        line_s = concept.line_s - clip.times_s[0]
        lines.append(Line(name=name, look=look, values=concept.line * factor, times_s=line_s))
    if clip.attribution is not None:
        maps.append(_played_map(clip.attribution, map_size))
    unit = units(experiment.against) + ("" if comparable else " per unit of activation")
    chart = timeline(lines, length_s=float(times_s[-1]), unit=unit, name=f"timeline-{number}") if lines else Markup("")
    return Player(
        clip=clip,
        file=short_clip(clip.clip, clip.window if experiment.windows > 1 else None),
        model=short_model(clip.model),
        frames=_webp(_stacked(clip.frames, height, width), _FRAME_QUALITY),
        size_px=(height, width),
        map_size_px=map_size,
        maps=tuple(maps),
        times_s=tuple(round(float(time), 4) for time in times_s),
        first_s=float(clip.times_s[0]),
        poster=_peak(lines[0], times_s) if lines else len(times_s) // 2,
        chart=chart,
        unit=unit,
        comparable=comparable,
    )


def heat_table() -> list[list[int]]:
    """Red, green, blue and opacity of each of the 256 levels of heat."""
    # Computed once here, so that the script has no colours of its own.
    opacity = np.rint(255 * STRENGTH * level_shares(True)).astype(int)
    return [[*map(int, colour), int(alpha)] for colour, alpha in zip(heat_colours(True), opacity, strict=True)]


def _distance(analysis: Analysis, concept: str, layer: str) -> float:
    """Between the average random and the average concept clip: what turns a derivative along the CAV into an effect."""
    stored = analysis.get(concept, layer)
    # effect = magnitude * distance, where magnitude is the mean derivative along the unit CAV.
    if stored is None or stored.result.tcav_magnitude == 0:
        return 1.0
    return stored.result.effect / stored.result.tcav_magnitude


def _played_map(
    timed_map: TimedMap, size_px: tuple[int, int], *, factor: float = 1.0, effect: float | None = None, look: int = -1
) -> PlayedMap:
    # Maps are stored as 8 bits with a scale; `factor` brings them to the unit of effects.
    heat = timed_map.values.float() * timed_map.scale * factor
    small = interpolate(heat[:, None], size=size_px, mode="area")[:, 0]
    scale = heat_scale(small)
    levels = heat_levels(small.numpy(), scale, signed=True).reshape(-1, size_px[1])
    uri = data_uri("image/png", cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 7])[1].tobytes())
    name = timed_map.name if look >= 0 else _TITLES.get(timed_map.name, timed_map.name)
    return PlayedMap(name=name, uri=uri, scale=scale, effect=effect, look=look)


def _stacked(
    frames: UInt8[Tensor, "time 3 height width"], height: int, width: int
) -> UInt8[Tensor, "3 all_height width"]:
    """All frames at that size, one below the other: one picture compresses better than many."""
    if (height, width) != tuple(frames.shape[-2:]):
        frames = interpolate(frames.float(), size=(height, width), mode="area").round().to(torch.uint8)
    return frames.permute(1, 0, 2, 3).reshape(3, -1, width)


def _webp(picture: UInt8[Tensor, "3 height width"], quality: int) -> str:
    content = io.BytesIO()
    pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    Image.fromarray(pixels).save(content, "WEBP", quality=quality, method=4)
    return data_uri("image/webp", content.getvalue())


def _peak(line: Line, times_s: Float[np.ndarray, " time"]) -> int:
    """The frame on display where a line is furthest from zero."""
    peak_s = line.times_s[int(np.abs(line.values).argmax())]
    return int(np.abs(times_s - peak_s).argmin())
