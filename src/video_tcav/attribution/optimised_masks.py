"""Masks found by gradient descent: extremal perturbation over space and time, and the temporal mask over frames."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.method import Advance, Clips, clip_shape
from video_tcav.attribution.perturbation import (
    Baseline,
    ClipMethod,
    Keep,
    baseline_clips,
    blend,
    check_cells,
    scalar_of,
    target_values,
)
from video_tcav.core.checks import at_least, positive, require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target

Loss = Callable[[Tensor, float], Tensor]
"""From a mask, and how far the search has come in [0, 1), to the number that is minimised."""
Perturb = Literal["freeze", "reverse"]
Mask = Float[Tensor, " time"]
Mixture = Float[Tensor, "time frame"]
"""How much of each frame is displayed at each time."""
# Weight of the area constraint at the start and at the end of a search, in units of how far the target moves: light first,
# so that the mask can travel, then heavy, so that it takes the wanted area. Fong et al. raise it in the same way.
_AREA_WEIGHTS = (1.0, 10.0)
# From this value on, a frame belongs to a masked run of frames that is reversed, as in Mänttäri et al. 2020.
_MASKED = 0.1


def check_search(steps: int, learning_rate: float) -> None:
    """Refuse settings of a search that moves nothing."""
    at_least("steps", steps, 1, cure="100 suffice as a rule.")
    positive("learning_rate", learning_rate, "0.3 is usual.")


def search_mask(
    loss: Loss, like: Float[Tensor, "..."], *, steps: int, learning_rate: float, advance: Advance
) -> Float[Tensor, "..."]:
    """A mask with values in [0, 1] that minimises a loss, from one half everywhere, by Adam on its log-odds.

    `like` gives shape, type and device; the steps of `advance` add up to one.
    """
    # Log-odds need no clamping, which would leave no gradient at 0 and 1.
    log_odds = torch.zeros_like(like, requires_grad=True)
    descent = torch.optim.Adam([log_odds], lr=learning_rate)
    for step in range(steps):
        with torch.enable_grad():
            (log_odds.grad,) = torch.autograd.grad(loss(torch.sigmoid(log_odds), step / steps), log_odds)
        descent.step()
        advance(1 / steps)
    return torch.sigmoid(log_odds.detach())


def span(values: Float[Tensor, " clip"]) -> float:
    """How far the target moves between versions of a clip; zero where that is no more than rounding."""
    distance = float(values.max() - values.min())
    # A hundred units in the last place of the largest value: what sums over a whole network lose.
    return distance if distance > 100 * torch.finfo(values.dtype).eps * float(values.abs().max()) else 0.0


@dataclass(frozen=True, kw_only=True)
class ExtremalPerturbation(ClipMethod):
    """Extremal perturbation, smooth in time: the part of a clip, of a given size, that alone keeps the target.

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
    help: ClassVar[str] = "The part of the clip, of a given size, that alone keeps the target"
    source: ClassVar[str] = "Fong et al. 2019, arXiv:1910.08485; smooth in time: Li et al. 2021, arXiv:2005.00375"
    area: float = 0.1
    steps: int = 100
    smoothness: float = 0.1
    cells: tuple[int, int, int] = (8, 8, 8)
    baseline: Baseline = "blur"
    learning_rate: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.area < 1, "area", "lie between 0 and 1", self.area, "0.1 is a tenth of the clip.")
        check_search(self.steps, self.learning_rate)
        require(self.smoothness >= 0, "smoothness", "not be negative", self.smoothness, "0 turns it off.")
        check_cells(self.cells)

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """Search; a map of zeros where the target does not move at all."""
        shape, value = clip_shape(model, clip), scalar_of(model, target)
        instead = baseline_clips(model, clip, self.baseline)
        cells = tuple(min(count, size) for count, size in zip(self.cells, shape, strict=True))
        target_span = span(target_values(model, [torch.cat([clip, instead, (clip + instead) / 2])], target))
        if not target_span:
            advance(1)
            return clip.new_zeros((1, *cells))

        def loss(mask: Map, done: float) -> Tensor:
            keep = to_clip(mask, shape)
            first, last = _AREA_WEIGHTS
            weight = first * (last / first) ** done  # geometric from the first to the last
            preserved = value(blend(model, clip, instead, keep))[0] / target_span
            return weight * area_loss(keep, self.area) + self.smoothness * change_over_time(mask) - preserved

        like = clip.new_empty((1, *cells))
        return search_mask(loss, like, steps=self.steps, learning_rate=self.learning_rate, advance=advance)


def area_loss(keep: Keep, area: float) -> Float[Tensor, ""]:
    """How far a clip's mask is from zeros and ones with a given share of ones, wherever these are.

    Source:
        Fong et al. 2019, arXiv:1910.08485, the area constraint by ranking, as a mean.
    """
    ranked = keep.flatten().sort(descending=True).values
    ideal = (torch.arange(len(ranked), device=keep.device) < area * len(ranked)).to(ranked)
    return (ranked - ideal).square().mean()


def change_over_time(mask: Map) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbouring times (the smoothness term of Li et al. 2021); zero for a single time."""
    return mask.diff(dim=1).abs().sum() / max(1, mask[:, 1:].numel())


@dataclass(frozen=True, kw_only=True)
class TemporalMask(ClipMethod):
    """Temporal mask: the frames whose motion, or order, the target needs; small, smooth, and the target falls most.

    The map has one value a frame, between 0 (not needed) and 1 (needed).

    Attributes:
        perturb: `freeze` lets masked frames stand still, `reverse` plays runs of masked frames backwards.
        size: weight of the share of frames that is masked, beside the target in units of its fall when all are.
        smoothness: weight of the change from frame to frame, likewise.
        steps: of the search; each costs a forward and a backward.
        learning_rate: of the search.
    """

    name: ClassVar[str] = "temporalmask"
    help: ClassVar[str] = "The frames whose motion or order the target needs: they are frozen or reversed"
    source: ClassVar[str] = "Mänttäri et al. 2020, arXiv:2002.00367"
    perturb: Perturb = "freeze"
    size: float = 0.2
    smoothness: float = 0.1
    steps: int = 100
    learning_rate: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("size", self.size), ("smoothness", self.smoothness)):
            require(value >= 0, name, "not be negative", value, "0 turns it off.")
        check_search(self.steps, self.learning_rate)

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """Search; a map of zeros where the target does not move at all."""
        time_dim, value = model.clip_spec.time_dim + 1, scalar_of(model, target)
        mixture = freeze if self.perturb == "freeze" else reverse
        frames = clip.movedim(time_dim, 0)

        def perturbed(mask: Mask) -> Clips:
            return torch.tensordot(mixture(mask), frames, 1).movedim(0, time_dim)

        full_mask = clip.new_ones(len(frames))
        versions = torch.cat([clip, perturbed(full_mask), perturbed(full_mask / 2)])
        target_span = span(target_values(model, [versions], target))
        if not target_span:
            advance(1)
            return torch.zeros_like(full_mask)[None, :, None, None]

        def loss(mask: Mask, _done: float) -> Tensor:
            preserved = value(perturbed(mask))[0] / target_span
            # The third power of the differences, as in the paper: slow changes are nearly free.
            return preserved + self.size * mask.mean() + self.smoothness * mask.diff().abs().pow(3).sum()

        mask = search_mask(loss, full_mask, steps=self.steps, learning_rate=self.learning_rate, advance=advance)
        return mask[None, :, None, None]


def freeze(mask: Mask) -> Mixture:
    """Where the mask is one, the frame that was displayed before stays; the first frame has none before it.

    Source:
        Mänttäri et al. 2020, arXiv:2002.00367: x'_t = (1 - m_t) x_t + m_t x'_{t-1}.
    """
    frames = torch.eye(len(mask), dtype=mask.dtype, device=mask.device)
    mixed = [frames[0]]
    for weight, frame in zip(mask[1:], frames[1:], strict=True):
        mixed.append((1 - weight) * frame + weight * mixed[-1])
    return torch.stack(mixed)


def reverse(mask: Mask) -> Mixture:
    """Each run of masked frames, neighbours above 0.1, is played backwards, each frame as far as its own mask is one.

    Source:
        Mänttäri et al. 2020, arXiv:2002.00367; there a run is either reversed or not.
    """
    frames = torch.eye(len(mask), dtype=mask.dtype, device=mask.device)
    weights, mirrored = mask.tolist(), []
    for is_masked, times in groupby(range(len(weights)), lambda time: weights[time] > _MASKED):
        mirrored += sorted(times, reverse=is_masked)
    return (1 - mask)[:, None] * frames + mask[:, None] * frames[mirrored]
