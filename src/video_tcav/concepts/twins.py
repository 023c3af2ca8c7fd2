"""Twins: a clip with one temporal property removed, as a matched control for the clip itself."""

from typing import Literal, get_args

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from video_tcav.core.checks import one_of

Twin = Literal["frozen", "reversed", "shuffled"]
TWINS: tuple[Twin, ...] = get_args(Twin)


def twin_order(twin: Twin, frames: int, *, seed: int = 0) -> Int[Tensor, " time"]:
    """Index of the clip's frame that the twin shows at each time.

    Args:
        twin: `frozen` repeats the middle frame, `reversed` plays backwards, `shuffled` puts the frames in random order.
        frames: frames in the clip.
        seed: of the shuffle.
    """
    if one_of("twin", twin, TWINS) == "frozen":  # the middle: the first frame is often a fade or another shot
        return torch.full((frames,), frames // 2)
    if twin == "reversed":
        return torch.arange(frames - 1, -1, -1)
    # a generator of its own: the global state of PyTorch neither decides nor changes
    return torch.randperm(frames, generator=torch.Generator().manual_seed(seed))


def twin_clip(clip: Shaped[Tensor, "..."], twin: Twin, *, time_dim: int = 0, seed: int = 0) -> Shaped[Tensor, "..."]:
    """The twin of a clip whose time axis is `time_dim`; the clip itself is not changed."""
    return clip.index_select(time_dim, twin_order(twin, clip.shape[time_dim], seed=seed))
