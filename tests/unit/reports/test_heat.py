"""Heat on frames against the definition: opacity and colour by the share of one scale over the whole clip."""

import time

import cv2
import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from tests.unit.reports.spots import GREY, grey_clip
from video_tcav.core.errors import InputError
from video_tcav.reports.maps.heat import blend_heat, heat_colours, heat_scale


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def some_frames(count: int = 3, height: int = 24, width: int = 32) -> torch.Tensor:
    return (drawn(count, 3, height, width) * 256).to(torch.uint8)


def slow_blend(frames: torch.Tensor, heat: torch.Tensor, *, signed: bool, strength: float, scale: float) -> np.ndarray:
    shares = (heat / scale).clamp(-1, 1).numpy()
    colours = mpl.colormaps["managua_r"]((shares + 1) / 2)[..., :3] * 255
    opacity = (strength * np.abs(shares))[:, None]
    return frames.numpy() * (1 - opacity) + colours.transpose(0, 3, 1, 2) * opacity


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_blending_is_the_slow_definition(signed, strength):
    frames = some_frames()
    heat = drawn(3, 24, 32, seed=1) - (0.5 if signed else 0)
    expected = slow_blend(frames, heat, signed=signed, strength=strength, scale=heat_scale(heat))
    found = blend_heat(frames, heat, signed=signed, strength=strength).numpy()
    assert (
        np.abs(found - expected).max() < 6
    )  # 256 levels of 8 bits; one with the wrong sign or scale is off by a hundred


@pytest.mark.parametrize("signed", [False, True])
def test_the_same_value_has_the_same_colour_in_every_frame(signed):
    heat = torch.full((3, 8, 8), 0.5)
    heat[1, :4], heat[2, :4] = 1.0, 0.1
    blended = blend_heat(grey_clip(3, 8, 8), heat, signed=signed)
    assert (blended[:, :, 4:] == blended[0, :, 7, 7][None, :, None, None]).all()
    assert (blended[1, :, 0, 0] != blended[2, :, 0, 0]).any()


@pytest.mark.parametrize("signed", [False, True])
def test_a_pixel_without_heat_stays_as_it_was(signed):
    frames, heat = some_frames(), torch.zeros(3, 24, 32)
    assert (blend_heat(frames, heat, signed=signed) == frames).all()
    heat[1, :12] = 2.0
    blended = blend_heat(frames, heat, signed=signed)
    assert (blended[[0, 2]] == frames[[0, 2]]).all() and (blended[1, :, 12:] == frames[1, :, 12:]).all()
    assert (blended[1, :, :12] != frames[1, :, :12]).any(0).float().mean() > 0.9


def test_for_is_orange_and_against_is_blue():
    heat = torch.tensor([[[1.0, -1.0, 0.0]]])
    forth, against, nothing = blend_heat(grey_clip(1, 1, 3), heat, signed=True)[0, :, 0].int().T
    assert forth[0] > forth[2] + 60 and against[2] > against[0] + 60
    assert nothing.tolist() == [GREY] * 3


@pytest.mark.parametrize("signed", [False, True])
def test_more_heat_covers_more_of_the_video(signed):
    heat = torch.linspace(0, 1, 64).expand(1, 1, -1)
    light, dark = torch.full((1, 3, 1, 64), 255, dtype=torch.uint8), torch.zeros((1, 3, 1, 64), dtype=torch.uint8)
    left = (blend_heat(light, heat, signed=signed).int() - blend_heat(dark, heat, signed=signed).int())[0, 0, 0]
    assert left[0] == 255 and left[-1] == pytest.approx(255 * 0.4, abs=2)
    assert (left.diff() < 0).all()


@pytest.mark.parametrize("signed", [False, True])
def test_lightness_tells_how_hot_it_is_without_colour(signed):
    colours = heat_colours(signed)
    lightness = cv2.cvtColor(np.float32(colours[None] / 255), cv2.COLOR_RGB2Lab)[0, :, 0]
    arms = (lightness[144:], lightness[:112][::-1]) if signed else (lightness,)
    for arm in arms:
        steps = np.diff(arm)
        assert (steps > -0.15).all() and arm[-1] > 70  # lightness goes from 0 to 100
        assert steps.reshape(-1)[: len(steps) // 8 * 8].reshape(8, -1).sum(1).min() > 1


@given(factor=st.floats(1e-6, 1e6), signed=st.booleans())
def test_the_unit_of_heat_does_not_matter(factor, signed):
    frames, heat = some_frames(), drawn(3, 24, 32, seed=2) - (0.5 if signed else 0)
    first, second = (blend_heat(frames, one, signed=signed).int() for one in (heat, heat * factor))
    assert (first - second).abs().max() <= 4


def test_the_scale_is_the_high_quantile_of_what_is_not_zero():
    heat = drawn(4, 50, 60, seed=3) ** 3 - 0.2
    assert heat_scale(heat) == pytest.approx(float(heat.abs().quantile(0.99)), rel=0.006)
    with_zeros = torch.cat([heat, torch.zeros(40, 50, 60)])
    assert heat_scale(with_zeros) == heat_scale(heat) == heat_scale(-heat) == heat_scale(heat.double())
    assert heat_scale(torch.zeros(2, 3, 4)) == 0


def test_a_few_extreme_pixels_do_not_make_the_rest_pale():
    heat = torch.full((2, 40, 40), 0.5)
    heat[0, 0, :2] = 1000.0
    plain = blend_heat(grey_clip(2, 40, 40), torch.full((2, 40, 40), 0.5), signed=False)
    assert (blend_heat(grey_clip(2, 40, 40), heat, signed=False) == plain).all()


def test_one_hot_pixel_in_an_empty_clip_gets_the_full_colour():
    heat = torch.zeros(8, 100, 100)
    heat[3, 20, 30] = 1e-5
    blended = blend_heat(grey_clip(8, 100, 100), heat, signed=False, strength=1)
    assert blended[3, :, 20, 30].tolist() == heat_colours(False)[255].tolist()
    assert (blended != GREY).any(1).sum() == 1


def test_a_given_scale_replaces_the_clip_s_own():
    heat = torch.full((1, 2, 2), 0.5)
    own, given_ = (blend_heat(grey_clip(1, 2, 2), heat, signed=False, strength=1, scale=scale) for scale in (None, 1))
    assert own[0, :, 0, 0].tolist() == heat_colours(False)[255].tolist()
    assert (given_[0, :, 0, 0].float() - torch.tensor(heat_colours(False)[128] * 0.5 + GREY * 0.5)).abs().max() < 2


def test_what_the_model_did_not_see_is_darkened():
    frames, seen = some_frames(), torch.zeros(24, 32, dtype=torch.bool)
    seen[:, 4:28] = True
    blended = blend_heat(frames, torch.zeros(3, 24, 32), signed=False, seen=seen)
    assert (blended[..., 4:28] == frames[..., 4:28]).all()
    outside = torch.cat([blended[..., :4], blended[..., 28:]], -1).float()
    assert (outside - 0.35 * torch.cat([frames[..., :4], frames[..., 28:]], -1).float()).abs().max() <= 1


def test_neither_order_in_memory_nor_gradients_matter_and_inputs_stay():
    frames, heat = some_frames(), drawn(3, 24, 32).requires_grad_()
    before = frames.clone(), heat.detach().clone()
    expected = blend_heat(frames, heat, signed=False)
    last = frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    turned = heat.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert (blend_heat(last, turned, signed=False) == expected).all()
    assert (blend_heat(frames, heat.detach().double(), signed=False) == expected).all()
    assert (frames == before[0]).all() and (heat == before[1]).all()


def test_tables_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        heat_colours(True)[0] = 0


def test_blending_is_fast():
    frames, heat, took = some_frames(16, 240, 320), drawn(16, 240, 320), []
    for _ in range(8):
        start = time.thread_time()
        blend_heat(frames, heat, signed=False)
        took.append(time.thread_time() - start)
    assert min(took) < 0.03


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": torch.zeros(2, 3, 4, 5)}, r"`frames` must be uint8 .*Got float32 \(2, 3, 4, 5\)"),
        ({"frames": torch.zeros(2, 4, 5, 3, dtype=torch.uint8)}, r"`frames` must be .*Got uint8 \(2, 4, 5, 3\)"),
        ({"frames": torch.zeros(0, 3, 4, 5, dtype=torch.uint8)}, "with a frame in it"),
        ({"heat": torch.zeros(1, 4, 5)}, r"`heat` must be floats of shape \(2, 4, 5\).*Got float32 \(1, 4, 5\)"),
        ({"heat": torch.zeros(2, 5, 4)}, r"Got float32 \(2, 5, 4\)\. Bring it to"),
        ({"heat": torch.zeros(2, 4, 5, dtype=torch.int64)}, "Got int64"),
        ({"seen": torch.ones(5, 4, dtype=torch.bool)}, r"`seen` must be bool of shape \(4, 5\)\. Got bool \(5, 4\)"),
        ({"seen": torch.ones(4, 5)}, r"Got float32 \(4, 5\)\. Give one value a pixel"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given_ = {"frames": grey_clip(2, 4, 5), "heat": torch.zeros(2, 4, 5), "signed": False} | change
    with pytest.raises((InputError, TypeCheckError), match=rf"{message}|Type-check error"):
        blend_heat(**given_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heat": torch.full((2, 4, 5), float("nan"))}, "`heat` must be finite. Got nan"),
        ({"heat": torch.full((2, 4, 5), float("inf"))}, "`heat` must be finite. Got inf"),
        ({"heat": torch.full((2, 4, 5), -0.25)}, "must not be negative without `signed`. Got -0.25. Set `signed`"),
        ({"strength": 0.0}, "`strength` must be above 0 and at most 1. Got 0.0"),
        ({"strength": 1.5}, "Got 1.5. 0.6 is usual"),
    ],
)
def test_wrong_values_are_refused(change, message):
    given_ = {"frames": grey_clip(2, 4, 5), "heat": torch.zeros(2, 4, 5), "signed": False} | change
    with pytest.raises(InputError, match=message):
        blend_heat(**given_)
