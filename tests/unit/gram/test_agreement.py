"""Agreement of predictions with truths, against definitions and by simulation."""

import numpy as np
import pytest
from scipy import stats

from video_tcav.gram.agreement import Agreement, GroupedClips, agreement, rank_correlations, right_signs, spread

DRAWS = 2000


def certain(truth: np.ndarray, prediction: np.ndarray, threshold: float = 0.5, seed: int = 0) -> Agreement:
    """Agreement of what no resampling of clips changes."""
    draws = [np.broadcast_to(values, (DRAWS, len(values))) for values in (truth, prediction)]
    return agreement(truth, prediction, *draws, threshold=threshold, seed=seed)


def test_ranks_are_scipys_spearman_with_ties():
    generator = np.random.default_rng(0)
    truth, prediction = generator.integers(0, 5, (2, 6, 12)).astype(float)
    expected = [stats.spearmanr(first, second).statistic for first, second in zip(truth, prediction, strict=True)]
    assert rank_correlations(truth, prediction) == pytest.approx(expected)
    assert rank_correlations(truth, np.ones_like(truth)).tolist() == [0] * 6


def test_signs_count_changes_beyond_the_threshold_alone():
    truth = np.array([[2.0, -2.0, 0.4, 0.6, -0.6]])
    prediction = np.array([[1.0, 1.0, -1.0, 0.1, 0.0]])
    right, counted = right_signs(truth, prediction, 0.5)
    assert (right[0], counted[0]) == (2, 4)  # a prediction of exactly nothing has no sign


def test_a_few_right_signs_have_the_interval_of_a_binomial():
    truth = np.array([-3.0, 2.0, 1.5, -1.0, 4.0, -0.7, 0.9, 1.1, 2.2, -2.0])
    prediction = truth.copy()
    prediction[0] = 1.0
    measured = certain(truth, prediction)
    assert (measured.right, measured.counted) == (9, 10)
    assert (measured.signs_low, measured.signs_high) == pytest.approx(
        stats.beta.ppf([0.025, 0.975], 9.5, 1.5), abs=0.02
    )
    deviation = np.sqrt(1.06 / 7)
    expected = np.tanh(np.arctanh(measured.rank) + stats.norm.ppf([0.025, 0.975]) * deviation)
    assert (measured.rank_low, measured.rank_high) == pytest.approx(expected, abs=0.04)


def test_a_guess_that_all_edits_lower_the_class_is_not_believed():
    truth = -np.arange(1.0, 13.0)
    measured = certain(truth, np.full(12, -1.0))
    assert (measured.right, measured.counted) == (12, 12)
    assert measured.signs_low > 0.5
    assert not measured.is_above_chance
    assert measured.looks_like_chance  # it says nothing about which edit does more


def test_predictions_by_chance_are_seldom_believed():
    generator = np.random.default_rng(1)
    believed = [
        certain(*generator.standard_normal((2, 12)), threshold=0.2, seed=seed).is_above_chance for seed in range(300)
    ]
    assert np.mean(believed) < 0.05


def test_too_few_edits_have_no_rank():
    measured = certain(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert measured.rank == pytest.approx(1)
    assert (measured.rank_low, measured.rank_high) == pytest.approx((-1, 1))
    assert not measured.is_above_chance


def test_nothing_counted_is_not_believed():
    measured = certain(np.full(12, 0.1), np.arange(12.0))
    assert measured.counted == 0
    assert measured.looks_like_chance
    assert not measured.is_above_chance


def test_means_vary_as_the_standard_error_of_groups():
    values = np.random.default_rng(2).standard_normal((12, 1))
    by_clip = GroupedClips.draw(np.arange(12), 4000, seed=0)
    draws = spread(values.mean(0), by_clip.means(values), by_clip.groups)
    assert draws.mean() == pytest.approx(values.mean(), abs=0.02)
    assert draws.std() == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=0.08)
    # pairs of alike clips in one group are no more than one clip
    twice = GroupedClips.draw(np.repeat(np.arange(12), 2), 4000, seed=0)
    assert twice.groups == 12
    assert twice.means(np.repeat(values, 2, axis=0)) == pytest.approx(by_clip.means(values))


def test_the_first_clips_keep_their_draws():
    everyone = GroupedClips.draw(np.array([0, 1, 2, 3]), 50, seed=3)
    first = everyone.first(2)
    assert first.groups == 2
    assert first.weights.sum(1) == pytest.approx(np.ones(50))
    assert first.weights[:, 0] / first.weights[:, 1] == pytest.approx(everyone.weights[:, 0] / everyone.weights[:, 1])
