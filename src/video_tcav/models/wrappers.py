"""Wrappers around a network (DataParallel, DDP, torch.compile, AveragedModel): taken off, or refused."""

from collections.abc import Iterator

import torch
from torch import nn

from video_tcav.core.errors import ModelError

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel)
COMPILED = "_orig_mod"
"""Under this name torch.compile keeps the network that it wraps."""


def unwrapped(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The network inside wrappers that change no result, by whose own layer names it is explained.

    Returns:
        The network, and a note for each wrapper that was taken off.

    Raises:
        ModelError: for a network whose layers cannot be hooked (TorchScript), or whose weights are in pieces (FSDP).
    """
    notes: list[str] = []
    while isinstance(module, _WRAPPERS) or COMPILED in module._modules:
        compiled = COMPILED in module._modules
        kind = "torch.compile" if compiled else type(module).__name__
        module = module.get_submodule(COMPILED if compiled else "module")
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


def holds_compiled_modules(module: nn.Module) -> bool:
    """Whether torch.compile wraps a submodule: hooks inside it may not be called, so that it must run plainly."""
    return any(
        COMPILED in submodule._modules or getattr(submodule, "_compiled_call_impl", None) is not None
        for submodule in module.modules()
    )


def described_submodules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Submodules that say by `clip_spec` what clip they take, with their names; the network itself left out."""
    for name, submodule in module.named_modules():
        if name and getattr(submodule, "clip_spec", None) is not None:
            yield name, submodule
