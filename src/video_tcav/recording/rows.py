"""Rows of activations or gradients: in memory while they fit the budget, on disk beyond it.

The disk is read and written by position, not mapped: mapped pages would count as resident memory.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError, OutputError, ShapeError
from video_tcav.core.limits import excerpt, finite

_MOST_OPEN = 64
_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
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


Places = Callable[[], Sequence[FileRow]]


class Rows(Protocol):
    """Takes the rows of one layer as they come: whole, sketched, combined or projected."""

    @property
    def rows(self) -> int:
        """How many came."""
        ...

    @property
    def spilled(self) -> bool:
        """Whether any is on disk."""
        ...

    def append(self, values: Float[Tensor, "row width"], places: Places | None = None) -> int:
        """Take rows; see `RowStore.append`."""
        ...

    def refer(self, places: Sequence[FileRow]) -> None:
        """Take rows that lie in files already."""
        ...


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
        _read_into(handle, target, offset)


class RowStore:
    """A matrix that grows by rows and is read by blocks of columns."""

    def __init__(self, space: SpillSpace) -> None:
        self._space = space
        self._file: Path | None = None
        self._file_bytes = 0
        self._pieces: list[_Piece] = []
        self.rows: int = 0
        self.width = 0
        self.dtype = torch.float32

    @property
    def spilled(self) -> bool:
        """Whether any row is on disk."""
        return self._file is not None

    def append(self, values: Float[Tensor, "row width"], places: Places | None = None) -> int:
        """Add rows; half precision is kept as float32. Returns the index of the first one.

        Args:
            values: the rows.
            places: asked where the same rows lie on disk already; those that do not fit are then read from there.

        Raises:
            ShapeError: if they are not as wide as the rows before.
            OutputError: if they must go to disk and it is full.
        """
        values = stored_values(values)
        self._check(values.shape[1], values.dtype)
        values = values.to(self.dtype)
        if self._space.fits(values.nbytes):
            self._pieces.append(_Piece(rows=len(values), memory=values))
            self.rows += len(values)
        elif places and (found := places()) and found[0].dtype == self.dtype:
            self.refer(found)
        else:
            self._pieces.append(_Piece(rows=len(values), path=self._spill_file(), offset=self._spill(values)))
            self.rows += len(values)
        return self.rows - len(values)

    def refer(self, places: Sequence[FileRow]) -> None:
        """Add rows that lie in files already; they are read when they are needed.

        Raises:
            ShapeError: if they are not as wide as the rows before.
        """
        for place in places:
            self._check(place.width, place.dtype)
            last = self._pieces[-1] if self._pieces else _Piece(rows=0)
            size = place.width * place.dtype.itemsize
            if last.path == place.path and last.offset + last.rows * size == place.offset:
                self._pieces[-1] = replace(last, rows=last.rows + 1)
            else:
                self._pieces.append(_Piece(rows=1, path=place.path, offset=place.offset))
            self.rows += 1

    def _check(self, width: int, dtype: torch.dtype) -> None:
        if not self._pieces:
            self.width, self.dtype = width, dtype
        check_width(width, self.width)

    def column_blocks(self, used: Sequence[int], columns: int) -> Iterator[Float[Tensor, "row column"]]:
        """The rows `used`, in that order, `columns` columns at a time."""
        places = list(self._places(used))
        with _OpenFiles() as opened:
            for start in range(0, self.width, columns):
                stop = min(start + columns, self.width)
                block = torch.empty(len(used), stop - start, dtype=self.dtype)
                array = block.numpy()
                for target, (piece, inside) in enumerate(places):
                    if piece.memory is not None:
                        block[target] = piece.memory[inside, start:stop]
                    else:
                        assert piece.path is not None
                        column = inside * self.width + start
                        opened.read_into(piece.path, array[target], piece.offset + column * self.dtype.itemsize)
                yield block

    def _places(self, used: Sequence[int]) -> Iterator[tuple[_Piece, int]]:
        firsts = np.cumsum([0, *(piece.rows for piece in self._pieces)])
        for row in used:
            piece = int(np.searchsorted(firsts, row, side="right")) - 1
            yield self._pieces[piece], int(row - firsts[piece])

    def _spill_file(self) -> Path:
        if self._file is None:
            self._file = self._space.new_file()
        return self._file

    def _spill(self, values: Tensor) -> int:
        path, offset = self._spill_file(), self._file_bytes
        try:
            with path.open("ab") as file:
                file.write(values.numpy().data.cast("B"))
        except OSError as error:
            raise OutputError(
                f"`{path.parent}` must have room for what goes beyond --memory. Got: {error.strerror}. "
                "Raise --memory, use --space spacetime, or set TMPDIR to a larger disk."
            ) from error
        self._file_bytes += values.nbytes
        return offset


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


def read_rows(places: Sequence[FileRow]) -> Float[Tensor, "row width"]:
    """Rows of one width and type that lie in files."""
    rows = torch.empty(len(places), places[0].width, dtype=places[0].dtype)
    with _OpenFiles() as opened:
        for target, place in zip(rows.numpy(), places, strict=True):
            opened.read_into(place.path, target, place.offset)
    return rows


def stored_values(values: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
    """Rows as they are kept: on the CPU, contiguous, float64 or float32."""
    dtype = torch.float64 if values.dtype == torch.float64 else torch.float32
    return values.detach().to(device="cpu", dtype=dtype).contiguous()


def _read_into(handle: FileIO, target: np.ndarray, offset: int) -> None:
    view = target.data.cast("B")
    handle.seek(offset)
    while view:
        count = handle.readinto(view)
        if not count:
            raise OutputError("`activations` on disk must stay until the run ends. Got a shortened file. Run again.")
        view = view[count:]
