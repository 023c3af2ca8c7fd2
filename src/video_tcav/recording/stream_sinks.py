"""Rows that are used up as they come: linear combinations of them, or their projections on vectors; none is kept."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.recording.rows import FileRow, Places, check_width, read_rows, stored_values


class _Stream:
    """What both sinks share: counting, checks of widths, rows from files one at a time."""

    def __init__(self) -> None:
        self.rows = 0
        self.width = 0

    @property
    def spilled(self) -> bool:
        """Whether any row is on disk: none ever is."""
        return False

    def append(self, values: Float[Tensor, "row width"], places: Places | None = None) -> int:
        """Take rows. Returns the index of the first one."""
        values = stored_values(values)
        self.width = self.width or values.shape[1]
        check_width(values.shape[1], self.width)
        self._use(values)
        self.rows += len(values)
        return self.rows - len(values)

    def refer(self, places: Sequence[FileRow]) -> None:
        """Take rows that lie in files."""
        for place in places:
            self.append(read_rows([place]))

    def _use(self, values: Float[Tensor, "row width"]) -> None:
        raise NotImplementedError


class CombinedRows(_Stream):
    """`α A`, accumulated row by row in float64.

    Args:
        coefficients: α, one column for each row that will come.
    """

    def __init__(self, coefficients: Float[np.ndarray, "cav row"]) -> None:
        super().__init__()
        self._coefficients = torch.from_numpy(np.ascontiguousarray(coefficients))
        self.combined: Float[Tensor, "cav width"] = torch.zeros(len(coefficients), 0, dtype=torch.float64)

    def _use(self, values: Float[Tensor, "row width"]) -> None:
        if not self.rows:
            self.combined = torch.zeros(len(self._coefficients), self.width, dtype=torch.float64)
        self.combined += self._coefficients[:, self.rows : self.rows + len(values)] @ values.double()


class ProjectedRows(_Stream):
    """`A v` for some vectors, as rows come.

    Args:
        vectors: as wide as the rows.
    """

    def __init__(self, vectors: Float[Tensor, "vector width"]) -> None:
        super().__init__()
        self._vectors, self.width = vectors, vectors.shape[1]
        self.projections: list[list[float]] = []

    def _use(self, values: Float[Tensor, "row width"]) -> None:
        self.projections += (values @ self._vectors.T.to(values.dtype)).double().tolist()
