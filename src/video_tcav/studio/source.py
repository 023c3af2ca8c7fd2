"""The video that a clip was cut from: itself if it has not changed, or the span as a file that every browser plays."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np
import torch
from torch.nn.functional import interpolate

from video_tcav.concepts.bank import BankClip, Origin
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, file_digest, probe_video, read_frames, write_video
from video_tcav.media.files import VIDEO_SUFFIXES

AROUND_S = 1.0
_MOST_S = 30.0
_MOST_FRAMES = 300
_AT_ONCE_FRAMES = 32
_WIDEST_PX = 640


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a source video, encoded anew.

    Attributes:
        path: the file.
        offset_s: time in the source of its first frame.
        width: of the source in pixels, in which boxes are given.
        height: of the source in pixels.
    """

    path: Path
    offset_s: float
    width: int
    height: int


def source_path(origin: Origin) -> Path:
    """The source video, if it is there and still the same.

    Raises:
        MediaError: if it is not, with the reason in words.
    """
    path = Path(origin.video)
    if path.is_dir():
        raise MediaError(path, "is a folder of pictures, which the studio does not play")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise MediaError(path, "is no video file, so the studio does not play it")
    try:
        state = path.stat()
    except OSError as error:
        raise MediaError(path, f"is not there any more ({error.strerror})") from error
    if _digest(str(path), state.st_size, state.st_mtime_ns) != origin.video_digest:
        raise MediaError(path, "has changed since the clip was cut from it, so the box would not fit")
    return path


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file in this state."""
    return file_digest(path)


class Spans:
    """Spans of source videos in a temporary folder, each encoded once; the folder goes with `close`."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None  # made for the first span: most reviews need none
        self._done: dict[str, Span] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()

    def of(self, clip: BankClip) -> Span:
        """The span of a clip with a second around it.

        Raises:
            MediaError: if the source is not there, has changed, or cannot be decoded.
        """
        path = source_path(clip.origin)
        key = f"{clip.origin.video_digest}-{clip.origin.start_s:.3f}-{clip.origin.end_s:.3f}"
        with self._lock:  # one at a time: encoding takes all cores
            self._folder = self._folder or TemporaryDirectory(prefix="video-tcav-studio-")
            if key not in self._done:
                self._done[key] = _encode(path, clip.origin, Path(self._folder.name) / f"{len(self._done)}.mp4")
            return self._done[key]


def _encode(path: Path, origin: Origin, out: Path) -> Span:
    info = probe_video(path)
    times = info.timestamps_s
    end_s = min(origin.end_s, origin.start_s + _MOST_S) + AROUND_S
    indices = np.flatnonzero((times >= origin.start_s - AROUND_S) & (times <= end_s))
    if len(indices) == 0:
        raise MediaError(path, f"has no frame from {origin.start_s:.2f} to {origin.end_s:.2f} s")
    step = -(-len(indices) // _MOST_FRAMES)
    indices = indices[::step]
    source = VideoSource(path=path, kind="video")
    parts = [_small(source, indices[at : at + _AT_ONCE_FRAMES]) for at in range(0, len(indices), _AT_ONCE_FRAMES)]
    write_video(out, torch.cat(parts), fps=info.fps / step)
    os.chmod(out, 0o600)  # noqa: PTH101  what others may read of the source is not ours to widen
    return Span(path=out, offset_s=float(times[indices[0]]), width=info.width, height=info.height)


def _small(source: VideoSource, indices: np.ndarray) -> torch.Tensor:
    """Frames, no wider than needed: a second of a large video would fill the memory."""
    frames = read_frames(source, indices)
    scale = min(1.0, _WIDEST_PX / frames.shape[-1])
    if scale == 1:
        return frames
    return interpolate(frames.float(), scale_factor=scale, mode="area").round().byte()
