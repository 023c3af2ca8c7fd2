"""What survives freezing, and what does not: parts that add up, on networks that read motion or brightness alone."""

import pytest
import torch
from torch import nn

from video_tcav.attribution import InputXGradient, split_motion
from video_tcav.core.errors import InputError
from video_tcav.models import load_model


class Reads(nn.Module):
    """Class 0 is brightness, or the change of it from frame to frame, in the left half."""

    clip_spec = {"layout": "channels_first"}

    def __init__(self, motion: bool) -> None:
        super().__init__()
        self.motion = motion
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, clip):
        left = clip[..., : clip.shape[-1] // 2]
        read = (left[:, :, 1:] - left[:, :, :-1]).abs() if self.motion else left.clamp(min=0)
        evidence = self.weight * read.sum((1, 2, 3, 4))
        return torch.stack([evidence, torch.zeros_like(evidence)], 1)


def clips():
    """Bright on the left; a blinking spot in one of the two."""
    found = torch.rand(2, 3, 8, 6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    still = found[:, :, :1].expand_as(found).clone()
    still[1, :, ::2, 2, 1] += 1
    return still


def test_parts_add_up_and_keep_sign_and_size():
    model = load_model(Reads(motion=False), frames=8, size=(6, 10), classes=["yes", "no"])
    noise = torch.randn(2, 3, 8, 6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    parts = split_motion(InputXGradient(), model, noise, target="yes")
    torch.testing.assert_close(parts.static + parts.motion, parts.total)
    assert (parts.static.abs() <= parts.total.abs()).all()
    assert (parts.static * parts.total >= 0).all() and (parts.motion * parts.total >= 0).all()
    assert ((parts.motion_share >= 0) & (parts.motion_share <= 1)).all()


def test_a_model_of_brightness_finds_no_motion_and_one_of_motion_nothing_else():
    bright = load_model(Reads(motion=False), frames=8, size=(6, 10), classes=["yes", "no"])
    moving = load_model(Reads(motion=True), frames=8, size=(6, 10), classes=["yes", "no"])
    share = split_motion(InputXGradient(), bright, clips(), target="yes", moments=8).motion_share
    assert share.tolist() == pytest.approx([0, 0])
    assert float(split_motion(InputXGradient(), moving, clips()[1:], target="yes").motion_share) == pytest.approx(1)


def test_each_moment_is_compared_with_the_clip_frozen_there():
    model = load_model(Reads(motion=False), frames=8, size=(6, 10), classes=["yes", "no"])
    fading = torch.linspace(0.1, 1, 8, dtype=torch.float64).reshape(1, 1, 8, 1, 1).expand(1, 3, 8, 6, 10)
    exact = split_motion(InputXGradient(), model, fading, target="yes", moments=8)
    coarse = split_motion(InputXGradient(), model, fading, target="yes", moments=1)
    assert float(exact.motion_share) == pytest.approx(0)
    assert float(coarse.motion_share) > 0.1


def test_progress_adds_up_and_moments_are_checked():
    model = load_model(Reads(motion=False), frames=8, size=(6, 10), classes=["yes", "no"])
    steps = []
    split_motion(InputXGradient(), model, clips(), target="yes", advance=steps.append)
    assert sum(steps) == pytest.approx(2)
    with pytest.raises(InputError, match="`moments` must be from 1 to the 8 frames"):
        split_motion(InputXGradient(), model, clips(), target="yes", moments=9)
