"""Gradients through recurrent layers in evaluation mode: cuDNN's RNN has no backward there, PyTorch's own kernels have one.

cuDNN raises "cudnn RNN backward can only be called in training mode". Training mode is no way out: dropout between the layers
would change the numbers. So recurrent layers alone run without cuDNN, and only where a graph is recorded; convolutions keep it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn


@contextmanager
def without_cudnn() -> Iterator[None]:
    """PyTorch's own kernels inside; cuDNN as before outside."""
    cudnn = torch.backends.cudnn
    enabled = cudnn.enabled
    cudnn.enabled = False  # not `cudnn.flags`, which sets all other flags to their defaults, TF32 among them
    try:
        yield
    finally:
        cudnn.enabled = enabled


def recurrent_forwards(module: nn.Module) -> list[tuple[nn.Module, Callable[..., Any]]]:
    """Each recurrent layer of a network, with a forward whose graph has a backward in evaluation mode."""
    return [(part, partial(_forward, part.forward)) for part in module.modules() if isinstance(part, nn.RNNBase)]


def _forward(forward: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*arguments, **keywords)
    with without_cudnn():
        return forward(*arguments, **keywords)
