"""Tables and tensors as files: CSV, Parquet and safetensors, whole or not there, whatever names are in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from safetensors.torch import save_file
from torch import Tensor

from video_tcav.core.escaping import spreadsheet_cell, well_formed
from video_tcav.core.files import atomic_path

TABLE_DAMAGE = (
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,  # of pyarrow, for types that it does not know
    pa.ArrowException,
)
"""What the libraries raise that read a damaged table."""


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV in UTF-8, in which no cell of text is a formula to a spreadsheet.

    Raises:
        OutputError: if the file cannot be written.
    """
    with atomic_path(path) as temporary:
        _texts(frame, spreadsheet_cell).to_csv(temporary, index=False, encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet.

    Raises:
        OutputError: if the file cannot be written.
    """
    with atomic_path(path) as temporary:
        _texts(frame, well_formed).to_parquet(temporary)


def write_tensors(path: Path, tensors: dict[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as one safetensors file.

    Raises:
        OutputError: if the file cannot be written.
    """
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def _texts(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with its texts changed, in cells and names of columns; a column without such a text stays as it is."""
    changed = frame.copy(deep=False)
    for place, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            cells = frame.iloc[:, place].tolist()
            texts = [change(cell) if isinstance(cell, str) else cell for cell in cells]
            if any(isinstance(cell, str) and cell != text for cell, text in zip(cells, texts, strict=True)):
                changed.isetitem(place, np.array(texts, dtype=object))
    return changed.rename(columns=lambda name: change(name) if isinstance(name, str) else name)
