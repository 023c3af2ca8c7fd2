"""State that streaming networks keep from one clip to the next, as MoViNet does: cleared for each pass, and put back after it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from video_tcav.models.replay import unchanged_attributes

_CLEANER = "clean_activation_buffers"
"""Method of MoViNet's published PyTorch code (github.com/Atze00/MoViNet-pytorch), and of the networks made of it."""
STREAM_NOTE = f"What the network keeps from one clip to the next is cleared before each pass ({_CLEANER})."


def stream_cleaners(module: nn.Module) -> tuple[Callable[[], object], ...]:
    """Methods that let a network forget all clips that it has seen; of submodules too, as it may stand inside another."""
    methods = [getattr(submodule, _CLEANER, None) for submodule in module.modules()]
    return tuple(method for method in methods if callable(method))


@contextmanager
def cleared_streams(module: nn.Module, cleaners: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Around one forward: inside, the network has seen no clip before; outside, its stream is that of its user."""
    if not cleaners:
        yield
        return
    with unchanged_attributes(module):
        for clear in cleaners:
            clear()
        yield
