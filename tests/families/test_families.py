"""The table of families in docs/models.md: every cell is measured."""

import pytest

from .all import FAMILIES
from .family import row
from .table import documented


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of pytorchvideo and Hiera: torch.jit.script, timm.models.layers
@pytest.mark.filterwarnings("ignore:'saved_variables' is deprecated:DeprecationWarning")  # of pytorchvideo's Swish
def test_each_cell_is_as_documented(family, tmp_path):
    assert row(family, tmp_path) == documented()[family.name]


def test_the_table_has_these_families():
    assert list(documented()) == [family.name for family in FAMILIES]
