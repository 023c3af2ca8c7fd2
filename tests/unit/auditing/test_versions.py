"""Versions against slow definitions: whose pixels are where, seeds, and what they refuse."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from tests.unit.masks.materials import block_material, rendered_material
from video_tcav.auditing import VERSIONS
from video_tcav.core.errors import InputError
from video_tcav.masks import ClipMaterial
from video_tcav.masks.compositing import alpha_of, edge_px, fitted, grown, paste

BY_TIME = {
    "original": list(range(16)),
    "frozen": [8] * 16,
    "reversed": list(range(15, -1, -1)),
    "half_speed": [4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11],
}
OVER_A_BACKGROUND = ("person_only", "swap", "person_on_noise", "person_on_stripes", "person_on_still", "paste_control")


@pytest.fixture(scope="module")
def material():
    return rendered_material(0)


@pytest.fixture(scope="module")
def donor():
    return rendered_material(1)


def inner_and_outer(mask, reach):
    """The mask without what is near its outline, and all that is not near it: pixel by pixel, in a square."""
    square = np.ones((1, 2 * reach + 1, 2 * reach + 1), bool)
    return binary_erosion(mask.numpy(), square, border_value=1), ~binary_dilation(mask.numpy(), square)


def pixels(clip, where):
    return clip.numpy().transpose(0, 2, 3, 1)[where]


@pytest.mark.parametrize("name", BY_TIME)
def test_versions_of_time_are_the_frames_in_another_order(material, name):
    torch.testing.assert_close(VERSIONS[name].frames(material), material.clip[BY_TIME[name]])


def test_shuffled_has_every_frame_once_and_each_clip_an_order_of_its_own(material):
    shuffled = VERSIONS["shuffled"].frames(material, seed=3)
    assert sorted(frame.numpy().tobytes() for frame in shuffled) == sorted(f.numpy().tobytes() for f in material.clip)
    other = ClipMaterial(key="other", clip=material.clip)
    assert not torch.equal(shuffled, VERSIONS["shuffled"].frames(other, seed=3))


def test_mirrored_swaps_left_and_right(material):
    mirrored = VERSIONS["mirrored"].frames(material)
    assert all(torch.equal(mirrored[..., column], material.clip[..., 63 - column]) for column in range(64))


@pytest.mark.parametrize("name", OVER_A_BACKGROUND)
def test_the_person_is_the_clips_own_inside_its_mask(material, donor, name):
    version = VERSIONS[name].frames(material, donor, seed=1)
    inside, _ = inner_and_outer(material.masks.occupied, edge_px(64, 64))
    assert inside.sum() > 500
    np.testing.assert_array_equal(pixels(version, inside), pixels(material.clip, inside))


def test_the_scene_of_a_swap_is_the_donors_outside_of_the_mask(material, donor):
    swap = VERSIONS["swap"].frames(material, donor)
    _, outside = inner_and_outer(material.masks.occupied, edge_px(64, 64))
    np.testing.assert_array_equal(pixels(swap, outside), pixels(donor.scene, outside))
    # the donor's scene is its clip where neither its person nor the rim around that was
    far = ~grown(donor.masks.occupied.numpy(), 4)
    np.testing.assert_array_equal(pixels(swap, outside & far), pixels(donor.clip, outside & far))


def test_outside_of_the_mask_is_the_mean_colour_or_the_clips_own_scene(material):
    _, outside = inner_and_outer(material.masks.occupied, edge_px(64, 64))
    mean = material.clip.float().mean((0, 2, 3)).round()
    alone = pixels(VERSIONS["person_only"].frames(material), outside)
    assert np.abs(alone - mean.numpy()).max() == 0
    control = pixels(VERSIONS["paste_control"].frames(material), outside)
    np.testing.assert_array_equal(control, pixels(material.scene, outside))


def test_noise_stripes_and_stills_do_not_move(material, donor):
    _, outside = inner_and_outer(material.masks.occupied, edge_px(64, 64))
    never = outside.all(0)
    for name in ("person_on_noise", "person_on_stripes", "person_on_still"):
        version = VERSIONS[name].frames(material, donor).numpy()
        assert np.ptp(version[:, :, never], axis=0).max() == 0
        assert version[0][:, never].std() > 5


@pytest.mark.parametrize("name", [name for name in VERSIONS.names() if VERSIONS[name].still_of])
def test_a_still_is_one_frame_of_its_version(material, donor, name):
    still = VERSIONS[name].frames(material, donor, seed=2)
    moving = VERSIONS[VERSIONS[name].still_of].frames(material, donor, seed=2)
    assert all(torch.equal(frame, moving[8]) for frame in still)


@pytest.mark.parametrize("name", VERSIONS.names())
def test_versions_depend_on_seed_and_clip_alone(material, donor, name):
    version = VERSIONS[name]
    before = material.clip.clone()
    first = version.frames(material, donor, seed=5)
    anew = ClipMaterial(key=material.key, clip=material.clip, masks=material.masks)
    assert torch.equal(first, version.frames(anew, donor, seed=5))
    assert first.shape == material.clip.shape and first.dtype == torch.uint8
    assert torch.equal(before, material.clip)
    assert version.sentence.endswith(".") and version.name == name


def test_the_seed_decides_about_noise_and_stripes(material):
    for name in ("person_on_noise", "person_on_stripes", "shuffled"):
        first, second = (VERSIONS[name].frames(material, seed=seed) for seed in (0, 1))
        assert not torch.equal(first, second)


def test_a_donor_of_another_size_and_length_is_fitted(material):
    small, scene = block_material(frames=5, height=24, width=48)
    swap = VERSIONS["swap"].frames(material, small)
    assert swap.shape == material.clip.shape
    # 24 x 48 is cut to the 24 x 24 in the middle, and enlarged to 64 x 64
    _, outside = inner_and_outer(material.masks.occupied, edge_px(64, 64))
    middle = scene[:, :, 12:36].float().mean((1, 2))
    assert np.abs(pixels(swap, outside).mean(0) - middle.numpy()).max() < 8


def test_fitting_keeps_what_fits(material):
    assert torch.equal(fitted(material.clip, 16, 64, 64), material.clip)
    assert torch.equal(fitted(material.clip, 4, 64, 64), material.clip[[0, 5, 10, 15]])


def test_versions_that_need_masks_or_a_donor_say_so(material):
    bare = ClipMaterial(key="bare", clip=material.clip)
    with pytest.raises(InputError, match="`masks` must be there for the version scene_only"):
        VERSIONS["scene_only"].frames(bare)
    with pytest.raises(InputError, match="`donor` must be there for the version swap"):
        VERSIONS["swap"].frames(material)


def test_alpha_is_soft_near_the_outline_and_exact_elsewhere(material):
    mask, reach = material.masks.person, edge_px(64, 64)
    alpha = alpha_of(mask)
    inside, outside = inner_and_outer(mask, reach)
    assert np.allclose(alpha[inside], 1) and np.allclose(alpha[outside], 0)
    assert ((alpha > 0.01) & (alpha < 0.99)).any()
    white, black = torch.full_like(material.clip, 255), torch.zeros_like(material.clip)
    np.testing.assert_allclose(paste(white, mask, black)[:, 0].numpy(), alpha * 255, atol=0.51)
