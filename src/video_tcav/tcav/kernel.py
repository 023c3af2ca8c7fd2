"""K, the inner products of activations: as a matrix, or as a product `Z Zᵀ` that is linear in the clips."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

_BLOCK_ROWS = 4096


class FactoredKernel:
    """`Z Zᵀ` for a Z of few columns: what is asked of K, without the matrix of all pairs.

    It stands where a matrix K stands: `α @ K`, `K / scale`, `len(K)`, `K.trace()` and `K.mean()` mean the same.

    Args:
        factor: Z, `(row, column)`, kept as float32; products are taken in float64.
    """

    __array_ufunc__ = None  # NumPy leaves `α @ K` to this class

    def __init__(self, factor: Float[np.ndarray, "row column"]) -> None:
        self.factor = np.ascontiguousarray(factor, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.factor)

    def __rmatmul__(self, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw row"]:
        vectors = self.combined(alphas)
        return np.concatenate([vectors @ block.T for block in self._blocks()], axis=1)

    def __truediv__(self, scale: float) -> "FactoredKernel":
        return FactoredKernel(self.factor / np.float32(np.sqrt(scale)))

    def combined(self, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw column"]:
        """`α Z`: the vectors that the coefficients stand for."""
        total = np.zeros((len(alphas), self.factor.shape[1]))
        start = 0
        for block in self._blocks():
            total += alphas[:, start : start + len(block)] @ block
            start += len(block)
        return total

    def trace(self) -> float:
        """Sum of the rows' squared lengths."""
        return float(sum(np.square(block).sum() for block in self._blocks()))

    def mean(self) -> float:
        """Mean over all pairs of rows."""
        mean = self.factor.mean(0, dtype=np.float64)
        return float(mean @ mean)

    def centred(self) -> Float[np.ndarray, "row column"]:
        """Z from its mean row, in float64."""
        return self.factor - self.factor.mean(0, dtype=np.float64)

    def _blocks(self) -> Any:
        for start in range(0, len(self.factor), _BLOCK_ROWS):
            yield self.factor[start : start + _BLOCK_ROWS].astype(np.float64)


Kernel = Float[np.ndarray, "row row"] | FactoredKernel


def kernel_of(kernel: Kernel, rows: Int[np.ndarray, " row"]) -> Kernel:
    """K of some rows alone, in that order; a matrix where that is the smaller form."""
    if not isinstance(kernel, FactoredKernel):
        return kernel[np.ix_(rows, rows)]
    part = kernel.factor[rows]
    if len(part) > part.shape[1]:
        return FactoredKernel(part)
    exact = part.astype(np.float64)
    return exact @ exact.T
