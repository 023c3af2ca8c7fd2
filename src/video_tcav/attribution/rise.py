"""RISE: the slope of the target by random masks over space and time."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.method import Advance, Clips, batch_size, clip_shape
from video_tcav.attribution.perturbation import (
    Baseline,
    ClipMethod,
    Keep,
    baseline_clips,
    check_baseline,
    check_cells,
    chunks,
    masked_values,
)
from video_tcav.core.checks import at_least, require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True)
class RISE(ClipMethod):
    """RISE in space and time.

    Attributes:
        masks: how many; each costs a forward.
        cells: of a mask's coarse grid, in time, height and width.
        keep: probability that a cell is kept.
        seed: of the masks, which are the same for every clip.
        baseline: what a clip shows where it is hidden.
    """

    name: ClassVar[str] = "rise"
    help: ClassVar[str] = "The slope of the target by random masks over space and time"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    masks: int = 400
    cells: tuple[int, int, int] = (4, 7, 7)
    keep: float = 0.5
    seed: int = 0
    baseline: Baseline = "grey"

    def __post_init__(self) -> None:
        at_least("masks", self.masks, 2, cure="Hundreds are usual.")  # one mask has no slope
        check_cells(self.cells)
        require(0 < self.keep < 1, "keep", "lie between 0 and 1", self.keep, "0.5 is usual.")
        check_baseline(self.baseline)

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """One forward for each mask; the masks are made twice, since all of them together would fill the memory."""
        masks = draw_masks(self.masks, self.cells, self.keep, clip_shape(model, clip), clip, self.seed)
        instead = baseline_clips(model, clip, self.baseline)
        values = masked_values(model, clip, instead, masks, self.masks, target, advance)
        return mask_slopes(values, masks, batch_size(model, clip))


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomMasks:
    """Masks that are made as they are needed: coarse grids of zeros and ones, enlarged smoothly and cut out at random.

    Attributes:
        grids: what each mask keeps.
        shifts: where it is cut out of the enlarged grid, less than a cell from its corner.
        shape: `(time, height, width)` of the masks.
        like: gives type and device.
    """

    grids: Bool[Tensor, "mask time height width"]
    shifts: Int[Tensor, "mask 3"]
    shape: tuple[int, int, int]
    like: Tensor

    def __call__(self, batch: range) -> Keep:
        """The masks of these numbers."""
        cells = cell_size(self.grids.shape[1:], self.shape)
        # One cell more than the clip needs on each axis: room for the shift.
        time, height, width = (size * (count + 1) for size, count in zip(cells, self.grids.shape[1:], strict=True))
        enlarged = to_clip(self.grids[batch.start : batch.stop].to(self.like), (time, height, width))
        cuts = [
            mask[tuple(slice(start, start + size) for start, size in zip(shift, self.shape, strict=True))]
            for mask, shift in zip(enlarged, self.shifts[batch.start : batch.stop].tolist(), strict=True)
        ]
        return torch.stack(cuts)


def draw_masks(
    count: int, cells: tuple[int, int, int], keep: float, shape: tuple[int, int, int], like: Tensor, seed: int
) -> RandomMasks:
    """Random masks by the settings of `RISE` (Petsiuk et al. 2018, section 3.2, with time as a third axis)."""
    generator = torch.Generator().manual_seed(seed)
    grids = torch.rand(count, *cells, generator=generator) < keep
    shifts = [torch.randint(size, (count,), generator=generator) for size in cell_size(cells, shape)]
    return RandomMasks(grids=grids, shifts=torch.stack(shifts, 1), shape=shape, like=like)


def cell_size(cells: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """Frames and pixels of one cell, rounded up."""
    return [ceil(size / count) for size, count in zip(shape, cells, strict=True)]


def mask_slopes(values: Float[Tensor, " mask"], masks: Callable[[range], Keep], batch: int) -> Map:
    """At each position, the slope of the target by the mask: covariance over variance, in units of the target.

    The paper averages the masks, weighted by the score, which is right up to a constant where scores are probabilities.
    Log-odds are often negative and far from zero; then the constant, times how often chance kept a position, hides all else.

    Args:
        values: the target under each mask.
        masks: by their numbers.
        batch: how many masks are made together.

    Source:
        Petsiuk et al. 2018, arXiv:1806.07421, equation 6, with centred scores and masks.
    """
    centred = values - values.mean()
    covariance = total = squares = torch.zeros_like(masks(range(1))[0])
    for numbers in chunks(len(values), batch):
        keep = masks(numbers)
        covariance = covariance + torch.einsum("m,mthw->thw", centred[numbers.start : numbers.stop], keep)
        # Sums of squares around 0.5, the usual mean of a mask, lose fewer digits than around 0.
        total, squares = total + (keep - 0.5).sum(0), squares + (keep - 0.5).square().sum(0)
    variance = squares - total.square() / len(values)
    varies = variance > 0  # a position where all masks agree has no slope
    return torch.where(varies, covariance / torch.where(varies, variance, torch.ones_like(variance)), 0.0)[None]
