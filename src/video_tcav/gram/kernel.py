"""The kernel K, inner products of activations: a matrix, or a product `Z Zᵀ` whose size is linear in the clips."""

import numpy as np
from jaxtyping import Float, Int

_BLOCK_ROWS = 4096
"""Rows of a factor that are converted to float64 at once: 32 MB at 1,024 columns."""


class FactoredKernel:
    """`Z Zᵀ` for a Z of few columns: a kernel without the matrix of all pairs.

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
        return FactoredKernel(self.factor / np.float32(np.sqrt(scale)))  # K / s = (Z / √s)(Z / √s)ᵀ

    def combined(self, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw column"]:
        """`α Z`: the vectors that the coefficients stand for."""
        return alphas.astype(np.float32) @ self.factor

    def trace(self) -> float:
        """Sum of the rows' squared lengths."""
        return float(np.einsum("rc,rc->", self.factor, self.factor, dtype=np.float64))

    def mean(self) -> float:
        """Mean over all pairs of rows."""
        # the mean of all zᵢ·zⱼ is the squared length of the mean row
        mean = self.factor.mean(0, dtype=np.float64)
        return float(mean @ mean)

    def centred(self, weights: Float[np.ndarray, " row"] | None = None) -> Float[np.ndarray, "row column"]:
        """Z from its (weighted) mean row, in float64."""
        factor = self.factor.astype(np.float64)
        return factor - np.average(factor, axis=0, weights=weights)


Kernel = Float[np.ndarray, "row row"] | FactoredKernel


def kernel_of(kernel: Kernel, rows: Int[np.ndarray, " row"]) -> Kernel:
    """K of some rows alone, in that order; a matrix where that is the smaller form."""
    if not isinstance(kernel, FactoredKernel):
        return kernel[np.ix_(rows, rows)]
    factor = kernel.factor[rows]
    # a matrix of few rows is smaller than its factor, and has the fits of exact kernels
    if len(factor) > factor.shape[1]:
        return FactoredKernel(factor)
    exact = factor.astype(np.float64)
    return exact @ exact.T


def kernel_scale(kernel: Kernel) -> float:
    """Mean squared distance of the clips from their centroid; one where all are the same.

    Kernels are divided by it before a penalised fit, so that penalties mean the same at every layer.
    """
    # (1/n) Σ ‖aᵢ − ā‖² = (1/n) Σ ‖aᵢ‖² − ‖ā‖²
    scale = float(kernel.trace() / len(kernel) - kernel.mean())
    return scale if scale > 0 else 1.0


def centred(
    kernel: Float[np.ndarray, "row row"], weights: Float[np.ndarray, " row"] | None = None
) -> Float[np.ndarray, "row row"]:
    """K of the clips taken from their (weighted) centroid."""
    # H K H with H = 1 − 1wᵀ/Σw, without the products
    from_centroid = np.average(kernel, axis=0, weights=weights)
    return kernel - from_centroid - from_centroid[:, None] + np.average(from_centroid, weights=weights)


def gram_basis(kernel: Kernel) -> Float[np.ndarray, "row rank"]:
    """A matrix Z with `Z Zᵀ` = centred kernel: the clips in as many dimensions as they span.

    A classifier with a rotation-invariant penalty and a free intercept has the same solution there as in activation space.
    """
    if isinstance(kernel, FactoredKernel):
        return kernel.centred()
    eigenvalues, vectors = np.linalg.eigh(centred(kernel))
    spanned = eigenvalues > max(eigenvalues[-1], 0) * 1e-12  # the others are rounding
    return vectors[:, spanned] * np.sqrt(eigenvalues[spanned])


def squared_lengths(kernel: Kernel, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, " draw"]:
    """`α K αᵀ` for each α: the squared lengths of the vectors that they stand for; values at rounding level become zero."""
    if isinstance(kernel, FactoredKernel):
        vectors = sum(  # in float64, or rounding would look like a direction
            alphas[:, start : start + _BLOCK_ROWS] @ kernel.factor[start : start + _BLOCK_ROWS].astype(np.float64)
            for start in range(0, len(kernel), _BLOCK_ROWS)
        )
        squared = np.square(vectors).sum(1)
    else:
        squared = np.einsum("dr,dr->d", alphas @ kernel, alphas)
    # float64 rounds sums of |α|·|K| at about 1e-16 of their size; four digits of room
    floor = 1e-12 * np.square(np.abs(alphas).sum(1)) * kernel.trace() / len(kernel)
    return np.where(squared > floor, squared, 0.0)


def unit_coefficients(kernel: Kernel, alphas: Float[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw row"]:
    """Scale each α so that its CAV has length one; a CAV without direction becomes zero.

    That happens where concept and random clips are the same to a layer, as frozen twins are to one that reads motion alone.
    """
    squared = squared_lengths(kernel, alphas)
    flat = squared == 0
    return np.where(flat[:, None], 0.0, alphas / np.sqrt(np.where(flat, 1.0, squared))[:, None])
