"""Opening a media file, and saying in plain words why one cannot be opened."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.error import DecoderNotFoundError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from video_tcav.core.errors import MediaError

COPY_AGAIN = "copy or download it again"

_ISO_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot styp moof mfra sidx uuid meta udta".split())


@contextmanager
def open_media(path: Path, *, image: bool = False) -> Iterator[InputContainer]:
    """An open container; FFmpeg's errors inside the `with` become a `MediaError` in plain words.

    Args:
        path: the file.
        image: whether to go by the content alone: FFmpeg trusts the ending of an image, and takes `%d`
            for a counter.

    Raises:
        MediaError: if the file is missing, unreadable, empty, or not a video.
    """
    check_file(path)
    try:
        with ExitStack() as stack:
            # an absolute path cannot be taken for a protocol ("a:b.mp4")
            target = stack.enter_context(path.open("rb")) if image else str(path.absolute())
            yield stack.enter_context(av.open(target, "r", metadata_errors="replace"))
    except FFmpegError as error:
        raise MediaError(path, _plain_reason(path, error)) from error


def check_file(path: Path) -> None:
    """Refuse what needs no decoder to be refused.

    Raises:
        MediaError: if the file is missing, a folder, unreadable or empty.
    """
    if not path.exists():
        raise MediaError(path, "no such file; check the path, or the list that names it")
    if path.is_dir():
        raise MediaError(path, "a folder, where a file is needed; give a file in it, or the folder to `find_videos`")
    if not os.access(path, os.R_OK):
        raise MediaError(path, "may not be read; change its permissions")
    if path.stat().st_size == 0:
        raise MediaError(path, f"empty file of 0 bytes; {COPY_AGAIN}")


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not the cover picture of a piece of music.

    Raises:
        MediaError: if there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = "NONE"  # several files at once beat several threads on one
            return stream
    found = "sound but no picture" if container.streams.audio else "no picture"
    raise MediaError(path, f"has {found}; give a file with a video stream")


def _plain_reason(path: Path, error: FFmpegError) -> str:
    if isinstance(error, DecoderNotFoundError):
        return "its codec is unknown to FFmpeg; convert it to H.264 in mp4"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    missing = missing_of_iso_file(path)
    if missing:
        return f"truncated: {missing}; {COPY_AGAIN}"
    if isinstance(error, InvalidDataError):
        return f"not a video, or broken beyond reading; play it to check, or {COPY_AGAIN}"
    words = " ".join(str(error.strerror or error).split())
    return f"cannot be read ({words}); play it to check, or {COPY_AGAIN}"


def missing_of_iso_file(path: Path) -> str | None:
    """What an MP4 or MOV lacks: its index (moov), or the end of a box; `None` for anything else."""
    size, names, offset = path.stat().st_size, set[bytes](), 0
    with path.open("rb") as file:
        while offset + 8 <= size:
            file.seek(offset)
            header = file.read(16)
            length, name = int.from_bytes(header[:4], "big"), header[4:8]
            if name not in _ISO_BOXES:  # another format, or bytes that someone appended
                break
            names.add(name)
            if length == 1:  # 64-bit length follows
                length = int.from_bytes(header[8:16], "big")
            if length < 8:  # 0: up to the end of the file
                break
            offset += length
    if offset > size:
        return f"{size} of at least {offset} bytes are there"
    return None if b"moov" in names or not names else f"its index (moov) is missing after {size} bytes"
