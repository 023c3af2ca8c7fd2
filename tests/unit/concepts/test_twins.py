"""Twins: what is removed is removed, and nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from video_tcav.concepts import TWINS, twin_clip, twin_order
from video_tcav.core.errors import InputError

CLIP = torch.arange(6).reshape(6, 1, 1, 1).expand(6, 3, 2, 2)


def test_frozen_repeats_the_middle_frame():
    assert twin_clip(CLIP, "frozen")[:, 0, 0, 0].tolist() == [3] * 6


def test_reversed_plays_backwards():
    assert twin_clip(CLIP, "reversed")[:, 0, 0, 0].tolist() == [5, 4, 3, 2, 1, 0]


@given(frames=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_shuffled_and_reversed_keep_every_frame(frames, seed):
    for twin in ("shuffled", "reversed"):
        assert sorted(twin_order(twin, frames, seed=seed).tolist()) == list(range(frames))


@given(seed=st.integers(0, 100))
def test_the_same_seed_shuffles_alike(seed):
    assert torch.equal(twin_order("shuffled", 16, seed=seed), twin_order("shuffled", 16, seed=seed))


@pytest.mark.parametrize("twin", TWINS)
def test_time_may_be_any_axis_and_the_clip_is_not_changed(twin):
    before = CLIP.clone()
    across = CLIP.transpose(0, 1)
    assert torch.equal(twin_clip(across, twin, time_dim=1).transpose(0, 1), twin_clip(CLIP, twin))
    assert torch.equal(before, CLIP)


def test_twice_reversed_is_the_clip():
    assert torch.equal(twin_clip(twin_clip(CLIP, "reversed"), "reversed"), CLIP)


def test_unknown_twins_are_refused():
    with pytest.raises(InputError, match="`twin` must be one of frozen, reversed, shuffled. Got 'mirrored'"):
        twin_order("mirrored", 4)
