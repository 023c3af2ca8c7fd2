"""Timelines: when each frame of a video is on display, read from its packets without decoding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from jaxtyping import Float, Int

from video_tcav.core.errors import MediaError
from video_tcav.media.container import COPY_AGAIN, open_media, picture_stream, strict_decoding
from video_tcav.media.encoded_clips import EncodedSource, local_file
from video_tcav.media.files import VideoSource, images_in, is_frame_sequence, is_tar
from video_tcav.media.frame_archive import ArchivedFrame, archived_frames
from video_tcav.media.memory_clips import MemorySource
from video_tcav.media.structure import container_damage, missing_of_iso_file

FRAME_FOLDER_FPS = 25.0

_END_SLACK_S = 0.5  # a container may be longer than its picture: sound goes on, or the last frame stays
_LEAP_S = 1.0  # between two packets of a broadcast, beyond what slow rates explain
_SEEK_MARGIN_S = 1.0  # seeking in a stream without an index lands within about half a second
_BROADCAST = ("mpegts", "mpeg")  # demuxers of streams without an index, a length or an end
_ELEMENTARY = ("h264", "hevc", "mpegvideo", "m4v")  # the same, without times


class _PacketTimes(NamedTuple):
    """Times of a packet in units of the stream's time base, and how many keyframes came up to it."""

    pts: int | None
    dts: int | None
    is_key: bool
    keyframes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """When each frame of a video is on display.

    Attributes:
        pts: presentation times in units of `time_base`, increasing; the counter of frames where `by_order`.
        timestamps_s: the same in seconds from the container's start.
        keyframes: indices of frames at which decoding can start.
        surplus: how many more frames have the same time as the one on display, by that time.
        by_order: whether the decoder's times cannot be trusted, so that frames are numbered in the order they come.
    """

    pts: Int[np.ndarray, " frame"]
    timestamps_s: Float[np.ndarray, " frame"]
    keyframes: Int[np.ndarray, " keyframe"]
    by_order: bool
    surplus: dict[int, int] = field(default_factory=dict)

    @property
    def interval_s(self) -> float:
        """Median distance of two neighbouring frames in seconds; that of 25 fps where there is one frame."""
        return float(np.median(np.diff(self.timestamps_s))) if len(self.timestamps_s) > 1 else 1 / FRAME_FOLDER_FPS

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last, which is taken to last one median interval."""
        return float(self.timestamps_s[-1] - self.timestamps_s[0]) + self.interval_s


def read_timeline(source: VideoSource) -> Timeline:
    """Timeline of a source; a still has one frame, a folder of frames or a clip in memory a nominal 25 fps.

    Raises:
        MediaError: if the source cannot be read, has no picture, or is truncated.
    """
    if isinstance(source, EncodedSource):
        with local_file(source) as path:
            return _video_timeline(path)
    if source.kind == "video":
        return _video_timeline(source.path)
    if isinstance(source, MemorySource):
        count = len(source.frames)
    else:
        count = len(frames_of(source.path)) if source.kind == "frames" else 1
    return _constant_timeline(count, Fraction(1, round(FRAME_FOLDER_FPS)))


def frames_of(path: Path) -> Sequence[Path | ArchivedFrame]:
    """The frames of a folder or a tar, in order; see `frame_files` and `archived_frames`."""
    return archived_frames(path) if is_tar(path) else frame_files(path)


def frame_files(folder: Path) -> list[Path]:
    """The frames of a folder, in order; refuses one that is missing or does not hold one numbered sequence."""
    try:
        if not folder.is_dir():
            raise MediaError(folder, "no such folder; check the path, or the list that names it")
        images = images_in(folder)
    except OSError as error:
        raise MediaError(folder, f"cannot be read ({error.strerror}); check its name and permissions") from error
    if not is_frame_sequence(images):
        raise MediaError(
            folder,
            f"not a sequence of frames: {len(images)} images; name them img_00001.jpg, img_00002.jpg, …",
        )
    return images


def _video_timeline(path: Path) -> Timeline:
    with open_media(path) as container:
        stream = picture_stream(container, path)
        damage = container_damage(path, container.format.name)
        if damage:
            raise MediaError(path, f"{damage}; {COPY_AGAIN}")
        packet_count, packets, keyframes = 0, [], 0
        try:
            for packet in container.demux(stream):
                if packet.size:
                    packet_count += 1
                    keyframes += packet.is_keyframe
                    if not packet.is_discard:  # an edit list hides the others
                        packets.append(_PacketTimes(packet.pts, packet.dts, packet.is_keyframe, keyframes))
        except FFmpegError as error:
            raise MediaError(path, f"truncated: its data ends after {packet_count} frames; {COPY_AGAIN}") from error
        if not packets:
            raise MediaError(path, f"truncated or empty: a video stream without a frame; {COPY_AGAIN}")
        if not keyframes:
            raise MediaError(path, f"broken: {packet_count} frames without a keyframe to start from; {COPY_AGAIN}")
        _refuse_new_clock(container, stream, packets, path)
        timeline = _timeline_of_packets(container, stream, packets)
        if timeline is not None:
            _refuse_truncated(container, stream, timeline, packet_count, path)
        else:
            timeline = _decoded_timeline(path)
        if container.format.name in _BROADCAST + _ELEMENTARY:
            _refuse_partial_end(path, timeline)
    return timeline


def _timeline_of_packets(
    container: InputContainer, stream: VideoStream, packets: list[_PacketTimes]
) -> Timeline | None:
    """Timeline by display times, or by decoding times where these are missing; `None` where both are."""
    pts, dts, is_key, _ = zip(*packets, strict=True)
    # AVI stores no display times: with reordered frames the demuxer's are guesses, and so are the decoder's
    guessed = "avi" in container.format.name.split(",") and (pts != dts or bool(stream.codec_context.has_b_frames))
    by_order = guessed or None in pts
    chosen = dts if by_order and None not in dts else pts
    if None in chosen:
        return None
    if not by_order:  # what comes before the first keyframe cannot be decoded
        first_key = next(number for number, packet in enumerate(packets) if packet.keyframes)
        chosen, is_key = chosen[first_key:], is_key[first_key:]
    ticks, first, counts = np.unique(np.array(chosen, dtype=np.int64), return_index=True, return_counts=True)
    start_s = (container.start_time or 0) / av.time_base
    timestamps_s = ticks * float(stream.time_base or 1) - start_s
    return Timeline(
        pts=ticks,
        timestamps_s=timestamps_s,
        keyframes=np.flatnonzero(np.array(is_key)[first]),
        by_order=by_order,
        surplus={} if by_order else {int(ticks[i]): int(counts[i]) - 1 for i in np.flatnonzero(counts > 1)},
    )


def _refuse_new_clock(container: InputContainer, stream: VideoStream, packets: list[_PacketTimes], path: Path) -> None:
    """Refuse joined recordings, whose times begin anew, and broadcasts with a leap in time, where frames were lost."""
    decoding = np.array([packet.dts for packet in packets if packet.dts is not None], dtype=np.int64)
    keys = np.array([packet.pts for packet in packets if packet.is_key and packet.pts is not None], dtype=np.int64)
    steps_s = np.diff(decoding) * float(stream.time_base or 1)
    if (steps_s < 0).any() or (np.diff(keys) < 0).any():
        raise MediaError(path, "its clock begins anew (recordings that were joined); split or remux it")
    largest_s = float(steps_s.max(initial=0))
    if container.format.name in _BROADCAST and largest_s > _LEAP_S and largest_s > 10 * np.median(steps_s):
        raise MediaError(path, f"its clock leaps by {largest_s:.2f} s (frames are lost, or joined); split or remux it")


def _decoded_timeline(path: Path) -> Timeline:
    """Timeline of a stream whose packets have no times: its frames are counted, at the rate that the stream claims."""
    with open_media(path) as container:
        stream = picture_stream(container, path)
        count = sum(1 for _ in container.decode(stream))
        rate = stream.average_rate or stream.guessed_rate
    if count == 0:
        raise MediaError(path, f"truncated or empty: a video stream without a frame; {COPY_AGAIN}")
    return _constant_timeline(count, 1 / Fraction(rate) if rate else Fraction(1, round(FRAME_FOLDER_FPS)))


def _constant_timeline(count: int, interval_s: Fraction) -> Timeline:
    counter = np.arange(count)
    return Timeline(pts=counter, timestamps_s=counter * float(interval_s), keyframes=counter[:1], by_order=True)


def _refuse_truncated(
    container: InputContainer, stream: VideoStream, timeline: Timeline, packet_count: int, path: Path
) -> None:
    formats = container.format.name.split(",")
    promised = f" of {stream.frames}" if stream.frames else ""
    if "mov" in formats:  # fewer packets than promised say nothing here: an edit list may hide the others
        missing = missing_of_iso_file(path)
        if missing:
            raise MediaError(path, f"truncated: {packet_count}{promised} frames are there ({missing}); {COPY_AGAIN}")
        if not stream.frames:  # fragments, each with its own index
            _refuse_early_end(container, stream, timeline, path)
    elif "avi" in formats and stream.frames:
        stored = max(packet_count, int(timeline.pts[-1]) + 1)  # dropped frames are counted but not stored
        if stored + 1 < stream.frames:
            raise MediaError(path, f"truncated: {packet_count}{promised} frames are there; {COPY_AGAIN}")
    elif {"matroska", "flv", "asf"} & set(formats):
        _refuse_early_end(container, stream, timeline, path)


def _refuse_early_end(container: InputContainer, stream: VideoStream, timeline: Timeline, path: Path) -> None:
    promised_s = _tagged_duration_s(stream) or (container.duration or 0) / av.time_base
    end_s = float(timeline.pts[-1] * (stream.time_base or 1)) + timeline.interval_s
    longest_s = float(np.diff(timeline.timestamps_s).max(initial=timeline.interval_s))
    slack_s = max(_END_SLACK_S, 5 * timeline.interval_s, longest_s, 0.02 * promised_s)
    if promised_s - end_s <= slack_s:
        return
    if len(container.streams) > 1 and promised_s - _last_packet_s(path) <= slack_s:
        return  # the sound goes on after the picture
    raise MediaError(path, f"truncated: it ends at {end_s:.2f} s of {promised_s:.2f} s; {COPY_AGAIN}")


def _refuse_partial_end(path: Path, timeline: Timeline) -> None:
    """Refuse a stream without length or index that was cut: its last picture, decoded from the last keyframe on, is damaged."""
    last_key = None if timeline.by_order else int(timeline.pts[timeline.keyframes[-1:]].max(initial=0)) or None
    is_complete = _last_picture_is_complete(path, last_key)
    if is_complete is None:  # seeking in such streams may go too far
        is_complete = _last_picture_is_complete(path, None)
    if not is_complete:
        raise MediaError(path, f"truncated or broken: its last picture is there in part; {COPY_AGAIN}")


def _last_picture_is_complete(path: Path, start_pts: int | None) -> bool | None:
    """Whether the last packet decodes, from a keyframe on; `None` where no keyframe came."""
    is_complete, keyframes = True, 0
    with open_media(path) as container:
        stream = picture_stream(container, path)
        stream.codec_context.options = strict_decoding()
        if start_pts is not None:
            ticks = round(_SEEK_MARGIN_S / float(stream.time_base or 1))
            container.seek(max(start_pts - ticks, 0), stream=stream)
        for packet in container.demux(stream):
            keyframes += packet.is_keyframe
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
                # a flush (an empty packet) cannot repair a last packet that failed, later packets can
                is_complete = not any(frame.is_corrupt for frame in frames) and (is_complete or packet.size > 0)
                is_complete = is_complete and not packet.is_corrupt
            except FFmpegError:
                is_complete = is_complete and not packet.size
    return is_complete if keyframes else None


def _tagged_duration_s(stream: VideoStream) -> float | None:
    """Duration of this stream in a Matroska or WebM file, where the writer noted it (`00:01:02.5`)."""
    try:
        hours, minutes, seconds = (float(field) for field in stream.metadata.get("DURATION", "").split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def _last_packet_s(path: Path) -> float:
    with open_media(path) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux() if packet.pts is not None]
        return max(times, default=0.0)
