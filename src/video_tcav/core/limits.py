"""Bounds on files and values from outside: sizes, paths, depth of JSON, floats, length of excerpts."""

import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_EXCERPT = 60  # characters of a value in a message


class LimitError(ValueError):
    """A value beyond a bound; its message fits behind "Got", and callers add the argument and the cure."""


def read_bounded(path: Path, *, most: int) -> bytes:
    """The bytes of a regular file of bounded size: never waits for a pipe, never reads a device without end.

    Raises:
        LimitError: if it is no regular file, or too large.
        OSError: if it cannot be read.
    """
    check_regular(path)
    too_large = LimitError(f"more than {_size(most)}")
    if path.stat().st_size > most:
        raise too_large
    with path.open("rb") as file:
        content = file.read(most + 1)  # files of /proc say that they are empty
    if len(content) > most:
        raise too_large
    return content


def check_regular(path: Path) -> None:
    """Refuse a path that is no regular file before a library opens it: a pipe blocks, a device has no end."""
    check_path(path)
    mode = path.stat().st_mode
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    if not stat.S_ISREG(mode):
        raise LimitError(kinds.get(stat.S_IFMT(mode), "a device"))


def check_path(path: str | Path) -> None:
    """Refuse a path with a NUL character, or with lone surrogates that are no file name's bytes."""
    text = str(path)
    if "\0" in text:
        raise LimitError("a path with a NUL character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:  # a lone surrogate that stands for no byte (PEP 383)
        raise LimitError("a path that is no text") from error


def parse_json(text: str | bytes, **options: Any) -> Any:
    """The value of a JSON text that came from elsewhere; `options` go to `json.loads`.

    Raises:
        ValueError: if it is no JSON, nests too deep, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise LimitError("values that nest too deep") from error


def finite(value: Any) -> float:
    """A number that a float holds.

    Raises:
        LimitError: if it is beyond a float, infinite or not a number.
        TypeError: if it is no number.
        ValueError: if it is text that is none.
    """
    if isinstance(value, bool | bytes | bytearray):
        raise TypeError(f"{type(value).__name__} is no number")
    try:
        number = float(value)
    except OverflowError as error:
        raise LimitError("a number beyond a float") from error
    if not math.isfinite(number):
        raise LimitError("no finite number")
    return number


def excerpt(value: Any, most: int = _EXCERPT) -> str:
    """A value for a message: its `repr`, cut to a length, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of more digits than Python prints, a list that nests deep
        text = f"a {type(value).__name__} too large to print"
    return text if len(text) <= most else f"{text[:most]}…"


def shortened(names: Sequence[str], most: int = 20) -> str:
    """Names for a message, the first of them if there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _size(count: int) -> str:
    return f"{count // 2**20} MB" if count >= 2**20 else f"{count // 2**10} kB"
