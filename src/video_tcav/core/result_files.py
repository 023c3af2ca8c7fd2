"""Folders of results: files written in order, read back with one error for whatever is damaged, rows of JSON as dataclasses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from video_tcav.core.errors import InputError, OutputError, UnsavedResultError
from video_tcav.core.files import write_in_turn
from video_tcav.core.tables import TABLE_DAMAGE

RESULTS = "results.json"
DAMAGE = (*TABLE_DAMAGE, SafetensorError)
"""What libraries raise on a damaged file of a result."""
Row = TypeVar("Row")


def write_result(folder: Path, result: Any, writers: Mapping[str, Callable[[Path], object]]) -> None:
    """Write the files of a result by their writers, in order: small ones first.

    Raises:
        UnsavedResultError: if any file cannot be written, with the result and what is there.
    """
    try:
        write_in_turn(folder, writers)
    except OutputError as error:
        raise UnsavedResultError(str(error), result) from error


@contextmanager
def reading_result(folder: Path, *, of: str, command: str) -> Iterator[None]:
    """Inside, whatever a damaged file raises becomes one line.

    Args:
        folder: of the result.
        of: what it is the result of: `an audit`.
        command: that writes such a folder with `--out`.

    Raises:
        InputError: if the folder holds no such result, or a file of it is damaged.
    """
    try:
        yield
    except DAMAGE as error:
        raise InputError(
            f"`folder` must hold the result of {of}. Got {folder}: {type(error).__name__}: {error}. Run {command} with --out "
            "again."
        ) from error


def row_of(kind: type[Row], row: Mapping[str, Any]) -> Row:
    """A dataclass from its row in JSON, which has null for what is no number.

    Raises:
        KeyError: if the row lacks a field.
    """
    values = {item.name: (item.type, row[item.name]) for item in fields(kind)}  # pyright: ignore[reportArgumentType]
    return kind(**{name: _number(type_, value) for name, (type_, value) in values.items()})


def _number(kind: Any, value: Any) -> Any:
    return float("nan") if value is None and kind is float else value
