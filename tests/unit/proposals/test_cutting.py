"""Crops and greyed pictures of tubes: where they are, how large, and which frame is the sharpest."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from video_tcav.concepts import KINDS
from video_tcav.proposals import Tube
from video_tcav.proposals.cutting import GREY, crop_size, pieces, shrunk, square, squares, versions

PAD = 0.15


def cut(frames, boxes, *, fps, kinds=KINDS, side_px=224):
    """The versions of a tube in frames that are all there."""
    path = squares(boxes, frames.shape[-2:], fps=fps, pad=PAD)
    pictures = frames.permute(0, 2, 3, 1).numpy()
    crops = [square(one, place, crop_size(path, side_px)) for one, place in zip(pictures, path, strict=True)]
    whole = np.stack([shrunk(np.ascontiguousarray(one), side_px) for one in pictures])
    scale = np.array([whole.shape[2] / frames.shape[-1], whole.shape[1] / frames.shape[-2]] * 2)
    crop, whole = (torch.from_numpy(some).permute(0, 3, 1, 2) for some in (np.stack(crops), whole))
    return versions(crop, whole, boxes * scale, kinds=kinds, pad=PAD)


def _tube(boxes):
    return Tube(first=0, boxes=np.asarray(boxes, float), label="x", score=1.0, found=1.0)


def _boxes(frames, left=30.0, top=20.0, width=20.0, height=40.0, speed=1.0):
    start = left + speed * np.arange(frames)
    return np.stack([start, np.full(frames, top), start + width, np.full(frames, top + height)], axis=1)


@pytest.mark.parametrize(("length_s", "count"), [(0.8, 1), (2.6, 1), (3.1, 2), (6.0, 3), (10.0, 5)])
def test_pieces_are_alike_in_length_and_hold_every_frame(length_s, count):
    frames = round(25 * length_s)
    found = pieces(_tube(_boxes(frames)), np.arange(frames) / 25, 2.0)
    assert len(found) == count
    assert sum(len(one.boxes) for one in found) == frames
    assert max(len(one.boxes) for one in found) - min(len(one.boxes) for one in found) <= 1
    assert [one.first for one in found[1:]] == [one.end for one in found[:-1]]


@settings(max_examples=40, deadline=None)
@given(
    left=some.floats(-20, 150),
    top=some.floats(-20, 90),
    width=some.floats(2, 200),
    height=some.floats(2, 150),
    speed=some.floats(-5, 5),
)
def test_squares_are_inside_the_picture(left, top, width, height, speed):
    path = squares(_boxes(12, left, top, width, height, speed), (100, 160), fps=25, pad=PAD)
    assert (path[:, :2] >= 0).all()
    assert (path[:, 0] + path[:, 2] <= 160).all() and (path[:, 1] + path[:, 2] <= 100).all()


def test_a_square_is_the_padded_box_around_its_middle():
    path = squares(_boxes(20, speed=0.0), (100, 160), fps=25, pad=PAD)
    assert (path == [17, 17, 46]).all()  # 40 × 1.15 around (40, 40)


def test_the_path_is_smooth_where_boxes_jitter():
    jitter = np.random.default_rng(0).normal(0, 3, (50, 1))
    path = squares(_boxes(50) + jitter, (100, 160), fps=25, pad=PAD)
    assert np.abs(np.diff(path[:, 0], n=2)).mean() < 0.3 * np.abs(np.diff(jitter[:, 0], n=2)).mean()


@pytest.mark.parametrize(("side", "side_px", "size"), [(40, 224, 92), (200, 224, 224), (40, 64, 64), (11, 224, 26)])
def test_nothing_is_enlarged_more_than_twice(side, side_px, size):
    frames = torch.randint(0, 255, (4, 3, 260, 300), dtype=torch.uint8)
    clip, shown = cut(frames, _boxes(4, 20, 20, side, side, 0), fps=25, side_px=side_px)["moving"]
    assert clip.shape == (4, 3, size, size)
    assert shown == [0, 1, 2, 3]


def test_the_crop_shows_what_is_in_the_box():
    frames, boxes = torch.zeros(10, 3, 100, 160, dtype=torch.uint8), _boxes(10, speed=3.0, width=40)
    for at, (left, top, right, bottom) in enumerate(boxes.astype(int)):
        frames[at, 0, top:bottom, left:right] = 250
    clip, _ = cut(frames, boxes, fps=25, kinds=["moving"])["moving"]
    assert clip.shape[-2:] == (92, 92)
    middle = clip[:, 0, 20:72, 20:72].float()
    assert middle[1:-1].min() > 240
    assert clip[1:-1, 0, :3].float().mean() < 20  # the padding


def test_the_still_is_the_sharpest_frame():
    sharp = np.kron(np.random.default_rng(0).integers(0, 255, (25, 40, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    pictures = [cv2.GaussianBlur(sharp, (0, 0), 0.5 if at == 3 else 2.5) for at in range(6)]
    frames = torch.stack([torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures])
    clip, shown = cut(frames, _boxes(6, speed=0), fps=25, kinds=["still"])["still"]
    assert shown == [3]
    assert len(clip) == 1


def test_focus_and_scene_are_each_other_in_grey():
    frames = torch.full((3, 3, 100, 160), 200, dtype=torch.uint8)
    found = cut(frames, _boxes(3, 60, 30, 30, 40, 0), fps=25, kinds=["focus", "scene"])
    focus, scene = found["focus"][0].int(), found["scene"][0].int()
    assert focus.shape == frames.shape
    assert (focus[:, :, 30:70, 60:90] == 200).all() and (focus[:, :, :10] == GREY).all()
    assert (scene[:, :, 30:70, 60:90] == GREY).all() and (scene[:, :, :10] == 200).all()
    assert ((focus + scene - 200 - GREY).abs() <= 1).all()
    edge = focus[0, 0, 50, :]
    assert ((edge > GREY + 5) & (edge < 195)).sum() >= 2  # soft


def test_whole_pictures_are_made_smaller_but_never_larger():
    large = torch.zeros(2, 3, 360, 641, dtype=torch.uint8)
    assert cut(large, _boxes(2), fps=25, kinds=["scene"])["scene"][0].shape == (2, 3, 224, 398)
    assert cut(large[..., :100, :160], _boxes(2), fps=25, kinds=["scene"])["scene"][0].shape == (2, 3, 100, 160)
