from itertools import permutations

import pytest
import torch
from torch import nn

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.layers import layer_axes
from video_tcav.models.load import load_model

from .networks import Blocked, Tokens


@pytest.mark.parametrize("unit", [(1, 2, 2), (1, 4, 4), (2, 2, 2), (2, 4, 4), (1, 2, 4), (4, 1, 2)])
@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("seed", [0, 1])
def test_tokens_in_mask_units_are_refused(unit, prefix, seed):
    torch.manual_seed(seed)
    model = load_model(Blocked(unit, prefix=prefix), frames=8, size=32)
    with pytest.raises(AxesError, match="`layer` must"):
        layer_axes(model, "blocks.0")


@pytest.mark.parametrize("unit", [(1, 1, 1), (1, 1, 8), (1, 8, 8), (2, 8, 8)])
def test_units_that_keep_the_order_of_an_axis_are_read(unit):
    torch.manual_seed(0)
    model = load_model(Blocked(unit), frames=8, size=32)
    assert layer_axes(model, "blocks.0") == LayerAxes(
        dims=("clip", "token", "channel"), token_order=("time", "height", "width"), grid=(4, 8, 8)
    )


@pytest.mark.parametrize("order", list(permutations(("time", "height", "width"))))
@pytest.mark.parametrize("depth", [1, 4])
def test_true_orders_still_pass(order, depth):
    torch.manual_seed(1)
    model = load_model(Tokens(order, depth=depth), frames=8, size=32)
    axes = layer_axes(model, f"blocks.{depth - 1}")
    assert (axes.token_order, axes.grid, axes.prefix_tokens) == (order, (4, 8, 8), 1)


class Reordered(nn.Module):
    """A network that keeps a dimension for each axis, over frames, rows or columns in another order."""

    def __init__(self, dim, order, layers=1):
        super().__init__()
        self.dim, self.order = dim, list(order)
        self.net = nn.Sequential(nn.Conv3d(3, 8, 3, 1, 1), *(nn.Conv3d(8, 8, 3, 1, 1) for _ in range(layers - 1)))
        self.head = nn.Linear(8, 4)

    def forward(self, clip):
        features = self.net(clip.index_select(self.dim, torch.tensor(self.order)))
        return self.head(features.mean((2, 3, 4)))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("dim", "size"), [(2, 16), (3, 32), (4, 32)])
def test_axes_whose_positions_are_interleaved_are_refused(dim, size, layers):
    torch.manual_seed(layers)
    for order in (
        [*range(0, size, 2), *range(1, size, 2)],
        [place for half in range(size // 2) for place in (half, half + size // 2)],
    ):
        model = load_model(Reordered(dim, order, layers), frames=16, size=32)
        with pytest.raises(AxesError, match="`layer` must"):
            layer_axes(model, f"net.{layers - 1}")


@pytest.mark.parametrize("layers", [1, 3])
def test_axes_in_order_still_pass(layers):
    torch.manual_seed(layers)
    model = load_model(Reordered(2, range(16), layers), frames=16, size=32)
    assert layer_axes(model, f"net.{layers - 1}").dims == ("clip", "channel", "time", "height", "width")
