"""Container structure: damage and truncation that show in sizes, chains, checksums and counters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from video_tcav.media.structure.indexed import check_asf, check_avi, check_iso, missing_of_iso
from video_tcav.media.structure.matroska import check_matroska
from video_tcav.media.structure.pictures import check_apng, check_gif, check_ivf, check_jpegs, check_y4m
from video_tcav.media.structure.reasons import StructureError
from video_tcav.media.structure.streams import (
    check_flv,
    check_ogg,
    check_program_stream,
    check_transport_stream,
)

_CHECKS: dict[str, Callable[[memoryview], None]] = {
    "mov,mp4,m4a,3gp,3g2,mj2": check_iso,
    "matroska,webm": check_matroska,
    "avi": check_avi,
    "flv": check_flv,
    "asf": check_asf,
    "mpegts": check_transport_stream,
    "mpeg": check_program_stream,
    "ogg": check_ogg,
    "gif": check_gif,
    "apng": check_apng,
    "ivf": check_ivf,
    "yuv4mpegpipe": check_y4m,
    "mjpeg": check_jpegs,
}


@contextmanager
def mapped(path: Path) -> Iterator[mmap]:
    """The bytes of a file."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        yield content


def container_damage(path: Path, container_format: str) -> str | None:
    """Why the structure of a file is damaged; `None` if it is not, or there is no check for FFmpeg's name of its container."""
    check = _CHECKS.get(container_format)
    if check is None:
        return None
    with mapped(path) as content, memoryview(content) as view:
        try:
            check(view)
        except StructureError as error:  # not let through: its frames hold views, and the map could not be closed
            return str(error)
    return None


def missing_of_iso_file(path: Path) -> str | None:
    """What an MP4 or MOV lacks: its index (moov), or the end of a box; `None` for other files."""
    with mapped(path) as content, memoryview(content) as view:
        return missing_of_iso(view)
