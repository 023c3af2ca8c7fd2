"""Hard negatives never touch the label, and are as large as what they stand against."""

import numpy as np
import pytest

from video_tcav.proposals import Tube
from video_tcav.proposals.negatives import negative_tube


def _tube(left, *, frames=20, first=0, speed=1.0, width=30.0, top=40.0):
    start = left + speed * np.arange(frames)
    boxes = np.stack([start, np.full(frames, top), start + width, np.full(frames, top + 60)], axis=1)
    return Tube(first=first, boxes=boxes, label="person", score=0.9, found=1.0)


def _touch(one, other):
    first, end = max(one.first, other.first), min(one.end, other.end)
    a, b = one.part(first, end).boxes, other.part(first, end).boxes
    apart = (a[:, 2] <= b[:, 0]) | (b[:, 2] <= a[:, 0]) | (a[:, 3] <= b[:, 1]) | (b[:, 3] <= a[:, 1])
    return not apart.all()


def test_the_mirrored_path_is_taken_where_it_is_free():
    tube = _tube(10)
    found = negative_tube(tube, [tube], (120, 200))
    np.testing.assert_allclose(found.boxes[:, 0], 200 - tube.boxes[:, 2])
    np.testing.assert_allclose(found.boxes[:, [1, 3]], tube.boxes[:, [1, 3]])
    assert found.label == "not person"


@pytest.mark.parametrize("seed", range(5))
def test_no_negative_touches_any_tube_of_the_label(seed):
    tubes = [_tube(10), _tube(165, speed=-0.5), _tube(90, first=5, frames=10, speed=0)]
    found = [negative_tube(tube, tubes, (120, 300), seed=seed) for tube in tubes]
    assert all(found)
    for tube, negative in zip(tubes, found, strict=True):
        assert not any(_touch(negative, other) for other in tubes)
        np.testing.assert_allclose(negative.boxes[:, 2:] - negative.boxes[:, :2], tube.boxes[:, 2:] - tube.boxes[:, :2])
        assert np.abs(negative.boxes[:, 1] - tube.boxes[:, 1]).max() <= 0.15 * 120
        assert negative.boxes.min() >= 0 and negative.boxes[:, 2].max() <= 300
        assert (negative.first, negative.end) == (tube.first, tube.end)


def test_boxes_that_made_no_tube_are_kept_clear_of_too():
    tube = _tube(10)
    weak = [(4, np.array([[150.0, 50, 190, 90]]))]
    found = negative_tube(tube, [tube], (120, 200), label_boxes=weak)
    left, _, right, _ = found.boxes[4]
    assert right <= 150 or left >= 190


def test_there_is_none_where_there_is_no_room():
    tube = _tube(20, width=120.0, speed=0)
    assert negative_tube(tube, [tube], (120, 160)) is None
