"""Shares of grouped clips: coverage, and agreement with the textbook where clips are independent."""

import math

import numpy as np
import pytest
from scipy import stats

from video_tcav.gram.grouped_share import UNKNOWN_SHARE, GroupedShare


def test_independent_clips_have_the_interval_of_clopper_and_pearson():
    clips = np.arange(20) < 13
    share = GroupedShare(share=13 / 20, effective_clips=20)
    exact = stats.binomtest(13, 20).proportion_ci(method="exact")
    assert share.interval() == pytest.approx((exact.low, exact.high))
    assert share.below_p(0.8) == pytest.approx(stats.binomtest(13, 20, 0.8, alternative="less").pvalue)
    assert share.above_p(0.4) == pytest.approx(stats.binomtest(13, 20, 0.4, alternative="greater").pvalue)
    # each clip a group of its own: known about as well as from 20 (19 of them free)
    assert GroupedShare.of(clips, range(20)).effective_clips == pytest.approx(19)


def test_clips_of_a_group_that_agree_count_once():
    clips = np.repeat([True, False, True, False, True], 6)
    assert GroupedShare.of(clips, np.repeat(range(5), 6).tolist()).effective_clips == pytest.approx(4)


def test_none_or_all_of_a_few_groups_shows_little():
    none = GroupedShare.of(np.zeros(40, bool), np.repeat(range(8), 5).tolist())
    low, high = none.interval()
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 8))  # the rule of three, of eight groups, not of 40 clips
    assert none.below_p(0.5) == pytest.approx(0.5**8)
    assert none.above_p(0.1) == 1.0
    every = GroupedShare.of(np.ones(40, bool), np.repeat(range(8), 5).tolist())
    assert every.interval() == pytest.approx((1 - high, 1.0))
    assert every.above_p(0.5) == pytest.approx(0.5**8)
    assert every.below_p(0.9) == 1.0


def test_intervals_of_grouped_clips_cover_the_true_share():
    generator = np.random.default_rng([18, 1])
    covered = 0
    for _ in range(600):
        chance = generator.beta(2, 3, 12)  # of each group; the mean is 0.4
        clips = generator.random((12, 5)) < chance[:, None]
        low, high = GroupedShare.of(clips.ravel(), np.repeat(range(12), 5).tolist()).interval()
        covered += low <= 0.4 <= high
    assert 0.93 <= covered / 600 <= 0.995


def test_a_share_of_nothing_has_no_interval():
    assert all(math.isnan(end) for end in UNKNOWN_SHARE.interval())


def test_the_score_test_belongs_to_its_interval_and_is_wrong_as_often_as_it_says():
    share = GroupedShare.of(np.random.default_rng(0).random(60) < 0.3, np.repeat(range(20), 3).tolist())
    low, high = share.score_interval()
    assert share.score_p(high)[0] == pytest.approx(0.025)
    assert share.score_p(low)[1] == pytest.approx(0.025)
    assert share.score_p(0.9)[0] < 0.001 < 0.5 < share.score_p(0.9)[1]
    generator, wrong = np.random.default_rng(1), np.zeros(2)
    for _ in range(2000):
        wrong += np.array(GroupedShare.of(generator.random(50) < 0.3, range(50)).score_p(0.3)) <= 0.025
    assert (wrong / 2000 < 0.04).all()
    assert math.isnan(GroupedShare.of(np.ones(5, bool), [0] * 5).score_p(0.5)[0])
