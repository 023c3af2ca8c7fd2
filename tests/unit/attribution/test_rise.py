import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.unit.models.networks import unchanged
from video_tcav.attribution.rise import RISE, draw_masks, mask_slopes
from video_tcav.core.errors import InputError

from . import tiny

LIKE = torch.zeros(1, dtype=torch.float64)


def test_masks_are_enlarged_grids_cut_at_random():
    masks = draw_masks(40, (2, 3, 4), 0.3, (5, 8, 12), LIKE, 7)
    assert masks(range(40)).shape == (40, 5, 8, 12) and masks(range(3)).dtype == torch.float64
    generator = torch.Generator().manual_seed(7)
    grids = (torch.rand(40, 2, 3, 4, generator=generator) < 0.3).double()
    # A cell is 3 frames of 3 × 3 pixels: each mask starts less than that from a corner.
    starts = [torch.randint(3, (40,), generator=generator).tolist() for _ in range(3)]
    large = F.interpolate(grids[:, None], size=(9, 12, 15), mode="trilinear", align_corners=False)[:, 0]
    for number, time, row, column in zip(range(40), *starts, strict=True):
        cut = large[number, time : time + 5, row : row + 8, column : column + 12]
        assert torch.allclose(masks(range(number, number + 1))[0], cut)
    assert masks(range(40)).min() >= 0 and masks(range(40)).max() <= 1


def test_a_cell_is_kept_as_often_as_was_asked():
    keep = draw_masks(2000, (2, 3, 4), 0.3, (5, 8, 12), LIKE, 0)(range(2000))
    assert keep.mean() == pytest.approx(0.3, abs=0.01)
    assert (keep.mean(0) - 0.3).abs().max() < 0.05


def test_the_slope_is_covariance_by_variance():
    masks = draw_masks(30, (2, 2, 2), 0.5, (3, 4, 5), LIKE, 1)
    values = torch.randn(30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found, kept = mask_slopes(values, masks, 7), masks(range(30)).numpy()
    for index in np.ndindex(3, 4, 5):
        here = kept[(slice(None), *index)]
        slow = np.cov(values.numpy(), here)[0, 1] / np.var(here, ddof=1)
        assert float(found[(0, *index)]) == pytest.approx(slow)


def test_nothing_is_known_where_all_masks_agree():
    kept = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    kept[:, 0, 0, 0] = 1
    found = mask_slopes(torch.tensor([1.0, 2.0, 3.0, 5.0]), lambda run: kept[list(run)], 4)
    assert found[0, 0, 0, 0] == 0 and torch.isfinite(found).all()


def test_it_is_the_definition():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    found = RISE(masks=33, cells=(2, 3, 4), seed=5)(model, clips, target=tiny.TARGET).layers["input"]
    kept = draw_masks(33, (2, 3, 4), 0.5, tiny.SHAPE, LIKE, 5)(range(33))
    for clip, one in zip(clips, found, strict=True):
        values = torch.cat([tiny.value(model, clip[None] * keep) for keep in kept])
        rows = kept - kept.mean(0)
        slow = (rows * (values - values.mean())[:, None, None, None]).sum(0) / rows.square().sum(0)
        assert torch.allclose(one, slow)


def test_a_constant_added_to_the_target_changes_nothing():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    before = RISE(masks=24)(model, clips, target=1, against="logit").values()
    model.module.head.bias.data[1] -= 30
    assert torch.allclose(before, RISE(masks=24)(model, clips, target=1, against="logit").values())


def test_the_seed_decides_and_the_global_state_does_not():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    with unchanged(model):
        first = RISE(masks=16)(model, clips, target=0).values()
    torch.manual_seed(123)
    assert torch.equal(first, RISE(masks=16)(model, clips, target=0).values())
    assert not torch.allclose(first, RISE(masks=16, seed=1)(model, clips, target=0).values())


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    assert tiny.inside(RISE(masks=300, cells=(3, 2, 3))(model, clip, target="bright").values())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match="`masks` must be at least 2. Got 1."):
        RISE(masks=1)
    with pytest.raises(InputError, match=r"`cells` must be three whole numbers from 1, .* Got \(4, 0, 7\)."):
        RISE(cells=(4, 0, 7))
    with pytest.raises(InputError, match="`keep` must lie between 0 and 1. Got 1.0. 0.5 is usual."):
        RISE(keep=1.0)
    with pytest.raises(InputError, match="`baseline` must be one of"):
        RISE(baseline="white")
