"""Maps on the video that they belong to, at its own size and rate, and as files."""

import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.files import atomic_path
from video_tcav.core.progress import progress_bar
from video_tcav.explanation import Explanation, Explanations
from video_tcav.media import read_frames, write_picture
from video_tcav.media.timeline import read_timeline
from video_tcav.reports.contact_sheet import sheet_picture
from video_tcav.reports.heat import heat_scale
from video_tcav.reports.overlay import write_overlay
from video_tcav.reports.tube import tube_picture
from video_tcav.tcav.passes import Skipped

Format = Literal["mp4", "gif", "webp", "png", "npz"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownMap:
    """A map on the frames of its video.

    Attributes:
        frames: every frame of the video from the first to the last that the clip shows.
        heat: the map on these frames and pixels, linear between the frames and pixels that the model took; zero outside.
        seen: which pixels the model saw.
        times_s: when each frame is on display, in seconds of the video.
        fps: of the video.
    """

    frames: UInt8[Tensor, "time 3 height width"]
    heat: Float[Tensor, "time height width"]
    seen: Bool[Tensor, "height width"]
    times_s: Float[np.ndarray, " time"]
    fps: float


def on_video(explanation: Explanation) -> ShownMap:
    """Bring a map to its video: decode the stretch that the clip covers, and spread the map over it.

    Raises:
        MediaError: if the video cannot be decoded any more.
    """
    timeline = read_timeline(explanation.source)
    sampled = np.array(explanation.frame_indices)
    still = sampled[0] == sampled[-1]
    indices = sampled if still else np.arange(sampled[0], sampled[-1] + 1)
    frames = read_frames(explanation.source, indices, timeline=timeline)
    height, width = frames.shape[-2:]
    top, left, bottom, right = explanation.seen
    rows, columns = slice(round(top), round(bottom)), slice(round(left), round(right))
    places = np.arange(len(sampled)) if still else np.interp(indices, sampled, np.arange(len(sampled)))
    heat = torch.zeros(len(indices), height, width)
    between = _between(explanation.values.float(), places)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    heat[:, rows, columns] = F.interpolate(between[:, None], size=shape, mode="bilinear", align_corners=False)[:, 0]
    seen = torch.zeros(height, width, dtype=torch.bool)
    seen[rows, columns] = True
    start_s = float(timeline.timestamps_s[sampled[0]])
    times_s = start_s + timeline.interval_s * np.arange(len(indices)) if still else timeline.timestamps_s[indices]
    return ShownMap(frames=frames, heat=heat, seen=seen, times_s=times_s, fps=1 / timeline.interval_s)


def _between(
    values: Float[Tensor, "sampled height width"], places: Float[np.ndarray, " time"]
) -> Float[Tensor, "time height width"]:
    """Maps at fractional places between the sampled ones."""
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    part = torch.from_numpy(places - low).to(values.dtype)[:, None, None]
    return values[low] * (1 - part) + values[high] * part


def check_formats(formats: Sequence[str]) -> list[Format]:
    """The formats themselves, each once.

    Raises:
        InputError: for one that is not known.
    """
    for one in formats:
        if one not in FORMATS:
            raise InputError(f"`format` must be one of {', '.join(FORMATS)}. Got {one!r}. Choose one of them.")
    return [one for one in FORMATS if one in formats]


@dataclass(frozen=True, kw_only=True)
class Written:
    """Which files were written, and which maps could not be."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def write_explanations(
    found: Explanations,
    folder: str | Path,
    *,
    formats: Sequence[Format] = ("mp4",),
    signed: bool = False,
    progress: bool = False,
) -> Written:
    """Write each map in each format; every file is there in full or not at all.

    Args:
        found: from `explain`.
        folder: where.
        formats: `mp4`, `gif` and `webp` are the video with the map on top; `png` is a contact sheet with a timeline, and a
            space-time view; `npz` holds the numbers.
        signed: whether to show what speaks against the class, too; maps of concepts always do.
        progress: whether to show a progress bar.

    Raises:
        InputError: for another format.
        OutputError: if a file cannot be written.
    """
    wanted = check_formats(formats)
    files: list[Path] = []
    skipped: list[Skipped] = []
    names, scales = _names(found.explanations), {}
    with progress_bar("files", len(names) * len(wanted), visible=progress) as advance:
        for explanation, name in zip(found.explanations, names, strict=True):
            try:
                show_signed = signed or bool(explanation.concept)
                files += _write(explanation, Path(folder), name, wanted, scales, signed=show_signed)
            except MediaError as error:
                skipped.append(Skipped(path=str(error.path), reason=error.reason))
            advance(len(wanted))
    return Written(files=tuple(files), skipped=tuple(skipped))


def _write(
    explanation: Explanation,
    folder: Path,
    name: str,
    formats: Sequence[Format],
    scales: dict[tuple[object, ...], float],
    *,
    signed: bool,
) -> list[Path]:
    """All files of one map; the parts of a map are shown on the scale of the whole, which comes first."""
    files: list[Path] = []
    wanted = list(formats)
    if "npz" in wanted:
        files.append(_write_numbers(explanation, folder / f"{name}.npz"))
        wanted.remove("npz")
    if not wanted:
        return files
    shown = on_video(explanation)
    heat = shown.heat if signed else shown.heat.clamp(min=0)
    of = (explanation.source.key, explanation.window, explanation.method, explanation.concept, explanation.layer)
    scale = scales.setdefault(of, heat_scale(heat))
    options: Any = {"signed": signed, "scale": scale, "seen": None if bool(shown.seen.all()) else shown.seen}
    for one in wanted:
        if one == "png":
            pictures: Any = {"title": _title(explanation), "times_s": shown.times_s, **options}
            for ending, picture in (("", sheet_picture), ("-tube", tube_picture)):
                files.append(folder / f"{name}{ending}.png")
                write_picture(files[-1], picture(shown.frames, heat, **pictures))
        else:
            path = folder / f"{name}.{one}"
            files.append(write_overlay(path, shown.frames, heat, fps=shown.fps, **options))
    return files


def _write_numbers(explanation: Explanation, path: Path) -> Path:
    """The map and all that is known about it; `numpy.load` reads it without unpickling."""
    content = io.BytesIO()
    facts = json.dumps({name: _plain(value) for name, value in explanation.facts().items()})
    np.savez_compressed(
        content,
        values=explanation.values.numpy(),
        frame_indices=np.array(explanation.frame_indices),
        facts=np.array(facts),
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return path


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _title(explanation: Explanation) -> str:
    what = f"concept {explanation.concept}" if explanation.concept else explanation.method
    part = "" if explanation.part == "whole" else f", {_PARTS[explanation.part]}"
    said = f"{explanation.target} ({explanation.probability:.0%})"
    worth = ""
    if math.isfinite(explanation.deletion):
        worth = f"; deletion {explanation.deletion:.2f}, elsewhere {explanation.deletion_elsewhere:.2f}"
    return f"{explanation.source.path.name}: {said}; {what} at {explanation.layer}{part}{worth}"


_PARTS = {"static": "what survives freezing", "motion": "what does not survive freezing"}


def _names(explanations: Sequence[Explanation]) -> list[str]:
    """A name for each map's files: the video, and what tells it from the others."""
    layers: dict[tuple[str, str], set[str]] = {}
    for one in explanations:
        layers.setdefault((one.method, one.concept), set()).add(one.layer)
    windowed = any(one.window for one in explanations)
    taken: dict[str, int] = {}
    names = []
    for one in explanations:
        parts = [one.source.path.stem, f"concept {one.concept}" if one.concept else one.method]
        parts += [one.layer] if len(layers[one.method, one.concept]) > 1 else []
        parts += [f"window {one.window}"] if windowed else []
        parts += [] if one.part == "whole" else [one.part]
        name = re.sub(r"[^\w.+]+", "-", " ".join(parts))
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return names
