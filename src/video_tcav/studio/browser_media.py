"""Videos for the browser: sources, checked to be unchanged, and clips and spans transcoded to what every browser plays."""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts.bank import BankClip, Origin
from video_tcav.core.errors import MediaError
from video_tcav.core.scratch import scratch_folder
from video_tcav.media import VideoSource, file_digest, iter_frames, read_frames, write_picture, write_video
from video_tcav.media.container import COPY_AGAIN, open_media, picture_stream
from video_tcav.media.files import VIDEO_SUFFIXES, kind_of
from video_tcav.media.picture import PictureMaker, pixel_aspect
from video_tcav.media.sampling import nearest_frames
from video_tcav.media.timeline import read_timeline

AROUND_S = 1.0  # of the source before and after a clip
# Enough to judge a clip by, and encoded within seconds.
_MOST_S = 30.0
_MOST_FRAMES = 300
_MOST_FPS = 30.0
_LONGEST_SIDE_PX = 640


def source_path(origin: Origin) -> Path:
    """Path of the source video, if it exists and is unchanged.

    Raises:
        MediaError: if it is not, with the reason in words.
    """
    path = Path(origin.video)
    state = check_source(path)
    if _digest(str(path), state.st_size, state.st_mtime_ns) != origin.video_digest:
        raise MediaError(path, "has changed since the clip was cut from it, so the box would not fit")
    return path


def check_source(path: Path) -> os.stat_result:
    """Refuse what the studio does not play; the state of the file.

    Raises:
        MediaError: with the reason in words.
    """
    if path.is_dir():
        raise MediaError(path, "is a folder of pictures, which the studio does not play")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise MediaError(path, "is no video file, so the studio does not play it")
    try:
        state = path.stat()
    except OSError as error:
        raise MediaError(path, f"is not there any more ({error.strerror})") from error
    if not stat.S_ISREG(state.st_mode):  # a pipe or a device may never end
        raise MediaError(path, "is no regular file, so the studio does not play it")
    return state


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a video's upright picture in square pixels, in which boxes are given, by its first frame.

    Raises:
        MediaError: if it cannot be decoded.
    """
    state = path.stat()
    return _picture_size(path, state.st_size, state.st_mtime_ns)


# Size and time of change are in the key, so that a file is read again when it was written since.
@lru_cache(maxsize=4096)
def _digest(path: str, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file in this state."""
    return file_digest(path)


@lru_cache(maxsize=1024)
def _picture_size(path: Path, size: int, mtime_ns: int) -> tuple[int, int]:
    with open_media(path) as container:
        stream = picture_stream(container, path)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(path, f"broken: no frame can be decoded; {COPY_AGAIN}")
        height, width, _ = PictureMaker(pixel_aspect(stream, path))(frame).shape
    return width, height


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A span of a video, or a picture, transcoded with square pixels."""

    path: Path
    media_type: str
    offset_s: float  # time in the source of its first frame
    width: int  # of the source, in pixels in which boxes are given; likewise the height
    height: int


class Encodings:
    """Files encoded on demand in a temporary folder, of which the latest stay (an LRU cache); `close` removes the folder."""

    def __init__(self, *, most_files: int = 400, most_bytes: int = 10**9) -> None:
        self._most_files, self._most_bytes = most_files, most_bytes
        self._scratch = ExitStack()
        self._folder: Path | None = None  # made for the first file: most reviews need none
        self._latest: OrderedDict[str, tuple[Encoded, int]] = OrderedDict()  # with their size in bytes
        self._count = self._bytes = 0
        self._state = Lock()
        self._turn = Lock()  # one at a time: encoding takes all cores

    def close(self) -> None:
        """Remove the files."""
        self._scratch.close()

    def span(self, clip: BankClip) -> Encoded:
        """The span of a clip in its source, with a second around it.

        Raises:
            MediaError: if the source is not there, has changed, or cannot be decoded.
        """
        origin = clip.origin
        path = source_path(origin)
        start_s = origin.start_s - AROUND_S
        end_s = min(origin.end_s, origin.start_s + _MOST_S) + AROUND_S
        key = f"{origin.video_digest}-{start_s:.3f}-{end_s:.3f}"
        return self._of(key, lambda stem: _encode_video(path, stem, start_s, end_s))

    def window(self, path: Path, start_s: float) -> Encoded:
        """Half a minute of a video from a time on.

        Raises:
            MediaError: if the video cannot be decoded, or has ended by then.
        """
        state = path.stat()
        key = f"{path}-{state.st_size}-{state.st_mtime_ns}-{start_s:.3f}"
        return self._of(key, lambda stem: _encode_video(path, stem, start_s, start_s + _MOST_S))

    def clip(self, clip: BankClip) -> Encoded:
        """A clip of the bank, its first half minute where it is longer.

        Raises:
            MediaError: if the file is missing or cannot be decoded.
        """
        if not clip.path.is_file():
            raise MediaError(clip.path, "is missing; run `video-tcav bank check`")
        if kind_of(clip.path) == "still":
            return self._of(clip.digest, lambda stem: _encode_still(clip.path, stem))
        return self._of(clip.digest, lambda stem: _encode_video(clip.path, stem, 0.0, _MOST_S))

    def _of(self, key: str, make: Callable[[Path], Encoded]) -> Encoded:
        if (encoded := self._find(key)) is not None:
            return encoded
        with self._turn:
            if (encoded := self._find(key)) is not None:  # another request has made it meanwhile
                return encoded
            self._folder = self._folder or self._scratch.enter_context(scratch_folder())
            self._count += 1
            encoded = make(self._folder / str(self._count))
            encoded.path.chmod(0o600)  # the source may be readable for this user only
            self._keep(key, encoded)
            return encoded

    def _find(self, key: str) -> Encoded | None:
        with self._state:
            if key not in self._latest:
                return None
            self._latest.move_to_end(key)
            return self._latest[key][0]

    def _keep(self, key: str, made: Encoded) -> None:
        with self._state:
            self._latest[key] = made, made.path.stat().st_size
            self._bytes += self._latest[key][1]
            while len(self._latest) > 1 and (len(self._latest) > self._most_files or self._bytes > self._most_bytes):
                _, (oldest, size) = self._latest.popitem(last=False)
                self._bytes -= size
                oldest.path.unlink(missing_ok=True)


def _encode_still(path: Path, stem: Path) -> Encoded:
    [picture] = read_frames(VideoSource(path=path, kind="still"), [0])
    height, width = picture.shape[-2:]
    small = _resized(picture, _display_size(width, height))
    out = stem.with_suffix(".png")
    write_picture(out, torch.from_numpy(small).permute(2, 0, 1))
    return Encoded(path=out, media_type="image/png", offset_s=0.0, width=width, height=height)


def _encode_video(path: Path, stem: Path, start_s: float, end_s: float) -> Encoded:
    source = VideoSource(path=path, kind="video")
    timeline = read_timeline(source)
    times, fps = _even_times(timeline.timestamps_s, timeline.interval_s, start_s, end_s)
    if len(times) == 0:
        raise MediaError(path, f"has no frame from {start_s:.2f} to {end_s:.2f} s")
    indices = nearest_frames(timeline.timestamps_s, times)
    wanted, positions = np.unique(indices, return_inverse=True)
    width, height = picture_size(path)
    size = _display_size(width, height)
    frames = torch.empty((len(times), 3, size[1], size[0]), dtype=torch.uint8)
    for number, frame in enumerate(iter_frames(source, wanted, timeline=timeline)):  # one large frame at a time
        frames[torch.from_numpy(positions == number)] = torch.from_numpy(_resized(frame, size)).permute(2, 0, 1)
    out = stem.with_suffix(".mp4")
    write_video(out, frames, fps=fps)
    return Encoded(path=out, media_type="video/mp4", offset_s=float(times[0]), width=width, height=height)


def _even_times(
    timestamps_s: Float[np.ndarray, " frame"], interval_s: float, start_s: float, end_s: float
) -> tuple[Float[np.ndarray, " time"], float]:
    """Evenly spaced times of a span, and their rate: a player knows one rate, the source may have many."""
    first_s, last_s = max(start_s, timestamps_s[0]), min(end_s, timestamps_s[-1] + interval_s)
    if last_s <= first_s:
        return np.empty(0), _MOST_FPS
    inside = timestamps_s[(timestamps_s >= first_s) & (timestamps_s <= last_s)]
    if len(inside) and inside[0] - first_s < interval_s:
        first_s = inside[0]  # so that the frames of an even source stay what they are
    gaps = np.diff(inside)
    shortest_s = float(np.quantile(gaps, 0.1)) if len(gaps) else interval_s  # the shortest may be a rounding error
    length_s = max(last_s - first_s, shortest_s)
    fps = min(1 / shortest_s, _MOST_FPS, _MOST_FRAMES / length_s)
    count = max(1, round(length_s * fps))
    return first_s + np.arange(count) / fps, fps


def _display_size(width: int, height: int) -> tuple[int, int]:
    """Even width and height in square pixels, no larger than a page shows."""
    scale = min(1.0, _LONGEST_SIDE_PX / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _resized(frame: Tensor, size: tuple[int, int]) -> np.ndarray:
    picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    return picture if picture.shape[1::-1] == size else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
