"""What a module returned: the tensor that a layer is recorded by, and the rows of numbers of a whole model."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from video_tcav.core.errors import ModelError

_PLAIN_NAMES = {
    "logits",
    "scores",
    "predictions",
    "preds",
    "outputs",
    "out",
    "probs",
    "probabilities",
    "y_hat",
    "y_pred",
}
_CLASS_NAMES = {"class_logits", "cls_logits", "class_scores", "cls_score"}
ROW_NAMES = frozenset(_PLAIN_NAMES | _CLASS_NAMES | {"logit", "score", "prediction", "pred", "output"})
"""Under these names a container may hold the scores of classes."""


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


def output_rows(output: object, *, clips: int, classes: int | None = None) -> Tensor:
    """One row of numbers a clip, in what a whole model returned.

    Args:
        output: a tensor, or a container (tuple, list, dict, dataclass, nested in each other) that holds it: under one of
            `ROW_NAMES`, `logits` before all others, or, where parts have no names, as the only tensor of that shape.
        clips: how many were passed.
        classes: numbers in a row, where that is known.

    Returns:
        A tensor `(clip, class)`; `(clip,)` and axes of size one behind the classes are brought into this form.

    Raises:
        ModelError: if there are no such rows, or several, so that the meant ones cannot be told.
    """
    candidates = list({id(tensor): (path, tensor) for path, tensor in _candidates(output, "", clips, classes)}.values())
    if len(candidates) == 1:
        return candidates[0][1]
    if candidates:
        listed = ", ".join(f"{path or 'output'} {tuple(tensor.shape)}" for path, tensor in candidates[:4])
        raise ModelError(
            f"`model` must return one tensor that can be the logits. Got {len(candidates)}: {listed}."
            " Wrap the model in a module that returns the logits alone, or names them `logits`."
        )
    shapes = ", ".join(_shapes(output)[:4]) or type(output).__name__
    width = "class" if classes is None else classes
    raise ModelError(
        f"`model` must return one row of logits a clip, ({clips}, {width}). Got {shapes} for {clips} clips."
        " Wrap the model in a module that returns that, or give `classes` that fit."
    )


def _candidates(output: object, path: str, clips: int, classes: int | None) -> list[tuple[str, Tensor]]:
    """Every tensor that can be the rows, with its place.

    In what has names only those for class scores count, so that a lone embedding is not taken for logits.
    """
    if isinstance(output, Tensor):
        rows = _as_rows(output, clips, classes)
        return [] if rows is None else [(path, rows)]
    parts = _named_parts(output)
    if parts is None:
        chosen = _parts(output)
    elif parts.get("logits") is not None:
        chosen = [("logits", parts["logits"])]
    else:
        chosen = [(name, part) for name, part in parts.items() if name in ROW_NAMES]
    return [place for key, part in chosen for place in _candidates(part, f"{path}[{key!r}]", clips, classes)]


def _named_parts(output: object) -> dict[Any, object] | None:
    """The parts of a dict, dataclass, named tuple or object with `logits`; `None` for a plain sequence."""
    if isinstance(output, tuple | list):
        fields = getattr(output, "_fields", None)
        return None if fields is None else dict(zip(fields, output, strict=True))
    parts = dict(_parts(output))
    return parts if parts or not hasattr(output, "logits") else {"logits": output.logits}  # pyright: ignore[reportAttributeAccessIssue]


def _as_rows(tensor: Tensor, clips: int, classes: int | None) -> Tensor | None:
    """`(clip, class)` out of a tensor that has this form but for axes of size one; `None` if it has not."""
    if not tensor.is_floating_point():
        return None
    if tensor.ndim > 2 and tensor.shape[0] == clips and all(size == 1 for size in tensor.shape[2:]):
        tensor = tensor.flatten(1)
    elif tensor.ndim < 2 and classes is not None and tensor.numel() == clips * classes and 1 in (clips, classes):
        tensor = tensor.reshape(clips, classes)  # the model squeezed what was of size one
    elif tensor.ndim == 1 and classes is None and clips > 1 and len(tensor) == clips:
        tensor = tensor[:, None]
    fits = tensor.ndim == 2 and len(tensor) == clips and tensor.shape[1] == (classes or tensor.shape[1])
    return tensor if fits else None


def _shapes(output: object) -> list[str]:
    if isinstance(output, Tensor):
        return [f"{'' if output.is_floating_point() else f'{output.dtype} '}shape {tuple(output.shape)}"]
    return [shape for _, part in _parts(output) for shape in _shapes(part)]


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
