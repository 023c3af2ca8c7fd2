import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from video_tcav.core.errors import AxesError, ShapeError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes

POSITIONS = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)  # clip, time, height, width, channel


@pytest.mark.parametrize("dims", [("channel", "time", "height", "width"), ("time", "height", "width", "channel")])
def test_positions_of_a_grid(dims):
    names = ("clip", *POSITION_AXES, "channel")
    activation = POSITIONS.permute(0, *(names.index(name) for name in dims)).float()
    axes = LayerAxes(dims=("clip", *dims))
    assert torch.equal(axes.positions(activation), POSITIONS.float())
    assert axes.prefix(activation).shape == (2, 0, 6)


@given(order=st.permutations(POSITION_AXES), prefix_tokens=st.integers(0, 2), last=st.booleans())
def test_positions_of_tokens(order, prefix_tokens, last):
    tokens = POSITIONS.permute(0, *(1 + POSITION_AXES.index(axis) for axis in order), 4).flatten(1, 3).float()
    front = -torch.ones(2, prefix_tokens, 6)
    activation = torch.cat([front, tokens], dim=1)
    axes = LayerAxes(
        dims=("clip", "token", "channel") if last else ("clip", "channel", "token"),
        token_order=tuple(order),
        grid=(3, 4, 5),
        prefix_tokens=prefix_tokens,
    )
    activation = activation if last else activation.transpose(1, 2)
    assert torch.equal(axes.positions(activation), POSITIONS.float())
    assert torch.equal(axes.prefix(activation), front)


def test_folded_frames_with_tokens_of_space():
    activation = torch.cat([torch.zeros(2, 3, 1, 6), POSITIONS.flatten(2, 3).float()], dim=2).flatten(0, 1)
    axes = LayerAxes(
        dims=("clip", "time", "token", "channel"),
        token_order=("height", "width"),
        grid=(3, 4, 5),
        prefix_tokens=1,
        fold=3,
    )
    assert torch.equal(axes.positions(activation), POSITIONS.float())
    assert axes.prefix(activation).shape == (2, 3, 6)


def test_missing_axes_have_size_one():
    assert LayerAxes(dims=("clip", "channel", "time")).positions(torch.ones(2, 6, 3)).shape == (2, 3, 1, 1, 6)
    assert LayerAxes(dims=("clip", "height", "width")).positions(torch.ones(2, 4, 5)).shape == (2, 1, 4, 5, 1)


def test_a_pooled_layer_has_no_positions():
    axes = LayerAxes(dims=("clip", "channel"))
    assert not axes.has_positions
    with pytest.raises(AxesError, match=r"`layer` must have positions"):
        axes.positions(torch.ones(2, 6))


def test_another_layers_activation_is_refused():
    tokens = LayerAxes(dims=("clip", "token", "channel"), token_order=POSITION_AXES, grid=(3, 4, 5))
    with pytest.raises(ShapeError, match=r"must have 60 tokens"):
        tokens.positions(torch.ones(2, 61, 6))
    with pytest.raises(ShapeError, match=r"must have the dimensions .* Got shape \(2, 6\)"):
        tokens.positions(torch.ones(2, 6))
    with pytest.raises(ShapeError, match=r"must have 3 rows a clip. Got 7"):
        LayerAxes(dims=("clip", "time", "channel"), fold=3).positions(torch.ones(7, 6))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dims": ("channel", "clip")}, "`dims` must start with clip"),
        ({"dims": ("clip", "depth")}, "`dims` must start with clip"),
        ({"dims": ("clip", "time", "time")}, "`dims` must start with clip"),
        ({"dims": ("clip", "token")}, "must be given with a token dimension"),
        ({"dims": ("clip", "channel"), "token_order": ("time",)}, "must be given with a token dimension"),
        (
            {"dims": ("clip", "time", "token"), "token_order": ("time",), "grid": (2, 1, 1)},
            "`token_order` must hold position axes",
        ),
    ],
)
def test_contradictory_axes_are_refused(fields, message):
    with pytest.raises(AxesError, match=message):
        LayerAxes(**fields)
