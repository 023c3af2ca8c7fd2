"""Weights: read without running code, matched with a module by name and shape."""

import pickle
import pickletools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from video_tcav.core.errors import WeightsError


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The content of one weights file.

    Attributes:
        path: the file.
        tensors: by name, as the module calls them.
        metadata: what a safetensors file says about itself; empty for other files.
    """

    path: Path | str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read_weights(path: str | Path) -> Weights:
    """Tensors of a safetensors or torch file; never unpickles anything else.

    Args:
        path: the file. A training checkpoint may wrap its tensors in `state_dict` or `model`, and their names in
            `module.`.

    Raises:
        WeightsError: if the file is missing, unreadable, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"`weights` must be a file. Got {path}, which does not exist. Check the path.")
    if path.suffix == ".safetensors":
        tensors, metadata = _read_safetensors(path)
    else:
        tensors, metadata = _read_torch(path), {}
    return Weights(path=path, tensors=tensors, metadata=metadata)


def fit_weights(module: nn.Module, weights: Weights) -> None:
    """Load the tensors into the module; nothing is loaded unless all of them fit.

    Raises:
        WeightsError: naming the first tensors that differ in shape, are missing, or are not of this model.
    """
    wanted = module.state_dict()
    reshaped = [
        f"{name} {tuple(weights.tensors[name].shape)} where the model has {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in weights.tensors and weights.tensors[name].shape != tensor.shape
    ]
    missing = [name for name in wanted if name not in weights.tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in weights.tensors if name not in wanted]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in (("of another shape", reshaped), ("missing", missing), ("unexpected", unexpected))
        if names
    ]
    if problems:
        raise WeightsError(
            f"`weights` must fit the model. Got {weights.path} with {'; '.join(problems)}."
            " Give the weights of this architecture and number of classes."
        )
    module.load_state_dict(dict(weights.tensors), strict=False)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as reason:
        raise _unreadable(path, reason) from reason


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle protocol
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as reason:
        if "GLOBAL" not in str(reason) and not _is_pickle(path):
            raise _unreadable(path, reason) from reason
        raise WeightsError(
            f"`weights` must hold tensors only. Got {path}, a pickle that wants to run code. Save it with safetensors."
        ) from None
    except Exception as reason:  # torch raises many types on a damaged file
        raise _unreadable(path, reason) from reason
    return _unwrap(content, path)


def _is_pickle(path: Path) -> bool:
    """Whether the file is a whole pickle; it is read as text, never run."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in pickletools.genops(file)) > 0
    except Exception:  # pickletools raises many types on what is no pickle
        return False


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not all(isinstance(t, Tensor) for t in content.values()):
        raise WeightsError(
            f"`weights` must be a state dict: tensors by name. Got {path} with something else."
            " Save module.state_dict() with safetensors."
        )
    if all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return dict(content)


def _unreadable(path: Path, reason: Exception) -> WeightsError:
    first = (str(reason).strip() or type(reason).__name__).splitlines()[0].rstrip(".")[:160]
    return WeightsError(f"`weights` must be a readable file. Got {path}: {first}. Fetch or save it again.")
