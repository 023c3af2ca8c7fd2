"""The motion detector against the truth of the rendered world, and what it must not take for motion."""

import cv2
import numpy as np
import pytest
import torch

from video_tcav.core.errors import InputError
from video_tcav.proposals import MotionDetector, track
from video_tcav.proposals.detect_tubes import sampled_frames
from video_tcav.proposals.motion import shake_of
from video_tcav.proposals.tracking import overlaps
from video_tcav.rendered import render, sample_factors
from video_tcav.rendered.dataset import FPS
from video_tcav.rendered.factors import MOTIONS
from video_tcav.rendered.renderer import FRAMES, SIZE

MOVING = tuple(motion for motion in MOTIONS if motion != "still")
CLIPS = 6  # of each motion
SEED = 11  # the detector's numbers were chosen on others


def _overlap_of_tubes(factors, size, frames):
    """Mean overlap of the largest tube with the figure while it lasts; 0 without a tube."""
    clip = render(factors, size=size, frames=frames)
    truth, times_s = clip.boxes("figure").numpy(), np.arange(frames) / (FPS * frames / FRAMES)
    detector = MotionDetector()
    sampled = sampled_frames(times_s, detector, 0.2)
    tubes = track(detector.detect(clip.clip[sampled]), sampled, times_s, smallest_px=size / 6)
    if not tubes:
        return 0.0
    tube = max(tubes, key=lambda one: len(one.boxes) * (one.boxes[:, 2:] - one.boxes[:, :2]).prod(1).mean())
    return float(overlaps(tube.boxes, truth[tube.first : tube.end]).mean())


@pytest.mark.parametrize(("size", "frames"), [(SIZE, FRAMES), (128, 32)])
def test_tubes_of_motion_lie_over_the_figures_that_move(size, frames):
    found = {
        motion: np.array(
            [_overlap_of_tubes(one, size, frames) for one in sample_factors(CLIPS, seed=SEED, motion=motion)]
        )
        for motion in MOVING
    }
    for motion, values in found.items():
        print(f"{motion:>10} {values.mean():.2f}, with a tube: {(values > 0).mean():.0%}")
    every = np.concatenate(list(found.values()))
    print(f"{'mean':>10} {every.mean():.3f}, with a tube: {(every > 0).mean():.0%}")
    assert every.mean() >= 0.6
    assert (every > 0).mean() >= 0.9


def test_a_body_that_sways_by_less_than_a_pixel_belongs_to_its_arm():
    """No single frame shows it."""
    generator = np.random.default_rng(0)
    scene = np.kron(generator.integers(90, 120, (16, 16, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
    frames = []
    for at in range(24):
        frame = scene.copy()
        shift = round((60 + 0.4 * np.sin(at)) * 16)
        cv2.rectangle(frame, (shift, 40 * 16), (shift + 20 * 16, 100 * 16), (160, 60, 60), -1, cv2.LINE_AA, 4)
        top = 30 + round(12 * np.sin(1.3 * at))
        frame[top : top + 8, 40:60] = (230, 200, 40)
        noisy = frame + generator.normal(0, 1, frame.shape)
        frames.append(torch.from_numpy(noisy.clip(0, 255).astype(np.uint8)).permute(2, 0, 1))
    boxes = np.stack([one.boxes[0] for one in MotionDetector().detect(torch.stack(frames))])
    assert np.median(boxes[:, 3]) >= 60  # the arm ends at 50


def test_a_moving_square_has_its_box_in_a_shaking_noisy_scene():
    generator = np.random.default_rng(0)
    scene = np.kron(generator.integers(60, 120, (28, 28, 1), np.uint8), np.ones((5, 5, 3), np.uint8))
    frames = []
    for at in range(20):
        right, down = generator.integers(-3, 4, 2)
        frame = scene[8 + down : 128 + down, 8 + right : 128 + right].copy()
        frame[40:70, 10 + 4 * at : 40 + 4 * at] = (230, 30, 30)
        frames.append(torch.from_numpy(frame).permute(2, 0, 1))
    found = MotionDetector().detect(torch.stack(frames))
    assert all(one.labels == ("motion",) for one in found)
    truth = np.array([[10 + 4 * at, 40, 40 + 4 * at, 70] for at in range(20)])
    measured = overlaps(np.stack([one.boxes[0] for one in found]), truth)
    assert min(measured) > 0.7


def test_the_shake_of_a_camera_is_found():
    scene = np.random.default_rng(1).integers(0, 255, (80, 90, 3), np.uint8)
    scene = cv2.resize(scene[:20, :23], (92, 80), interpolation=cv2.INTER_CUBIC)
    moves = [(0, 0), (2, -1), (-1, 1), (1, 1), (0, 0)]  # the third one is in the middle
    pictures = [scene[6 - down : 70 - down, 6 - right : 80 - right] for right, down in moves]
    found = shake_of(pictures)
    np.testing.assert_array_equal(found - found[0], np.array(moves) - moves[0])


def test_stillness_and_a_shadow_are_no_motion():
    still = torch.full((10, 3, 100, 120), 90, dtype=torch.uint8)
    assert [len(one.boxes) for one in MotionDetector().detect(still)] == [0] * 10
    shaded = still.clone()
    for at in range(10):
        shaded[at, :, 20:50, 10 * at : 10 * at + 25] = 60  # darker in all colours alike
    assert [len(one.boxes) for one in MotionDetector().detect(shaded)] == [0] * 10


def test_the_same_frames_give_the_same_boxes():
    clip = render(sample_factors(1, seed=3, motion="walk")[0], size=96).clip
    first, second = (MotionDetector().detect(clip) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_motion_has_no_other_label():
    with pytest.raises(InputError, match=r"`label` must be one of the 1 labels of motion\. Got 'person'"):
        MotionDetector(labels=["person"])
