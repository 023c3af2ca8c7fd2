"""Grids of layers of any layout: which position is where, and coarse grids as means of fine ones."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.core.errors import AxesError
from video_tcav.discovery.grid_rows import GridRows, PooledGradients
from video_tcav.discovery.layer_grid import LayerGrid, layer_grids
from video_tcav.models import LayerAxes
from video_tcav.models.axes.declared import CHANNELS_FIRST, CHANNELS_LAST, token_axes
from video_tcav.models.axes.spacing import Spacing
from video_tcav.recording.rows import SpillSpace

SPACINGS = (Spacing(first=0.5, step=2), Spacing(first=0, step=4), Spacing(first=0, step=4))


def grid(axes, shape, factors=(1, 1, 1), size=(2, 3, 4)):
    return LayerGrid(
        layer="l", axes=axes, shape=shape, factors=factors, size=size, clip_shape=(4, 12, 16), layer_spacings=SPACINGS
    )


TOKENS_BY_TIME = token_axes((2, 3, 4), prefix_tokens=1)
TIME_FASTEST = token_axes((2, 3, 4), prefix_tokens=1, order=("height", "width", "time"))


@pytest.mark.parametrize(
    ("axes", "arrange"),
    [
        (CHANNELS_FIRST, lambda volume: volume.permute(3, 0, 1, 2)),
        (CHANNELS_LAST, lambda volume: volume),
        (TOKENS_BY_TIME, lambda volume: torch.cat([torch.full((1, 5), 9.0), volume.flatten(0, 2)])),
        (TIME_FASTEST, lambda volume: torch.cat([torch.full((1, 5), 9.0), volume.permute(1, 2, 0, 3).flatten(0, 2)])),
    ],
)
def test_every_layout_gives_the_same_positions(axes, arrange):
    volume = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    native = arrange(volume)
    layer = grid(axes, (1, *native.shape))
    assert torch.equal(layer.positions(native.flatten()[None])[0], volume)
    # and back: what has no position gets nothing
    back = layer.native(layer.spread(volume[None]))[0]
    expected = arrange(volume)
    if axes.prefix_tokens:
        expected[0] = 0
    assert torch.allclose(back, expected)
    assert layer.is_whole == (axes.prefix_tokens == 0)


def test_a_coarse_grid_has_means_and_lies_in_the_middle_of_what_it_is_made_of():
    volume = torch.rand(1, 5, 2, 3, 4)
    layer = grid(CHANNELS_FIRST, (1, 5, 2, 3, 4), factors=(1, 2, 2), size=(2, 2, 2))
    positions = layer.positions(volume.flatten(1))
    assert positions.shape == (1, 2, 2, 2, 5)
    assert torch.allclose(positions[0, 0, 0, 0], volume[0, :, 0, :2, :2].mean((1, 2)))
    assert torch.allclose(positions[0, 1, 1, 1], volume[0, :, 1, 2:, 2:].mean((1, 2)))  # a smaller last cell
    assert layer.spacings[1] == Spacing(first=2.0, step=8)
    assert layer.spacings[0] == SPACINGS[0]


def test_values_of_a_coarse_grid_are_copied_to_all_that_its_positions_average():
    layer = grid(CHANNELS_FIRST, (1, 5, 2, 3, 4), factors=(1, 2, 2), size=(2, 2, 2))
    values = torch.rand(2, 2, 2, 2, 5)
    spread = layer.spread(values).reshape(2, 5, 2, 3, 4)
    for clip, time, row, column in np.ndindex(2, 2, 3, 4):
        assert torch.allclose(spread[clip, :, time, row, column], values[clip, time, row // 2, column // 2])
    assert torch.allclose(layer.positions(spread.flatten(1)), values)
    assert not layer.is_whole


def test_frames_that_a_layer_folds_come_back_clip_by_clip():
    layer = grid(LayerAxes(dims=("clip", "time", "channel", "height", "width"), fold=2), (2, 5, 3, 4))
    values = torch.rand(3, 2, 3, 4, 5)
    native = layer.native(layer.spread(values))
    assert native.shape == (6, 5, 3, 4)
    assert torch.allclose(native[3], values[1, 1].permute(2, 0, 1))
    assert layer.is_whole


def test_rows_are_kept_as_positions_and_as_means(tmp_path):
    layer, space = grid(CHANNELS_FIRST, (1, 5, 2, 3, 4)), SpillSpace(10**6, tmp_path)
    values = torch.rand(3, layer.width)
    rows, gradients = GridRows(layer, space), PooledGradients(layer, space)
    rows.append(values)
    gradients.append(values)
    volume = values.reshape(3, 5, 2, 3, 4)
    assert torch.allclose(rows.pooled.take([0, 1, 2]), volume.mean((2, 3, 4)))
    assert torch.allclose(gradients.pooled.take([2]), volume[2:].sum((2, 3, 4)))
    assert torch.equal(rows.positions.take([1]).reshape(2, 3, 4, 5), volume[1].permute(1, 2, 3, 0))


def test_the_grids_of_a_model_are_those_of_its_layers():
    model = vt.load_model("rendered:r2plus1d-object")
    grids = layer_grids(model, ("stages.0", "stages.3"))
    assert grids["stages.0"].size == (8, 8, 8)  # of 16 × 16 × 16
    assert grids["stages.3"].size == (4, 4, 4)
    # four times as coarse as the clip, and two of these make one
    assert grids["stages.0"].spacings[1].step == 8


def test_a_layer_without_positions_is_refused():
    with pytest.raises(AxesError, match="`layers` must have time and place. Got head with axes"):
        layer_grids(vt.load_model("rendered:r2plus1d-object"), ("head",))
