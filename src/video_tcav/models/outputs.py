"""Tensors in what a module returned: the activation of a layer, and the rows of numbers of a whole model."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from video_tcav.core.errors import ModelError

ROW_NAMES = frozenset(
    {
        *("logits", "scores", "predictions", "preds", "outputs", "out", "probs", "probabilities", "y_hat", "y_pred"),
        *("class_logits", "cls_logits", "class_scores", "cls_score"),
        *("logit", "score", "prediction", "pred", "output"),
    }
)
"""Names under which a container may hold the scores of classes."""


def leaves_in(output: object) -> Iterator[object]:
    """All that an output or arguments hold inside tuples, lists, dicts and dataclasses; of these, empty ones themselves."""
    items = _items(output)
    for _, item in items:
        yield from leaves_in(item)
    if not items:
        yield output


def tensors_in(output: object) -> Iterator[Tensor]:
    """All tensors in an output or in arguments, also inside tuples, lists, dicts and dataclasses."""
    return (leaf for leaf in leaves_in(output) if isinstance(leaf, Tensor))


def first_tensor(output: object) -> Tensor | None:
    """The first floating tensor in an output; `None` without one."""
    return next((tensor for tensor in tensors_in(output) if tensor.is_floating_point()), None)


def layer_tensor(output: object) -> Tensor:
    """The tensor that stands for a layer's output: its first floating one, not a copy.

    Args:
        output: whatever the module returned: a tensor, tuple, list, dict, dataclass or Hugging Face output.

    Raises:
        ModelError: if there is none.
    """
    tensor = first_tensor(output)
    if tensor is None:
        raise ModelError(
            f"`layer` must output a floating tensor. Got {type(output).__name__}. `video-tcav layers` lists those that do."
        )
    return tensor


def map_tensors(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of an output, of the same type, with every tensor in it changed, in the order of `tensors_in`."""
    if isinstance(output, Tensor):
        return change(output)
    for key, item in _items(output):
        output = _with_item(output, key, map_tensors(item, change))
    return output


def replace_layer_tensor(output: Any, tensor: Tensor) -> Any:
    """A copy of the output, of the same type, with `tensor` in the place of `layer_tensor(output)`.

    Raises:
        ModelError: if there is no floating tensor to replace.
    """
    layer_tensor(output)
    if isinstance(output, Tensor):
        return tensor
    key, item = next((key, item) for key, item in _items(output) if first_tensor(item) is not None)
    return _with_item(output, key, replace_layer_tensor(item, tensor))


def output_rows(output: object, *, clips: int, classes: int | None = None) -> Tensor:
    """One row of numbers a clip, in what a whole model returned.

    Args:
        output: a tensor, or a container (tuple, list, dict, dataclass, nested in each other) that holds it: under one of
            `ROW_NAMES`, `logits` before all others, or, where items have no names, as the only tensor of that shape.
        clips: how many were passed.
        classes: numbers in a row, where that is known.

    Returns:
        A tensor `(clip, class)`; `(clip,)` and axes of size one behind the classes are brought into this form.
    """
    # By id: a container may hold the same tensor under two names.
    candidates = list({id(tensor): (path, tensor) for path, tensor in _candidates(output, "", clips, classes)}.values())
    if len(candidates) == 1:
        return candidates[0][1]
    if candidates:
        listed = ", ".join(f"{path or 'output'} {tuple(tensor.shape)}" for path, tensor in candidates[:4])
        raise ModelError(
            f"`model` must return one tensor that can be the logits. Got {len(candidates)}: {listed}."
            " Say which by head (--head NAME), or wrap the model in a module that names them `logits`."
        )
    tensors = [*tensors_in(output)][:4]
    shapes = [f"{'' if t.is_floating_point() else f'{t.dtype} '}shape {tuple(t.shape)}" for t in tensors]
    width = "class" if classes is None else classes
    raise ModelError(
        f"`model` must return one row of logits a clip, ({clips}, {width}). Got"
        f" {', '.join(shapes) or type(output).__name__} for {clips} clips."
        " Say which by head (--head NAME) or second (--at-time S), wrap the model in a module, or give `classes` that fit."
    )


def _candidates(output: object, path: str, clips: int, classes: int | None) -> list[tuple[str, Tensor]]:
    """Every tensor that can be the rows, with its path.

    In containers with names only those for class scores count, so that a lone embedding is not taken for logits.
    """
    if isinstance(output, Tensor):
        rows = _as_rows(output, clips, classes)
        return [] if rows is None else [(path, rows)]
    items = named_items(output)
    if items is None:
        chosen = _items(output)
    elif items.get("logits") is not None:
        chosen = [("logits", items["logits"])]
    else:
        chosen = [(name, item) for name, item in items.items() if name in ROW_NAMES]
    return [match for key, item in chosen for match in _candidates(item, f"{path}[{key!r}]", clips, classes)]


def named_items(output: object) -> dict[Any, object] | None:
    """The items of a dict, dataclass, named tuple or object with `logits`; `None` for a plain sequence."""
    if isinstance(output, tuple | list):
        fields = getattr(output, "_fields", None)
        return None if fields is None else dict(zip(fields, output, strict=True))
    items = dict(_items(output))
    return items if items or not hasattr(output, "logits") else {"logits": output.logits}  # pyright: ignore[reportAttributeAccessIssue]


def _as_rows(tensor: Tensor, clips: int, classes: int | None) -> Tensor | None:
    """`(clip, class)` out of a tensor that has this form but for axes of size one; `None` if it has not."""
    if not tensor.is_floating_point():
        return None
    # (clip, class, 1, 1, 1) of fully convolutional heads
    if tensor.ndim > 2 and tensor.shape[0] == clips and all(size == 1 for size in tensor.shape[2:]):
        tensor = tensor.flatten(1)
    # (clip, 1, class) of pooling heads with one query; without the number of classes it could be an embedding
    elif tensor.ndim == 3 and tuple(tensor.shape) == (clips, 1, classes):
        tensor = tensor[:, 0]
    elif tensor.ndim < 2 and classes is not None and tensor.numel() == clips * classes and 1 in (clips, classes):
        tensor = tensor.reshape(clips, classes)  # the model squeezed a dimension of size one
    elif tensor.ndim == 1 and classes is None and clips > 1 and len(tensor) == clips:
        tensor = tensor[:, None]
    fits = tensor.ndim == 2 and len(tensor) == clips and tensor.shape[1] == (classes or tensor.shape[1])
    return tensor if fits else None


def _items(output: object) -> list[tuple[Any, object]]:
    if isinstance(output, Mapping):
        return list(output.items())
    if isinstance(output, tuple | list):
        return list(enumerate(output))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [(field.name, getattr(output, field.name)) for field in dataclasses.fields(output)]
    return []


def _with_item(output: Any, key: Any, item: object) -> Any:
    if isinstance(output, Mapping):
        changed: Any = copy.copy(output)  # not dict(output): Hugging Face outputs and others keep their type
        changed[key] = item
        return changed
    if isinstance(output, tuple | list):
        kind: Any = type(output)
        items = [item if index == key else old for index, old in enumerate(output)]
        return kind(*items) if hasattr(output, "_fields") else kind(items)
    return dataclasses.replace(output, **{key: item})
