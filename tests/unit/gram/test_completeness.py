"""Completeness against the definition written out clip by clip, its shares against all orders, and planted causes."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from video_tcav.core import random_streams
from video_tcav.core.errors import InputError, ShapeError
from video_tcav.gram import FactoredKernel, measure_completeness
from video_tcav.gram.completeness import completeness_of_presences
from video_tcav.gram.group_ridge import COLUMN_PENALTIES, KERNEL_PENALTIES, kernel_predictions
from video_tcav.gram.presences import held_out_projections
from video_tcav.gram.regressand import too_few
from video_tcav.gram.shapley import shapley_values

QUICK = {"relabellings": 3, "bootstraps": 20}


def kernel_of(activations: np.ndarray) -> np.ndarray:
    centred = activations - activations.mean(0)
    return centred @ centred.T


class World:
    """Clips of two concepts in groups of two; the value follows the first concept, the second is made of nothing."""

    def __init__(self, *, per_group: int = 2) -> None:
        generator = np.random.default_rng(5)
        self.activations = generator.normal(size=(60, 12))
        self.activations[:15, 0] += 4
        self.groups = (np.arange(60) // per_group).tolist()
        self.values = 2 * self.activations[:, 0] + generator.normal(size=60)
        self.labels = {"cause": np.full(60, -1), "nothing": np.full(60, -1)}
        self.labels["cause"][:15], self.labels["cause"][30:] = 1, 0
        self.labels["nothing"][15:30], self.labels["nothing"][30:] = 1, 0

    def measured(self, **changes):
        given = {"values": self.values, "labels": self.labels, "groups": self.groups, **QUICK, **changes}
        return measure_completeness(kernel_of(self.activations), given.pop("values"), given.pop("labels"), **given)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def slow_presences(world: World, labels: np.ndarray) -> np.ndarray:
    """Each clip on the mean-difference CAV of the folds that do not hold its group; on their average where none does."""
    rows, groups = np.flatnonzero(labels >= 0), np.asarray(world.groups)
    generator = np.random.default_rng([0, random_streams.FOLDS])
    concept, random = np.unique(groups[labels == 1]), np.unique(groups[labels == 0])
    generator.permutation([])  # of groups that hold both kinds there are none
    fold_of = {}
    for members in (concept, random):
        fold_of |= {group: place % 5 for place, group in enumerate(generator.permutation(members))}
    by_fold = []
    for fold in range(5):
        train = np.array([row for row in rows if fold_of[groups[row]] != fold])
        means = [world.activations[train[labels[train] == kind]].mean(0) for kind in (1, 0)]
        direction = (means[0] - means[1]) / np.linalg.norm(means[0] - means[1])
        by_fold.append((world.activations - (means[0] + means[1]) / 2) @ direction)
    return np.array(
        [
            by_fold[fold_of[group]][clip] if group in fold_of else np.mean([fold[clip] for fold in by_fold])
            for clip, group in enumerate(groups)
        ]
    )


def slow_r2(columns: np.ndarray, values: np.ndarray, folds: np.ndarray, penalties: np.ndarray) -> float:
    """Out of fold, the penalty chosen by leaving out the other folds in turn; nothing is shared between fits."""
    predicted, means = np.empty(len(values)), np.empty(len(values))
    for fold in range(5):
        train = folds != fold
        errors = [
            sum(
                np.square(
                    values[folds == other]
                    - ridge(columns, values, train & (folds != other), penalty).predict(columns[folds == other])
                ).sum()
                for other in range(5)
                if other != fold
            )
            for penalty in penalties
        ]
        best = ridge(columns, values, train, penalties[int(np.argmin(errors))])
        predicted[~train], means[~train] = best.predict(columns[~train]), values[train].mean()
    return 1 - np.square(values - predicted).sum() / np.square(values - means).sum()


def ridge(columns: np.ndarray, values: np.ndarray, train: np.ndarray, penalty: float):
    spread = columns[train].std(0)
    fitted = Ridge(alpha=penalty * train.sum()).fit(columns[train] / spread, values[train])
    fitted.coef_ = fitted.coef_ / spread
    return fitted


def folds_of(world: World) -> np.ndarray:
    names, group_of = np.unique(world.groups, return_inverse=True)
    generator = np.random.default_rng([0, random_streams.COMPLETENESS_FOLDS])
    return generator.permutation(np.arange(len(names)) % 5)[group_of]


def test_it_is_the_r2_of_a_regression_on_held_out_presences(world):
    presences = np.stack([slow_presences(world, labels) for labels in world.labels.values()], axis=1)
    slow = slow_r2(presences, world.values, folds_of(world), COLUMN_PENALTIES)
    assert world.measured().concepts.share == pytest.approx(slow, abs=1e-9)


def test_presences_are_held_out_also_of_clips_that_are_in_no_comparison(world):
    labels = world.labels["cause"]
    rows, groups = np.flatnonzero(labels >= 0), np.asarray(world.groups)
    folds = groups[rows] % 5
    fold_of = np.where(labels >= 0, groups % 5, -1)
    args = kernel_of(world.activations), labels[rows] == 1, folds
    projections = held_out_projections("mean", *args, rows=rows, fold_of=fold_of)
    moved = world.activations.copy()
    moved[groups == 0] += 1  # of the concept
    others = held_out_projections("mean", kernel_of(moved), *args[1:], rows=rows, fold_of=fold_of)
    # its own CAV did not see the clip: where it lies along it is all that changed
    train = (folds != 0).nonzero()[0]
    means = [world.activations[rows[train[labels[rows[train]] == kind]]].mean(0) for kind in (1, 0)]
    unit = (means[0] - means[1]) / np.linalg.norm(means[0] - means[1])
    assert others[0] - projections[0] == pytest.approx(unit.sum())
    assert not np.allclose(others[20], projections[20])


def test_the_ceiling_is_ridge_on_all_directions(world):
    folds, activations = folds_of(world), world.activations
    predicted = kernel_predictions(kernel_of(activations), world.values, folds)
    for fold in range(5):
        train = folds != fold
        total = np.square(activations[train] - activations[train].mean(0)).sum()
        candidates = [
            Ridge(alpha=penalty * total).fit(activations[train], world.values[train]).predict(activations[~train])
            for penalty in KERNEL_PENALTIES
        ]
        assert any(np.allclose(predicted[~train], each, atol=1e-6) for each in candidates)
    errors = np.square(world.values - predicted).sum()
    assert world.measured().all_directions == pytest.approx(
        1 - errors / np.square(world.values - held_out_means(world)).sum()
    )


def held_out_means(world: World) -> np.ndarray:
    folds = folds_of(world)
    return np.array([world.values[folds != fold].mean() for fold in folds])


def test_the_cause_explains_and_what_is_made_of_nothing_does_not(world):
    measured = world.measured(relabellings=40, bootstraps=100)
    assert measured.concepts.share > 0.8
    assert measured.concepts.low < measured.concepts.share < measured.concepts.high <= 1
    assert measured.relabelled < 0.5
    assert measured.relabelled <= measured.relabelled_high < measured.concepts.share
    assert measured.shares["cause"].share > 0.7
    assert abs(measured.shares["nothing"].share) < 0.1
    assert (measured.n_clips, measured.n_groups) == (60, 30)


def test_shares_add_up(world):
    measured = world.measured()
    assert sum(share.share for share in measured.shares.values()) == pytest.approx(measured.concepts.share)
    assert all(share.sampling_error == 0 for share in measured.shares.values())


def test_a_prediction_has_not_seen_the_value(world):
    changed = world.values.copy()
    changed[:2] += 100  # both clips of the first group
    before, after = world.measured().predicted, world.measured(values=changed).predicted
    assert after[:2] == pytest.approx(before[:2])
    assert not np.allclose(after[10:], before[10:])


def test_clips_without_a_value_teach_cavs_alone(world):
    values = np.where(np.arange(60) < 30, world.values, np.nan)
    measured = world.measured(values=values)
    assert measured.n_clips == 30
    assert np.isnan(measured.predicted[30:]).all()
    assert np.isfinite(measured.predicted[:30]).all()


def test_units_of_the_value_and_of_activations_do_not_matter(world):
    measured, scaled = world.measured(), world.measured(values=7 - 3 * world.values)
    assert scaled.concepts.share == pytest.approx(measured.concepts.share)
    assert scaled.predicted == pytest.approx(7 - 3 * measured.predicted)
    larger = measure_completeness(
        100 * kernel_of(world.activations), world.values, world.labels, groups=world.groups, **QUICK
    )
    assert larger.concepts.share == pytest.approx(measured.concepts.share)
    assert larger.all_directions == pytest.approx(measured.all_directions)


def test_a_factored_kernel_says_the_same(world):
    factored = FactoredKernel(world.activations - world.activations.mean(0))
    measured = measure_completeness(factored, world.values, world.labels, groups=world.groups, **QUICK)
    assert measured.concepts.share == pytest.approx(world.measured().concepts.share, abs=1e-4)
    assert measured.all_directions == pytest.approx(world.measured().all_directions, abs=1e-4)


def test_the_same_seed_gives_the_same_bytes(world):
    first, second = world.measured(seed=3), world.measured(seed=3)
    assert (first.concepts, first.relabelled) == (second.concepts, second.relabelled)
    assert first.predicted.tobytes() == second.predicted.tobytes()


def worth_of(team: tuple[int, ...]) -> np.ndarray:
    """Players have values of their own, and pairs of neighbours are worth more together."""
    return np.array([sum(player + 1 for player in team) + 5.0 * sum(player + 1 in team for player in team)])


def test_shapley_values_are_averages_over_all_orders():
    exact, errors = shapley_values(worth_of, 4, seed=0)
    added = np.zeros((4, 1))
    for order in permutations(range(4)):
        for place, player in enumerate(order):
            added[player] += worth_of((*order[:place], player)) - worth_of(order[:place])
    assert exact == pytest.approx(added / 24)
    assert (errors == 0).all()


def test_many_players_are_sampled_with_a_stated_error():
    values, errors = shapley_values(worth_of, 10, seed=0)
    # a bonus is shared by the two who earn it
    exact = np.array([player + 1 + 2.5 * ((player > 0) + (player < 9)) for player in range(10)])
    assert values.sum() == pytest.approx(worth_of(tuple(range(10)))[0])
    assert (np.abs(values[:, 0] - exact) <= 4 * errors + 1e-9).all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"values": np.zeros(60)}, InputError, r"`values` must differ between clips. Got 0 for all 60 clips"),
        ({"values": np.full(60, np.nan)}, InputError, r"at least 20 clips in 5 groups. Got 0 clips in 0"),
        ({"values": np.zeros(5)}, ShapeError, r"one a clip, of 60 clips. Got \(5,\)"),
        ({"groups": [1, 2]}, ShapeError, r"one a clip, of 60 clips"),
        ({"labels": {}}, InputError, r"`labels` must name a concept"),
        ({"labels": {"a": np.full(60, 2)}}, ShapeError, r"must give 1, 0 or −1"),
        ({"labels": {"a": np.ones(60)}}, InputError, r"`random clips` must have at least 3"),
        ({"relabellings": 1}, InputError, r"`relabellings` must be at least 2"),
    ],
)
def test_what_cannot_be_used_is_told(world, changes, error, message):
    with pytest.raises(error, match=message):
        world.measured(**changes)


def test_few_clips_say_nothing():
    assert too_few(np.arange(20.0), 5) is None
    assert "Got 19 clips in 5" in str(too_few(np.arange(19.0), 5))
    assert "Got 20 clips in 4" in str(too_few(np.arange(20.0), 4))


def test_presences_that_are_known_explain_what_their_regression_does(world):
    generator = np.random.default_rng(1)
    presences = {"cause": world.activations[:, 0], "nothing": generator.normal(size=60)}
    groups, kernel = np.asarray(world.groups), kernel_of(world.activations)
    measured = completeness_of_presences(kernel, world.values, groups, presences, bootstraps=100, seed=0)
    slow = slow_r2(np.stack(list(presences.values()), axis=1), world.values, folds_of(world), COLUMN_PENALTIES)
    assert measured.concepts.share == pytest.approx(slow, abs=1e-9)
    assert measured.concepts.low < 0.9 < measured.concepts.high
    assert measured.shares["cause"].share > 0.8 and abs(measured.shares["nothing"].share) < 0.05
    assert measured.relabelled < measured.relabelled_high < 0.2


def test_presences_of_nothing_explain_nothing_and_clips_without_a_value_say_nothing(world):
    generator = np.random.default_rng(2)
    presences = {f"nothing {number}": generator.normal(size=60) for number in range(3)}
    groups, kernel = np.asarray(world.groups), kernel_of(world.activations)
    measured = completeness_of_presences(kernel, world.values, groups, presences, bootstraps=100, seed=0)
    assert abs(measured.concepts.share) < 0.15
    assert measured.concepts.low < 0.05
    values = world.values.copy()
    values[50:] = np.nan
    presences["nothing 0"][50:] = 1e6  # of clips that have no value: no regression may see them
    fewer = completeness_of_presences(kernel, values, groups, presences, bootstraps=20, seed=0)
    presences["nothing 0"][50:] = 0
    assert fewer.concepts.share == pytest.approx(
        completeness_of_presences(kernel, values, groups, presences, bootstraps=20, seed=0).concepts.share
    )


def test_presences_go_to_other_groups_whole():
    """Where clips of a video are alike, a few videos explain by chance far more than as many clips by themselves would."""
    generator, groups = np.random.default_rng(0), np.repeat(np.arange(12), 10)
    above, floors = [], []
    for seed in range(12):
        presences = generator.standard_normal((12, 3))[groups] + 0.3 * generator.standard_normal((120, 3))
        values = generator.standard_normal(12)[groups] + 0.3 * generator.standard_normal(120)
        measured = completeness_of_presences(
            presences @ presences.T,
            values,
            groups,
            {str(column): presences[:, column] for column in range(3)},
            bootstraps=10,
            seed=seed,
        )
        above.append(measured.concepts.share > measured.relabelled_high)
        floors.append(measured.relabelled_high)
    assert np.mean(floors) > 0.08  # clip by clip it was 0.01
    assert np.mean(above) < 0.2
