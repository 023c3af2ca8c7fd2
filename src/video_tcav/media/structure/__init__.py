"""Container structure: damage and truncation that show in sizes, chains, checksums and counters."""

from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from pathlib import Path

from video_tcav.media.structure.asf import asf_damage
from video_tcav.media.structure.flv import flv_damage
from video_tcav.media.structure.gif import gif_damage
from video_tcav.media.structure.iso import iso_damage
from video_tcav.media.structure.matroska import matroska_damage
from video_tcav.media.structure.mpeg import program_stream_damage, transport_stream_damage
from video_tcav.media.structure.ogg import ogg_damage
from video_tcav.media.structure.png import apng_damage
from video_tcav.media.structure.raw import ivf_damage, jpegs_damage, y4m_damage
from video_tcav.media.structure.riff import avi_damage

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


def container_damage(path: Path, container_format: str) -> str | None:
    """Why the structure of a file is damaged; `None` if it is not, or there is no check for its container.

    Args:
        path: the file.
        container_format: FFmpeg's name of the demuxer.
    """
    check = _CHECKS.get(container_format)
    if check is None:
        return None
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content, memoryview(content) as view:
        return check(view)
