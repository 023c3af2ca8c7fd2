"""Spacing of a layer's positions in the clip: where the middle of each lies, in frames and pixels.

A strided convolution with padding does not put its positions in the middle of equal shares of the clip: position i of
r3d_18's last stage lies at pixel 16·i, not 16·i + 7.5. A map that is simply enlarged then lies half a cell too far to the
right and below, and too late. The arithmetic of kernel, stride and padding gives the true positions (Araujo et al. 2019,
"Computing Receptive Fields of Convolutional Neural Networks", doi:10.23915/distill.00021); it is tracked here through one
forward pass, so that it holds for any network.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.overrides import TorchFunctionMode

from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.hooks import observe
from video_tcav.models.layers import noise_clip, noise_clip_shape
from video_tcav.models.outputs import tensors_in
from video_tcav.models.video_model import VideoModel


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """Along one axis, the middle of position i lies at `first + i * step`, counted in frames or pixels from 0."""

    first: float
    step: float


Spacings = tuple[Spacing, ...]
"""Of time, height and width."""


def even_spacing(positions: int, length: int) -> Spacing:
    """Positions in the middle of equal shares of an axis."""
    step = length / positions
    return Spacing(first=(step - 1) / 2, step=step)


_CACHE: WeakKeyDictionary[VideoModel, dict[tuple[str, tuple[int, int, int]], Spacings]] = WeakKeyDictionary()


def layer_spacings(
    model: VideoModel, axes: Mapping[str, LayerAxes], *, size: tuple[int, int] | None = None
) -> dict[str, Spacings]:
    """Where the positions of layers lie, from one forward of one clip; cached for as long as the model lives.

    An axis that convolutions and pooling do not explain (patches that are cut or merged otherwise) is assumed to be evenly
    spaced. `size` is `(height, width)` of the clips, for a model that takes any size.
    """
    shape = noise_clip_shape(model.clip_spec, size)
    cache = _CACHE.setdefault(model, {})
    missing = {name: layer for name, layer in axes.items() if (name, shape) not in cache}
    if missing:
        cache |= {(name, shape): spacings for name, spacings in _track(model, missing, size, shape)}
    return {name: cache[name, shape] for name in axes}


def _track(
    model: VideoModel, axes: Mapping[str, LayerAxes], size: tuple[int, int] | None, shape: tuple[int, int, int]
) -> Iterator[tuple[str, Spacings]]:
    tracked: dict[str, tuple[Spacings | None, tuple[int, ...]]] = {}

    def record(name: str, tensor: Tensor) -> None:
        tracked[name] = (getattr(tensor, _MARK, None), tuple(axes[name].positions(tensor).shape[1:4]))

    inputs = noise_clip(model, size=size).to(device=model.device, dtype=model.dtype)
    setattr(inputs, _MARK, (Spacing(first=0.0, step=1.0),) * 3)
    with _SpacingTracker():
        observe(model, tuple(axes), inputs, record)
    for name, (spacings, positions) in tracked.items():
        # Positions that do not fill the axis, give or take one at its end, were merged or cut by something that is not
        # tracked, such as a patch merging by indexing.
        yield (
            name,
            tuple(
                axis if axis and abs(length / axis.step - count) <= 1 else even_spacing(count, length)
                for axis, count, length in zip(spacings or (None,) * 3, positions, shape, strict=True)
            ),
        )


_MARK = "_video_tcav_spacings"
_KERNELS = {"conv2d": 2, "conv3d": 3, "max_pool2d": 2, "max_pool3d": 3, "avg_pool2d": 2, "avg_pool3d": 3}
"""Functions that change the spacing, and over how many of the last axes."""


class _SpacingTracker(TorchFunctionMode):
    """Passes the spacing of a function's first marked input on to its outputs, changed by convolution and pooling.

    Where tensors are concatenated it is that of the last one: a class token, which no pooling has passed, comes first.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        output = func(*args, **options)
        marks = [getattr(tensor, _MARK) for tensor in tensors_in([args, options]) if hasattr(tensor, _MARK)]
        if marks:
            # `conv3d`, `max_pool3d_with_indices`, `_pad`: one name for the variants of a function.
            name = getattr(func, "__name__", "").lstrip("_").removesuffix("_with_indices")
            spacings = marks[-1 if name == "cat" else 0]
            if name in _KERNELS:
                spacings = _behind_kernel(spacings, name, args, options)
            elif name in ("pad", "constant_pad_nd"):
                spacings = _behind_padding(spacings, args, options)
            elif name == "index_select":
                spacings = _of_selection(spacings, args, options)
            for tensor in tensors_in(output):
                setattr(tensor, _MARK, spacings)
        return output


_CONVOLUTION_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation")
_POOLING_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "dilation")


def _behind_kernel(before: Spacings, name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Spacings:
    """Kernel k with stride s, padding p and dilation d: the first position's middle moves by (k − 1)·d / 2 − p steps."""
    count, convolves = _KERNELS[name], name.startswith("conv")
    # Average pooling has no dilation: its fifth argument (ceil_mode) is not read.
    order = _CONVOLUTION_ARGUMENTS if convolves else _POOLING_ARGUMENTS[: 5 if name.startswith("max") else 4]
    settings: dict[str, Any] = dict(zip(order, args, strict=False)) | dict(options)
    kernel = tuple(settings["weight"].shape[2:]) if convolves else _each(settings["kernel_size"], count)
    stride = _each(settings.get("stride") or (1 if convolves else kernel), count)
    dilation = _each(settings.get("dilation", 1), count)
    padding = settings.get("padding", 0)
    spans = [(size - 1) * distance / 2 for size, distance in zip(kernel, dilation, strict=True)]
    pads = {"valid": [0.0] * count, "same": spans}.get(padding) if isinstance(padding, str) else _each(padding, count)
    assert pads is not None
    moved = [
        Spacing(first=axis.first + (span - pad) * axis.step, step=axis.step * stride_of_axis)
        for axis, span, pad, stride_of_axis in zip(before[3 - count :], spans, pads, stride, strict=True)
    ]
    return (*before[: 3 - count], *moved)


def _behind_padding(before: Spacings, args: Sequence[Any], options: Mapping[str, Any]) -> Spacings:
    """Explicit padding in front of a convolution without: what is put before the first position moves it back.

    As for kernels, the last axes are assumed to be those of positions; in channels-last networks only ends are padded.
    """
    settings = dict(zip(("input", "pad"), args, strict=False)) | dict(options)
    moved, axes = list(before), min(3, settings["input"].ndim - 2)
    # PyTorch lists the padding from the last axis on: before it, after it, before the last but one, ...
    for number, front in enumerate(settings["pad"][0 : 2 * max(0, axes) : 2], start=1):
        axis = moved[-number]
        moved[-number] = Spacing(first=axis.first - front * axis.step, step=axis.step)
    return tuple(moved)


def _of_selection(before: Spacings, args: Sequence[Any], options: Mapping[str, Any]) -> Spacings:
    """Frames or pixels that are picked in order, as those of SlowFast's slow pathway: evenly, but for rounding of the indices."""
    settings = dict(zip(("input", "dim", "index"), args, strict=False)) | dict(options)
    index, position = (
        settings["index"],
        settings["dim"] - settings["input"].ndim,
    )  # time, height and width are the last axes
    if not -3 <= position < 0 or len(index) < 2:
        return before
    first, last = float(index[0]), float(index[-1])
    axis, moved = before[position], list(before)
    moved[position] = Spacing(
        first=axis.first + first * axis.step, step=axis.step * (last - first) / (len(index) - 1) or axis.step
    )
    return tuple(moved)


def _each(value: Any, count: int) -> tuple[Any, ...]:
    """One value for each axis."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values if len(values) == count else values * count
