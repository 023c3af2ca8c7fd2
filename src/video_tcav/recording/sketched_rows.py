"""Rows that are used up as they come: a sketch of each, and its exact inner products with the gradients.

Nothing then grows with the width of a layer, and all grows linearly with the clips. `C = G Aᵀ` is exact, so effects of the
mean-difference CAV, their p-values and intervals are, too. K is taken from a CountSketch (Charikar et al. 2002,
doi:10.1007/3-540-45465-9_59; for inner products Weinberger et al. 2009, arXiv:0902.2206): each value goes, with a random
sign, into one of `size` bins. A sketched inner product is right on average; its standard deviation is at most
`sqrt((|x|²|y|² + (x·y)²) / size)`, so at most `sqrt(2 / size)` of the product of both lengths. The sketch is one linear map,
drawn without regard to the clips: a permutation test in it is as calibrated as one outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import FactoredKernel
from video_tcav.recording.inner_products import BLOCK_BYTES, block_columns
from video_tcav.recording.rows import FindRows, Rows, RowStore, check_width

_SAMPLE_ROWS = 32  # of about 500 pairs, which tells the error to some 3 %
_BLOCK_BYTES = 64 * 2**20
_SAMPLE_BYTES = 64 * 2**20
_PRODUCT_COLUMNS = 2**16


class Sketch:
    """CountSketch of rows of `width` values: a linear map onto `size` values, the same for the same seed.

    The row is cut into stretches of `size` values, each turned by a random number of bins and laid on the others. Two values
    of one stretch never share a bin, and any others do with a probability of `1/size`: all that the bound needs, while
    memory is read in order.
    """

    def __init__(self, width: int, size: int, seed: Sequence[int]) -> None:
        generator = np.random.default_rng(list(seed))
        self.size = size
        self._signs = torch.from_numpy(generator.integers(0, 2, width).astype(np.float32) * 2 - 1)
        self._turns = generator.integers(0, size, -(-width // size)).tolist()

    def __call__(self, rows: Float[Tensor, "row width"]) -> Float[Tensor, "row size"]:
        laid = torch.zeros(len(rows), 2 * self.size, dtype=rows.dtype)
        stretches, signs = rows.split(self.size, dim=1), self._signs.to(rows.dtype).split(self.size)
        for stretch, sign, turn in zip(stretches, signs, self._turns, strict=True):
            laid[:, turn : turn + stretch.shape[1]].addcmul_(stretch, sign)
        return laid[:, : self.size] + laid[:, self.size :]


@dataclass(frozen=True, kw_only=True)
class SketchError:
    """How far sketched inner products are from exact ones, in a sample of `rows` rows.

    Attributes:
        rms: root mean square of the differences, each as a share of the product of both rows' lengths.
        bound: what the standard deviation of such a share is at most.
    """

    rows: int
    rms: float
    bound: float


class SketchedRows(Rows):
    """Takes a layer's activations as `RowStore` does, and keeps their sketches and products with the gradients.

    Of the layer's width are a block of rows that wait, a sample of rows, and the signs of the sketch. No row may come after
    `gram`.

    Args:
        gradients: of the class clips, complete before the first row comes.
        size: values of a sketch.
        seed: of the sketch, and of the sample that is kept to check it.
        block_bytes: rows that are used up at once. Blocks are cut by rows alone, so that the same rows give the same numbers
            to the last bit, however they come.
    """

    def __init__(self, gradients: RowStore, size: int, seed: Sequence[int], *, block_bytes: int = _BLOCK_BYTES) -> None:
        super().__init__()
        self._gradients, self._size, self._seed = gradients, size, tuple(seed)
        self._block_bytes = block_bytes
        self._generator = np.random.default_rng([*seed, 1])
        self._block = torch.zeros(0, 0)
        self._filled = 0
        self._sketch: Sketch | None = None
        self._origin = torch.zeros(0)
        self._factors: list[Tensor] = []
        self._crosses: list[Tensor] = []
        self._sample: dict[int, tuple[int, Tensor]] = {}
        self._used = 0

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        if not self.rows:
            size = max(1, self._block_bytes // max(1, self.width * values.dtype.itemsize))
            self._block = torch.empty(size, self.width, dtype=values.dtype)
        check_width(values.shape[1], self._gradients.width or self.width)
        for row in values:
            self._block[self._filled] = row
            self._filled += 1
            if self._filled == len(self._block):
                self._use_up()

    def gram(self) -> Gram:
        """K of the sketches and C, both with activations from their mean row."""
        if self._filled:
            self._use_up()
        factor, cross = torch.cat(self._factors), torch.cat(self._crosses, dim=1)
        # the sketch is linear, so the sketch of the mean row is the mean of the sketches
        factor -= factor.mean(0, dtype=torch.float64).float()
        cross -= cross.mean(1, keepdim=True)
        self._factors, self._crosses = [factor], [cross]
        self._block, self._sketch = self._block[:0].clone(), None
        return Gram(kernel=FactoredKernel(factor.numpy()), cross=cross.numpy())

    def error(self) -> SketchError:
        """The error in the sample; call it after `gram`."""
        sample = dict(sorted(self._sample.values(), key=lambda row: row[0]))
        exact = _products(torch.stack(list(sample.values())))
        sketched = _products(self._factors[0][list(sample)])
        lengths = exact.diagonal().sqrt()
        shares = (sketched - exact) / (lengths[:, None] * lengths).clamp_min(torch.finfo(torch.float64).tiny)
        return SketchError(
            rows=len(sample), rms=float(shares.square().mean().sqrt()), bound=float(np.sqrt(2 / self._size))
        )

    def _use_up(self) -> None:
        rows, self._filled = self._block[: self._filled], 0
        if self._sketch is None:
            self._sketch = Sketch(self.width, self._size, self._seed)
            self._origin = rows.mean(0)  # any origin will do; a near one keeps the digits of differences
        rows -= self._origin
        self._factors.append(self._sketch(rows).float())
        self._crosses.append(self._with_gradients(rows))
        self._keep_some(rows)

    def _with_gradients(self, rows: Float[Tensor, "row width"]) -> Float[Tensor, "class_clip row"]:
        clips = self._gradients.rows
        cross = torch.zeros(clips, len(rows), dtype=torch.float64)
        columns, start = block_columns(clips, self._gradients, BLOCK_BYTES), 0
        for block in self._gradients.column_blocks(range(clips), columns) if clips else ():
            cross += (block @ rows[:, start : start + block.shape[1]].T.to(block.dtype)).double()
            start += block.shape[1]
        return cross

    def _keep_some(self, rows: Float[Tensor, "row width"]) -> None:
        """A sample of all rows so far, each as likely as the others (reservoir sampling)."""
        most = max(2, min(_SAMPLE_ROWS, _SAMPLE_BYTES // max(1, self.width * rows.dtype.itemsize)))
        for row in rows:
            # the i-th row takes a place with probability most / i, and each row before loses its own equally often
            slot = self._used if self._used < most else int(self._generator.integers(self._used + 1))
            if slot < most:
                self._sample[slot] = (self._used, row.clone())
            self._used += 1


def _products(rows: Float[Tensor, "row column"]) -> Float[Tensor, "row row"]:
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for block in rows.split(_PRODUCT_COLUMNS, dim=1):
        centred = block.double() - block.mean(0, dtype=torch.float64)
        total += centred @ centred.T
    return total
