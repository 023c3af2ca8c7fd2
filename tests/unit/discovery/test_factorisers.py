"""Factorisations: planted directions come back, codes are the minimum that they claim to be, signs are refused where needed."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.decomposition import sparse_encode

from video_tcav.core.errors import InputError
from video_tcav.discovery.components_of_layer import match_rows, matched_cosines
from video_tcav.discovery.factorisers.convex import updated_weights
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes
from video_tcav.discovery.factorisers.registry import FACTORISERS, factoriser
from video_tcav.discovery.factorisers.top_k import top_k_codes


def planted(seed, *, signed, positions=600, components=4, channels=16):
    """Positions that have one or two of a few directions each, and noise; root mean square length one."""
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((components, channels))
    if not signed:
        directions = np.where(generator.random(directions.shape) < 0.25, np.abs(directions), 0.0) + 0.01
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = generator.exponential(1.0, (positions, components)) * (generator.random((positions, components)) < 0.3)
    sample = codes @ directions + 0.02 * generator.standard_normal((positions, channels)) * signed
    scale = np.sqrt(np.square(sample).sum(1).mean())
    return sample / scale, directions, codes


@pytest.mark.parametrize(
    ("name", "signed"),
    [("sparse", True), ("sparse", False), ("topk", True), ("topk", False), ("convex", False), ("nmf", False)],
)
def test_planted_directions_come_back_with_their_signs(name, signed):
    sample, directions, codes = planted(3, signed=signed)
    method = factoriser(name)
    fitted = method.fit(sample, len(directions), 0)
    assert matched_cosines(directions, fitted).min() > 0.95
    for true, found, _ in match_rows(directions, fitted):
        assert np.corrcoef(codes[:, true], method.codes(sample, fitted)[:, found])[0, 1] > 0.9


def test_the_same_seed_gives_the_same_directions():
    sample, *_ = planted(3, signed=True)
    for name in ("sparse", "convex", "topk", "kmeans"):
        method = factoriser(name)
        assert np.array_equal(method.fit(sample, 4, 7), method.fit(sample, 4, 7))


def test_codes_are_those_of_the_non_negative_lasso():
    sample, directions, _ = planted(1, signed=True, positions=40)
    penalty = 0.2
    slow = sparse_encode(sample, directions, algorithm="lasso_cd", alpha=penalty, positive=True, max_iter=5000)
    codes = non_negative_codes(sample, directions, penalty=penalty, rounds=200)
    assert np.allclose(codes, slow, atol=1e-3)
    # the optimum's own conditions: no gain from more of a component, none from less of one that is there
    gain = (sample - codes @ directions) @ directions.T - penalty
    assert (gain < 1e-6).all()
    assert np.abs(gain[codes > 0]).max() < 1e-6


def test_a_position_has_two_components_at_most_and_the_best_two_where_all_pairs_are_tried():
    sample, directions, _ = planted(4, signed=True, positions=30)
    codes = top_k_codes(sample, directions)
    assert (codes >= 0).all() and ((codes > 0).sum(1) <= 2).all()
    errors = np.square(sample - codes @ directions).sum(1)
    best = np.full(len(sample), np.inf)
    for pair in combinations(range(len(directions)), 2):
        slow = np.stack([nnls(directions[list(pair)].T, position)[0] for position in sample])
        best = np.minimum(best, np.square(sample - slow @ directions[list(pair)]).sum(1))
    # greedy choice of directions that are not alike is nearly always the best one
    assert (errors < best + 0.02).mean() > 0.9


def slow_pursuit(position, directions):
    """Non-negative orthogonal matching pursuit of one position, by its definition."""
    support, codes = [], np.zeros(len(directions))
    for _ in range(2):
        gains = directions @ (position - codes @ directions)
        gains[support] = -np.inf
        if gains.max() <= 0:
            break
        support.append(int(gains.argmax()))
        codes = np.zeros(len(directions))
        codes[support] = nnls(directions[support].T, position)[0]
    return codes


def test_codes_of_directions_that_are_alike_are_least_squares_in_any_order_of_components():
    generator = np.random.default_rng(6)
    common = generator.standard_normal(8)
    directions = common + 0.5 * generator.standard_normal((5, 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cosines = directions @ directions.T
    assert cosines[np.triu_indices(5, 1)].min() > 0.6
    sample = generator.exponential(1.0, (200, 5)) @ directions + 0.3 * generator.standard_normal((200, 8))
    codes = top_k_codes(sample, directions)
    slow = np.stack([slow_pursuit(position, directions) for position in sample])
    assert np.allclose(codes, slow, atol=1e-4)
    assert np.allclose(top_k_codes(sample, directions[::-1])[:, ::-1], codes, atol=1e-4)


def test_updates_of_convex_weights_lower_the_error_and_keep_weights_positive():
    sample, _, codes = planted(5, signed=True, positions=80)
    anchors, weights = sample[:40], np.random.default_rng(0).random((40, codes.shape[1]))
    errors = []
    for _ in range(20):
        errors.append(np.square(sample - codes @ weights.T @ anchors).sum())
        weights = updated_weights(weights, codes.T @ codes, anchors @ (sample.T @ codes), anchors @ anchors.T, steps=1)
        assert (weights >= 0).all()
    assert (np.diff(errors) <= 1e-9 * errors[0]).all()
    assert errors[-1] < 0.5 * errors[0]


def test_directions_of_convex_nmf_are_sums_of_positions():
    sample, *_ = planted(6, signed=True, positions=120)
    for direction in factoriser("convex").fit(sample, 4, 0):
        _, distance = nnls(sample.T, direction)
        assert distance < 1e-5


def test_a_position_has_one_cluster():
    sample, *_ = planted(2, signed=True)
    method = factoriser("kmeans")
    codes = method.codes(sample, method.fit(sample, 4, 0))
    assert ((codes > 0).sum(1) <= 1).all()
    assert (codes.max(1) > 0).mean() > 0.9


def test_nmf_refuses_activations_with_signs():
    sample, *_ = planted(0, signed=True)
    with pytest.raises(
        InputError,
        match="`method` must be sparse, convex, topk or kmeans at a layer whose activations have signs. Got nmf",
    ):
        factoriser("nmf").fit(sample, 3, 0)


def test_every_kind_has_a_name_and_a_line_of_help():
    for name in FACTORISERS.names():
        kind = FACTORISERS[name]
        assert kind.name == name
        assert kind.help


def test_an_unknown_kind_is_one_line():
    with pytest.raises(InputError, match="`method` must be one of sparse, convex, topk, nmf, kmeans. Got 'pca'"):
        factoriser("pca")


def test_matching_is_the_best_of_all_permutations():
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 4, 6))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second)]
    cosines = unit[0] @ unit[1].T
    from itertools import permutations

    best = max(sum(cosines[row, column] for row, column in enumerate(order)) for order in permutations(range(4)))
    assert np.isclose(sum(cosine for *_, cosine in match_rows(first, second)), best)
