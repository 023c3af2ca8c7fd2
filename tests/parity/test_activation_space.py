"""Gram space against the definitions written out in activation space."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from video_tcav.gram.cavs.logistic import LOGISTIC_C
from video_tcav.gram.cavs.ridge import RIDGE_LAMBDA
from video_tcav.gram.cavs.svm import SVM_C, TOLERANCE
from video_tcav.gram.effects import clip_effects, fit_cavs
from video_tcav.gram.kernel import unit_coefficients

CLIPS, WIDTH, CLASS_CLIPS = 40, 300, 7


@pytest.fixture
def clips() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(CLIPS) < 15
    activations = generator.normal(size=(CLIPS, WIDTH)) + 3 + 0.3 * labels[:, None] * generator.normal(size=WIDTH)
    return activations, labels, generator.normal(size=(CLASS_CLIPS, WIDTH))


def gram_derivatives(kind: str, activations: np.ndarray, labels: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    centred = activations - activations.mean(0)
    kernel, cross = centred @ centred.T, gradients @ centred.T
    return (unit_coefficients(kernel, fit_cavs(kind, kernel, labels[None])) @ cross.T)[0]


def scaled_down(activations: np.ndarray) -> np.ndarray:
    """The unit in which penalties are measured: mean squared distance from the centroid is one."""
    return activations / np.sqrt(((activations - activations.mean(0)) ** 2).sum(1).mean())


def test_mean_difference_equals_the_definition(clips):
    activations, labels, gradients = clips
    vector = activations[labels].mean(0) - activations[~labels].mean(0)
    expected = gradients @ vector / np.linalg.norm(vector)
    np.testing.assert_allclose(gram_derivatives("mean", activations, labels, gradients), expected, rtol=1e-6)


def test_ridge_equals_scikit_learn_in_activation_space(clips):
    activations, labels, gradients = clips
    vector = Ridge(alpha=RIDGE_LAMBDA, solver="svd").fit(scaled_down(activations), labels.astype(float)).coef_
    expected = gradients @ vector / np.linalg.norm(vector)
    np.testing.assert_allclose(gram_derivatives("ridge", activations, labels, gradients), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_classifiers_equal_scikit_learn_in_activation_space(clips, kind):
    activations, labels, gradients = clips
    machine = {
        "logistic": LogisticRegression(C=LOGISTIC_C, class_weight="balanced", tol=1e-10, max_iter=5000),
        "svm": SVC(kernel="linear", C=SVM_C, class_weight="balanced", tol=TOLERANCE),
    }[kind].fit(scaled_down(activations), labels)
    expected = gradients @ machine.coef_[0] / np.linalg.norm(machine.coef_)
    found = gram_derivatives(kind, activations, labels, gradients)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_drawing_a_clip_twice_equals_listing_it_twice(clips, kind):
    activations, labels, gradients = clips
    counts = np.random.default_rng(1).integers(0, 3, size=CLIPS).astype(float)
    drawn = np.repeat(np.arange(CLIPS), counts.astype(int))
    listed = clip_effects_of(kind, activations[drawn], labels[drawn], gradients, None, origin=activations.mean(0))
    weighted = clip_effects_of(kind, activations, labels, gradients, counts[None], origin=activations.mean(0))
    if kind == "mean":
        np.testing.assert_allclose(weighted, listed, rtol=1e-9)
    else:  # the penalty's unit comes from all clips, drawn or not, so the two differ a little
        np.testing.assert_allclose(weighted, listed, rtol=0.05, atol=0.05 * np.abs(listed).max())


def clip_effects_of(kind, activations, labels, gradients, counts, *, origin):
    centred = activations - origin
    return clip_effects(kind, centred @ centred.T, gradients @ centred.T, labels[None], counts)[0]


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_effect_is_the_derivative_along_the_cav_times_the_way_along_it(clips, kind):
    activations, labels, gradients = clips
    centred = activations - activations.mean(0)
    kernel = centred @ centred.T
    vector = (unit_coefficients(kernel, fit_cavs(kind, kernel, labels[None])) @ centred)[0]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-9)
    way = vector @ (activations[labels].mean(0) - activations[~labels].mean(0))
    found = clip_effects(kind, kernel, gradients @ centred.T, labels[None])[0]
    np.testing.assert_allclose(found, gradients @ vector * way, rtol=1e-8)


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_swapping_concept_and_random_turns_the_cav_round(clips, kind):
    activations, labels, gradients = clips
    forth = gram_derivatives(kind, activations, labels, gradients)
    back = gram_derivatives(kind, activations, ~labels, gradients)
    np.testing.assert_allclose(back, -forth, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "ridge", "logistic", "svm"])
def test_a_shift_or_a_stretch_of_all_activations_changes_no_cav(clips, kind):
    activations, labels, gradients = clips
    found = gram_derivatives(kind, 1000 * activations + 7, labels, gradients)
    np.testing.assert_allclose(found, gram_derivatives(kind, activations, labels, gradients), rtol=1e-4, atol=1e-6)
