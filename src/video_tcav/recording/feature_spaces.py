"""Feature spaces: which positions of an activation are averaged before a CAV is learned.

Averaging activations over positions and summing gradients over the same positions belong together: moving the average
by δ moves every position by δ, so the target changes by the sum of the gradients times δ.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.models import LayerAxes
from video_tcav.recording.settings import Space

_POOLED_DIMS: dict[Space, tuple[int, ...]] = {"space": (2, 3), "time": (1,), "spacetime": (1, 2, 3)}


def to_space(
    values: Float[Tensor, "clip ..."], axes: LayerAxes | None, space: Space, *, gradient: bool = False
) -> Float[Tensor, "clip feature"]:
    """One row a clip in the given feature space; class tokens, which have no position, come first and are never averaged.

    Args:
        values: a layer's activation, or the gradient by it.
        axes: the layer's axes; `None` will do for `flatten` where the first dimension is the clip.
        space: `flatten` keeps every value, `space` averages over height and width, `time` over time, `spacetime` over both.
        gradient: whether `values` is a gradient, which is summed where activations are averaged.
    """
    if space == "flatten":
        return (values if axes is None else axes.per_clip(values)).flatten(1)
    if axes is None:
        raise InputError(f"`space` must be flatten where a layer's axes are unknown. Got {space}. Use --space flatten.")
    positions = axes.positions(values)
    dims = _POOLED_DIMS[space]
    pooled = positions.sum(dims) if gradient else positions.mean(dims)
    return torch.cat([axes.prefix(values).flatten(1), pooled.flatten(1)], dim=1)


def from_space(
    vectors: Float[Tensor, "clip feature"], axes: LayerAxes | None, space: Space, shape: tuple[int, ...]
) -> Float[Tensor, "row ..."]:
    """What each vector of a feature space adds to a layer's whole output: at every position that the space averages over.

    `to_space` of the result is the vector again.

    Args:
        vectors: one a clip.
        axes: as for `to_space`.
        space: the feature space that they are of.
        shape: of the layer's output for one clip.
    """
    clips = len(vectors)
    output = vectors.new_zeros((clips * shape[0], *shape[1:]), requires_grad=True)
    with torch.enable_grad():
        # sums over positions and their transpose, which copies a value to all of them, whatever the layout
        sums = to_space(output, axes, space, gradient=True)
    return torch.autograd.grad(sums, output, vectors)[0]
