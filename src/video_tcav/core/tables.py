"""Tables and tensors as files: CSV, Parquet and safetensors, written atomically (see `atomic_path`), with safe cells."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
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
"""What pandas and pyarrow raise on a damaged table."""


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV in UTF-8; see `spreadsheet_cell` for text that begins like a formula."""
    with atomic_path(path) as temporary:
        _texts(frame, spreadsheet_cell).to_csv(temporary, index=False, encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet."""
    with atomic_path(path) as temporary:
        _texts(frame, well_formed).to_parquet(temporary)


def write_tensors(path: Path, tensors: dict[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as one safetensors file."""
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def tensors_digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a text, and of each tensor with its name, type and shape: what tells a damaged file."""
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace"))
    # sorted: safetensors files keep no order of their tensors
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode("utf-8", "backslashreplace"))
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()


def _texts(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with its texts changed, in cells and names of columns; a column without such a text keeps its type."""

    def changed_text(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    changed = frame.copy(deep=False)
    for column, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            cells = frame.iloc[:, column].tolist()
            texts = [changed_text(cell) for cell in cells]
            if any(isinstance(cell, str) and cell != text for cell, text in zip(cells, texts, strict=True)):
                changed.isetitem(column, np.array(texts, dtype=object))
    return changed.rename(columns=changed_text)
