"""K, the inner products of activations: as a matrix, or as a product `Z Zᵀ` that is linear in the clips."""

import numpy as np
from jaxtyping import Float, Int

_BLOCK_ROWS = 4096


class FactoredKernel:
    """`Z Zᵀ` for a Z of few columns: what is asked of K, without the matrix of all pairs.

    It stands where a matrix K stands: `α @ K`, `K / scale`, `len(K)`, `K.trace()` and `K.mean()` mean the same.

    Args:
        factor: Z, `(row, column)`, kept as float32, and so are products: a sketch is off by more.
    """

    __array_ufunc__ = None  # NumPy leaves `α @ K` to this class

    def __init__(self, factor: Float[np.ndarray, "row column"]) -> None:
        self.factor = np.ascontiguousarray(factor, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.factor)

    def __rmatmul__(self, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw row"]:
        return (self.combined(alphas) @ self.factor.T).astype(np.float64)

    def __truediv__(self, scale: float) -> "FactoredKernel":
        return FactoredKernel(self.factor / np.float32(np.sqrt(scale)))

    def combined(self, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw column"]:
        """`α Z`: the vectors that the coefficients stand for."""
        return alphas.astype(np.float32) @ self.factor

    def trace(self) -> float:
        """Sum of the rows' squared lengths."""
        return float(np.einsum("rc,rc->", self.factor, self.factor, dtype=np.float64))

    def mean(self) -> float:
        """Mean over all pairs of rows."""
        mean = self.factor.mean(0, dtype=np.float64)
        return float(mean @ mean)

    def centred(self) -> Float[np.ndarray, "row column"]:
        """Z from its mean row, in float64."""
        return self.factor - self.factor.mean(0, dtype=np.float64)


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


def squared_lengths(kernel: Kernel, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, " draw"]:
    """`α K αᵀ` for each α: the squared lengths of the vectors that they stand for; what is lost in rounding counts as none."""
    if isinstance(kernel, FactoredKernel):
        vectors = sum(  # in float64, or rounding would look like a direction
            alphas[:, start : start + _BLOCK_ROWS] @ kernel.factor[start : start + _BLOCK_ROWS].astype(np.float64)
            for start in range(0, len(kernel), _BLOCK_ROWS)
        )
        squared = np.square(vectors).sum(1)
    else:
        squared = np.einsum("dr,dr->d", alphas @ kernel, alphas)
    floor = 1e-12 * np.square(np.abs(alphas).sum(1)) * kernel.trace() / len(kernel)
    return np.where(squared > floor, squared, 0.0)
