"""Tubes from boxes whose truth is known: gaps, speed, labels, and what is dropped."""

import numpy as np
import pytest

from video_tcav.core.errors import MissingExtraError
from video_tcav.proposals import Detections, track, tracking
from video_tcav.proposals.tracking import overlaps

FPS = 25.0


def _truth(frames, *, start=20.0, speed_px_s=30.0, side=(40, 80)):
    left = start + speed_px_s * np.arange(frames) / FPS
    return np.stack([left, np.full(frames, 30.0), left + side[0], np.full(frames, 30.0 + side[1])], axis=1)


def _seen(boxes, label="person", score=0.8):
    return Detections(
        boxes=np.asarray(boxes, np.float32).reshape(-1, 4),
        scores=np.full(len(boxes), score, np.float32),
        labels=(label,) * len(boxes),
    )


def _joined(*parts):
    return Detections(
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        labels=sum((part.labels for part in parts), ()),
    )


def _sampled(frames, every=5):
    return np.unique([*range(0, frames, every), frames - 1])


@pytest.mark.parametrize("speed_px_s", [0.0, 60.0, 140.0])
def test_a_tube_has_a_box_for_every_frame_from_the_first_to_the_last(speed_px_s):
    truth, at = _truth(51, speed_px_s=speed_px_s), _sampled(51)
    (tube,) = track([_seen(truth[[i]]) for i in at], at, np.arange(51) / FPS)
    assert (tube.first, tube.end, tube.label) == (0, 51, "person")
    assert tube.score == pytest.approx(0.8)
    assert tube.found == 1.0
    np.testing.assert_allclose(tube.boxes, truth, atol=1e-3)


def test_gaps_are_bridged_and_long_ones_are_not():
    truth, at, times_s = _truth(101), _sampled(101), np.arange(101) / FPS
    short = [_seen(truth[[i]]) if not 40 <= i < 52 else Detections.none() for i in at]
    (tube,) = track(short, at, times_s, bridge_s=0.8)
    assert (tube.first, tube.end) == (0, 101)
    assert tube.found == pytest.approx(18 / 21)
    np.testing.assert_allclose(tube.boxes, truth, atol=1e-3)
    long = [_seen(truth[[i]]) if not 30 <= i < 70 else Detections.none() for i in at]
    tubes = track(long, at, times_s, bridge_s=0.8)
    assert [(one.first, one.end) for one in tubes] == [(0, 26), (70, 101)]


def test_weak_boxes_continue_a_tube_but_do_not_start_one():
    truth, at, times_s = _truth(51), _sampled(51), np.arange(51) / FPS
    assert track([_seen(truth[[i]], score=0.25) for i in at], at, times_s, start_score=0.4) == []
    mixed = [_seen(truth[[i]], score=0.7 if i < 25 else 0.25) for i in at]
    (tube,) = track(mixed, at, times_s, start_score=0.4)
    assert (tube.first, tube.end) == (0, 51)


def test_labels_and_things_are_followed_each_by_itself():
    at, times_s = _sampled(51), np.arange(51) / FPS
    people = _truth(51), _truth(51, start=220, speed_px_s=-40)
    ball = _truth(51, start=22, side=(38, 78))
    seen = [_joined(_seen(people[0][[i]]), _seen(people[1][[i]]), _seen(ball[[i]], "ball")) for i in at]
    tubes = track(seen, at, times_s)
    assert sorted(one.label for one in tubes) == ["ball", "person", "person"]
    for truth in people:
        assert max(overlaps(one.boxes, truth).mean() for one in tubes if one.label == "person") > 0.99


def test_short_and_small_tubes_are_dropped():
    at, times_s = _sampled(51), np.arange(51) / FPS
    truth, tiny = _truth(51), _truth(51, start=150, side=(6, 8))
    seen = [_joined(_seen(truth[[i]]) if i <= 15 else Detections.none(), _seen(tiny[[i]])) for i in at]
    assert track(seen, at, times_s, shortest_s=0.8, smallest_px=24) == []
    assert len(track(seen, at, times_s, shortest_s=0.5, smallest_px=4)) == 2


def test_nothing_found_is_no_tube():
    assert track([Detections.none()] * 3, np.array([0, 5, 9]), np.arange(10) / FPS) == []


def test_the_cure_is_named_where_the_tracker_is_missing(monkeypatch):
    monkeypatch.setattr(tracking, "supervision", None)
    with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[detect\]"'):
        track([_seen(_truth(1))], np.array([0]), np.arange(1) / FPS)
