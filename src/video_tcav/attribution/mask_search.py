"""What methods share that search for a mask by gradient descent."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.method import Advance
from video_tcav.core.checks import require

Loss = Callable[[Tensor, float], Tensor]
"""Mask and how far the search has come, in [0, 1) -> what shall be small."""


def check_search(steps: int, learning_rate: float) -> None:
    """Refuse settings with which nothing would be found."""
    require(steps >= 1, "steps", "be at least 1", steps, "100 suffice as a rule.")
    require(learning_rate > 0, "learning_rate", "be positive", learning_rate, "0.3 is usual.")


def search_mask(
    loss: Loss, like: Float[Tensor, "..."], *, steps: int, learning_rate: float, advance: Advance
) -> Float[Tensor, "..."]:
    """A mask with values in [0, 1] for which a loss is small, from one half everywhere, by Adam on its log-odds.

    Args:
        loss: one number for a mask.
        like: gives shape, type and device.
        steps: of the descent.
        learning_rate: of the descent.
        advance: told of each; its steps add up to one.
    """
    odds = torch.zeros_like(like, requires_grad=True)
    descent = torch.optim.Adam([odds], lr=learning_rate)
    for step in range(steps):
        with torch.enable_grad():
            (odds.grad,) = torch.autograd.grad(loss(torch.sigmoid(odds), step / steps), odds)
        descent.step()
        advance(1 / steps)
    return torch.sigmoid(odds.detach())


def span(values: Float[Tensor, " clip"]) -> float:
    """How far the target moves between versions of a clip; zero where that is no more than rounding."""
    found = float(values.max() - values.min())
    return found if found > 100 * torch.finfo(values.dtype).eps * float(values.abs().max()) else 0.0
