"""The CAV gate against cross-validation written out, and its level."""

import numpy as np
import pytest

from tests.unit.tcav.test_design import design
from video_tcav.tcav.cavs import fit_cavs
from video_tcav.tcav.gate import cav_gate, cross_validated_accuracy

NAMES = "".join(chr(200 + index) for index in range(40))


def kernel_of(activations: np.ndarray) -> np.ndarray:
    centred = activations - activations.mean(0)
    return centred @ centred.T


def slow_accuracy(activations: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    right = {True: [], False: []}
    for fold in set(folds.tolist()):
        train, test = folds != fold, folds == fold
        concept, random = activations[train & labels].mean(0), activations[train & ~labels].mean(0)
        for row in np.flatnonzero(test):
            says_concept = (activations[row] - (concept + random) / 2) @ (concept - random) > 0
            right[bool(labels[row])].append(says_concept == labels[row])
    return (np.mean(right[True]) + np.mean(right[False])) / 2


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_accuracy_equals_cross_validation_written_out(shift):
    generator = np.random.default_rng(1)
    one = design("c" * 15 + "r" * 25, NAMES)
    activations = generator.normal(size=(40, 20))
    activations[:15] += shift
    folds = one.folds(0)
    found = cross_validated_accuracy("mean", kernel_of(activations), one.labels[None], folds[None])[0]
    assert found == pytest.approx(slow_accuracy(activations, one.labels, folds))


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_a_concept_that_is_there_passes(kind):
    activations = np.random.default_rng(0).normal(size=(40, 20))
    activations[:15] += 2
    gate = cav_gate(kind, kernel_of(activations), design("c" * 15 + "r" * 25, NAMES), permutations=39, seed=0)
    assert gate.accuracy > 0.9
    assert gate.p_value == pytest.approx(1 / 40)
    assert gate.represented


def test_a_concept_that_is_not_there_passes_in_one_case_of_twenty():
    generator, passed, trials = np.random.default_rng(0), 0, 400
    one = design("c" * 10 + "r" * 30, NAMES)
    for trial in range(trials):
        kernel = kernel_of(generator.normal(size=(40, 30)))
        passed += cav_gate("mean", kernel, one, permutations=99, seed=trial).p_value <= 0.05
    assert 0.025 <= passed / trials <= 0.08


def test_a_clip_on_the_threshold_counts_half():
    activations = np.array([[1.0], [1.0], [-1.0], [-1.0], [0.0]])
    labels, folds = np.array([True, True, False, False, True]), np.array([0, 0, 0, 0, 1])
    credit = cross_validated_accuracy("mean", activations @ activations.T, labels[None], folds[None])[0]
    assert credit == pytest.approx(0.5)  # fold 0 cannot be trained, and the fifth clip lies on the threshold
    assert fit_cavs("mean", activations @ activations.T, labels[None]).sum() == pytest.approx(0)
