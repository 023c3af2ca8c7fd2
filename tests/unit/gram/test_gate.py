"""The CAV gate against cross-validation written out, and its level."""

import numpy as np
import pytest
from video_tcav.gram.gate import CavGate, cav_gates, cross_validated_accuracies

from tests.unit.gram.test_design import design
from video_tcav.gram.effects import fit_cavs

NAMES = "".join(chr(200 + index) for index in range(40))


def kernel_of(activations: np.ndarray) -> np.ndarray:
    centred = activations - activations.mean(0)
    return centred @ centred.T


def gate_of(kind: str, kernel: np.ndarray, **settings: object) -> CavGate:
    return cav_gates(kind, {"here": kernel}, **settings)["here"]


def accuracy_of(kernel: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    return cross_validated_accuracies("mean", {"here": kernel}, labels[None], folds[None])["here"][0]


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
    found = accuracy_of(kernel_of(activations), one.labels, folds)
    assert found == pytest.approx(slow_accuracy(activations, one.labels, folds))


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_a_concept_that_is_there_passes(kind):
    activations = np.random.default_rng(0).normal(size=(40, 20))
    activations[:15] += 2
    gate = gate_of(kind, kernel_of(activations), design=design("c" * 15 + "r" * 25, NAMES), permutations=39, seed=0)
    assert gate.accuracy > 0.9
    assert gate.p_value == pytest.approx(1 / 40)
    assert gate.represented


def test_a_concept_that_is_not_there_passes_in_one_case_of_twenty():
    generator, passed, trials = np.random.default_rng(0), 0, 400
    one = design("c" * 10 + "r" * 30, NAMES)
    for trial in range(trials):
        kernel = kernel_of(generator.normal(size=(40, 30)))
        passed += gate_of("mean", kernel, design=one, permutations=99, seed=trial).p_value <= 0.05
    assert 0.025 <= passed / trials <= 0.08


def test_a_clip_on_the_threshold_counts_half():
    activations = np.array([[1.0], [1.0], [-1.0], [-1.0], [0.0]])
    labels, folds = np.array([True, True, False, False, True]), np.array([0, 0, 0, 0, 1])
    credit = accuracy_of(activations @ activations.T, labels, folds)
    assert credit == pytest.approx(0.5)  # fold 0 cannot be trained, and the fifth clip lies on the threshold
    assert fit_cavs("mean", activations @ activations.T, labels[None]).sum() == pytest.approx(0)


@pytest.mark.parametrize("counts", [(20, 60), (15, 25), (10, 30), (60, 240)])
def test_no_mistake_is_an_accuracy_of_exactly_one(counts):
    labels = np.repeat([True, False], counts)
    activations = np.random.default_rng(0).normal(size=(len(labels), 5)) + 100 * labels[:, None]
    assert accuracy_of(kernel_of(activations), labels, np.arange(len(labels)) % 5) == 1.0


@pytest.mark.parametrize("kind", ["mean", "ridge"])
def test_layers_that_share_their_label_permutations_get_what_each_gets_alone(kind):
    generator = np.random.default_rng(2)
    one = design("c" * 15 + "r" * 25, NAMES)
    kernels = {
        name: kernel_of(generator.normal(size=(40, width)) + one.labels[:, None] / 3)
        for name, width in [("a", 9), ("b", 30)]
    }
    together = cav_gates(kind, kernels, one, permutations=49, seed=0)
    assert together == {
        name: gate_of(kind, kernel, design=one, permutations=49, seed=0) for name, kernel in kernels.items()
    }
