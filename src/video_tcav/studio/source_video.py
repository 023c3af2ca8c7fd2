"""Source video of a clip, checked to be unchanged, and the size of its picture."""

import stat
from functools import lru_cache
from pathlib import Path

from video_tcav.concepts.bank import Origin
from video_tcav.core.errors import MediaError
from video_tcav.media import file_digest
from video_tcav.media.container import COPY_AGAIN, open_media, picture_stream
from video_tcav.media.files import VIDEO_SUFFIXES
from video_tcav.media.picture import PictureMaker, pixel_aspect


def source_path(origin: Origin) -> Path:
    """Path of the source video, if it exists and is unchanged.

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
    if not stat.S_ISREG(state.st_mode):  # a pipe or a device may never end
        raise MediaError(path, "is no regular file, so the studio does not play it")
    if _digest(str(path), state.st_size, state.st_mtime_ns) != origin.video_digest:
        raise MediaError(path, "has changed since the clip was cut from it, so the box would not fit")
    return path


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
