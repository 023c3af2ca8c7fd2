"""From a source to upright RGB pictures."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from av.error import FFmpegError
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from video_tcav.core.errors import InputError, MediaError
from video_tcav.media.container import COPY_AGAIN, MOST_STILL_MEGAPIXELS, decoder_limit, open_media, picture_stream
from video_tcav.media.decoder import DecodedFrame, FrameDecoder, damaged_at
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.memory_clips import MemorySource
from video_tcav.media.messages import MESSAGE_ONLY, decoder_messages, refuse_enormous
from video_tcav.media.picture import Picture, PictureMaker, pixel_aspect
from video_tcav.media.timeline import Timeline, frame_files, read_timeline

_SEEK_BEYOND_S = 5.0  # decoding a few seconds is cheaper than a seek and its uncertainties
_HELD_FRAMES = 2  # decoders may swallow that many packets (packed or invisible frames) without a loss to the eye


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoInfo:
    """What a video holds.

    Attributes:
        path: the file or folder.
        frame_count: frames on display; those that an edit list hides are not counted.
        timestamps_s: when each frame comes on display, in seconds from the container's start.
        fps: frames per second by the median interval.
        width: in pixels, upright.
        height: in pixels, upright.
        rotation_deg: counterclockwise turn that the file asks for and `read_frames` has done; multiple of 90.
        duration_s: from the first frame to the end of the last.
    """

    path: Path
    frame_count: int
    timestamps_s: Float[np.ndarray, " frame"]
    fps: float
    width: int
    height: int
    rotation_deg: int
    duration_s: float


def probe_video(path: str | Path) -> VideoInfo:
    """What a video, an image or a folder of frames holds; decodes its first frame.

    Raises:
        MediaError: if it cannot be decoded.
    """
    path = Path(path)
    kind = kind_of(path) or "video"
    timeline = read_timeline(VideoSource(path=path, kind=kind))
    first = frame_files(path)[0] if kind == "frames" else path
    with open_media(first, image=kind != "video") as container:
        stream = picture_stream(container, first)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(first, f"broken: no frame can be decoded; {COPY_AGAIN}")
        rotation_deg = round(frame.rotation / 90) * 90
        height, width, _ = PictureMaker(pixel_aspect(stream, first))(frame).shape
    return VideoInfo(
        path=path,
        frame_count=len(timeline.timestamps_s),
        timestamps_s=timeline.timestamps_s,
        fps=1 / timeline.interval_s,
        width=width,
        height=height,
        rotation_deg=rotation_deg,
        duration_s=timeline.duration_s,
    )


def read_frames(
    source: VideoSource,
    frame_indices: Sequence[int] | Int[np.ndarray, " time"],
    *,
    timeline: Timeline | None = None,
) -> UInt8[Tensor, "time 3 height width"]:
    """Chosen frames of a source, upright, in the order asked for; an index may come more than once.

    Args:
        source: the video; its segment is not regarded, indices count from the start of the file.
        frame_indices: which frames, by time of display.
        timeline: `read_timeline(source)`, if the caller has it already.

    Raises:
        MediaError: if a frame cannot be decoded, or pictures differ in size.
        InputError: if there is no such frame.
    """
    timeline = timeline or read_timeline(source)
    count = len(timeline.timestamps_s)
    wanted, inverse = np.unique(np.asarray(frame_indices, dtype=np.int64), return_inverse=True)
    if len(wanted) == 0 or wanted[0] < 0 or wanted[-1] >= count:
        raise InputError(
            f"`frame_indices` must be from 0 to {count - 1}. Got {list(frame_indices)}. Choose among them."
        )
    if isinstance(source, MemorySource):
        return source.read(np.asarray(frame_indices, dtype=np.int64))
    if source.kind == "video":
        pictures = _read_video(source.path, timeline, wanted)
    else:
        files = frame_files(source.path) if source.kind == "frames" else [source.path]
        pictures = [_read_image(files[index]) for index in wanted]
    sizes = {(picture.shape[1], picture.shape[0]) for picture in pictures}
    if len(sizes) > 1:
        found = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise MediaError(source.path, f"pictures differ in size: {found}; bring all to one size")
    height, width, _ = pictures[0].shape
    frames = np.empty((len(inverse), 3, height, width), np.uint8)
    for frame, place in zip(frames, inverse, strict=True):
        frame[:] = pictures[place].transpose(2, 0, 1)
    return torch.from_numpy(frames)


def iter_frames(
    source: VideoSource,
    frame_indices: Sequence[int] | Int[np.ndarray, " time"] | None = None,
    *,
    timeline: Timeline | None = None,
) -> Generator[UInt8[Tensor, "3 height width"], None, None]:
    """Frames of a source, upright, one after the other: a long or large video is never in memory as a whole.

    Args:
        source: the video; its segment is not regarded.
        frame_indices: which frames, by time of display, each once and in order; `None` for all.
        timeline: `read_timeline(source)`, if the caller has it already.

    Raises:
        MediaError: if a frame cannot be decoded.
        InputError: if there is no such frame, or they are not in order.
    """
    timeline = timeline or read_timeline(source)
    count = len(timeline.timestamps_s)
    wanted = np.arange(count) if frame_indices is None else np.asarray(frame_indices, dtype=np.int64)
    if len(wanted) == 0 or wanted[0] < 0 or wanted[-1] >= count or (np.diff(wanted) <= 0).any():
        raise InputError(
            f"`frame_indices` must rise from 0 to {count - 1} at most. Got {wanted.tolist()}. Sort them, each once."
        )
    if isinstance(source, MemorySource):
        yield from (source.read(index)[0] for index in wanted[:, None])
        return
    if source.kind == "video":
        pictures = _iter_video(source.path, timeline, wanted)
    else:
        files = frame_files(source.path) if source.kind == "frames" else [source.path]
        pictures = (_read_image(files[index]) for index in wanted)
    for picture in pictures:
        yield torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


def _read_image(path: Path) -> Picture:
    with open_media(path, image=True) as container:
        stream = picture_stream(container, path)
        options = {"max_pixels": decoder_limit(image=True)}
        if stream.codec_context.name != "tiff":  # whose decoder then refuses the tags that OpenCV writes
            options["err_detect"] = "explode"  # else half a JPEG decodes, with the rest grey
        stream.codec_context.options = options
        messages: list[str] = []
        try:
            with decoder_messages() as messages:
                frame = next(container.decode(stream), None)
        except FFmpegError:
            refuse_enormous(path, messages, MOST_STILL_MEGAPIXELS)
            raise
        if frame is None or (messages and stream.codec_context.name in MESSAGE_ONLY):
            raise MediaError(path, f"broken beyond reading: no whole picture can be decoded; {COPY_AGAIN}")
        return PictureMaker(pixel_aspect(stream, path))(frame)


def _read_video(path: Path, timeline: Timeline, wanted: Int[np.ndarray, " time"]) -> list[Picture]:
    return list(_iter_video(path, timeline, wanted))


def _iter_video(path: Path, timeline: Timeline, wanted: Int[np.ndarray, " time"]) -> Iterator[Picture]:
    """Pictures of the wanted frames: seeking where it saves much, from the start on if that fails."""
    runs, given = _runs(timeline, wanted), 0
    if len(runs) > 1 or runs[0][0] > 0:
        try:
            for picture in _iter_pictures(path, timeline, runs):
                yield picture
                given += 1
            return
        except MediaError:
            pass  # not every file can be sought in; decoding from the start decides
    yield from islice(_iter_pictures(path, timeline, [(0, wanted.tolist())]), given, None)


def _runs(timeline: Timeline, wanted: Int[np.ndarray, " time"]) -> list[tuple[int, list[int]]]:
    """Wanted frames, cut where a seek to a later keyframe saves decoding, with the index to start from."""
    if timeline.by_order:
        return [(0, wanted.tolist())]
    starts, cuts, position = [0], [0], 0
    for number, index in enumerate(wanted):
        keyframe = int(timeline.keyframes[timeline.keyframes <= index].max(initial=0))
        far = timeline.timestamps_s[index] - timeline.timestamps_s[position] > _SEEK_BEYOND_S
        if far and keyframe > position:
            if number:
                starts.append(keyframe)
                cuts.append(number)
            else:
                starts = [keyframe]
        position = int(index)
    runs = [run.tolist() for run in np.split(wanted, cuts[1:])]
    return list(zip(starts, runs, strict=True))


def _iter_pictures(path: Path, timeline: Timeline, runs: list[tuple[int, list[int]]]) -> Iterator[Picture]:
    with open_media(path) as container:
        stream = picture_stream(container, path)
        to_picture = PictureMaker(pixel_aspect(stream, path))
        for start, wanted in runs:
            if start:
                container.seek(int(timeline.pts[start]), stream=stream)
            decoder = FrameDecoder(container=container, stream=stream, timeline=timeline, path=path)
            given: list[DecodedFrame] = []
            for decoded in _on_display(decoder, wanted, sought=start > 0):
                given.append(replace(decoded, frame=None))
                yield to_picture(decoded.frame)
            decoder.rest()
            for decoded in given:
                _refuse_damaged(decoder, decoded)


def _refuse_damaged(decoder: FrameDecoder, decoded: DecodedFrame) -> None:
    if decoder.is_damaged(decoded):
        raise damaged_at(decoder.path, float(decoder.timeline.timestamps_s[decoded.index]))


def _on_display(decoder: FrameDecoder, wanted: list[int], *, sought: bool) -> Iterator[DecodedFrame]:
    """The frame on display at each wanted index: the frame of that index, or the last before it."""
    timeline, path = decoder.timeline, decoder.path
    remaining = list(wanted)
    held: DecodedFrame | None = None
    for decoded in decoder.frames():
        if held is None and decoded.index > remaining[0] and sought:
            raise MediaError(path, "the seek went too far; decode from the start")
        while remaining and decoded.index > remaining[0]:
            if decoder.shows_each_packet or decoder.has_lost(held.index if held else -1, remaining[0]):
                raise damaged_at(path, float(timeline.timestamps_s[remaining[0]]))
            on_display = held or decoded  # nothing before it: what a player shows first
            _refuse_damaged(decoder, on_display)
            yield on_display
            remaining.pop(0)
        if remaining and decoded.index == remaining[0]:
            _refuse_damaged(decoder, decoded)
            yield decoded
            remaining.pop(0)
        if not remaining:
            return
        held = decoded
    if held is None or remaining[-1] - held.index > (0 if decoder.shows_each_packet else _HELD_FRAMES):
        raise _cut_short(path, held.index + 1 if held else 0, timeline)
    _refuse_damaged(decoder, held)
    if remaining and decoder.has_lost(held.index, remaining[-1]):
        raise damaged_at(path, float(timeline.timestamps_s[remaining[-1]]))
    for _ in remaining:
        yield held


def _cut_short(path: Path, decoded: int, timeline: Timeline) -> MediaError:
    count = len(timeline.timestamps_s)
    return MediaError(path, f"truncated or broken: decoding stops after {decoded} of {count} frames; {COPY_AGAIN}")
