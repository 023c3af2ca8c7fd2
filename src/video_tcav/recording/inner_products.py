"""Inner products of recorded rows, by blocks of columns: the only place where the width of a layer is touched."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.core.errors import ShapeError
from video_tcav.gram.gram import Gram
from video_tcav.recording.rows import RowStore

BLOCK_BYTES = 16 * 2**20
"""A block of columns stays in the processor's cache from the copy to the product: a fifth faster than 64 MB."""


def gram(
    activations: RowStore,
    gradients: RowStore | None,
    rows: Sequence[int],
    class_rows: Sequence[int] = (),
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Gram:
    """Build K and C by blocks of columns.

    Products within a block are taken in the stored precision, blocks are added up in float64.

    Args:
        activations: one row a clip.
        gradients: one row a class clip; `None` where K alone is wanted.
        rows: the rows of `activations` to use, in the order of the result.
        class_rows: the rows of `gradients` to use, likewise.
        block_bytes: memory for one block of columns.

    Raises:
        ShapeError: if the two differ in width.
    """
    if gradients is not None and activations.width != gradients.width:
        raise ShapeError(
            f"`gradients` must be as wide as `activations`. Got {gradients.width} and {activations.width} values a row. "
            "Record both from the same layer and feature space."
        )
    kernel = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    cross = torch.zeros(len(class_rows), len(rows), dtype=torch.float64)
    columns = block_columns(len(rows) + len(class_rows), activations, block_bytes)
    of_gradients = repeat(None) if gradients is None else gradients.column_blocks(class_rows, columns)
    for activation, gradient in zip(
        activations.column_blocks(rows, columns), of_gradients, strict=gradients is not None
    ):
        activation -= activation.mean(0, keepdim=True)  # a block is a copy: nothing else reads it
        kernel += activation @ activation.T
        if gradient is not None:
            cross += gradient @ activation.T
    return Gram(kernel=kernel.numpy(), cross=cross.numpy())


def combine_rows(
    activations: RowStore,
    rows: Sequence[int],
    coefficients: Float[np.ndarray, "cav row"],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Float[Tensor, "cav width"]:
    """`α A` for several α at once: from coefficients in Gram space back to vectors in activation space."""
    weights = torch.from_numpy(np.ascontiguousarray(coefficients)).to(activations.dtype)
    columns = block_columns(len(rows), activations, block_bytes)
    return torch.cat([weights @ block for block in activations.column_blocks(rows, columns)], dim=1)


def row_products(
    activations: RowStore,
    rows: Sequence[int] | Int[np.ndarray, " row"],
    vectors: Float[Tensor, "vector width"],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Float[np.ndarray, "row vector"]:
    """`A vᵀ` for several vectors at once, not centred; blocks are added up in float64."""
    total = torch.zeros(len(rows), len(vectors), dtype=torch.float64)
    columns = block_columns(len(rows) + len(vectors), activations, block_bytes)
    for start, block in zip(
        range(0, activations.width, columns), activations.column_blocks(list(rows), columns), strict=True
    ):
        total += block @ vectors[:, start : start + columns].to(block.dtype).T
    return total.numpy()


def block_columns(rows: int, store: RowStore, block_bytes: int) -> int:
    """How many columns of `rows` rows make a block of about `block_bytes`."""
    return max(1, block_bytes // max(1, rows * store.dtype.itemsize))
