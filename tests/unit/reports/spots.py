"""Grey clips with a hot spot, so that all that has a colour is heat."""

from collections.abc import Sequence

import torch
from torch import Tensor

GREY = 128


def grey_clip(count: int, height: int, width: int) -> Tensor:
    return torch.full((count, 3, height, width), GREY, dtype=torch.uint8)


def hot_spots(places: Sequence[tuple[int, int] | None], height: int, width: int, *, radius: float = 5.0) -> Tensor:
    """Heat around a place (down, across) in each frame, 1 in its middle; none where there is no place."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    heat = torch.zeros(len(places), height, width)
    for frame, place in zip(heat, places, strict=True):
        if place is not None:
            distance = (down - place[0]) ** 2 + (across - place[1]) ** 2
            frame[:] = torch.exp(-distance / (2 * radius**2)) * (distance < (4 * radius) ** 2)
    return heat


def colourful(picture: Tensor) -> Tensor:
    """How far each pixel's channels are apart."""
    found = picture.int()
    return found.amax(-3) - found.amin(-3)
