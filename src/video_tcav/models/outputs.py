"""What a module returned: the tensor that a layer is recorded by, and the logits of a whole model."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from video_tcav.core.errors import ModelError


def first_tensor(output: object) -> Tensor | None:
    """The first floating tensor in an output, looking into tuples, lists, dicts and dataclasses; `None` without one."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    for _, part in _parts(output):
        found = first_tensor(part)
        if found is not None:
            return found
    return None


def layer_tensor(output: object) -> Tensor:
    """The tensor that stands for a layer's output: its first floating one.

    Args:
        output: whatever the module returned: a tensor, tuple, list, dict, dataclass or Hugging Face output.

    Returns:
        The tensor itself, not a copy.

    Raises:
        ModelError: if there is none.
    """
    found = first_tensor(output)
    if found is None:
        raise ModelError(
            f"`layer` must output a floating tensor. Got {type(output).__name__}. `video-tcav layers` lists those that do."
        )
    return found


def replace_layer_tensor(output: Any, tensor: Tensor) -> Any:
    """The same output with `tensor` in the place of `layer_tensor(output)`; nothing is changed in place.

    Args:
        output: whatever the module returned.
        tensor: takes the place of the first floating tensor.

    Returns:
        An output of the same type.

    Raises:
        ModelError: if there is no floating tensor to replace.
    """
    layer_tensor(output)
    if isinstance(output, Tensor):
        return tensor
    for key, part in _parts(output):
        if first_tensor(part) is not None:
            return _with_part(output, key, replace_layer_tensor(part, tensor))
    raise AssertionError("layer_tensor found a tensor that _parts does not reach")


def output_logits(output: object) -> Tensor:
    """The logits in what a whole model returned.

    Args:
        output: a tensor, a tuple or list that starts with one, or a dict or Hugging Face output with `logits`.

    Returns:
        A tensor `(clip, class)`.

    Raises:
        ModelError: if there are no logits, or not one row a clip.
    """
    found = output
    if isinstance(found, Mapping):
        found = found.get("logits")
    elif isinstance(found, tuple | list) and found:
        found = found[0]
    elif hasattr(found, "logits"):
        found = found.logits  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(found, Tensor) or not found.is_floating_point():
        raise ModelError(
            f"`model` must return logits: a tensor, a tuple that starts with it, or a dict with 'logits'."
            f" Got {type(output).__name__}. Wrap the model in a module that returns the logits."
        )
    if found.ndim != 2:
        raise ModelError(
            f"`model` must return one row of logits a clip, (clip, class). Got shape {tuple(found.shape)}."
            " Wrap the model in a module that returns that."
        )
    return found


def _parts(output: object) -> list[tuple[Any, object]]:
    if isinstance(output, Mapping):
        return list(output.items())
    if isinstance(output, tuple | list):
        return list(enumerate(output))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [(field.name, getattr(output, field.name)) for field in dataclasses.fields(output)]
    return []


def _with_part(output: Any, key: Any, part: object) -> Any:
    if isinstance(output, Mapping):
        changed: Any = copy.copy(output)
        changed[key] = part
        return changed
    if isinstance(output, tuple | list):
        kind: Any = type(output)
        items = [part if index == key else item for index, item in enumerate(output)]
        return kind(*items) if hasattr(output, "_fields") else kind(items)
    return dataclasses.replace(output, **{key: part})
