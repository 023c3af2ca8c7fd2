"""Unknown tensors: shapes and types without values, that show what in a network depends on them.

An operation on an unknown tensor gives an unknown one. Nothing is computed: shapes come from PyTorch's meta kernels. Whatever
would need a value raises: a branch, an index, a write into a known tensor. So no number can come from an unknown tensor.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_tcav.models.outputs import map_tensors, tensors_in

_RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)


class UnknownValueError(RuntimeError):
    """The values of an unknown tensor are needed."""


class UnknownTensor(Tensor):
    """A tensor without values; see the module.

    Attributes:
        refusals: how often values were asked for, by anyone; a network may catch the error and go on.
    """

    refusals: int = 0
    _meta: Tensor
    # What reaches the dispatcher suffices: Python functions above it are made of such operations.
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls, meta: Tensor, device: torch.device) -> "UnknownTensor":
        tensor = Tensor._make_wrapper_subclass(
            cls,
            meta.shape,
            strides=meta.stride(),
            storage_offset=meta.storage_offset(),
            dtype=meta.dtype,
            device=device,
        )
        tensor._meta = meta
        return tensor

    @classmethod
    def like(cls, tensor: Tensor, shape: Sequence[int] | None = None) -> "UnknownTensor":
        """An unknown tensor of the same type, on the same device, of the same or another shape."""
        shape = tensor.shape if shape is None else shape
        return cls(torch.empty(tuple(shape), dtype=tensor.dtype, device="meta"), tensor.device)

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        device = next(tensor.device for tensor in tensors_in((args, kwargs)) if isinstance(tensor, UnknownTensor))
        written = _written(func, args, kwargs)
        if not all(isinstance(tensor, UnknownTensor) for tensor in written):
            raise _refused(f"{func} writes unknown values into a known tensor")
        if kwargs.get("device") is not None:
            device, kwargs["device"] = torch.device(kwargs["device"]), torch.device("meta")
        meta_args, meta_kwargs = map_tensors((args, kwargs), _meta)
        try:
            output = func(*meta_args, **meta_kwargs)
        except Exception as reason:  # meta kernels raise errors of all kinds
            raise _refused(f"{func} on unknown values: {reason}") from reason
        if written:
            return _after_writing(func, written, output)
        return map_tensors(output, partial(cls, device=device))

    def __repr__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"UnknownTensor(shape={tuple(self.shape)}, dtype={self.dtype})"

    def _no_values(self, *_arguments: Any, **_keywords: Any) -> Any:
        raise _refused("values are handed to something else than PyTorch")

    # Kernels that are given an address would read from address 0.
    data_ptr = numpy = tolist = __array__ = __dlpack__ = _no_values


def unknown_recurrences(module: nn.Module) -> list[tuple[nn.Module, Callable[..., Any]]]:
    """Each recurrent layer, with a forward that takes unknown rows.

    PyTorch's own adds them in place to zeros, which are known.
    """
    # Subclasses may do more.
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase) and type(layer) in _RECURRENT]
    return [(layer, partial(_recurrent_forward, layer, layer.forward)) for layer in layers]


def _recurrent_forward(layer: nn.RNNBase, forward: Callable[..., Any], rows: Any, state: Any = None) -> Any:
    if not isinstance(rows, UnknownTensor):
        return forward(rows, state)
    clips = [rows.shape[0 if layer.batch_first else 1]] if rows.ndim == 3 else []
    directions = 1 + layer.bidirectional
    states = (directions * layer.num_layers, *clips)
    width = layer.proj_size or layer.hidden_size
    outputs, last = rows.new_empty(*rows.shape[:-1], directions * width), rows.new_empty(*states, width)
    return outputs, (last, rows.new_empty(*states, layer.hidden_size)) if isinstance(layer, nn.LSTM) else last


def _refused(problem: str) -> UnknownValueError:
    UnknownTensor.refusals += 1
    return UnknownValueError(problem)


def _meta(tensor: Tensor) -> Tensor:
    return tensor._meta if isinstance(tensor, UnknownTensor) else tensor.to("meta")


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Tensors that an operation writes into."""
    if not func._schema.is_mutable:
        return []
    arguments = func._schema.arguments
    values = {argument.name: value for argument, value in zip(arguments, args, strict=False)} | kwargs
    names = [argument.name for argument in arguments if argument.alias_info and argument.alias_info.is_write]
    return [tensor for name in names for tensor in tensors_in(values.get(name))]


def _after_writing(func: Any, written: Sequence[Tensor], output: Any) -> Any:
    """What an operation that wrote returns: the tensor itself, or nothing."""
    if any(_meta(tensor).shape != tensor.shape for tensor in written):
        raise _refused(f"{func} changes the shape of an unknown tensor in place")
    if output is None:
        return None
    if len(written) != 1 or not isinstance(output, Tensor):
        raise _refused(f"{func} writes into several unknown tensors")
    return written[0]
