"""Wrappers around a network (DataParallel, DDP, torch.compile, AveragedModel, PeftModel): taken off, or refused."""

import sys
from typing import Any, cast

import torch
from torch import nn

from video_tcav.core.errors import ModelError

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel)
COMPILED = "_orig_mod"
"""Under this name torch.compile keeps the network that it wraps."""


def unwrapped(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The network inside wrappers that change no result, by whose own layer names it is explained; with a note for each.

    Raises:
        ModelError: for a network whose layers cannot be hooked (TorchScript), or whose weights are in pieces (FSDP).
    """
    notes: list[str] = []
    while (inside := _inside(module)) is not None:
        kind = "torch.compile" if COMPILED in module._modules else type(module).__name__
        module = inside
        notes.append(f"The network inside {kind} is used, {type(module).__name__}, by its own layer names.")
    for name, submodule in module.named_modules():
        if isinstance(submodule, torch.jit.ScriptModule):
            raise ModelError(
                f"`model` must be a network of Python modules. Got {name or submodule.original_name} as TorchScript, whose layers"
                " cannot be hooked reliably. Give the Python module that it was made of, with its weights."
            )
    if type(module).__name__ in ("FullyShardedDataParallel", "FSDPModule"):
        raise ModelError(
            f"`model` must hold its weights whole. Got {type(module).__name__}. Save its full state_dict, and give the"
            " network without it."
        )
    return module, tuple(notes)


def _inside(module: nn.Module) -> nn.Module | None:
    """The network that a wrapper holds; `None` for any other module."""
    if COMPILED in module._modules:
        return module.get_submodule(COMPILED)
    if isinstance(module, _WRAPPERS):
        return module.get_submodule("module")
    peft = sys.modules.get("peft")  # imported by whoever made one
    if peft is not None and isinstance(module, peft.PeftModel):
        return cast("Any", module).get_base_model()  # with the adapters, which are in its layers
    return None
