"""Permutation p-values, intervals, the paper's t-test and corrections, each against its definition written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.unit.gram.test_design import design
from video_tcav.gram.corrections import adjust, max_t
from video_tcav.gram.effects import clip_effects
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import null_centre, permutation_null, permutation_p, z_score
from video_tcav.gram.resampling import BootstrapT, bootstrap_effects, random_set_effects
from video_tcav.gram.significance.random_set_ttest import random_set_ttest


def inner_of(activations: np.ndarray, gradients: np.ndarray) -> Gram:
    centred = activations - activations.mean(0)
    return Gram(kernel=centred @ centred.T, cross=gradients @ centred.T)


@pytest.fixture
def small() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    activations = generator.normal(size=(8, 30))
    activations[:3] += 0.4
    return activations, generator.normal(size=(4, 30)) + 0.5


def test_permutation_p_agrees_with_all_label_permutations_written_out(small):
    activations, gradients = small
    gradient = gradients.mean(0)
    effects = []
    for chosen in itertools.combinations(range(8), 3):
        others = [row for row in range(8) if row not in chosen]
        effects.append(gradient @ (activations[list(chosen)].mean(0) - activations[others].mean(0)))
    own = effects[0]  # the combination (0, 1, 2) comes first
    exact = np.mean(np.abs(effects) >= abs(own) - 1e-12)
    one = design("cccrrrrr", "abcdefgh")
    null = permutation_null("mean", {"": inner_of(activations, gradients)}, one, permutations=20000, seed=1)
    assert permutation_p(own, null[""]) == pytest.approx(exact, abs=0.012)
    assert {round(value, 8) for value in null[""]} == {round(value, 8) for value in effects}


def test_permutation_p_is_never_zero():
    assert permutation_p(100.0, np.zeros(99)) == pytest.approx(0.01)


def test_permutation_p_of_no_effect_is_one():
    assert permutation_p(0.0, np.array([1.0, -1.0, 0.0])) == 1


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_the_cav_is_learned_anew_for_each_permutation(small, kind):
    activations, gradients = small
    one, inner = design("cccrrrrr", "abcdefgh"), inner_of(activations, gradients)
    null = permutation_null(kind, {"": inner}, one, permutations=20, seed=0)[""]
    labels = next(iter(one.label_permutations(20, 0)))
    slow = [clip_effects(kind, inner.kernel, inner.cross, drawn[None])[0].mean() for drawn in labels]
    np.testing.assert_allclose(null, slow, rtol=1e-9)


def test_bootstrap_spread_is_that_of_the_definition(small):
    """Exponential weights of groups: variances over n (n + 1), where draws with replacement have n²."""
    activations, gradients = small
    one, inner = design("cccrrrrr", "abcdefgh"), inner_of(activations, gradients)
    found = bootstrap_effects("mean", {"": inner}, one, range(4), draws=4000, seed=0)[""]
    generator, slow = np.random.default_rng(5), []
    for _ in range(4000):
        concept, random, clips = (weights / weights.sum() for weights in map(generator.exponential, [1] * 3, (3, 5, 4)))
        slow.append((clips @ gradients) @ (concept @ activations[:3] - random @ activations[3:]))
    assert np.std(found.joint) == pytest.approx(np.std(slow), rel=0.06)
    assert np.mean(found.joint) == pytest.approx(np.mean(slow), abs=4 * np.std(slow) / 60)
    along = activations @ gradients.mean(0)
    assert np.var(found.clips) == pytest.approx(along[:3].var() / 4 + along[3:].var() / 6, rel=0.1)


@pytest.mark.parametrize("groups", [5, 40])
def test_interval_covers_the_true_effect(groups):
    """95 % intervals hold the truth in 91–99 % of 300 experiments."""
    generator, covered = np.random.default_rng(0), 0
    names = "".join(chr(200 + i) for i in range(2 * groups))
    one = design("c" * groups + "r" * groups, names, names)
    for trial in range(300):
        activations = generator.normal(size=(2 * groups, 5))
        activations[:groups, 0] += 1
        gradients = generator.normal(size=(30, 5)) + np.array([2.0, 0, 0, 0, 0])
        drawn = bootstrap_effects("mean", {"": inner_of(activations, gradients)}, one, range(30), draws=512, seed=trial)
        low, high = BootstrapT.of_draws(drawn[""].effect, drawn[""].draws(), groups).interval()
        covered += low <= 2.0 <= high
    assert 0.91 <= covered / 300 <= 0.99


def test_z_score_is_in_units_of_the_null():
    null = np.array([-2.0, 0.0, 2.0])
    assert z_score(4.0, null) == pytest.approx(4 / null.std())
    assert z_score(4.0, np.zeros(3)) == 0


def test_random_sets_use_the_whole_concept_and_equal_random_sets(small):
    activations, gradients = small
    labels = np.arange(8) < 3
    found = random_set_effects("mean", inner_of(activations, gradients), labels, sets=400, seed=0)
    possible = {
        round(float(gradients[0] @ (activations[:3].mean(0) - activations[list(chosen)].mean(0))), 8)
        for chosen in itertools.combinations(range(3, 8), 2)  # at most half of the pool of five
    }
    assert {round(value, 8) for value in found[:, 0]} == possible


def test_random_against_random_is_centred_and_leaves_the_concept_out(small):
    activations, gradients = small
    activations[:3] += 1e6
    labels = np.arange(8) < 3
    found = random_set_effects("mean", inner_of(activations, gradients), labels, sets=4000, seed=0, against_random=True)
    assert np.abs(found).max() < 1e3
    assert np.abs(found.mean(0)).max() < 0.1 * found.std()


def test_ttest_is_scipys_on_tcav_scores():
    generator = np.random.default_rng(0)
    concept, random = generator.normal(0.3, 1, (30, 11)), generator.normal(0, 1, (30, 11))
    statistic, p_value = random_set_ttest(concept, random)
    expected = stats.ttest_ind((concept > 0).mean(1), (random > 0).mean(1))
    assert (statistic, p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_ttest_of_scores_that_never_vary():
    ones = np.ones((5, 3))
    assert random_set_ttest(ones, ones) == (0.0, 1.0)
    assert random_set_ttest(ones, -ones) == (np.inf, 0.0)


def test_holm_bonferroni_and_bh_by_hand():
    p_values = [0.01, 0.04, 0.03]
    assert adjust(p_values, "bonferroni") == pytest.approx([0.03, 0.12, 0.09])
    assert adjust(p_values, "holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjust(p_values, "bh") == pytest.approx([0.03, 0.04, 0.04])
    assert adjust(p_values, "none") == p_values


def test_maxt_by_hand():
    nulls = [np.array([1.0, -1.0, 2.0, -2.0]), np.array([3.0, -3.0, 1.0, -1.0])]
    spread = [null.std() for null in nulls]
    observed = [1.5 * spread[0], 0.9 * spread[1]]
    # five effects each, the observed one among them: their means are 1.5/5 and 0.9/5 of the spread
    drawn = np.abs([null / s - mean for null, s, mean in zip(nulls, spread, (0.3, 0.18), strict=True)])
    first = (1 + (drawn.max(0) >= 1.2 - 1e-9).sum()) / 5
    second = (1 + (drawn[1] >= 0.72 - 1e-9).sum()) / 5
    assert max_t(observed, nulls) == pytest.approx([first, max(first, second)])


@given(st.integers(0, 1000))
def test_maxt_lies_between_raw_and_the_sum_over_the_family(seed):
    generator = np.random.default_rng(seed)
    nulls = [generator.normal(size=199) for _ in range(4)]
    observed = generator.normal(size=4) * 2
    adjusted = max_t(observed, nulls)
    centres = [null_centre(e, n) for e, n in zip(observed, nulls, strict=True)]
    own = [abs(e - c) / n.std() for e, c, n in zip(observed, centres, nulls, strict=True)]
    for effect, null, size, p_value in zip(observed, nulls, own, adjusted, strict=True):
        assert p_value >= permutation_p(effect, null) - 1e-12
        larger = [other for other in own if other >= size]
        sums = [
            sum(
                (1 + (np.abs(n - c) / n.std() >= other - 1e-9).sum()) / 200 for n, c in zip(nulls, centres, strict=True)
            )
            for other in larger
        ]
        assert p_value <= max(sums) + 1e-12


def test_maxt_is_gentler_than_bonferroni_for_tests_that_go_together():
    generator = np.random.default_rng(0)
    null = generator.normal(size=999)
    nulls = [null + 0.01 * generator.normal(size=999) for _ in range(10)]
    adjusted = max_t([2.5] * 10, nulls)
    raw = permutation_p(2.5, null)
    assert max(adjusted) < 3 * raw


def test_unequal_shares_of_groups_neither_hide_nor_feign_an_effect():
    """Three persons with 9+3, 3+9 and 3+3 clips who differ much: within-person permutation keeps that difference."""
    labels, groups = "c" * 9 + "r" * 3 + "c" * 3 + "r" * 9 + "ccc" + "rrr", "a" * 12 + "b" * 12 + "d" * 6
    one = design(labels, groups, "".join(chr(300 + i) for i in range(30)))
    persons = np.array([{"a": 5.0, "b": 0.0, "d": 2.0}[g] for g in groups])
    noise = np.random.default_rng(0).normal(size=30)
    p_values = {}
    for true_effect in (0.0, -2.0):
        inner = inner_of((persons + noise + true_effect * one.labels)[:, None], np.ones((3, 1)))
        own = clip_effects("mean", inner.kernel, inner.cross, one.labels[None])[0].mean()
        null = permutation_null("mean", {"": inner}, one, permutations=999, seed=0)[""]
        p_values[true_effect] = permutation_p(float(own), null)
    assert p_values[0.0] > 0.05
    assert p_values[-2.0] <= 0.01
