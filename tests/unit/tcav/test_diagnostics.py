"""Consistency, entanglement and stability of CAVs against slow definitions in activation space, and planted truths."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.tcav import diagnostics
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.entanglement import Entanglement, pseudo_sizes
from video_tcav.tcav.diagnostics.stability import full_size, halves, sizes

MEAN = {"cav": "mean", "seed": 0}
ONES = list(range(5))


def compared(
    name: str, concept: range, random: range, total: int, *, per_group: int = 1, versus: str = "random"
) -> Comparison:
    """A comparison of consecutive rows; rows that follow each other share a group."""
    rows = np.array([*concept, *random])
    design = Design(
        labels=np.arange(len(rows)) < len(concept),
        units=rows,
        groups=rows // per_group,
        n_units=total,
        n_groups_total=total // per_group + 1,
    )
    return Comparison(
        concept=name, versus=versus, negatives="as given", design=design, rows={"none": rows}, warnings=()
    )


def grams_of(**layers: np.ndarray) -> dict[str, Gram]:
    """Inner products of activations, with five random gradients a layer."""
    found = {}
    for name, activations in layers.items():
        gradients = np.random.default_rng(9).normal(size=(5, activations.shape[1]))
        centred = activations - activations.mean(0)
        found[name] = Gram(kernel=centred @ centred.T, cross=gradients @ centred.T)
    return found


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def mean_cav(activations: np.ndarray, concept: np.ndarray, random: np.ndarray) -> np.ndarray:
    return activations[concept].mean(0) - activations[random].mean(0)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 30))


# Consistency


def slow_projections(activations: np.ndarray, one: Comparison) -> np.ndarray:
    values, labels, folds = activations[one.rows["none"]], one.design.labels, one.design.folds(0)
    projected = np.empty(len(values))
    for row, fold in enumerate(folds):
        train = folds != fold
        concept, random = values[train & labels].mean(0), values[train & ~labels].mean(0)
        projected[row] = (values[row] - (concept + random) / 2) @ unit(concept - random)
    return projected


def test_consistency_is_the_correlation_within_kinds_of_held_out_projections(noise):
    one = compared("racket", range(20), range(20, 60), 60, per_group=2)
    layers = {"early": noise, "late": noise @ np.random.default_rng(1).normal(size=(30, 12))}
    (found,) = diagnostics.consistency([one], grams_of(**layers), **MEAN)
    early, late = (slow_projections(activations, one) for activations in layers.values())
    centred = [np.concatenate([each[:20] - each[:20].mean(), each[20:] - each[20:].mean()]) for each in (early, late)]
    assert found.correlation == pytest.approx(np.corrcoef(*centred)[0, 1])
    assert found.concept_correlation == pytest.approx(np.corrcoef(early[:20], late[:20])[0, 1])
    assert found.random_correlation == pytest.approx(np.corrcoef(early[20:], late[20:])[0, 1])
    assert (found.key.layer, found.other_layer) == ("early", "late")
    assert (found.n_concept_clips, found.n_random_clips) == (20, 40)


def test_telling_concept_from_random_clips_alone_is_no_consistency():
    """Both layers separate the kinds perfectly, but by things that have nothing to do with each other."""
    generator = np.random.default_rng(2)
    layers = {name: generator.normal(size=(200, 10)) for name in ("early", "late")}
    for activations in layers.values():
        activations[:100, 0] += 20
    one = compared("racket", range(100), range(100, 200), 200)
    (found,) = diagnostics.consistency([one], grams_of(**layers), **MEAN)
    assert abs(found.correlation) < 0.2
    assert np.corrcoef(*(slow_projections(each, one) for each in layers.values()))[0, 1] > 0.98


def test_layers_that_read_the_same_thing_are_consistent():
    generator = np.random.default_rng(3)
    degree = generator.normal(size=200) + 3 * (np.arange(200) < 100)
    layers = {name: generator.normal(size=(200, 10)) * 0.1 for name in ("early", "late")}
    for place, activations in enumerate(layers.values()):
        activations[:, place] += degree
    (found,) = diagnostics.consistency(
        [compared("racket", range(100), range(100, 200), 200)], grams_of(**layers), **MEAN
    )
    assert found.correlation > 0.95


@pytest.mark.parametrize("cav", ["mean", "ridge", "logistic", "svm"])
def test_a_layer_is_consistent_with_itself_turned_and_scaled(noise, cav):
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(30, 30)))[0]
    grams = grams_of(early=noise, late=3 * noise @ turn + 7)
    (found,) = diagnostics.consistency([compared("racket", range(20), range(20, 60), 60)], grams, cav=cav, seed=0)
    assert found.correlation == pytest.approx(1, abs=1e-6)
    assert found.reference == pytest.approx(1, abs=1e-6)


def test_a_layer_that_is_the_same_for_all_clips_has_no_consistency(noise):
    grams = grams_of(early=noise, late=np.ones((60, 4)))
    (found,) = diagnostics.consistency([compared("racket", range(20), range(20, 60), 60)], grams, **MEAN)
    assert np.isnan(found.correlation)


# Entanglement


def test_cosines_are_those_of_the_cavs_in_activation_space(noise):
    pair = [compared("racket", range(15), range(30, 60), 60), compared("court", range(15, 30), range(30, 60), 60)]
    (found,) = diagnostics.entanglement(pair, grams_of(late=noise), **MEAN)
    pool = np.arange(30, 60)
    slow = unit(mean_cav(noise, np.arange(15), pool)) @ unit(mean_cav(noise, np.arange(15, 30), pool))
    assert found.cosine == pytest.approx(slow)
    assert (found.concept, found.other_concept, found.n_shared_groups) == ("racket", "court", 30)


def planted(directions: np.ndarray, seed: int = 5) -> tuple[list[Comparison], dict[str, Gram]]:
    """Two concepts of 30 clips, each shifted along its own direction, and 60 random clips."""
    activations = np.random.default_rng(seed).normal(size=(120, 40))
    activations[:30] += directions[0]
    activations[30:60] += directions[1]
    pair = [compared("racket", range(30), range(60, 120), 120), compared("court", range(30, 60), range(60, 120), 120)]
    return pair, grams_of(late=activations)


def test_two_concepts_that_are_the_same_have_a_cosine_near_one():
    pair, grams = planted(np.array([[10.0] + [0] * 39] * 2))
    (found,) = diagnostics.entanglement(pair, grams, **MEAN)
    assert found.cosine > 0.95
    assert found.cosine > found.reference_high
    (sentence,) = [s for s in diagnostics.warnings(diagnose(pair, grams)) if "more alike" in s]
    assert sentence.startswith("racket and court: their CAVs at late are more alike than those of unrelated concepts")


@pytest.mark.parametrize("seed", range(5))
def test_unrelated_concepts_are_inside_the_reference_range(seed):
    """Their CAVs are alike to some degree, but only because they share the random clips."""
    pair, grams = planted(np.zeros((2, 40)), seed)
    (found,) = diagnostics.entanglement(pair, grams, **MEAN)
    assert found.reference == pytest.approx(1 / 3, abs=0.08)  # (1/60) / (1/30 + 1/60)
    assert found.reference_low <= found.cosine <= found.reference_high


def test_orthogonal_concepts_are_not_called_entangled():
    pair, grams = planted(np.eye(40)[:2] * 2)
    (found,) = diagnostics.entanglement(pair, grams, **MEAN)
    assert found.cosine < found.reference_high
    assert not [sentence for sentence in diagnostics.warnings(diagnose(pair, grams)) if "alike" in sentence]


def test_opposed_concepts_are_called_so():
    pair, grams = planted(np.array([[10.0], [-10.0]]) * np.eye(40)[:1])
    (found,) = diagnostics.entanglement(pair, grams, **MEAN)
    assert found.cosine < -0.9
    assert any("more opposed" in sentence for sentence in diagnostics.warnings(diagnose(pair, grams)))


def test_the_reference_does_not_see_the_concept_clips():
    quiet, loud = (planted(np.eye(40)[:2] * size) for size in (0, 50))
    (one,), (other,) = (diagnostics.entanglement(*each, **MEAN) for each in (quiet, loud))
    assert one.reference == pytest.approx(other.reference)
    assert one.cosine != pytest.approx(other.cosine)


def test_concepts_with_random_clips_of_their_own_have_no_reference(noise):
    pair = [compared("racket", range(10), range(20, 40), 60), compared("court", range(10, 20), range(40, 60), 60)]
    (found,) = diagnostics.entanglement(pair, grams_of(late=noise), **MEAN)
    assert np.isnan(found.reference)
    assert found.n_shared_groups == 0
    assert np.isfinite(found.cosine)


def test_concepts_that_share_some_random_clips_are_compared_on_those(noise):
    pair = [compared("racket", range(10), range(20, 50), 60), compared("court", range(10, 20), range(30, 60), 60)]
    (found,) = diagnostics.entanglement(pair, grams_of(late=noise), **MEAN)
    assert found.n_shared_groups == 20
    assert found.reference_low < found.reference < found.reference_high


def test_only_comparisons_against_random_clips_are_paired(noise):
    relative = compared("racket", range(10), range(10, 20), 60, versus="court")
    concepts = [compared("racket", range(10), range(20, 60), 60), compared("court", range(10, 20), range(20, 60), 60)]
    found = diagnostics.entanglement([*concepts, relative], grams_of(early=noise, late=noise), **MEAN)
    assert [(one.concept, one.other_concept, one.layer) for one in found] == [
        ("racket", "court", "early"),
        ("racket", "court", "late"),
    ]


@given(concept=st.integers(1, 200), other=st.integers(1, 200), pool=st.integers(3, 200))
def test_pseudo_concepts_leave_random_clips_and_keep_proportions(concept, other, pool):
    first, second = pseudo_sizes(concept, other, pool, pool)
    assert first >= 1
    assert second >= 1
    assert first + second < pool
    scale = pool / (pool + concept + other)
    if min(concept, other, pool) * scale > 2:
        assert abs(first - concept * scale) <= 1
        assert abs(second - other * scale) <= 1


# Halves


def test_split_half_is_the_cosine_of_the_halves_in_activation_space(noise):
    one = compared("racket", range(20), range(20, 60), 60, per_group=2)
    grams = grams_of(late=noise)
    (found,) = diagnostics.split_half([one], grams, **MEAN)
    labels, gradients = one.design.labels, np.random.default_rng(9).normal(size=(5, 30))
    cosines, correlations = [], []
    for first in halves(one.design, 50, 0):
        ours, theirs = (mean_cav(noise, labels & side, ~labels & side) for side in (first, ~first))
        cosines.append(unit(ours) @ unit(theirs))
        correlations.append(np.corrcoef(gradients @ ours, gradients @ theirs)[0, 1])
    assert found.cosine == pytest.approx(np.mean(cosines))
    assert (found.cosine_low, found.cosine_high) == pytest.approx(tuple(np.quantile(cosines, [0.05, 0.95])))
    assert found.effect_correlation == pytest.approx(np.mean(correlations))


@pytest.mark.parametrize("cav", ["mean", "ridge", "logistic", "svm"])
def test_a_planted_concept_is_stable_and_noise_is_not(cav):
    activations = np.random.default_rng(6).normal(size=(90, 40))
    activations[:20, 0] += 6
    pair = [compared("planted", range(20), range(40, 90), 90), compared("noise", range(20, 40), range(40, 90), 90)]
    stable, unstable = diagnostics.split_half(pair, grams_of(late=activations), cav=cav, seed=0)
    assert stable.full_size_cosine > 0.8
    assert unstable.full_size_cosine < 0.4
    assert unstable.cosine_low < 0.2


def test_the_full_size_estimate_is_what_new_clips_would_give():
    """Signal of length 1, noise of a known length: cosine of two CAVs of all clips, by drawing them."""
    generator, found, drawn = np.random.default_rng(7), [], []
    for _ in range(20):
        activations = generator.normal(size=(120, 800)) * 0.125
        activations[:40, 0] += 1
        activations[60:100, 0] += 1
        first = compared("racket", range(40), range(40, 60), 120)
        (estimate,) = diagnostics.split_half([first], grams_of(late=activations), **MEAN)
        found.append(estimate.full_size_cosine)
        ours = mean_cav(activations, np.arange(40), np.arange(40, 60))
        drawn.append(unit(ours) @ unit(mean_cav(activations, np.arange(60, 100), np.arange(100, 120))))
    assert np.mean(found) == pytest.approx(np.mean(drawn), abs=0.03)


@given(cosine=st.floats(-1, 1))
def test_the_full_size_estimate_lies_between_the_cosine_and_one(cosine):
    assert max(0, cosine) <= full_size(cosine) <= 1


@settings(max_examples=30)
@given(concept=st.integers(3, 9), random=st.integers(3, 9), seed=st.integers(0, 100))
def test_halves_are_whole_groups_of_both_kinds(concept, random, seed):
    total = 2 * (concept + random)
    one = compared("racket", range(2 * concept), range(2 * concept, total), total, per_group=2)
    for first in halves(one.design, 10, seed):
        assert (first[0::2] == first[1::2]).all()
        for kind, groups in ((one.design.labels, concept), (~one.design.labels, random)):
            assert (first & kind).sum() / 2 in (groups // 2, (groups + 1) // 2)


# Effects


def test_the_effect_of_all_clips_is_the_effect(noise):
    one = compared("racket", range(20), range(20, 60), 60)
    grams = grams_of(late=noise)
    found = diagnostics.effect_by_clips([one], grams, **MEAN)
    gradient = np.random.default_rng(9).normal(size=(5, 30)).mean(0)
    effect = gradient @ mean_cav(noise, np.arange(20), np.arange(20, 60))
    assert [row.n_concept_groups for row in found] == list(sizes(20))
    assert found[-1].effect == found[-1].effect_low == found[-1].effect_high == pytest.approx(effect)
    assert found[0].effect_high - found[0].effect_low > found[-2].effect_high - found[-2].effect_low
    (pool,) = diagnostics.pool_sensitivity([one], grams, ONES, **MEAN)
    assert pool.effect == pytest.approx(effect)


@given(groups=st.integers(1, 2000))
def test_sizes_rise_from_two_to_all(groups):
    found = sizes(groups)
    assert len(found) <= 8
    assert found[-1] == groups
    assert found[0] == min(2, groups)
    assert list(found) == sorted(set(found))


def test_half_of_the_pool_varies_as_the_pool_does_against_the_truth():
    """The standard deviation over halves is the standard error of the random clips' mean projection."""
    activations = np.random.default_rng(8).normal(size=(220, 30))
    one = compared("racket", range(20), range(20, 220), 220)
    (found,) = diagnostics.pool_sensitivity([one], grams_of(late=activations), ONES, **MEAN)
    projected = activations[20:] @ np.random.default_rng(9).normal(size=(5, 30)).mean(0)
    assert found.effect_std == pytest.approx(projected.std() / np.sqrt(200), rel=0.25)
    assert found.effect_low < found.effect < found.effect_high


def test_an_effect_that_hangs_on_few_random_clips_is_said_to():
    activations = np.random.default_rng(10).normal(size=(104, 30))
    activations[100:] *= 3
    few = compared("racket", range(100), range(100, 104), 104)
    grams = grams_of(late=activations)
    found = diagnostics.diagnose([few], grams, class_groups=[0] * 5, **MEAN)
    assert found.pool_sensitivity[0].relative_std > 0.18
    assert any("depends more on which random clips were used" in one for one in diagnostics.warnings(found))


# All


def diagnose(comparisons: list[Comparison], grams: dict[str, Gram], seed: int = 0) -> diagnostics.Diagnostics:
    return diagnostics.diagnose(comparisons, grams, class_groups=ONES, cav="mean", seed=seed)


@pytest.fixture
def pair() -> list[Comparison]:
    return [compared("racket", range(15), range(30, 60), 60), compared("court", range(15, 30), range(30, 60), 60)]


def test_the_same_seed_gives_the_same_diagnostics(noise, pair):
    grams = grams_of(early=noise, late=noise[:, :9])
    assert diagnose(pair, grams) == diagnose(pair, grams)
    assert diagnose(pair, grams) != diagnose(pair, grams, seed=1)


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_scale_and_origin_of_the_activations_change_no_cosine_and_no_correlation(scale, shift):
    activations = np.random.default_rng(11).normal(size=(60, 8))
    both = [compared("racket", range(15), range(30, 60), 60), compared("court", range(15, 30), range(30, 60), 60)]
    one, other = (
        diagnose(both, grams_of(late=each, early=noisy))
        for each, noisy in (
            (activations, activations[:, :5]),
            (scale * activations + shift, activations[:, :5]),
        )
    )
    for name in ("cosine", "reference", "reference_high"):
        assert getattr(other.entanglement[0], name) == pytest.approx(getattr(one.entanglement[0], name))
    assert other.split_half[0].cosine == pytest.approx(one.split_half[0].cosine)
    assert other.consistency[0].correlation == pytest.approx(one.consistency[0].correlation)
    assert other.pool_sensitivity[0].relative_std == pytest.approx(one.pool_sensitivity[0].relative_std)


def test_each_diagnostic_is_a_table(noise, pair):
    frames = diagnose(pair, grams_of(early=noise, late=noise)).to_frames()
    assert {name: len(frame) for name, frame in frames.items()} == {
        "consistency": 2,
        "entanglement": 2,
        "place_and_time": 0,
        "split_half": 4,
        "effect_by_clips": 4 * len(sizes(15)),
        "pool_sensitivity": 4,
    }
    assert "ratio" in frames["place_and_time"].columns


def test_noise_is_said_to_be_noise_and_a_clear_concept_raises_no_warning():
    generator = np.random.default_rng(12)
    degree = generator.normal(size=120) + 8 * (np.arange(120) < 40)
    early, late = (generator.normal(size=(120, 20)) * 0.3 for _ in range(2))
    early[:, 0] += degree
    late[:, 1] += degree
    clear = compared("clear", range(40), range(40, 120), 120)
    assert diagnostics.warnings(diagnose([clear], grams_of(early=early, late=late))) == ()
    empty = grams_of(early=generator.normal(size=(120, 500)), late=generator.normal(size=(120, 500)))
    unstable, disagreeing = diagnostics.warnings(diagnose([clear], empty))
    assert unstable.startswith("clear: the CAV at early, late is more noise than signal")
    assert disagreeing.startswith("clear: layers early and late do not agree")


def test_a_missing_reference_is_no_entanglement(noise, pair):
    found = diagnose(pair, grams_of(late=noise))
    lonely = replace(found.entanglement[0], cosine=1.0, reference=np.nan, reference_low=np.nan, reference_high=np.nan)
    assert isinstance(lonely, Entanglement)
    assert not any("alike" in one for one in diagnostics.warnings(replace(found, entanglement=(lonely,))))
