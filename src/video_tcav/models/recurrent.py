"""Gradients through recurrent layers in evaluation mode: cuDNN's RNN has no backward there, PyTorch's kernels have one.

cuDNN raises "cudnn RNN backward can only be called in training mode". In training mode, dropout between the layers would change
the numbers. So recurrent layers alone run without cuDNN, and only where a graph is recorded; convolutions keep it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn


@contextmanager
def without_cudnn() -> Iterator[None]:
    """PyTorch's kernels inside; cuDNN as before outside."""
    cudnn = torch.backends.cudnn
    enabled = cudnn.enabled
    cudnn.enabled = False  # not `cudnn.flags`, which sets all other flags to their defaults, TF32 among them
    try:
        yield
    finally:
        cudnn.enabled = enabled


def recurrent_forwards(module: nn.Module) -> list[tuple[nn.Module, Callable[..., Any]]]:
    """Each recurrent layer of a network, with a forward whose graph has a backward in evaluation mode."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase)]
    return [(layer, partial(_forward, layer.forward)) for layer in layers]


def _forward(forward: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    with without_cudnn() if torch.is_grad_enabled() else nullcontext():
        return forward(*arguments, **keywords)
