"""RISE: the slope of the target by random masks over space and time."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.method import Advance, Clips, batch_size, clip_shape
from video_tcav.attribution.perturbation import (
    Baseline,
    ClipMethod,
    Keep,
    baseline_clips,
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
        super().__post_init__()
        at_least("masks", self.masks, 2, cure="Hundreds are usual.")  # one mask has no slope
        check_cells(self.cells)
        require(0 < self.keep < 1, "keep", "lie between 0 and 1", self.keep, "0.5 is usual.")

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """One forward for each mask; the masks are made twice, since all of them together would fill the memory."""
        masks = draw_masks(self.masks, self.cells, self.keep, clip_shape(model, clip), clip, self.seed)
        instead = baseline_clips(model, clip, self.baseline)
        values = masked_values(model, clip, instead, masks, self.masks, target, advance)
        return mask_slopes(values, masks, batch_size(model, clip))


def draw_masks(
    count: int, cells: tuple[int, int, int], keep: float, shape: tuple[int, int, int], like: Tensor, seed: int
) -> Callable[[range], Keep]:
    """Random masks by the settings of `RISE`, made from their numbers when they are needed.

    A mask is a coarse grid of zeros and ones, enlarged smoothly and cut out at random, less than a cell from its corner
    (Petsiuk et al. 2018, section 3.2, with time as a third axis). `like` gives type and device.
    """
    generator = torch.Generator().manual_seed(seed)
    grids = torch.rand(count, *cells, generator=generator) < keep
    cell_size = [ceil(size / cell_count) for size, cell_count in zip(shape, cells, strict=True)]
    corners = [torch.randint(size, (count,), generator=generator).tolist() for size in cell_size]
    cuts = [
        tuple(slice(start, start + size) for start, size in zip(corner, shape, strict=True))
        for corner in zip(*corners, strict=True)
    ]
    # One cell more than the clip needs on each axis: room for the shift.
    time, height, width = (size * (cell_count + 1) for size, cell_count in zip(cell_size, cells, strict=True))

    def masks(batch: range) -> Keep:
        enlarged = to_clip(grids[batch.start : batch.stop].to(like), (time, height, width))
        return torch.stack([mask[cuts[number]] for mask, number in zip(enlarged, batch, strict=True)])

    return masks


def mask_slopes(values: Float[Tensor, " mask"], masks: Callable[[range], Keep], batch: int) -> Map:
    """At each position, the slope of the target by the mask: covariance over variance, in units of the target.

    The paper averages the masks, weighted by the score, which is right up to a constant where scores are probabilities.
    Log-odds are often negative and far from zero; then the constant, times how often chance kept a position, hides all else.
    `batch` masks are made together.

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
