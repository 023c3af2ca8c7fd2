"""Container structure: damage and truncation that show in sizes, chains, checksums and counters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from video_tcav.media.structure.indexed import asf_damage, avi_damage, iso_damage, missing_of_iso
from video_tcav.media.structure.matroska import matroska_damage
from video_tcav.media.structure.pictures import apng_damage, gif_damage, ivf_damage, jpegs_damage, y4m_damage
from video_tcav.media.structure.streams import (
    flv_damage,
    ogg_damage,
    program_stream_damage,
    transport_stream_damage,
)

_CHECKS: dict[str, Callable[[memoryview], str | None]] = {
    "mov,mp4,m4a,3gp,3g2,mj2": iso_damage,
    "matroska,webm": matroska_damage,
    "avi": avi_damage,
    "flv": flv_damage,
    "asf": asf_damage,
    "mpegts": transport_stream_damage,
    "mpeg": program_stream_damage,
    "ogg": ogg_damage,
    "gif": gif_damage,
    "apng": apng_damage,
    "ivf": ivf_damage,
    "yuv4mpegpipe": y4m_damage,
    "mjpeg": jpegs_damage,
}


@contextmanager
def mapped(path: Path) -> Iterator[mmap]:
    """The bytes of a file."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        yield content


def container_damage(path: Path, container_format: str) -> str | None:
    """Why the structure of a file is damaged; `None` if it is not, or there is no check for FFmpeg's name of its container."""
    check = _CHECKS.get(container_format)
    return None if check is None else _checked(path, check)


def missing_of_iso_file(path: Path) -> str | None:
    """See `missing_of_iso`."""
    return _checked(path, missing_of_iso)


def _checked(path: Path, check: Callable[[memoryview], str | None]) -> str | None:
    with mapped(path) as content, memoryview(content) as view:
        return check(view)
