"""Devices: which one models run on, and where float64 exists."""

import torch
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt

DEVICE_TYPES = ("cpu", "cuda", "mps", "xpu")
"""Processors and GPUs of NVIDIA or AMD, Apple and Intel; PyTorch's other devices need other programs, or hold no numbers."""


def pick_device(device: str | torch.device) -> torch.device:
    """The device of that name; `auto` takes the first GPU that is available: CUDA (or ROCm) before Metal (`mps`).

    Raises:
        InputError: if it is not available, or of a kind that models do not run on, such as `meta`.
    """
    if device == "auto":
        usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        return torch.device(next(name for name, is_usable in usable.items() if is_usable))
    try:
        if str(device).partition(":")[0] not in DEVICE_TYPES:  # PyTorch warns about some of the others
            raise ValueError(device)
        chosen = torch.device(device)
        if chosen.type == "cpu" and chosen.index:  # PyTorch accepts cpu:1
            raise ValueError(device)
        torch.empty(0, device=chosen)  # raises where the device is not available
    except (RuntimeError, AssertionError, ValueError, TypeError, ArithmeticError) as reason:
        raise InputError(
            f"`device` must be auto or a device that is here. Got {excerpt(str(device))}. Write cpu or cuda:0."
        ) from reason
    return chosen


def where_float64(values: Tensor) -> Tensor:
    """The tensor on a device that has float64: Apple's Metal (`mps`) has none, so its tensors go to the CPU."""
    return values.cpu() if values.device.type == "mps" else values
