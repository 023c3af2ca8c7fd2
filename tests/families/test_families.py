"""The table of families in docs/models.md: every cell is measured."""

import dataclasses

import pytest

from video_tcav.models.layers import layers_axes

from .all import FAMILIES
from .family import row, square_is_hit
from .hub import load
from .table import documented

pytestmark = [  # of pytorchvideo and Hiera: when they are imported, and in the gradient of X3D's Swish
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:'saved_variables' is deprecated:DeprecationWarning"),
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_cell_is_as_documented(family, tmp_path):
    assert row(family, tmp_path) == documented()[family.name]


def test_a_map_with_exchanged_axes_is_not_on_the_square():
    """The column "Grad-CAM" can say no."""
    model = load("mvit_base_16x4")
    layer = model.stages()[0]
    axes = layers_axes(model, [layer])[layer]
    wrong = dataclasses.replace(axes, token_order=("time", "width", "height"))
    exchanged = dataclasses.replace(model, declare_axes=lambda *_: wrong)
    assert square_is_hit(model, layer)
    assert not square_is_hit(exchanged, layer)


def test_the_table_has_these_families():
    assert list(documented()) == [family.name for family in FAMILIES]
