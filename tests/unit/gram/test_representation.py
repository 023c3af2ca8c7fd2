"""Representation: distance of the means and AUC against their definitions written out, their level, and planted sets."""

import numpy as np
import pytest
from scipy import stats

from tests.unit.gram.test_design import design
from video_tcav.gram.kernel import FactoredKernel
from video_tcav.gram.representation import fold_auc, gaussian_kernel, mean_distances, means_p, representations

NAMES = "".join(chr(200 + index) for index in range(80))


def kernel_of(activations: np.ndarray) -> np.ndarray:
    centred = activations - activations.mean(0)
    return centred @ centred.T


def represented(kind: str, kernel: np.ndarray, **settings: object):
    return representations(kind, {"here": kernel}, **settings)["here"]


def p_of(kernel: np.ndarray, one, permutations: int, seed: int) -> float:
    return means_p(kernel, one, np.concatenate([one.labels[None], *one.label_permutations(permutations, seed)]))


def slow_distance(activations: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Σ b / √(2 Σ b²) over ordered pairs of groups of one kind."""
    centred = activations - activations.mean(0)
    vectors = [
        centred[groups == group].sum(0) * (1 / labels.sum() if labels[groups == group][0] else -1 / (~labels).sum())
        for group in np.unique(groups)
    ]
    products = np.array([a @ b for i, a in enumerate(vectors) for j, b in enumerate(vectors) if i != j])
    return products.sum() / np.sqrt(2 * (products**2).sum())


@pytest.mark.parametrize("factored", [False, True])
def test_distance_of_the_means_is_that_of_the_definition(factored):
    activations = np.random.default_rng(1).normal(size=(40, 6))
    activations[:15] += 0.4
    one = design("c" * 15 + "r" * 25, NAMES[:5] * 3 + NAMES[5:30])
    kernel = FactoredKernel(activations) if factored else kernel_of(activations)
    found = mean_distances(kernel, one, one.labels[None])[0]
    assert found == pytest.approx(slow_distance(activations, one.labels, one.groups), rel=1e-5)


def test_within_groups_of_both_kinds_it_is_the_distance_of_their_differences():
    activations = np.random.default_rng(2).normal(size=(30, 4))
    one = design("ccrrr" * 6, "".join(letter * 5 for letter in "abcdef"))
    differences = [group[:2].mean(0) - group[2:].mean(0) for group in activations.reshape(6, 5, 4)]
    products = np.array([a @ b for i, a in enumerate(differences) for j, b in enumerate(differences) if i != j])
    expected = products.sum() / np.sqrt(2 * (products**2).sum())
    assert mean_distances(kernel_of(activations), one, one.labels[None])[0] == pytest.approx(expected)


def test_auc_is_the_share_of_pairs_within_folds():
    activations = np.random.default_rng(3).normal(size=(40, 10))
    activations[:15] += 0.5
    one = design("c" * 15 + "r" * 25, NAMES[:40])
    folds, ordered = one.folds(0), []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        cav = activations[train & one.labels].mean(0) - activations[train & ~one.labels].mean(0)
        along = activations @ cav
        ordered += [(a > b) + (a == b) / 2 for a in along[test & one.labels] for b in along[test & ~one.labels]]
    assert fold_auc("mean", kernel_of(activations), one.labels, folds) == pytest.approx(np.mean(ordered))


def test_auc_of_equal_clips_is_a_half_and_of_no_pair_is_none():
    labels = np.array([True, True, False, False])
    assert fold_auc("mean", np.zeros((4, 4)), labels, np.array([0, 1, 0, 1])) == 0.5
    assert np.isnan(fold_auc("mean", np.eye(4), labels, np.array([0, 0, 1, 1])))


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_a_concept_that_is_there_passes(kind):
    activations = np.random.default_rng(0).normal(size=(40, 20))
    activations[:15] += 2
    found = represented(
        kind, kernel_of(activations), design=design("c" * 15 + "r" * 25, NAMES[:40]), permutations=39, seed=0
    )
    assert found.auc > 0.9
    assert found.p_value == pytest.approx(1 / 40)
    assert found.represented
    assert np.isnan(found.region_auc)  # a direction tells them apart


def test_a_concept_that_is_not_there_passes_in_one_case_of_twenty():
    generator, passed, trials = np.random.default_rng(0), 0, 400
    one = design("c" * 10 + "r" * 30, NAMES[:40])
    for trial in range(trials):
        passed += p_of(kernel_of(generator.normal(size=(40, 30))), one, 99, trial) <= 0.05
    assert 0.025 <= passed / trials <= 0.08


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_equal_means_and_other_spread_are_not_represented(spread):
    """Nominally 5 %; without the division by its standard deviation the distance finds twice the spread in a third of runs."""
    generator, passed, trials = np.random.default_rng(0), 0, 300
    one = design("c" * 20 + "r" * 60, NAMES)
    for trial in range(trials):
        activations = generator.normal(size=(80, 30))
        activations[:20] *= spread
        passed += p_of(kernel_of(activations), one, 99, trial) <= 0.05
    assert passed / trials <= 0.08


def test_one_moved_channel_of_ten_thousand_is_found():
    generator, found = np.random.default_rng(0), 0
    one = design("c" * 20 + "r" * 60, NAMES)
    for trial in range(20):
        activations = generator.normal(size=(80, 10_000))
        activations[:20, 0] += 6
        found += p_of(kernel_of(activations), one, 199, trial) <= 0.05
    assert found >= 17  # 97 % in the long run


def test_a_set_in_the_middle_of_the_others_is_a_region():
    activations = np.random.default_rng(0).normal(size=(80, 10))
    activations[:20] *= 0.3
    found = represented(
        "mean", kernel_of(activations), design=design("c" * 20 + "r" * 60, NAMES), permutations=99, seed=0
    )
    assert not found.represented
    assert found.p_region == pytest.approx(1 / 100)
    assert found.region_auc > 0.95


def test_gaussian_kernel_is_that_of_the_distances():
    activations = np.random.default_rng(0).normal(size=(9, 3))
    distances = ((activations[:, None] - activations) ** 2).sum(-1)
    expected = np.exp(-distances / np.median(distances[~np.eye(9, dtype=bool)]))
    np.testing.assert_allclose(gaussian_kernel(kernel_of(activations)), expected)
    assert (gaussian_kernel(np.zeros((4, 4))) == 1).all()


@pytest.mark.parametrize("kind", ["mean", "ridge"])
def test_layers_that_share_their_label_permutations_get_what_each_gets_alone(kind):
    generator = np.random.default_rng(2)
    one = design("c" * 15 + "r" * 25, NAMES[:40])
    kernels = {
        name: kernel_of(generator.normal(size=(40, width)) + one.labels[:, None])
        for name, width in [("a", 9), ("b", 30)]
    }
    together = representations(kind, kernels, one, permutations=49, seed=0)
    for name, kernel in kernels.items():
        assert repr(together[name]) == repr(represented(kind, kernel, design=one, permutations=49, seed=0))


def test_auc_agrees_with_scipys_rank_test():
    activations = np.random.default_rng(5).normal(size=(30, 1))
    activations[:10] += 1
    labels = np.arange(30) < 10
    # two folds that hold the same clips: each is tested along the CAV of the other
    twice, folds = np.concatenate([activations, activations]), np.repeat([0, 1], 30)
    statistic = stats.mannwhitneyu(activations[labels, 0], activations[~labels, 0]).statistic
    assert fold_auc("mean", kernel_of(twice), np.tile(labels, 2), folds) == pytest.approx(statistic / 200)
