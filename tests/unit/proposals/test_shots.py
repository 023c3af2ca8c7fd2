"""Cuts of joined clips; motion, shaking and fading light are none."""

import numpy as np
import pytest
import torch

from video_tcav.proposals import shot_cuts
from video_tcav.proposals.shots import shot_segments
from video_tcav.rendered import render, sample_factors


def _clip(scene, seed=0, motion="run"):
    return render(sample_factors(1, seed=seed, scene=scene, motion=motion)[0], size=96).clip


def test_the_joints_of_clips_are_cuts():
    joined = torch.cat([_clip("court"), _clip("street", 1), _clip("lawn", 2), _clip("noise", 3)])
    assert shot_cuts(joined).tolist() == [16, 32, 48]


@pytest.mark.parametrize("scene", ["court", "lawn", "gym", "street", "noise"])
@pytest.mark.parametrize("motion", ["run", "jack"])
def test_motion_is_no_cut(scene, motion):
    assert shot_cuts(_clip(scene, seed=5, motion=motion)).tolist() == []


def test_a_moving_camera_and_fading_light_are_no_cuts():
    wide = np.kron(np.random.default_rng(0).integers(0, 255, (10, 60, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
    pan = torch.stack([torch.from_numpy(wide[:, 20 * at : 20 * at + 150]).permute(2, 0, 1) for at in range(20)])
    assert shot_cuts(pan).tolist() == []
    light = torch.linspace(1, 0.2, 20)[:, None, None, None]
    assert shot_cuts((pan[:1].float() * light).to(torch.uint8)).tolist() == []


def test_one_frame_and_none_have_no_cut():
    assert shot_cuts(torch.zeros(1, 3, 20, 20, dtype=torch.uint8)).tolist() == []
    assert shot_cuts(torch.zeros(0, 3, 20, 20, dtype=torch.uint8)).tolist() == []


def test_stretches_hold_every_frame_once_and_end_at_cuts(monkeypatch):
    frames = torch.cat([_clip("court"), _clip("street", 1), _clip("lawn", 2)])
    times_s = np.arange(len(frames)) / 12.5
    for bytes_ in (1, 10 * frames[0].nbytes, 1 << 30):  # room for the least, for a few frames, for all
        monkeypatch.setattr("video_tcav.proposals.shots._MEMORY_BYTES", bytes_)
        monkeypatch.setattr("video_tcav.proposals.shots._SHORTEST_S", 0.4)
        found = list(shot_segments(iter(frames), times_s))
        assert torch.equal(torch.cat([one.frames for one in found]), frames)
        assert [one.first for one in found] == np.cumsum([0, *(len(one.frames) for one in found[:-1])]).tolist()
        assert {16, 32} <= {one.first for one in found}
        assert np.concatenate([one.timestamps_s for one in found]).tolist() == times_s.tolist()
    assert [one.first for one in found] == [0, 16, 32]
