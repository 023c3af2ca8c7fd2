"""Rows of activations or gradients: in memory while they fit the budget, on disk beyond it.

The disk is read and written by position, not mapped: mapped pages would count as resident memory.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError, OutputError, ShapeError
from video_tcav.core.limits import excerpt, finite

_MOST_OPEN = 64  # files of one thread; the system's usual limit is 1024 a process
_UNITS = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("IB", 1024))
}
_MOST_BYTES = 2**60
"""An exbibyte: more than any machine has, and exact in a float."""


def parse_bytes(size: str | int, name: str = "memory") -> int:
    """Bytes in "2GB", "500 MB", "1GiB" or a plain number; `name` is what an error calls it.

    Raises:
        InputError: if it is no size.
    """
    text = (size if isinstance(size, str) else excerpt(size)).strip().upper()
    unit = text.lstrip("0123456789. ")
    try:
        count = finite(text.removesuffix(unit)) * _UNITS[unit]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"`{name}` must be a size in bytes. Got {excerpt(size)}. Write, for example, 2GB or 500MB."
        ) from error
    if not 0 <= count <= _MOST_BYTES:
        raise InputError(
            f"`{name}` must be at most {_MOST_BYTES // 2**50} PiB. Got {excerpt(size)}. Write, for example, 2GB."
        )
    return int(count)


class SpillSpace:
    """A memory budget that several stores share, and the folder that takes what goes beyond it."""

    def __init__(self, budget: int, folder: Path) -> None:
        self._left = budget
        self._folder = folder

    def fits(self, size: int) -> bool:
        """Take `size` bytes from the budget, if there are as many left."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def new_file(self) -> Path:
        """An empty file for rows that do not fit."""
        handle, name = tempfile.mkstemp(prefix="rows-", suffix=".bin", dir=self._folder)
        os.close(handle)
        return Path(name)


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """A row that lies in a file already: `width` values of `dtype`, `offset` bytes from its start."""

    path: Path
    offset: int
    width: int
    dtype: torch.dtype


FindRows = Callable[[], Sequence[FileRow]]


class Rows:
    """Takes the rows of one layer as they come: whole, sketched, combined or projected.

    Attributes:
        rows: how many came.
        width: values of a row.
        spilled: whether any is on disk.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.width = 0
        self.spilled = False

    def append(self, values: Float[Tensor, "row width"], find_rows: FindRows | None = None) -> int:
        """Take rows; half precision counts as float32. Returns the index of the first one.

        Args:
            values: the rows.
            find_rows: finds the same rows on disk, where they lie already.

        Raises:
            ShapeError: if they are not as wide as the rows before.
            OutputError: if they must go to disk and it is full.
        """
        values = stored_values(values)
        self.width = self.width or values.shape[1]
        check_width(values.shape[1], self.width)
        self._take(values, find_rows)
        self.rows += len(values)
        return self.rows - len(values)

    def refer(self, file_rows: Sequence[FileRow]) -> None:
        """Take rows that lie in files already."""
        for file_row in file_rows:  # one at a time: many rows may not fit into memory
            self.append(read_rows([file_row]))

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Consecutive rows: in memory, or at `offset` of a file."""

    rows: int
    memory: Tensor | None = None
    path: Path | None = None
    offset: int = 0


class _OpenFiles:
    """Files to read from by position; the ones used last stay open."""

    def __init__(self) -> None:
        self._handles: dict[Path, FileIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        while self._handles:
            self._handles.popitem()[1].close()

    def read_into(self, path: Path, target: np.ndarray, offset: int) -> None:
        handle = self._handles.pop(path, None)
        try:
            handle = handle or FileIO(path)
        except OSError as error:
            raise OutputError(
                f"`activations` on disk must stay until the run ends. Got: {error.strerror} for {path}. Run again."
            ) from error
        self._handles[path] = handle  # behind all others
        if len(self._handles) > _MOST_OPEN:
            self._handles.pop(next(iter(self._handles))).close()
        view = target.data.cast("B")
        handle.seek(offset)
        while view:  # the system may read less than it was asked for
            count = handle.readinto(view)
            if not count:
                raise OutputError(
                    "`activations` on disk must stay until the run ends. Got a shortened file. Run again."
                )
            view = view[count:]


class RowStore(Rows):
    """A matrix that grows by rows and is read by blocks of columns."""

    def __init__(self, space: SpillSpace) -> None:
        super().__init__()
        self._space = space
        self._file: Path | None = None
        self._file_bytes = 0
        self._pieces: list[_Piece] = []
        self.dtype = torch.float32

    def refer(self, file_rows: Sequence[FileRow]) -> None:
        """Add rows that lie in files already; they are read when they are needed.

        Raises:
            ShapeError: if they are not as wide as the rows before.
        """
        for file_row in file_rows:
            if not self._pieces:
                self.width, self.dtype = file_row.width, file_row.dtype
            check_width(file_row.width, self.width)
            self._link(file_row)
            self.rows += 1

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        if not self._pieces:
            self.dtype = values.dtype
        values = values.to(self.dtype)
        if self._space.fits(values.nbytes):
            self._pieces.append(_Piece(rows=len(values), memory=values))
        elif find_rows and (file_rows := find_rows()) and file_rows[0].dtype == self.dtype:
            for file_row in file_rows:
                self._link(file_row)
        else:
            self._pieces.append(self._spill(values))

    def _link(self, file_row: FileRow) -> None:
        last = self._pieces[-1] if self._pieces else _Piece(rows=0)
        size = file_row.width * file_row.dtype.itemsize
        if last.path == file_row.path and last.offset + last.rows * size == file_row.offset:
            self._pieces[-1] = replace(last, rows=last.rows + 1)
        else:
            self._pieces.append(_Piece(rows=1, path=file_row.path, offset=file_row.offset))

    def take(self, used: Sequence[int]) -> Float[Tensor, "row width"]:
        """The rows `used`, in that order."""
        return next(iter(self.column_blocks(used, self.width)))

    def column_blocks(self, used: Sequence[int], columns: int) -> Iterator[Float[Tensor, "row column"]]:
        """The rows `used`, in that order, `columns` columns at a time."""
        firsts = np.cumsum([0, *(piece.rows for piece in self._pieces)])
        indices = np.searchsorted(firsts, used, side="right") - 1
        located = [(self._pieces[i], int(row - firsts[i])) for i, row in zip(indices, used, strict=True)]
        with _OpenFiles() as opened:
            for start in range(0, self.width, columns):
                stop = min(start + columns, self.width)
                block = torch.empty(len(used), stop - start, dtype=self.dtype)
                array = block.numpy()
                for target, (piece, inside) in enumerate(located):
                    if piece.memory is not None:
                        block[target] = piece.memory[inside, start:stop]
                    else:
                        assert piece.path is not None
                        column = inside * self.width + start
                        opened.read_into(piece.path, array[target], piece.offset + column * self.dtype.itemsize)
                yield block

    def _spill(self, values: Tensor) -> _Piece:
        self.spilled = True
        self._file = path = self._file or self._space.new_file()
        try:
            with path.open("ab") as file:
                file.write(values.numpy().data.cast("B"))
        except OSError as error:
            raise OutputError(
                f"`{path.parent}` must have room for what goes beyond --memory. Got: {error.strerror}. "
                "Raise --memory, use --space spacetime, or set TMPDIR to a larger disk."
            ) from error
        piece = _Piece(rows=len(values), path=path, offset=self._file_bytes)
        self._file_bytes += values.nbytes
        return piece


def check_width(width: int, expected: int) -> None:
    """Refuse a row of another width than those before.

    Raises:
        ShapeError: saying both.
    """
    if width != expected:
        raise ShapeError(
            f"`clips` must all give activations of one size. Got {width} values after {expected}. "
            "Give --size, so that every clip is resized, or use --space spacetime."
        )


def read_rows(file_rows: Sequence[FileRow]) -> Float[Tensor, "row width"]:
    """Rows of one width and type that lie in files."""
    rows = torch.empty(len(file_rows), file_rows[0].width, dtype=file_rows[0].dtype)
    with _OpenFiles() as opened:
        for target, file_row in zip(rows.numpy(), file_rows, strict=True):
            opened.read_into(file_row.path, target, file_row.offset)
    return rows


def stored_values(values: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
    """Rows as they are kept: on the CPU, contiguous, float64 or float32."""
    dtype = torch.float64 if values.dtype == torch.float64 else torch.float32
    return values.detach().to(device="cpu", dtype=dtype).contiguous()
