"""Rows that are used up as they come: linear combinations of them, or their projections on vectors; none is kept."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.recording.rows import FindRows, Rows


class CombinedRows(Rows):
    """`α A`, accumulated row by row in float64.

    Args:
        coefficients: α, one column for each row that will come.
    """

    def __init__(self, coefficients: Float[np.ndarray, "cav row"]) -> None:
        super().__init__()
        # float64: a sum over thousands of rows, whose order depends on the batches
        self._coefficients = torch.from_numpy(np.ascontiguousarray(coefficients))
        self.combined: Float[Tensor, "cav width"] = torch.zeros(len(coefficients), 0, dtype=torch.float64)

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        if not self.rows:
            self.combined = torch.zeros(len(self._coefficients), self.width, dtype=torch.float64)
        self.combined += self._coefficients[:, self.rows : self.rows + len(values)] @ values.double()


class ProjectedRows(Rows):
    """`A v` for some vectors, as rows come.

    Args:
        vectors: as wide as the rows.
    """

    def __init__(self, vectors: Float[Tensor, "vector width"]) -> None:
        super().__init__()
        self._vectors, self.width = vectors, vectors.shape[1]
        self.projections: list[list[float]] = []

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        self.projections += (values @ self._vectors.T.to(values.dtype)).double().tolist()
