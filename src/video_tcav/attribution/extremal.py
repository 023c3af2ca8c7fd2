"""Extremal perturbation: the part of a clip, of a given size, that alone keeps the target."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.mask_search import check_search, search_mask, span
from video_tcav.attribution.method import Advance, Clips, clip_shape
from video_tcav.attribution.perturbation import (
    Baseline,
    ClipMethod,
    Keep,
    baseline_clips,
    blend,
    check_baseline,
    check_cells,
    scalar_of,
    target_values,
)
from video_tcav.core.checks import require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target

_AREA_WEIGHTS = (1.0, 10.0)
"""Of the area beside the target, in units of how far the target moves: at the start, and at the end."""


def area_loss(keep: Keep, area: float) -> Float[Tensor, ""]:
    """How far a mask is from zeros and ones with so large a share of ones, whichever they are.

    Args:
        keep: of one clip.
        area: share of the clip's frames and pixels, in (0, 1).

    Source:
        Fong et al. 2019, arXiv:1910.08485, the area constraint by ranking, as a mean.
    """
    ranked = keep.flatten().sort(descending=True).values
    wanted = (torch.arange(len(ranked), device=keep.device) < area * len(ranked)).to(ranked)
    return (ranked - wanted).square().mean()


def change_over_time(mask: Map) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbouring times; zero for a single one.

    Source:
        Li et al. 2021, arXiv:2005.00375, the smoothness term.
    """
    return mask.diff(dim=1).abs().sum() / max(1, mask[:, 1:].numel())


@dataclass(frozen=True, kw_only=True)
class ExtremalPerturbation(ClipMethod):
    """Extremal perturbation (Fong et al. 2019, arXiv:1910.08485), smooth in time (Li et al. 2021, arXiv:2005.00375).

    The map is the mask itself, between 0 (not needed) and 1 (kept).

    Attributes:
        area: share of the clip's frames and pixels that is kept.
        steps: of the search; each costs a forward and a backward.
        smoothness: weight of the change over time, beside the target in units of how far it moves.
        cells: of the mask's coarse grid, in time, height and width; not more than the clip has.
        baseline: what the clip shows where it is hidden.
        learning_rate: of the search.
    """

    name: ClassVar[str] = "extremal"
    area: float = 0.1
    steps: int = 100
    smoothness: float = 0.1
    cells: tuple[int, int, int] = (8, 8, 8)
    baseline: Baseline = "blur"
    learning_rate: float = 0.3

    def __post_init__(self) -> None:
        require(0 < self.area < 1, "area", "lie between 0 and 1", self.area, "0.1 is a tenth of the clip.")
        check_search(self.steps, self.learning_rate)
        require(self.smoothness >= 0, "smoothness", "not be negative", self.smoothness, "0 turns it off.")
        check_cells(self.cells)
        check_baseline(self.baseline)

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """Search; a map of zeros where the target does not move at all."""
        shape, value = clip_shape(model, clip), scalar_of(model, target)
        instead = baseline_clips(model, clip, self.baseline)
        cells = tuple(min(count, size) for count, size in zip(self.cells, shape, strict=True))
        moves = span(target_values(model, [torch.cat([clip, instead, (clip + instead) / 2])], target))
        if not moves:
            advance(1)
            return clip.new_zeros((1, *cells))

        def loss(mask: Map, done: float) -> Tensor:
            keep = to_clip(mask, shape)
            first, last = _AREA_WEIGHTS
            weight = first * (last / first) ** done  # Fong et al. raise it in the same way
            kept = value(blend(model, clip, instead, keep))[0] / moves
            return weight * area_loss(keep, self.area) + self.smoothness * change_over_time(mask) - kept

        like = clip.new_empty((1, *cells))
        return search_mask(loss, like, steps=self.steps, learning_rate=self.learning_rate, advance=advance)
