"""Window attention of torchvision's Video Swin as one fused step: the same numbers, less memory traffic, the model untouched.

torchvision writes the scores of every window out, adds position bias and mask, and takes the softmax: on a processor that
costs more than the matrix products. Here tokens are brought into the order of their windows in one step, windows that share
a mask lie side by side, and each such group goes through PyTorch's own fused attention. The modules lend their weights.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from video_tcav.models.hooks import replaced_forwards, untouched
from video_tcav.models.video_model import VideoModel
from video_tcav.recording.fast.precision import agree

_ATTENTION = "torchvision.models.video.swin_transformer.ShiftedWindowAttention3d"  # by name: torchvision is an extra
Size = tuple[int, int, int]
"""Time, height, width; in tokens."""
_TOLERANCE = 1e-4  # of the largest logit; another order of sums changes some 1e-6
_MASKED = -100.0  # added to the score of two tokens of different regions; torchvision's own value


@contextmanager
def fused_attention(module: nn.Module) -> Iterator[None]:
    """Inside, Video Swin's window attention is fused, without dropout; outside, nothing is left of it."""
    with replaced_forwards([(attention, partial(_attend, attention)) for attention in _window_attentions(module)]):
        yield


def takes_fused_attention(
    model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"]
) -> bool:
    """Whether the model has window attention on a CPU that may be fused: it answers as it would otherwise."""
    if inputs.device.type != "cpu" or not _window_attentions(model.module):
        return False
    with untouched(model.module), torch.no_grad(), fused_attention(model.module):
        return agree(model.logits(inputs), plain, _TOLERANCE)


def _window_attentions(module: nn.Module) -> list[nn.Module]:
    """Those that are torchvision's own; a subclass, or one whose `forward` was replaced, may do something else."""
    return [
        submodule
        for submodule in module.modules()
        if _full_name(type(submodule)) == _ATTENTION and "forward" not in vars(submodule)
    ]


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """How the tokens of a batch are cut into windows.

    Attributes:
        order: for each position in window order, the token that goes there.
        inverse: for each token, its position in window order.
        groups: how many windows share a mask, and which tokens of a window do not see each other; `None`: all do.
    """

    order: Int64[Tensor, " token"]
    inverse: Int64[Tensor, " token"]
    groups: tuple[tuple[int, Bool[Tensor, "token token"] | None], ...]


@lru_cache(maxsize=16)  # a network has a few sizes of feature maps, each shifted and not
def _windows(clips: int, size: Size, window: Size, shift: Size) -> _Windows:
    tokens = torch.arange(size[0] * size[1] * size[2]).view(size)
    tokens = tokens.roll([-step for step in shift], (0, 1, 2))
    windows, regions = _cut(tokens, window), _cut(_regions(size, window, shift), window)
    masks, mask_of_window = regions.unique(dim=0, return_inverse=True)
    by_mask = mask_of_window.argsort(stable=True)
    order = windows[by_mask][:, None] + tokens.numel() * torch.arange(clips)[:, None]  # window, clip, token
    order = order.flatten()
    groups = tuple(
        (count * clips, None if bool((region == region[0]).all()) else region[:, None] != region)
        for count, region in zip(mask_of_window.bincount().tolist(), masks, strict=True)
    )
    return _Windows(order=order, inverse=order.argsort(), groups=groups)


def _regions(size: Size, window: Size, shift: Size) -> Int64[Tensor, "time height width"]:
    """Number of each token's region: after a shift, a window at the edge holds tokens that are no neighbours."""
    region = torch.zeros(size, dtype=torch.int64)
    if not any(shift):
        return region
    for axis in range(3):
        numbers = torch.zeros(size[axis], dtype=torch.int64)
        # slices as torchvision takes them; an axis without a shift has `[-0:]`, which is all of it
        for number, begin in enumerate((-size[axis], -window[axis], -shift[axis])):
            numbers[begin if number < 2 or shift[axis] else 0 :] = number
        shape = [1, 1, 1]
        shape[axis] = -1
        region = region * 3 + numbers.view(shape)  # three regions an axis: digits of base 3
    return region


def _cut(grid: Int64[Tensor, "time height width"], window: Size) -> Int64[Tensor, "window token"]:
    for axis in (2, 1, 0):
        grid = grid.unflatten(axis, (-1, window[axis]))
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, window[0] * window[1] * window[2])


class _Reorder(torch.autograd.Function):
    """Rows in another order; the gradient goes the same way back, which is faster than adding rows up by their number."""

    @staticmethod
    def forward(ctx, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(order, inverse)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None, None]:
        order, inverse = ctx.saved_tensors
        return _reorder(grads[0], inverse, order), None, None


def _reorder(rows: Float[Tensor, "token channel"], order: Tensor, inverse: Tensor) -> Float[Tensor, "token channel"]:
    reordered = _Reorder.apply(rows, order, inverse)
    assert isinstance(reordered, Tensor)
    return reordered


def _attend(
    module: Any, inputs: Float[Tensor, "clip time height width channel"]
) -> Float[Tensor, "clip time height width channel"]:
    """The module's forward: windows, attention within each, and back."""
    clips, *extent, channels = inputs.shape
    # an axis no longer than a window is one window, and is not shifted
    fits = [length >= size for length, size in zip(module.window_size, extent, strict=True)]
    window = _size(min(length, size) for length, size in zip(module.window_size, extent, strict=True))
    shift = _size(0 if is_one else step for step, is_one in zip(module.shift_size, fits, strict=True))
    time, height, width = (-size % length for length, size in zip(window, extent, strict=True))
    padded = functional.pad(inputs, [0, 0, 0, width, 0, height, 0, time]) if time or height or width else inputs
    windows = _windows(clips, _size(padded.shape[1:4]), window, shift)

    tokens = _reorder(padded.reshape(-1, channels), windows.order, windows.inverse)
    # a hook on `qkv` or `proj` does not run in torchvision, either
    qkv = functional.linear(tokens, module.qkv.weight, module.qkv.bias)
    qkv = qkv.view(-1, window[0] * window[1] * window[2], 3, module.num_heads, channels // module.num_heads)
    bias = module.get_relative_position_bias(list(window))
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
    mixed = _attention(query, key, value, bias, windows).transpose(1, 2).reshape(-1, channels)
    mixed = functional.linear(mixed, module.proj.weight, module.proj.bias)
    mixed = _reorder(mixed, windows.inverse, windows.order).view(padded.shape)
    return mixed[:, : extent[0], : extent[1], : extent[2]].contiguous()


def _attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, windows: _Windows) -> Tensor:
    """Fused attention, one call for each group of windows that share a mask."""
    outputs, start = [], 0
    for count, hidden in windows.groups:
        group = slice(start, start + count)
        mask = (bias if hidden is None else bias + _MASKED * hidden).to(query.dtype)
        outputs.append(functional.scaled_dot_product_attention(query[group], key[group], value[group], attn_mask=mask))
        start += count
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _size(values: Iterable[int]) -> Size:
    time, height, width = values
    return time, height, width
