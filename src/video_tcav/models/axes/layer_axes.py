"""`LayerAxes`: which dimension of a layer's output is time, height, width, channel or token, and its positions as a grid."""

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError, ShapeError

POSITION_AXES = ("time", "height", "width")
AXIS_NAMES = ("clip", *POSITION_AXES, "channel", "token")


@dataclass(frozen=True, kw_only=True)
class LayerAxes:
    """The meaning of each dimension of one layer's output.

    Attributes:
        dims: name of each dimension, out of `clip`, `time`, `height`, `width`, `channel`, `token`; `clip` is first.
        token_order: axes that are flattened in the `token` dimension, slowest first; empty without one.
        grid: `(time, height, width)` sizes of the positions; set where there is a `token` dimension.
        prefix_tokens: tokens without a position (a class token) in front of the others.
        fold: how many rows of the output's first dimension belong to one clip (a frame-wise image network folds
            clip and time into it); `dims` describes the output after `per_clip`.
    """

    dims: tuple[str, ...]
    token_order: tuple[str, ...] = ()
    grid: tuple[int, int, int] | None = None
    prefix_tokens: int = 0
    fold: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.dims if name not in AXIS_NAMES]
        if unknown or self.dims[:1] != ("clip",) or len(set(self.dims)) < len(self.dims):
            raise AxesError(
                f"`dims` must start with clip and name each axis of {AXIS_NAMES} at most once. Got {self.dims}."
            )
        if ("token" in self.dims) != bool(self.token_order) or (self.token_order and self.grid is None):
            raise AxesError(
                "`token_order` and `grid` must be given with a token dimension, and only then."
                f" Got dims {self.dims}, token_order {self.token_order}, grid {self.grid}."
            )
        doubled = set(self.token_order) & set(self.dims)
        if doubled or not set(self.token_order) <= set(POSITION_AXES):
            raise AxesError(
                f"`token_order` must hold position axes that have no dimension of their own. Got {self.token_order}."
            )

    @property
    def has_positions(self) -> bool:
        """Whether the output still has positions in space or time; a pooled `(clip, channel)` layer has none."""
        return bool(self.token_order) or any(name in self.dims for name in POSITION_AXES)

    def per_clip(self, activation: Float[Tensor, " row *rest"]) -> Float[Tensor, "clip ..."]:
        """The activation with one clip in each row: a folded first dimension is split, others stay as they are."""
        if self.fold > 1:
            if activation.shape[0] % self.fold:
                raise ShapeError(
                    f"`activation` must have {self.fold} rows a clip. Got {activation.shape[0]} rows."
                    " Record and read the layer at the same number of frames."
                )
            activation = activation.unflatten(0, (-1, self.fold))
        if activation.ndim != len(self.dims):
            raise ShapeError(
                f"`activation` must have the dimensions {self.dims}. Got shape {tuple(activation.shape)}."
                " Use the axes of the layer that it was recorded at."
            )
        return activation

    def positions(self, activation: Float[Tensor, " row *rest"]) -> Float[Tensor, "clip time height width channel"]:
        """The activation, or a gradient of its shape, as a grid of positions: a view where possible.

        Prefix tokens are left out; missing axes have size one.

        Raises:
            AxesError: if the layer has no positions.
            ShapeError: if the activation is not of this layer.
        """
        if not self.has_positions:
            raise AxesError(
                f"`layer` must have positions to be mapped. Got one with dimensions {self.dims}."
                " Choose a layer before the pooling."
            )
        split, names = self._split(activation), self.dims
        if "token" in names:
            dim = names.index("token")
            split = split.narrow(dim, self.prefix_tokens, split.shape[dim] - self.prefix_tokens)
            split = split.unflatten(dim, [self._size(axis) for axis in self.token_order])
            names = names[:dim] + self.token_order + names[dim + 1 :]
        return _arrange(split, names, ("clip", *POSITION_AXES, "channel"))

    def prefix(self, activation: Float[Tensor, " row *rest"]) -> Float[Tensor, "clip prefix channel"]:
        """The tokens without a position (class tokens) of an activation or gradient; zero of them where it has none.

        Raises:
            ShapeError: if the activation is not of this layer.
        """
        split = self._split(activation)
        if "token" in self.dims:
            split = split.narrow(self.dims.index("token"), 0, self.prefix_tokens)
        arranged = _arrange(split, self.dims, ("clip", *POSITION_AXES, "token", "channel"))
        return (arranged if "token" in self.dims else arranged[:, :0]).flatten(1, 4)

    def _split(self, activation: Tensor) -> Tensor:
        split = self.per_clip(activation)
        if "token" in self.dims:
            tokens = split.shape[self.dims.index("token")]
            expected = self.prefix_tokens + prod(self._size(axis) for axis in self.token_order)
            if tokens != expected:
                raise ShapeError(
                    f"`activation` must have {expected} tokens ({self.prefix_tokens} in front of a grid {self.grid})."
                    f" Got {tokens}. Record and read the layer at the same clip size."
                )
        return split

    def _size(self, axis: str) -> int:
        assert self.grid is not None
        return self.grid[POSITION_AXES.index(axis)]


def _arrange(tensor: Tensor, names: tuple[str, ...], order: tuple[str, ...]) -> Tensor:
    """Dimensions in `order`; one that the tensor lacks has size one."""
    # A view; inserted from the front on, so that each index is that of the result.
    present = tuple(name for name in order if name in names)
    tensor = torch.permute(tensor, [names.index(name) for name in present])
    for index, name in enumerate(order):
        if name not in present:
            tensor = tensor.unsqueeze(index)
    return tensor
