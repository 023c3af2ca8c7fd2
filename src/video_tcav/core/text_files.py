"""Text files as editors and spreadsheets save them: encodings, byte order marks, line ends, JSON with distinct keys."""

import codecs
import unicodedata
from pathlib import Path
from typing import Any

from video_tcav.core import limits
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.core.limits import LimitError, read_bounded

# UTF-32 first: its little-endian mark begins with that of UTF-16
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u2060\x00"))  # marks of joined files, zero-width spaces
LARGEST_TEXT_BYTES = 1_000_000_000  # above it a file is no list: that of Kinetics-700 has 30 MB


def read_text(path: Path, *, error: type[VideoTcavError] = InputError) -> str:
    r"""Text of a file in UTF-8, with or without byte order mark, or in UTF-16 or UTF-32 with one; lines end in `\n`.

    Raises:
        VideoTcavError: of the type `error`, if the file cannot be read or is in another encoding.
    """
    try:
        content = read_bounded(path, most=LARGEST_TEXT_BYTES)
    except (LimitError, OSError) as reason:
        raise error(f"`{path}` must be a readable text file. Got: {reason_of(reason)}. Check the path.") from reason
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as reason:
        line = content.count(b"\n", 0, reason.start) + 1
        raise error(f"`{path}` must be text in UTF-8. Got other bytes in line {line}. Save it as UTF-8.") from reason
    if "\0" in text:
        raise error(f"`{path}` must be text in UTF-8. Got zero bytes, as of UTF-16. Save it as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """Lines that are not blank, without spaces and marks around them, with their numbers from 1 on."""
    # not by splitlines, which also ends lines at characters that names may hold
    lines = ((number, visible(line)) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in lines if line]


def visible(text: str) -> str:
    """Text without spaces around it, and without zero-width characters."""
    # lists have a million lines, most of them in ASCII, for which `translate` is slow
    return (text if text.isascii() and "\0" not in text else text.translate(_INVISIBLE)).strip()


def plain_name(text: str) -> str:
    """A name as it is compared: one space between words, none around, accents composed."""
    return unicodedata.normalize("NFC", " ".join(visible(text).split()))


def parse_json(text: str, source: str, *, error: type[VideoTcavError] = InputError) -> Any:
    """What a text in JSON holds; names within an object must be distinct. Messages call the text `source`.

    Raises:
        VideoTcavError: of the type `error`, if it is no JSON, too deep, or an object names a key twice.
    """
    try:
        return limits.parse_json(visible(text), object_pairs_hook=_distinct)
    except ValueError as reason:
        raise error(f"{source} must be JSON. Got: {reason}. Correct it.") from reason


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the name {key!r} twice in one object")
        content[key] = value
    return content
