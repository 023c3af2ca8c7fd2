"""Temporal mask: the frames whose motion, or order, the target needs."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.mask_search import check_search, search_mask, span
from video_tcav.attribution.method import Advance, Clips
from video_tcav.attribution.perturbation import ClipMethod, scalar_of, target_values
from video_tcav.core.checks import require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target

Perturb = Literal["freeze", "reverse"]
Mask = Float[Tensor, " time"]
Mixture = Float[Tensor, "time frame"]
"""How much of each frame is shown at each time."""
_MASKED = 0.1
"""From here on a frame belongs to a masked stretch that is reversed, as in the paper."""


def freeze(mask: Mask) -> Mixture:
    """Where the mask is one, the frame that was shown before stays.

    Args:
        mask: of each frame, in [0, 1]; the first frame has none before it and is shown in any case.

    Source:
        Mänttäri et al. 2020, arXiv:2002.00367: x'_t = (1 - m_t) x_t + m_t x'_{t-1}.
    """
    own = torch.eye(len(mask), dtype=mask.dtype, device=mask.device)
    shown = [own[0]]
    for weight, frame in zip(mask[1:], own[1:], strict=True):
        shown.append((1 - weight) * frame + weight * shown[-1])
    return torch.stack(shown)


def reverse(mask: Mask) -> Mixture:
    """Each masked stretch is played backwards, as far as the mask is one.

    Args:
        mask: of each frame, in [0, 1]; neighbours above 0.1 form a stretch.

    Source:
        Mänttäri et al. 2020, arXiv:2002.00367; here each frame is mixed by its own value.
    """
    own = torch.eye(len(mask), dtype=mask.dtype, device=mask.device)
    partner, first = list(range(len(mask))), 0
    masked = [weight > _MASKED for weight in mask.tolist()]
    for time in range(len(mask)):
        first = first if masked[time] else time + 1
        if masked[time] and (time + 1 == len(mask) or not masked[time + 1]):
            partner[first : time + 1] = range(time, first - 1, -1)
    return (1 - mask)[:, None] * own + mask[:, None] * own[partner]


@dataclass(frozen=True, kw_only=True)
class TemporalMask(ClipMethod):
    """Temporal mask (Mänttäri et al. 2020, arXiv:2002.00367): small, smooth, and the target falls most.

    The map has one value a frame, between 0 (not needed) and 1 (needed).

    Attributes:
        perturb: `freeze` lets masked frames stand still, `reverse` plays masked stretches backwards.
        size: weight of the share of frames that is masked, beside the target in units of its fall when all are.
        smoothness: weight of the change from frame to frame, likewise.
        steps: of the search; each costs a forward and a backward.
        learning_rate: of the search.
    """

    name: ClassVar[str] = "temporalmask"
    perturb: Perturb = "freeze"
    size: float = 0.2
    smoothness: float = 0.1
    steps: int = 100
    learning_rate: float = 0.3

    def __post_init__(self) -> None:
        kinds = get_args(Perturb)
        require(self.perturb in kinds, "perturb", f"be one of {', '.join(kinds)}", self.perturb)
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

        everything = clip.new_ones(len(frames))
        moves = span(
            target_values(model, [torch.cat([clip, perturbed(everything), perturbed(everything / 2)])], target)
        )
        if not moves:
            advance(1)
            return torch.zeros_like(everything)[None, :, None, None]

        def loss(mask: Mask, _done: float) -> Tensor:
            fallen = value(perturbed(mask))[0] / moves
            return fallen + self.size * mask.mean() + self.smoothness * mask.diff().abs().pow(3).sum()

        found = search_mask(loss, everything, steps=self.steps, learning_rate=self.learning_rate, advance=advance)
        return found[None, :, None, None]
