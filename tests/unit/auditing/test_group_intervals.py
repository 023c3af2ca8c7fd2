"""Intervals by groups: they cover as often as they say, and groups are what counts."""

import numpy as np
import pytest

from video_tcav.auditing.group_intervals import GroupIntervals

GROUPS, CLIPS_EACH = 30, 4


def drawn(generator, chance):
    """Clips whose chance of counting varies from group to group."""
    chances = np.clip(chance + generator.uniform(-0.15, 0.15, GROUPS), 0, 1)
    return generator.random((GROUPS, CLIPS_EACH)) < chances[:, None]


@pytest.mark.parametrize("kind", ["share", "mean", "ratio"])
def test_intervals_cover(kind):
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(GROUPS), CLIPS_EACH)
    intervals, covered, runs = GroupIntervals.draw(groups, 400, 1), 0, 400
    for _ in range(runs):
        counts = drawn(generator, 0.7).ravel()
        if kind == "share":
            low, high = intervals.share(counts)[1:]
            truth = 0.7
        elif kind == "mean":
            low, high = intervals.mean(counts + generator.normal(size=len(counts)))[1:]
            truth = 0.7
        else:
            wholes = 2 + generator.random(len(counts))
            low, high = intervals.ratio(counts * wholes, wholes)[1:]
            truth = 0.7
        covered += low <= truth <= high
    assert 0.92 <= covered / runs <= 0.985


def test_copies_of_clips_in_a_group_make_no_interval_narrower():
    counts = np.random.default_rng(2).random(40) < 0.6
    single = GroupIntervals.draw(np.arange(40), 400, 0)
    doubled = GroupIntervals.draw(np.repeat(np.arange(40), 3), 400, 0)
    assert doubled.share(np.repeat(counts, 3)) == pytest.approx(single.share(counts), abs=1e-9)
    assert doubled.mean(np.repeat(counts, 3)) == pytest.approx(single.mean(counts.astype(float)), abs=1e-9)


def test_clips_that_are_all_alike_still_leave_something_unknown():
    intervals = GroupIntervals.draw(np.arange(20), 200, 0)
    value, low, high = intervals.lost_share(np.ones(20, dtype=bool), np.ones(20, dtype=bool))
    assert value == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))
    assert low == -high
    assert intervals.share(np.ones(20, dtype=bool))[1] < 0.9


def test_a_share_that_only_falls_loses_a_share_of_the_clips():
    intervals = GroupIntervals.draw(np.arange(20), 200, 0)
    before, after = np.ones(20, dtype=bool), np.arange(20) >= 3
    assert intervals.lost_share(before, after) == intervals.share(~after)
    value, low, high = intervals.lost_share(after, before)
    assert (-high, -low) == pytest.approx(intervals.share(~after)[1:])
    assert value == pytest.approx(-3 / 20)
    both = intervals.lost_share(np.arange(20) < 10, np.arange(20) % 2 == 0)
    assert both.value == 0 and both.low < 0 < both.high


def test_shares_of_no_clip_are_unknown():
    assert np.isnan(
        GroupIntervals.draw(np.arange(5), 200, 0).subset(np.zeros(5, dtype=bool)).share(np.zeros(0, dtype=bool))
    ).all()


def test_the_test_of_a_lost_share_belongs_to_its_interval():
    generator = np.random.default_rng(4)
    before, after = generator.random(60) < 0.9, generator.random(60) < 0.6
    intervals = GroupIntervals.draw(np.repeat(np.arange(30), 2), 4000, 0)
    value, low, high = intervals.lost_share(before, after)
    assert intervals.lost_share_p(before, after, high)[0] == pytest.approx(0.025, abs=0.006)
    assert intervals.lost_share_p(before, after, low)[1] == pytest.approx(0.025, abs=0.006)
    assert sum(intervals.lost_share_p(before, after, value)) > 0.9
    every = np.ones(60, dtype=bool)
    for kept in (before, every):  # clips that change one way alone, and clips that do not change
        low, high = intervals.lost_share(every, kept)[1:]
        assert intervals.lost_share_p(every, kept, high)[0] == pytest.approx(0.025)
        if low > 0:
            assert intervals.lost_share_p(every, kept, low)[1] == pytest.approx(0.025)
    # that nothing is lost where clips only gain is known no better than where nothing changes
    assert intervals.lost_share_p(before, every, 0.1) == intervals.lost_share_p(every, every, 0.1)
