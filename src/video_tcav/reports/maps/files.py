"""Attribution maps on their video, at its size and rate, and as files: overlay, contact sheet, tube, numbers."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import INPUT
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.files import as_read_back, atomic_path
from video_tcav.explanation import Explanation, Explanations
from video_tcav.media import Skipped, read_frames, write_picture
from video_tcav.media.timeline import read_timeline
from video_tcav.reports.maps.contact_sheet import sheet_picture
from video_tcav.reports.maps.heat import heat_scale
from video_tcav.reports.maps.overlay import fastest_fps, write_overlay
from video_tcav.reports.maps.tube import tube_picture

Format = Literal["mp4", "gif", "webp", "png", "npz"]
FORMATS: tuple[Format, ...] = get_args(Format)
# Share of the distance of two frames: rounding in containers moves a frame by less, a dropped frame by more.
_UNEVEN = 0.25
_PARTS = {"static": "what survives freezing", "motion": "what does not survive freezing"}


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownMap:
    """A map on the frames of its video.

    Attributes:
        frames: every frame of the video from the first to the last that the clip shows.
        heat: the map on these frames and pixels, linear between the frames and pixels that the model took, and averaged
            where it took a frame several times; zero outside.
        seen: which pixels the model saw.
        times_s: when each frame is on display, in seconds of the video.
        fps: of the video; where its frames come at uneven times, by their usual distance.
    """

    frames: UInt8[Tensor, "time 3 height width"]
    heat: Float[Tensor, "time height width"]
    seen: Bool[Tensor, "height width"]
    times_s: Float[np.ndarray, " time"]
    fps: float

    @property
    def steady(self) -> Int[np.ndarray, " tick"]:
        """Which frame is on display at each tick of a steady clock of that rate: all, where they come at even times."""
        if len(self.times_s) < 2 or _is_even(self.times_s):
            return np.arange(len(self.times_s))
        # A tenth of a tick early still counts: timestamps of containers are rounded.
        ticks_s = np.arange(self.times_s[0], self.times_s[-1] + 0.5 / self.fps, 1 / self.fps)
        return np.searchsorted(self.times_s, ticks_s + 0.1 / self.fps, side="right") - 1


def _is_even(times_s: Float[np.ndarray, " time"]) -> bool:
    """Whether frames come at even times, but for the rounding of the container."""
    steady_s = np.linspace(times_s[0], times_s[-1], len(times_s))
    return bool(np.abs(times_s - steady_s).max() <= _UNEVEN * (steady_s[1] - steady_s[0]))


def on_video(explanation: Explanation) -> ShownMap:
    """Bring a map to its video: decode the frames that the clip covers, and interpolate the map to them.

    Raises:
        MediaError: if the video cannot be decoded any more.
    """
    timeline = read_timeline(explanation.source)
    sampled = np.array(explanation.frame_indices)
    still = sampled[0] == sampled[-1]  # one frame repeated: as many pictures as the map has, one interval apart
    indices = sampled if still else np.arange(sampled[0], sampled[-1] + 1)
    frames = read_frames(explanation.source, indices, timeline=timeline)
    height, width = frames.shape[-2:]
    top, left, bottom, right = (round(edge) for edge in explanation.seen)
    box = (slice(top, bottom), slice(left, right))
    seen = torch.zeros(height, width, dtype=torch.bool)
    seen[box] = True
    heat = torch.zeros(len(indices), height, width)
    values = values_of(explanation).float()
    maps = values if still else _interpolated(values, sampled, indices)
    for large, small in zip(heat, maps, strict=True):  # frame by frame: a video of floats is large
        size = (bottom - top, right - left)
        large[box] = F.interpolate(small[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    start_s = float(timeline.timestamps_s[sampled[0]])
    times_s = start_s + timeline.interval_s * np.arange(len(indices)) if still else timeline.timestamps_s[indices]
    regular = len(times_s) > 1 and _is_even(times_s)
    interval_s = (times_s[-1] - times_s[0]) / (len(times_s) - 1) if regular else timeline.interval_s
    return ShownMap(frames=frames, heat=heat, seen=seen, times_s=times_s, fps=float(1 / interval_s))


def _interpolated(
    values: Float[Tensor, "sampled height width"],
    sampled: Int[np.ndarray, " sampled"],
    indices: Int[np.ndarray, " time"],
) -> Iterator[Float[Tensor, "height width"]]:
    """Maps of frames, linear between the sampled ones."""
    # A slow video gives a frame several times; its maps are averaged.
    frames, first = np.unique(sampled, return_index=True)
    values = torch.stack([group.mean(0) for group in values.tensor_split(first[1:].tolist())])
    for position in np.interp(indices, frames, np.arange(len(frames))).tolist():
        before = math.floor(position)
        weight = position - before
        yield values[before] if not weight else values[before] * (1 - weight) + values[before + 1] * weight


def check_formats(formats: Sequence[str]) -> list[Format]:
    """The formats themselves, each once.

    Raises:
        InputError: for one that is not known.
    """
    for name in formats:
        one_of("format", name, FORMATS)
    return [name for name in FORMATS if name in formats]


@dataclass(frozen=True, kw_only=True)
class Written:
    """Which files were written, and which maps could not be."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


class MapWriter:
    """Writes each map as it is made: `explain(..., each=MapWriter(folder))`. Every file is there in full or not at all.

    A map in which nothing raises the class is listed, not drawn, unless what lowers it is shown, too.

    Args:
        folder: where.
        formats: `mp4`, `gif` and `webp` are the video with the map on top (of a video that is faster than browsers show the
            last two, every second frame, or fewer); `png` is a contact sheet with a timeline, and a space-time view; `npz`
            holds the numbers.
        signed: whether to show what lowers the class, too; maps of concepts always do.

    Raises:
        InputError: for another format.
    """

    def __init__(self, folder: str | Path, *, formats: Sequence[str] = ("mp4",), signed: bool = False) -> None:
        self._folder, self._formats, self._signed = Path(folder), check_formats(formats), signed
        self._files: list[Path] = []
        self._skipped: list[Skipped] = []
        self._taken: set[str] = set()
        self._scales: dict[tuple[object, ...], float] = {}
        self._blank: set[tuple[object, ...]] = set()

    def __call__(self, explanation: Explanation) -> None:
        """Write one map; the parts of a map come after the whole.

        Raises:
            OutputError: if a file cannot be written.
        """
        video = explanation.source.key
        # What the parts of one map share.
        key = video, explanation.window, explanation.method, explanation.concept, explanation.layer
        signed, name = self._signed or bool(explanation.concept), self._free_name(explanation)
        if not signed and explanation.part == "whole" and not bool((values_of(explanation) > 0).any()):
            self._blank.add(key)
            reason = (
                f"`{explanation.method}` found nothing at {explanation.layer} that raises {explanation.target}."
                " Show what lowers it (--signed), or choose another layer or method."
            )
            self._skipped.append(Skipped(path=video, reason=reason))
        if "npz" in self._formats:  # numbers are of use without a picture
            self._files.append(_write_numbers(explanation, self._folder / f"{name}.npz"))
        if set(self._formats) <= {"npz"} or (not signed and key in self._blank):
            return  # without decoding the video
        try:
            self._draw(explanation, key, name, signed=signed)
        except MediaError as error:
            self._skipped.append(Skipped(path=str(error.path), reason=error.reason))

    def _draw(self, explanation: Explanation, key: tuple[object, ...], name: str, *, signed: bool) -> None:
        """Pictures and videos of one map; the parts of a map are shown on the scale of the whole, which comes first."""
        shown_map = on_video(explanation)
        heat = shown_map.heat if signed else shown_map.heat.clamp_(min=0)  # in place: it is as large as the video
        seen = None if bool(shown_map.seen.all()) else shown_map.seen
        options: Any = {"signed": signed, "scale": self._scales.setdefault(key, heat_scale(heat)), "seen": seen}
        for ending in self._formats:
            if ending == "png":
                pictures: Any = {"title": map_title(explanation), "times_s": shown_map.times_s, **options}
                for suffix, draw in (("", sheet_picture), ("-tube", tube_picture)):
                    path = self._folder / f"{name}{suffix}.png"
                    write_picture(path, draw(shown_map.frames, heat, **pictures))
                    self._files.append(path)
            elif ending != "npz":
                path = self._folder / f"{name}.{ending}"
                stride = max(1, math.ceil(round(shown_map.fps, 2) / fastest_fps(path.suffix)))
                order, fps = shown_map.steady[::stride], shown_map.fps / stride
                self._files.append(write_overlay(path, shown_map.frames[order], heat[order], fps=fps, **options))

    def _free_name(self, explanation: Explanation) -> str:
        """A name for a map's files: the video and what identifies the map; numbered where it is taken."""
        words = [explanation.source.path.stem, explanation.map_name]
        words += [] if explanation.layer == INPUT else [explanation.layer]
        words += [f"window {explanation.window}"] if explanation.window else []
        words += [] if explanation.part == "whole" else [explanation.part]
        name = re.sub(r"[^\w.+]+", "-", " ".join(words))
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        free = next(candidate for candidate in names if candidate not in self._taken)
        self._taken.add(free)
        return free

    @property
    def written(self) -> Written:
        """What has been written until now."""
        return Written(files=tuple(self._files), skipped=tuple(self._skipped))


def write_explanations(
    explanations: Explanations, folder: str | Path, *, formats: Sequence[str] = ("mp4",), signed: bool = False
) -> Written:
    """Write each map in each format; see `MapWriter`.

    Raises:
        InputError: for another format, or maps that were not kept.
        OutputError: if a file cannot be written.
    """
    writer = MapWriter(folder, formats=formats, signed=signed)
    for explanation in explanations.explanations:
        writer(explanation)
    return writer.written


def values_of(explanation: Explanation) -> Float[Tensor, "time height width"]:
    """The map itself, if it was kept and not only handed on."""
    if explanation.values is None:
        raise InputError(
            f"`explanation` must hold its map. Got one of {explanation.source.path.name} without. Explain without `each`."
        )
    return explanation.values


def _write_numbers(explanation: Explanation, path: Path) -> Path:
    """The map and its facts; `numpy.load` reads it without unpickling."""
    values, frame_indices = values_of(explanation).numpy(), np.array(explanation.frame_indices)
    facts = np.array(json.dumps(as_read_back(explanation.facts())))
    # An open file: `savez` appends `.npz` to names that end otherwise, as temporary ones do.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, values=values, frame_indices=frame_indices, facts=facts)
    return path


def map_title(explanation: Explanation) -> str:
    """The answer, how the map was made, and what is left of the class as its places are hidden."""
    subset = "" if explanation.part == "whole" else f", {_PARTS[explanation.part]}"
    where = f"{explanation.map_name} at {explanation.layer}{subset}"
    title = f"{explanation.source.path.name}: {explanation.answer}; {where}."
    title += f" {explanation.sum_sentence}" if explanation.sum_sentence else ""
    if not math.isfinite(explanation.deletion):
        return title
    left = f"{explanation.deletion:.0%} of {explanation.target} is left; other places first, {explanation.deletion_elsewhere:.0%}"
    if math.isfinite(explanation.deletion_other_clips):
        left += f"; those of other clips' maps first, {explanation.deletion_other_clips:.0%}"
    if explanation.no_better_than:
        left += f". That is no better than {' or '.join(explanation.no_better_than)}: do not rely on this map"
    return f"{title} On average, as the clip is hidden from the hottest places on, {left}."
