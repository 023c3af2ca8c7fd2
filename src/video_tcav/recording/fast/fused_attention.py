"""Window attention of torchvision's Video Swin as one fused step: the same numbers, less memory traffic, the model untouched.

torchvision writes the scores of every window out, adds position bias and mask, and takes the softmax: on a processor that
costs more than the matrix products. Here tokens are brought into the order of their windows in one step, windows that share
a mask lie side by side, and each such group goes through PyTorch's own fused attention. The modules lend their weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

from video_tcav.models.hooks import replaced_forwards, untouched
from video_tcav.models.video_model import VideoModel

Size = tuple[int, int, int]
_TOLERANCE = 1e-4
_MASKED = -100.0  # torchvision's own value


@contextmanager
def fused_attention(module: nn.Module) -> Iterator[None]:
    """Inside, Video Swin's window attention takes the fused way, without dropout; outside, nothing is left of it."""
    with replaced_forwards([(part, partial(_attend, part)) for part in _windowed(module)]):
        yield


def takes_fused_attention(
    model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"] | None = None
) -> bool:
    """Whether the model has window attention on a CPU that may be fused: it answers as it would otherwise.

    Args:
        model: the model.
        inputs: one prepared clip, with the clip axis in front.
        plain: its logits, if they are known.
    """
    if inputs.device.type != "cpu" or not _windowed(model.module):
        return False
    with untouched(model.module), torch.no_grad():
        plain = model.logits(inputs) if plain is None else plain
        with fused_attention(model.module):
            found = model.logits(inputs)
    return bool(((found - plain).abs() <= _TOLERANCE * plain.abs().max()).all())


def _windowed(module: nn.Module) -> list[ShiftedWindowAttention3d]:
    """Those that are torchvision's own; a subclass, or one whose `forward` was replaced, may do something else."""
    return [part for part in module.modules() if type(part) is ShiftedWindowAttention3d and "forward" not in vars(part)]


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """How the tokens of a batch are cut into windows.

    Attributes:
        order: for each place in window order, the token that goes there.
        back: for each token, its place in window order.
        groups: how many windows share a mask, and which tokens of a window do not see each other; `None`: all do.
    """

    order: Int64[Tensor, " token"]
    back: Int64[Tensor, " token"]
    groups: tuple[tuple[int, Bool[Tensor, "token token"] | None], ...]


@lru_cache(maxsize=16)
def _windows(clips: int, size: Size, window: Size, shift: Size) -> _Windows:
    place = torch.arange(size[0] * size[1] * size[2]).view(size)
    place = place.roll([-step for step in shift], (0, 1, 2))
    region = torch.zeros(size, dtype=torch.int64)  # tokens of a window attend to those of their own region
    if any(shift):
        for axis in range(3):
            part = torch.zeros(size[axis], dtype=torch.int64)
            # slices as torchvision takes them; an axis without a shift has `[-0:]`, which is all of it
            for number, begin in enumerate((-size[axis], -window[axis], -shift[axis])):
                part[begin if number < 2 or shift[axis] else 0 :] = number
            region = region * 3 + part.view([-1 if other == axis else 1 for other in range(3)])
    place, region = _cut(place, window), _cut(region, window)
    kinds, kind = region.unique(dim=0, return_inverse=True)
    by_kind = kind.argsort(stable=True)
    tokens = place[by_kind][:, None] + place.numel() * torch.arange(clips)[:, None]  # window, clip, token
    order = tokens.flatten()
    groups = tuple(
        (count * clips, None if bool((regions == regions[0]).all()) else regions[:, None] != regions)
        for count, regions in zip(kind.bincount().tolist(), kinds, strict=True)
    )
    return _Windows(order=order, back=order.argsort(), groups=groups)


@torch.compiler.disable  # how tokens are counted cannot be compiled, and need not be
def _known_windows(clips: int, size: Size, window: Size, shift: Size) -> _Windows:
    return _windows(clips, size, window, shift)


def _cut(grid: Int64[Tensor, "time height width"], window: Size) -> Int64[Tensor, "window token"]:
    for axis in (2, 1, 0):
        grid = grid.unflatten(axis, (-1, window[axis]))
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, window[0] * window[1] * window[2])


class _Reordered(torch.autograd.Function):
    """Rows in another order; the gradient goes the same way back, which is faster than adding rows up by their number."""

    @staticmethod
    def forward(ctx, rows: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(order, back)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None, None]:
        order, back = ctx.saved_tensors
        return _Reordered.apply(grads[0], back, order), None, None  # pyright: ignore[reportReturnType]


def _attend(
    part: ShiftedWindowAttention3d, inputs: Float[Tensor, "clip time height width channel"]
) -> Float[Tensor, "clip time height width channel"]:
    clips, *whole, channels = inputs.shape
    small = [own >= there for own, there in zip(part.window_size, whole, strict=True)]
    window = _size(
        there if is_small else own for own, there, is_small in zip(part.window_size, whole, small, strict=True)
    )
    shift = _size(0 if is_small else own for own, is_small in zip(part.shift_size, small, strict=True))
    missing = [-there % own for own, there in zip(window, whole, strict=True)]
    padded = functional.pad(inputs, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0])) if any(missing) else inputs
    windows = _known_windows(clips, _size(padded.shape[1:4]), window, shift)  # pyright: ignore[reportCallIssue]  decorated

    tokens = _reordered(padded.reshape(-1, channels), windows.order, windows.back)
    qkv = functional.linear(
        tokens, part.qkv.weight, part.qkv.bias
    )  # a hook on `qkv` does not run in torchvision, either
    qkv = qkv.view(-1, window[0] * window[1] * window[2], 3, part.num_heads, channels // part.num_heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
    bias = part.get_relative_position_bias(list(window))
    found, start = [], 0
    for count, hidden in windows.groups:
        here = slice(start, start + count)
        mask = (bias if hidden is None else bias + _MASKED * hidden).to(query.dtype)
        found.append(functional.scaled_dot_product_attention(query[here], key[here], value[here], attn_mask=mask))
        start += count
    mixed = (found[0] if len(found) == 1 else torch.cat(found)).transpose(1, 2).reshape(-1, channels)
    mixed = functional.linear(mixed, part.proj.weight, part.proj.bias)
    mixed = _reordered(mixed, windows.back, windows.order).view(padded.shape)
    return mixed[:, : whole[0], : whole[1], : whole[2]].contiguous()


def _reordered(rows: Float[Tensor, "token channel"], order: Tensor, back: Tensor) -> Float[Tensor, "token channel"]:
    found = _Reordered.apply(rows, order, back)
    assert isinstance(found, Tensor)
    return found


def _size(values: Iterator[int] | torch.Size) -> Size:
    time, height, width = values
    return time, height, width
