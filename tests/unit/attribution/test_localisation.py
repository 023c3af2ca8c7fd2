"""ROC AUC of maps beside its definition: pairs of voxels inside and outside."""

import numpy as np
import pytest
import torch

from video_tcav.attribution.metrics import auc_inside
from video_tcav.core.errors import ShapeError


def test_auc_counts_pairs_with_ties_by_half():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(-3, 4, (3, 2, 3, 4), generator=generator).float()
    masks = torch.rand(3, 2, 3, 4, generator=generator) < 0.4
    for values, mask, area in zip(maps, masks, auc_inside(maps, masks), strict=True):
        pairs = [(a > b) + 0.5 * (a == b) for a in values[mask].tolist() for b in values[~mask].tolist()]
        assert float(area) == pytest.approx(np.mean(pairs))


def test_the_mask_itself_has_1_its_opposite_0_and_a_flat_map_a_half():
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[:, :, 1:3] = True
    assert [float(auc_inside(values, masks)) for values in (masks.float(), -masks.float(), torch.ones(1, 2, 4, 4))] == [
        1,
        0,
        0.5,
    ]


def test_a_full_or_empty_mask_has_none():
    full = torch.ones(1, 2, 4, 4, dtype=torch.bool)
    assert auc_inside(torch.rand(1, 2, 4, 4), full).isnan().all()
    assert auc_inside(torch.rand(1, 2, 4, 4), ~full).isnan().all()
    with pytest.raises(ShapeError, match="`mask` must have the shape of the maps"):
        auc_inside(torch.rand(1, 2, 4, 5), full)
