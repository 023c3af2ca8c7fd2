"""Where a layer's positions lie in the clip: the middle of each, in frames and pixels.

A strided convolution with padding does not put its positions in the middle of equal shares of the clip: position i of
r3d_18's last stage looks at pixel 16·i, not 16·i + 7.5. A map that is simply enlarged then lies half a cell too far to the
right and below, and too late. The arithmetic of kernel, stride and padding gives the true place (Araujo et al. 2019,
"Computing Receptive Fields of Convolutional Neural Networks", doi:10.23915/distill.00021); it is followed here through one
forward pass, so that it holds for any network.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.hooks import hooked, untouched
from video_tcav.models.layers import noise_clip, noise_clip_shape
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.video_model import VideoModel


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """Along one axis, the middle of position i lies at `first + i * step`, counted in frames or pixels from 0."""

    first: float
    step: float


Spacings = tuple[Spacing, Spacing, Spacing]
"""Of time, height and width."""


def even_spacing(positions: int, length: int) -> Spacing:
    """Positions in the middle of equal shares of an axis."""
    step = length / positions
    return Spacing(first=(step - 1) / 2, step=step)


_KNOWN: WeakKeyDictionary[VideoModel, dict[tuple[str, tuple[int, int, int]], Spacings]] = WeakKeyDictionary()


def layer_spacings(
    model: VideoModel, axes: Mapping[str, LayerAxes], *, size: tuple[int, int] | None = None
) -> dict[str, Spacings]:
    """Where the positions of layers lie, found by one forward of one clip and kept for as long as the model lives.

    Args:
        model: the model; left as it was.
        axes: of the layers.
        size: `(height, width)` of the clips, for a model that takes any size.

    Returns:
        By layer name; an axis that convolutions and pooling do not explain (patches that are cut or merged otherwise) is
        taken to be evenly spaced.
    """
    shape = noise_clip_shape(model.clip_spec, size)
    known = _KNOWN.setdefault(model, {})
    missing = {name: one for name, one in axes.items() if (name, shape) not in known}
    if missing:
        known |= {(name, shape): found for name, found in _follow(model, missing, size, shape)}
    return {name: known[name, shape] for name in axes}


def _follow(
    model: VideoModel, axes: Mapping[str, LayerAxes], size: tuple[int, int] | None, shape: tuple[int, int, int]
) -> Iterator[tuple[str, Spacings]]:
    seen: dict[str, tuple[Spacings | None, tuple[int, ...]]] = {}

    def keep(name: str, output: Any) -> None:
        tensor = layer_tensor(output)
        seen[name] = (getattr(tensor, _MARK, None), tuple(axes[name].positions(tensor).shape[1:4]))

    inputs = noise_clip(model, size=size).to(device=model.device, dtype=model.dtype)
    setattr(inputs, _MARK, (Spacing(first=0.0, step=1.0),) * 3)
    with untouched(model.module), hooked(model, tuple(axes), keep), torch.no_grad(), _Followed():
        model.forward(inputs)
    for name, (found, positions) in seen.items():
        even = [even_spacing(count, length) for count, length in zip(positions, shape, strict=True)]
        spacings = even if found is None else [
            one if _explains(one, count, length) else other
            for one, other, count, length in zip(found, even, positions, shape, strict=True)
        ]  # fmt: skip
        time, height, width = spacings
        yield name, (time, height, width)


def _explains(spacing: Spacing, positions: int, length: int) -> bool:
    """Whether so many positions with that spacing fill the axis, but for one at its end."""
    return abs(length / spacing.step - positions) <= 1


_MARK = "_video_tcav_spacings"
_KERNELS = {"conv2d": 2, "conv3d": 3, "max_pool2d": 2, "max_pool3d": 3, "avg_pool2d": 2, "avg_pool3d": 3}
"""Functions that move positions, and over how many of the last axes."""


class _Followed(TorchFunctionMode):
    """Hands the spacing of a function's first marked input on to its outputs, changed where it is a kernel's.

    Where tensors are joined it is the last one's: a class token, which no pooling has passed, comes first.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        output = func(*args, **options)
        marks = [getattr(one, _MARK) for one in _tensors([args, options]) if hasattr(one, _MARK)]
        if marks:
            name = getattr(func, "__name__", "").lstrip("_").removesuffix("_with_indices")
            found = marks[-1 if name == "cat" else 0]
            if name in _KERNELS:
                found = _behind_kernel(found, name, args, options)
            elif name in ("pad", "constant_pad_nd"):
                found = _behind_padding(found, args, options)
            for tensor in _tensors([output]):
                setattr(tensor, _MARK, found)
        return output


def _tensors(parts: Any) -> Iterator[Tensor]:
    """The tensors among arguments or results."""
    for part in parts.values() if isinstance(parts, Mapping) else parts:
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, tuple | list | Mapping):
            yield from _tensors(part)


def _behind_kernel(before: Spacings, name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Spacings:
    """Kernel k with stride s, padding p and dilation d: the first position's middle moves by (k − 1)·d / 2 − p steps."""
    count = _KERNELS[name]
    convolves = name.startswith("conv")
    order = ("input", "weight", "bias", "stride", "padding", "dilation") if convolves else ("input", "kernel_size", "stride",
             "padding", *(("dilation",) if name.startswith("max") else ()))  # fmt: skip
    given: dict[str, Any] = dict(zip(order, args, strict=False)) | dict(options)
    kernel = tuple(given["weight"].shape[2:]) if convolves else _each(given["kernel_size"], count)
    stride = _each(given.get("stride") or (1 if convolves else kernel), count)
    dilation = _each(given.get("dilation", 1), count)
    padding = given.get("padding", 0)
    spans = [(size - 1) * wide / 2 for size, wide in zip(kernel, dilation, strict=True)]
    pads = {"valid": [0.0] * count, "same": spans}.get(padding) if isinstance(padding, str) else _each(padding, count)
    assert pads is not None
    moved = [
        Spacing(first=one.first + (span - pad) * one.step, step=one.step * far)
        for one, span, pad, far in zip(before[3 - count :], spans, pads, stride, strict=True)
    ]
    time, height, width = (*before[: 3 - count], *moved)
    return time, height, width


def _behind_padding(before: Spacings, args: Sequence[Any], options: Mapping[str, Any]) -> Spacings:
    """Padding by hand, in front of a convolution that has none: what is put before the first position moves it back.

    As for kernels, the last axes are taken to be those of positions; in channels-last networks only ends are padded.
    """
    given = dict(zip(("input", "pad"), args, strict=False)) | dict(options)
    moved, axes = list(before), min(3, given["input"].ndim - 2)
    for place, front in enumerate(given["pad"][0 : 2 * max(0, axes) : 2], start=1):
        one = moved[-place]
        moved[-place] = Spacing(first=one.first - front * one.step, step=one.step)
    time, height, width = moved
    return time, height, width


def _each(value: Any, count: int) -> tuple[Any, ...]:
    """One value for each axis."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values if len(values) == count else values * count
