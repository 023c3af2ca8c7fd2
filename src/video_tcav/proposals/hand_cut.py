"""Clips cut by hand: a span of a video and boxes that a person drew, as a new clip or in place of a proposed one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from video_tcav._version import __version__
from video_tcav.concepts import KINDS, BankClip, ConceptBank, Kind, NewFrames, Origin, Verdict
from video_tcav.concepts.bank.records import Box, concept_name
from video_tcav.core.checks import require
from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import VideoSource, file_digest, iter_frames, probe_video
from video_tcav.media.loader import segment_frames
from video_tcav.media.timeline import Timeline, read_timeline
from video_tcav.proposals.cutting import Frames, crop_size, evenly, sharpness, shrunk, square, squares, versions

LONGEST_S = 30.0
"""Seconds of a clip that is cut by hand: its frames are in memory while it is encoded."""

_PAD = 0.15  # as in `Settings`
_SIDE_PX = 224


@dataclass(frozen=True, kw_only=True)
class HandCut:
    """A span of a video, and where the thing is in it.

    Attributes:
        start_s: begin of the span in the video.
        end_s: its end.
        boxes: times in seconds, and the box there: left, top, right, bottom in pixels of the video. Between two of them the
            box moves evenly, before the first and after the last it stays. None for the whole picture.

    Raises:
        InputError: if there is no such span, or a box has no area.
    """

    start_s: float
    end_s: float
    boxes: tuple[tuple[float, Box], ...] = ()

    def __post_init__(self) -> None:
        length_s = self.end_s - self.start_s
        if not 0 < length_s <= LONGEST_S:  # also NaN
            raise InputError(
                f"`end_s` must be after `start_s`, by {LONGEST_S:g} s at most. Got {self.start_s:.2f} to {self.end_s:.2f} s. "
                "Cut the part that shows the concept."
            )
        for time_s, (left, top, right, bottom) in self.boxes:
            area = bool(np.isfinite([time_s, left, top, right, bottom]).all()) and left < right and top < bottom
            require(
                area, "boxes", "be left, top, right, bottom with an area", (left, top, right, bottom), "Draw it anew."
            )
        object.__setattr__(self, "boxes", tuple(sorted(self.boxes)))

    def boxes_at(self, times_s: Float[np.ndarray, " time"]) -> Float[np.ndarray, "time 4"]:
        """The box at each time."""
        drawn_s, sides = [time_s for time_s, _ in self.boxes], np.array([box for _, box in self.boxes])
        return np.stack([np.interp(times_s, drawn_s, side) for side in sides.T], axis=1)


def path_of(origin: Origin) -> tuple[tuple[float, Box], ...]:
    """The boxes of a clip at their times, as `HandCut` takes them."""
    return tuple(zip(origin.times_s, origin.boxes, strict=True)) if origin.boxes else ()


def add_by_hand(
    bank: ConceptBank, video: str | Path, cut: HandCut, *, concept: str, reviewer: str = ""
) -> list[BankClip]:
    """Cut a clip from a video into the bank, accepted: a person chose it. One step of undo.

    With a box, all versions are made that the bank has of other tubes; without, the whole picture moving and as a still.

    Args:
        bank: where to.
        video: the file.
        cut: which part.
        concept: that it shows; empty for none yet.
        reviewer: who; empty for nobody in particular.

    Returns:
        The versions of the clip; where the bank had it already, nothing was changed.

    Raises:
        MediaError: if the video cannot be read, or has no frame there.
        InputError: if a value is not possible.
        OutputError: if the disk is full or the bank cannot be written to.
    """
    names = {count.name for count in bank.concepts()}
    proposer = {"name": "hand", "video_tcav": __version__}
    clips, added = add_cut(bank, video, cut, concept=concept, verdict="accepted", reviewer=reviewer, proposer=proposer)
    if added:
        new_concept = "" if not concept or clips[0].concept in names else clips[0].concept
        bank.remember_added(added, concept=new_concept, reviewer=reviewer)
    return clips


def add_cut(
    bank: ConceptBank,
    video: str | Path,
    cut: HandCut,
    *,
    concept: str,
    verdict: Verdict,
    reviewer: str,
    proposer: Mapping[str, Any],
) -> tuple[list[BankClip], list[int]]:
    """Cut a clip from a video into the bank: its versions, and the numbers of those that are new."""
    path, concept = Path(video).absolute(), concept_name(concept) if concept else ""
    digest = file_digest(path)
    same_video = bank.clips(video=digest, limit=1)
    group = same_video[0].origin.proposer.get("group") if same_video else None
    origin = Origin(
        video=str(path),
        video_digest=digest,
        start_s=cut.start_s,
        end_s=cut.end_s,
        times_s=(),
        boxes=(),
        label=concept,
        score=1.0,
        proposer={**proposer, **({"group": group} if group else {})},
    )
    existing: Sequence[Kind] = [kind for kind in KINDS if bank.count(kind=kind)] or KINDS
    with_box: list[Kind] = [kind for kind in KINDS if kind == "moving" or kind in existing]
    kinds: list[Kind] = with_box if cut.boxes else ["moving", "still"]
    tube = hashlib.sha256(f"hand {digest} {concept} {cut}".encode()).hexdigest()[:16]
    missing = [kind for kind in kinds if not bank.has(video_digest=digest, tube=tube, kind=kind)]
    clips = [
        bank.add(
            frames,
            fps=fps,
            concept=concept,
            kind=kind,
            origin=cut_from,
            tube=tube,
            quality=1.0,
            verdict=verdict,
            reviewer=reviewer,
        )
        for kind, frames, fps, cut_from in _versions(path, cut, kinds, origin)
    ]
    return clips, [clip.id for clip in clips if clip.kind in missing]


def cut_anew(bank: ConceptBank, id: int, cut: HandCut, *, reviewer: str = "") -> list[int]:
    """Cut a clip and the other versions of its tube anew: another span, other boxes. One step of undo.

    Args:
        bank: of the clip.
        id: the clip.
        cut: which part; without boxes those that the clip has stay.
        reviewer: who; empty for nobody in particular.

    Returns:
        The clips that were cut: all versions of the tube.

    Raises:
        MediaError: if the video cannot be read, has changed, or has no frame there.
        InputError: if a value is not possible.
        BankError: if there is no such clip.
        OutputError: if the disk is full or the bank cannot be written to.
    """
    clips: dict[Kind, BankClip] = {clip.kind: clip for clip in bank.clips(ids=bank.versions([bank.clip(id).id]))}
    path = next((path for kind in KINDS if kind in clips and (path := path_of(clips[kind].origin))), ())
    cut = replace(cut, boxes=cut.boxes or path)
    origin = bank.clip(id).origin
    if file_digest(origin.video) != origin.video_digest:
        raise MediaError(Path(origin.video), "has changed since the clip was cut from it")
    origin = replace(origin, proposer={**origin.proposer, "cut_by": reviewer or "hand"})
    made = _versions(Path(origin.video), cut, list(clips), origin)
    bank.replace_frames(
        [NewFrames(clip=clips[kind], frames=frames, fps=fps, origin=cut_from) for kind, frames, fps, cut_from in made],
        reviewer=reviewer,
    )
    return [clips[kind].id for kind, *_ in made]


def _versions(
    path: Path, cut: HandCut, kinds: Sequence[Kind], origin: Origin
) -> list[tuple[Kind, Frames, float, Origin]]:
    """Kind, frames, rate and origin of each version."""
    source = VideoSource(path=path, kind="video")
    timeline = read_timeline(source)
    first, end = segment_frames(replace(source, start_s=cut.start_s, end_s=cut.end_s), timeline)
    times_s, fps = timeline.timestamps_s[first:end], 1 / timeline.interval_s
    until_s = min(cut.end_s, float(times_s[-1]) + timeline.interval_s)
    info = probe_video(path)
    boxes = _inside(cut.boxes_at(times_s), info.width, info.height) if cut.boxes else np.empty((0, 4))
    crop, whole = _pictures(source, timeline, np.arange(first, end), boxes, (info.height, info.width), fps)
    at = evenly(times_s, until_s, fps)
    if cut.boxes:
        shrink = np.array([whole.shape[-1] / info.width, whole.shape[-2] / info.height] * 2)
        made = versions(crop[at], whole[at], boxes[at] * shrink, kinds=kinds, pad=_PAD)
    else:
        sharpest = max(range(len(at)), key=lambda number: sharpness(whole[at[number]]))
        made = {"moving": (whole[at], list(range(len(at)))), "still": (whole[at[[sharpest]]], [sharpest])}
    return [
        (
            kind,
            made[kind][0],
            fps,
            replace(
                origin,
                start_s=float(times_s[0]),
                end_s=until_s,
                times_s=tuple(times_s[at[made[kind][1]]].tolist()),
                boxes=tuple(map(tuple, boxes[at[made[kind][1]]].round(2).tolist())) if cut.boxes else (),
            ),
        )
        for kind in kinds
        if kind in made
    ]


def _inside(boxes: Float[np.ndarray, "time 4"], width: int, height: int) -> Float[np.ndarray, "time 4"]:
    """Boxes cut off at the picture's edge; refuses those that lie outside."""
    inside = np.clip(boxes, 0, [width, height, width, height])
    area = bool(((inside[:, 2:] - inside[:, :2]) > 0).all())
    require(
        area, "boxes", f"lie in the picture of {width} x {height} pixels", boxes[0].round(1).tolist(), "Draw it anew."
    )
    return inside


def _pictures(
    source: VideoSource,
    timeline: Timeline,
    indices: Int[np.ndarray, " time"],
    boxes: Float[np.ndarray, "time 4"],
    frame_size: tuple[int, int],
    fps: float,
) -> tuple[Frames, Frames]:
    """The crop that follows the boxes, empty without boxes, and the whole frames made smaller; one frame in memory at a time."""
    path = squares(boxes, frame_size, fps=fps, pad=_PAD) if len(boxes) else np.empty((0, 3), int)
    crops, whole = [], []
    for number, frame in enumerate(iter_frames(source, indices, timeline=timeline)):
        picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        if len(path):
            crops.append(square(picture, path[number], crop_size(path, _SIDE_PX)))
        whole.append(shrunk(picture, _SIDE_PX))
    return _frames(crops), _frames(whole)


def _frames(pictures: Sequence[np.ndarray]) -> Frames:
    if not pictures:
        return torch.empty((0, 3, 0, 0), dtype=torch.uint8)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
