"""Decoding: chosen frames of a source as upright RGB pictures."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from av.error import FFmpegError
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from video_tcav.core.checks import require
from video_tcav.core.errors import MediaError
from video_tcav.media.container import COPY_AGAIN, MOST_STILL_MEGAPIXELS, decoder_limit, open_media, picture_stream
from video_tcav.media.decoder import DecodedFrame, FrameDecoder, damaged_at
from video_tcav.media.encoded_clips import EncodedSource, local_file
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.frame_archive import ArchivedFrame
from video_tcav.media.memory_clips import MemorySource
from video_tcav.media.messages import MESSAGE_ONLY, decoder_messages, refuse_enormous
from video_tcav.media.picture import Picture, PictureMaker, pixel_aspect
from video_tcav.media.timeline import Timeline, frames_of, read_timeline

_SEEK_BEYOND_S = 5.0  # decoding a few seconds is cheaper than a seek and its uncertainties
_SWALLOWED_FRAMES = 2  # decoders may swallow that many packets (packed or invisible frames) without a loss to the eye


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoInfo:
    """Size, rate, duration and frame times of a video.

    Attributes:
        path: the file or folder.
        frame_count: frames on display; those that an edit list hides are not counted.
        timestamps_s: when each frame comes on display, in seconds from the container's start.
        fps: frames per second by the median interval.
        width: in pixels, upright.
        height: in pixels, upright.
        rotation_deg: counterclockwise turn of the display matrix, which `read_frames` applies; multiple of 90.
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
    """Size, rate and frame times of a video, an image or a folder of frames; decodes the first frame only.

    Raises:
        MediaError: if it cannot be decoded.
    """
    path = Path(path)
    kind = kind_of(path) or "video"
    timeline = read_timeline(VideoSource(path=path, kind=kind))
    first, content = _file_or_bytes(frames_of(path)[0] if kind == "frames" else path)
    with open_media(first, image=kind != "video", content=content) as container:
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
    """Chosen frames of a source, upright, in any order and as often as they are named.

    Args:
        source: the video; its segment is not regarded, indices count from the start of the file.
        frame_indices: which frames, by time of display.
        timeline: `read_timeline(source)`, if the caller has it already.

    Raises:
        MediaError: if a frame cannot be decoded, or pictures differ in size.
        InputError: if there is no such frame.
    """
    timeline = timeline or read_timeline(source)
    last = len(timeline.timestamps_s) - 1
    distinct, inverse = np.unique(np.asarray(frame_indices, dtype=np.int64), return_inverse=True)
    exist = len(distinct) > 0 and distinct[0] >= 0 and distinct[-1] <= last
    require(exist, "frame_indices", f"be from 0 to {last}", list(frame_indices), "Choose among them.")
    pictures = list(_pictures(source, timeline, distinct))
    sizes = {(picture.shape[1], picture.shape[0]) for picture in pictures}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise MediaError(source.path, f"pictures differ in size: {listed}; bring all to one size")
    height, width, _ = pictures[0].shape
    frames = np.empty((len(inverse), 3, height, width), np.uint8)
    for frame, index in zip(frames, inverse, strict=True):
        frame[:] = pictures[index].transpose(2, 0, 1)
    return torch.from_numpy(frames)


def iter_frames(
    source: VideoSource,
    frame_indices: Sequence[int] | Int[np.ndarray, " time"] | None = None,
    *,
    timeline: Timeline | None = None,
) -> Generator[UInt8[Tensor, "3 height width"], None, None]:
    """Frames of a source, upright, one at a time, so that a long or large video is never in memory as a whole.

    Args:
        source: see `read_frames`.
        frame_indices: likewise, but each once and in order; `None` for all.
        timeline: likewise.

    Raises:
        MediaError: if a frame cannot be decoded.
        InputError: if there is no such frame, or they are not in order.
    """
    timeline = timeline or read_timeline(source)
    last = len(timeline.timestamps_s) - 1
    indices = np.arange(last + 1) if frame_indices is None else np.asarray(frame_indices, dtype=np.int64)
    rise = len(indices) > 0 and indices[0] >= 0 and indices[-1] <= last and (np.diff(indices) > 0).all()
    require(bool(rise), "frame_indices", f"rise from 0 to {last} at most", indices.tolist(), "Sort them, each once.")
    for picture in _pictures(source, timeline, indices):
        yield torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


def _pictures(source: VideoSource, timeline: Timeline, indices: Int[np.ndarray, " time"]) -> Iterator[Picture]:
    """Pictures at increasing indices, each decoded when it is taken."""
    if isinstance(source, MemorySource):
        return (source.read(index)[0].permute(1, 2, 0).numpy() for index in indices[:, None])
    if isinstance(source, EncodedSource):
        return _encoded_pictures(source, timeline, indices)
    if source.kind == "video":
        return _video_pictures(source.path, timeline, indices)
    frames = frames_of(source.path) if source.kind == "frames" else [source.path]
    return (_read_image(*_file_or_bytes(frames[index])) for index in indices)


def _encoded_pictures(
    source: EncodedSource, timeline: Timeline, indices: Int[np.ndarray, " time"]
) -> Iterator[Picture]:
    with local_file(source) as path:
        yield from _video_pictures(path, timeline, indices)


def _file_or_bytes(frame: Path | ArchivedFrame) -> tuple[Path, bytes | None]:
    """Path of a picture, and its bytes where it is no file of its own."""
    return (frame.path, frame.read()) if isinstance(frame, ArchivedFrame) else (frame, None)


def _read_image(path: Path, content: bytes | None) -> Picture:
    with open_media(path, image=True, content=content) as container:
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


def _video_pictures(path: Path, timeline: Timeline, indices: Int[np.ndarray, " time"]) -> Iterator[Picture]:
    """Pictures of a video file: with seeks where these save much, decoded from the start if that fails."""
    runs, yielded = _runs(timeline, indices), 0
    if len(runs) > 1 or runs[0][0] > 0:
        try:
            for picture in _decoded_pictures(path, timeline, runs):
                yield picture
                yielded += 1
            return
        except MediaError:
            pass  # not every file can be sought in; decoding from the start decides
    yield from islice(_decoded_pictures(path, timeline, [(0, indices.tolist())]), yielded, None)


def _runs(timeline: Timeline, indices: Int[np.ndarray, " time"]) -> list[tuple[int, list[int]]]:
    """Indices, cut where a seek to a later keyframe saves decoding, each run with the index to start from."""
    if timeline.by_order:
        return [(0, indices.tolist())]
    starts, cuts, position = [0], [0], 0
    for number, index in enumerate(indices):
        keyframe = int(timeline.keyframes[timeline.keyframes <= index].max(initial=0))
        far = timeline.timestamps_s[index] - timeline.timestamps_s[position] > _SEEK_BEYOND_S
        if far and keyframe > position:
            if number:
                starts.append(keyframe)
                cuts.append(number)
            else:
                starts = [keyframe]
        position = int(index)
    runs = [run.tolist() for run in np.split(indices, cuts[1:])]
    return list(zip(starts, runs, strict=True))


def _decoded_pictures(path: Path, timeline: Timeline, runs: list[tuple[int, list[int]]]) -> Iterator[Picture]:
    with open_media(path) as container:
        stream = picture_stream(container, path)
        to_picture = PictureMaker(pixel_aspect(stream, path))
        for start, indices in runs:
            if start:
                container.seek(int(timeline.pts[start]), stream=stream)
            decoder = FrameDecoder(container=container, stream=stream, timeline=timeline, path=path)
            yielded: list[DecodedFrame] = []
            for decoded in _on_display(decoder, indices, sought=start > 0):
                yielded.append(replace(decoded, frame=None))  # without its picture: a run may be long
                yield to_picture(decoded.frame)
            # damage in a frame that is decoded later may reach one that was yielded: B-frames come before their reference
            decoder.drain()
            for decoded in yielded:
                _refuse_damaged(decoder, decoded)


def _refuse_damaged(decoder: FrameDecoder, decoded: DecodedFrame) -> None:
    if decoder.is_damaged(decoded):
        raise damaged_at(decoder.path, float(decoder.timeline.timestamps_s[decoded.index]))


def _on_display(decoder: FrameDecoder, indices: list[int], *, sought: bool) -> Iterator[DecodedFrame]:
    """The frame on display at each index: the frame of that index, or the last before it."""
    timeline, path = decoder.timeline, decoder.path
    remaining = list(indices)
    previous: DecodedFrame | None = None
    for decoded in decoder.frames():
        if previous is None and decoded.index > remaining[0] and sought:
            raise MediaError(path, "the seek went too far; decode from the start")
        while remaining and decoded.index > remaining[0]:
            if decoder.shows_each_packet or decoder.has_lost(previous.index if previous else -1, remaining[0]):
                raise damaged_at(path, float(timeline.timestamps_s[remaining[0]]))
            on_display = previous or decoded  # nothing before it: players begin with the first frame that decodes
            _refuse_damaged(decoder, on_display)
            yield on_display
            remaining.pop(0)
        if remaining and decoded.index == remaining[0]:
            _refuse_damaged(decoder, decoded)
            yield decoded
            remaining.pop(0)
        if not remaining:
            return
        previous = decoded
    if previous is None or remaining[-1] - previous.index > (0 if decoder.shows_each_packet else _SWALLOWED_FRAMES):
        counts = f"{previous.index + 1 if previous else 0} of {len(timeline.timestamps_s)}"
        raise MediaError(path, f"truncated or broken: decoding stops after {counts} frames; {COPY_AGAIN}")
    _refuse_damaged(decoder, previous)
    if remaining and decoder.has_lost(previous.index, remaining[-1]):
        raise damaged_at(path, float(timeline.timestamps_s[remaining[-1]]))
    for _ in remaining:
        yield previous
