"""The ridge map from embeddings to activations, against ridge regression in activation space, and against planted truth."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from video_tcav.gram import FactoredKernel
from video_tcav.gram.embedding_map import EmbeddingMap, direction_effects, fit_map, group_folds, spanned

RNG = np.random.default_rng(4)
CLIPS, EMBEDDED, WIDTH = 30, 6, 50


def planted(noise: float):
    embeddings = RNG.standard_normal((CLIPS, EMBEDDED)) + 2
    activations = embeddings @ RNG.standard_normal((EMBEDDED, WIDTH)) + noise * RNG.standard_normal((CLIPS, WIDTH)) + 5
    return embeddings, activations


def kernel_of_rows(activations):
    rows = activations - activations.mean(0)
    return rows @ rows.T


@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_those_of_ridge_regression(weighted):
    embeddings, activations = planted(1.0)
    weights = RNG.exponential(size=CLIPS) if weighted else np.ones(CLIPS)
    directions = RNG.standard_normal((3, EMBEDDED))
    rows = embeddings - np.average(embeddings, axis=0, weights=weights)
    scale = (weights[:, None] * rows**2).sum()
    ridge = Ridge(alpha=0.1 * scale).fit(embeddings, activations, sample_weight=weights)
    alphas = EmbeddingMap(embeddings=embeddings, penalty=0.1).coefficients(directions, weights if weighted else None)
    np.testing.assert_allclose(alphas @ activations, directions @ ridge.coef_.T, rtol=1e-8)
    np.testing.assert_allclose(alphas.sum(1), 0, atol=1e-10)


def test_embeddings_wider_than_clips_give_the_same_map_in_the_clips_span():
    embeddings = RNG.standard_normal((8, 40))
    directions = RNG.standard_normal((2, 40))
    few, along = spanned(embeddings, directions)
    assert few.shape[1] == 7
    whole = EmbeddingMap(embeddings=embeddings, penalty=0.01).coefficients(directions)
    np.testing.assert_allclose(EmbeddingMap(embeddings=few, penalty=0.01).coefficients(along), whole, atol=1e-10)


def test_r_squared_is_that_of_clips_of_other_groups():
    """One penalty in each fold, so that ridge regression in activation space can be asked for the same."""
    embeddings, activations = planted(2.0)
    folds = group_folds(np.arange(CLIPS) // 2, [0])
    fit = fit_map(kernel_of_rows(activations), embeddings, np.eye(EMBEDDED), folds)
    best = -np.inf
    for penalty in 10.0 ** np.arange(-6, 2):
        residual = total = 0.0
        for fold in range(5):
            inside = folds == fold
            rows = embeddings[~inside] - embeddings[~inside].mean(0)
            ridge = Ridge(alpha=penalty * (rows**2).sum()).fit(embeddings[~inside], activations[~inside])
            residual += ((activations[inside] - ridge.predict(embeddings[inside])) ** 2).sum()
            total += ((activations[inside] - activations[~inside].mean(0)) ** 2).sum()
        best = max(best, 1 - residual / total)
    # penalties are chosen within the other folds, so it is at most that of the best penalty for all, and near it
    assert best - 0.05 < fit.r_squared <= best + 0.01
    assert (fit.correlations > 0.5).all()


def test_noise_has_no_r_squared_and_no_correlation():
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        folds = group_folds(np.arange(CLIPS), [seed])
        kernel = kernel_of_rows(rng.standard_normal((CLIPS, WIDTH)))
        fit = fit_map(kernel, rng.standard_normal((CLIPS, EMBEDDED)), np.eye(EMBEDDED)[:1], folds)
        values.append([fit.r_squared, fit.correlations[0]])
    assert np.mean(values, axis=0)[0] < 0.02
    assert abs(np.mean(values, axis=0)[1]) < 0.15


def test_groups_stay_whole_in_folds():
    groups = np.repeat(np.arange(7), 3)
    folds = group_folds(groups, [1])
    assert all(len(set(folds[groups == group])) == 1 for group in range(7))
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]


def test_an_effect_is_the_derivative_for_one_standard_deviation():
    _, activations = planted(1.0)
    gradients = RNG.standard_normal((4, WIDTH))
    kernel, centred = kernel_of_rows(activations), activations - activations.mean(0)
    cross = gradients @ centred.T
    alpha = RNG.standard_normal((1, CLIPS))
    alpha -= alpha.mean()
    cav = (alpha @ activations)[0]
    cav /= np.linalg.norm(cav)
    expected = gradients @ cav * (activations @ cav).std()
    np.testing.assert_allclose(direction_effects(kernel, cross, alpha)[0], expected)
    np.testing.assert_allclose(direction_effects(kernel, cross, 7 * alpha)[0], expected)
    np.testing.assert_allclose(direction_effects(kernel, cross, -alpha)[0], -expected)
    assert (direction_effects(kernel, cross, 0 * alpha) == 0).all()
    factored = direction_effects(FactoredKernel(centred), cross, alpha)
    np.testing.assert_allclose(factored[0], expected, rtol=1e-4)
