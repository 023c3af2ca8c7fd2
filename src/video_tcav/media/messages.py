"""FFmpeg's log messages while a picture is decoded: for GIF, JPEG and FFV1 they are the only sign of damage."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import av.logging

from video_tcav.core.errors import MediaError

MESSAGE_ONLY = frozenset({"gif", "mjpeg", "ffv1"})  # codecs whose damage is not always raised as an error

# messages about metadata beside the picture, which cameras often get wrong
_HARMLESS = re.compile(r"APP|EXIF|ICC|profile|deprecated", re.IGNORECASE)
_TOO_MANY_PIXELS = re.compile(r"Picture size (?P<width>\d+)x(?P<height>\d+) exceeds")
_lock = Lock()
_listeners = 0  # threads that collect messages now
_level_before: int | None = None  # of the process, before the first of them


@contextmanager
def decoder_messages() -> Iterator[list[str]]:
    """Collect the error messages that FFmpeg logs in this thread about the picture itself.

    PyAV drops messages unless its level is set, for the whole process: the level is set while any thread collects, and
    restored afterwards.
    """
    _listen(+1)
    messages: list[str] = []
    logs: list[tuple[int, str, str]] = []
    try:
        with av.logging.Capture(local=True) as logs:
            yield messages
    finally:
        _listen(-1)
        messages.extend(
            text.strip() for level, _, text in logs if level <= av.logging.ERROR and not _HARMLESS.search(text)
        )


def refuse_enormous(path: Path, messages: list[str], most_megapixels: int) -> None:
    """Refuse a picture that the decoder rejected for its size."""
    for message in messages:
        if match := _TOO_MANY_PIXELS.search(message):
            size = f"{match['width']}×{match['height']}"
            raise MediaError(path, f"{size} pixels: more than {most_megapixels} megapixels; make it smaller")


def _listen(change: int) -> None:
    global _listeners, _level_before
    with _lock:
        if _listeners == 0:
            _level_before = av.logging.get_level()
            av.logging.set_skip_repeated(False)  # another thread may have logged the same just before
            av.logging.set_level(av.logging.ERROR)
        _listeners += change
        if _listeners == 0:
            av.logging.set_level(_level_before)
