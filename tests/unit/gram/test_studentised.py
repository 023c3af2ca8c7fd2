"""The studentised effect against its definition written out, its level where the plain test has none, and both questions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.unit.gram.test_design import design
from video_tcav.gram.cavs.fitter import Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.concept_test import TestSettings, fit_concept
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import BootstrapT, bootstrap_effects, standard_error
from video_tcav.gram.skewness import with_skewness, without_skewness
from video_tcav.gram.studentised import contrast, contrast_weights

NAMES = "".join(chr(200 + index) for index in range(120))


def responses_gram(responses: np.ndarray, slopes: np.ndarray) -> Gram:
    """Activations of one number; the class clips' gradients along it."""
    centred = responses - responses.mean()
    return Gram(kernel=np.outer(centred, centred), cross=np.outer(slopes, centred))


def slow_contrast(parts: list[tuple[np.ndarray, int]]) -> tuple[float, float]:
    """Variance and third cumulant of the mean, from the groups' residuals and the clips of each side."""
    variance = third = 0.0
    for sign, (residuals, clips) in zip((1, -1), parts, strict=True):
        n = len(residuals)
        variance += (residuals**2).sum() / clips**2 * n / (n - 1)
        third += sign * (residuals**3).sum() / clips**3 * n**2 / ((n - 1) * (n - 2))
    return variance, third


def test_difference_error_and_skewness_are_those_of_group_totals():
    one = design("c" * 9 + "r" * 15, "aaabbbccc" + "ddeeffgghhiijjk")
    responses = np.random.default_rng(0).exponential(size=24)
    found = contrast(one, responses[:, None], one.labels[None])
    sides = []
    for rows in (one.labels, ~one.labels):
        mean = responses[rows].mean()
        totals = np.array([(responses[one.groups == g] - mean).sum() for g in np.unique(one.groups[rows])])
        sides.append((totals, int(rows.sum())))
    variance, third = slow_contrast(sides)
    difference = responses[one.labels].mean() - responses[~one.labels].mean()
    assert found.difference[0, 0] == pytest.approx(difference)
    assert found.error[0, 0] == pytest.approx(np.sqrt(variance))
    assert found.skewness[0, 0] == pytest.approx(third / variance**1.5)
    t, skew = difference / np.sqrt(variance), third / variance**1.5
    assert found.statistic()[0, 0] == pytest.approx(t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6)


def test_groups_of_both_kinds_are_compared_within():
    one = design("ccrrr" * 6, "".join(letter * 5 for letter in "abcdef"))
    responses = np.random.default_rng(1).normal(size=30) + 100 * one.groups
    within = [group[:2].mean() - group[2:].mean() for group in responses.reshape(6, 5)]
    found = contrast(one, responses[:, None], one.labels[None])
    assert found.difference[0, 0] == pytest.approx(np.mean(within))
    assert found.error[0, 0] == pytest.approx(np.std(within, ddof=1) / np.sqrt(6))


def test_both_sorts_of_groups_count_by_their_concept_clips():
    one = design("cr" * 4 + "cc" + "rrr", "aabbccdd" + "ef" + "ghi")
    responses = np.random.default_rng(2).normal(size=13)
    within = np.mean(responses[0:8:2] - responses[1:8:2])
    between = responses[8:10].mean() - responses[10:].mean()
    assert contrast(one, responses[:, None], one.labels[None]).difference[0, 0] == pytest.approx(
        (4 * within + 2 * between) / 6
    )


@pytest.mark.parametrize(
    ("labels", "groups"), [("ccrrr" * 6, "".join(g * 5 for g in "abcdef")), ("crcrcrcrccrrr", "aabbccddefghi")]
)
def test_weights_and_sums_agree_under_permutations(labels, groups):
    one = design(labels, groups, NAMES[: len(labels)])
    responses = np.random.default_rng(3).normal(size=(len(labels), 2))
    drawn = next(one.label_permutations(20, 0))
    weights = contrast_weights(one, drawn)
    np.testing.assert_allclose(weights @ responses, contrast(one, responses, drawn).difference, atol=1e-12)


@pytest.mark.parametrize("kind", ["mean", "ridge"])
def test_motion_effects_are_studentised_as_differences_of_clips(kind):
    one = design("c" * 8 + "r" * 12, NAMES[:20])
    generator = np.random.default_rng(0)
    clips, twin = (responses_gram(generator.normal(size=20), np.ones(5)) for _ in range(2))
    settings = TestSettings(cav=kind, permutations=99, bootstraps=50, random_sets=2)
    fits = fit_concept({"clips": clips, "twin": twin}, one, range(5), settings, {"motion": ("clips", "twin")})
    statistics = fits["motion"].statistics(one, settings.test)
    difference = contrast(one, (clips.cross - twin.cross).mean(0)[:, None], one.labels[None])
    if kind == "mean":
        assert statistics.z == pytest.approx(difference.statistic()[0, 0])
    assert statistics.effect == pytest.approx(fits["clips"].draws.effect - fits["twin"].draws.effect)
    assert statistics.p_value == max(statistics.p_perm, statistics.p_t)


def alarms(make, trials: int, seed: int = 0, class_clips: int = 20) -> dict[str, float]:
    """Share of data sets that each test calls significant."""
    generator = np.random.default_rng(seed)
    found = {"studentised": 0, "permutation": 0}
    for trial in range(trials):
        responses, one, slopes = make(generator, class_clips)
        for name in found:
            settings = TestSettings(significance=name, permutations=199, bootstraps=256, random_sets=2, seed=trial)
            fit = fit_concept({"": responses_gram(responses, slopes)}, one, range(len(slopes)), settings)[""]
            found[name] += fit.statistics(one, settings.test).p_value <= 0.05
    return {name: count / trials for name, count in found.items()}


def unlike_spread(generator: np.random.Generator, class_clips: int):
    responses = np.concatenate([3 * generator.normal(size=10), generator.normal(size=60)])
    return responses, design("c" * 10 + "r" * 60, NAMES[:70]), 1 + 0.3 * generator.normal(size=class_clips)


def effect_by_person(generator: np.random.Generator, class_clips: int):
    persons = np.repeat(generator.normal(size=10), 6)
    by_person = np.repeat(generator.normal(size=10), 6) * (np.arange(60) % 6 < 3)
    one = design("cccrrr" * 10, "".join(NAMES[i] * 6 for i in range(10)), NAMES[:60])
    return persons + by_person + generator.normal(size=60), one, np.ones(class_clips)


def gradients_of_mean_zero(generator: np.random.Generator, class_clips: int):
    responses = np.concatenate([generator.normal(size=20) + 3, generator.normal(size=40)])
    return responses, design("c" * 20 + "r" * 40, NAMES[:60]), generator.normal(size=class_clips)


@pytest.mark.parametrize(
    ("make", "plain"), [(unlike_spread, 0.25), (effect_by_person, 0.1), (gradients_of_mean_zero, 0.9)]
)
def test_level_where_the_plain_permutation_test_has_none(make, plain):
    """Nominally 5 %, true effect 0; `python -m benchmarks.calibration designs` has the table of 2,000 data sets a cell."""
    found = alarms(make, 150)
    assert found["studentised"] <= 0.1
    assert found["permutation"] >= plain


def test_an_effect_is_found():
    def shifted(generator, class_clips):
        responses, one, slopes = unlike_spread(generator, class_clips)
        return responses / 3 + 1.5 * one.labels, one, slopes

    assert alarms(shifted, 60)["studentised"] >= 0.8


def many_channels(generator: np.random.Generator, shift: float) -> tuple[Gram, Design]:
    activations, gradients = generator.normal(size=(80, 500)), 0.3 * generator.normal(size=(20, 500))
    activations[:20, 0] += shift
    gradients[:, 0] += 1
    centred = activations - activations.mean(0)
    return Gram(kernel=np.eye(80), cross=gradients @ centred.T), design("c" * 20 + "r" * 60, NAMES[:80])


def test_standard_error_is_that_of_the_effect_in_many_channels():
    """Noise of gradients meets noise of activations in every channel: a plain bootstrap counts it three times."""
    generator, effects, corrected, plain = np.random.default_rng(0), [], [], []
    for trial in range(150):
        gram, one = many_channels(generator, 1.0)
        drawn = bootstrap_effects("mean", {"": gram}, one, range(20), draws=256, seed=trial)[""]
        effects.append(drawn.effect)
        corrected.append(standard_error(drawn.draws(), 20))
        plain.append(standard_error(drawn.joint, 20))
    assert np.mean(corrected) == pytest.approx(np.std(effects), rel=0.15)
    assert np.mean(plain) > 1.3 * np.std(effects)


def test_comparisons_that_share_random_clips_share_their_draws():
    """Sets of other sizes, same random groups: the difference of the effects varies as its clips do, and no more."""
    generator = np.random.default_rng(0)
    responses, cross = generator.normal(size=90), np.ones((5, 1))
    first_rows, second_rows = np.r_[0:10, 30:90], np.r_[10:30, 30:90]
    drawn = []
    for rows, count in ((first_rows, 10), (second_rows, 20)):
        one = Design(labels=np.arange(len(rows)) < count, units=rows, groups=rows, n_units=90, n_groups_total=90)
        gram = Gram(kernel=np.eye(len(rows)), cross=cross * responses[rows])
        drawn.append(bootstrap_effects("mean", {"": gram}, one, range(5), draws=4000, seed=0)[""].clips)
    # the random clips cancel: what is left is the spread of the two sets of concept clips
    expected = np.sqrt(responses[:10].var() / 11 + responses[10:30].var() / 21)
    assert np.std(drawn[0] - drawn[1]) == pytest.approx(expected, rel=0.08)


def test_t_of_symmetric_draws_is_students_t():
    draws = np.random.default_rng(0).normal(size=200_000)
    found = BootstrapT.of_draws(0.0, draws, 10)
    low, high = found.interval()
    assert high == pytest.approx(np.sqrt(11 / 9) * 2.262, rel=0.02)
    assert low == pytest.approx(-high, rel=0.03)
    assert BootstrapT(effect=2.262, error=1.0, skewness=0.0, freedom=9).p_value == pytest.approx(0.05, abs=1e-3)
    assert BootstrapT(effect=0.0, error=0.0, skewness=0.0, freedom=9).p_value == 1
    assert 0 < BootstrapT(effect=1.0, error=0.0, skewness=0.0, freedom=9).p_value < 1e-5


@given(st.floats(-3, 3), st.floats(0.1, 2), st.floats(-1.5, 1.5), st.integers(2, 40))
def test_interval_and_p_agree_always(effect, error, skewness, freedom):
    found = BootstrapT(effect=effect, error=error, skewness=skewness, freedom=freedom)
    low, high = found.interval()
    assert low <= effect + 1e-9 or skewness != 0
    if abs(found.p_value - 0.05) > 1e-9:
        assert (found.p_value > 0.05) == (low < 0 < high)


@given(st.floats(-5, 5), st.floats(-2, 2))
def test_skewness_is_put_back(value, skewness):
    assert without_skewness(np.asarray(with_skewness(value, skewness)), skewness) == pytest.approx(value, abs=1e-3)


def test_of_scalar_responses_it_is_welchs_t():
    """Gradients that do not vary: the effect is a difference of two means."""
    generator = np.random.default_rng(0)
    responses = np.concatenate([2 * generator.normal(size=12) + 1, generator.normal(size=70)])
    one = design("c" * 12 + "r" * 70, NAMES[:82])
    settings = TestSettings(permutations=99, bootstraps=20_000, random_sets=2)
    fit = fit_concept({"": responses_gram(responses, np.ones(30))}, one, range(30), settings)[""]
    welch = stats.ttest_ind(responses[:12], responses[12:], equal_var=False)
    found = fit.draws.bootstrap_t
    assert found.freedom == pytest.approx(welch.df, rel=0.02)
    assert found.effect / found.error == pytest.approx(welch.statistic, rel=0.02)


def test_of_one_video_of_the_class_little_is_known():
    generator = np.random.default_rng(0)
    one = design("c" * 20 + "r" * 20, NAMES[:40])
    gram = responses_gram(generator.normal(size=40) + 2 * one.labels, np.ones(5))
    settings = TestSettings(permutations=99, bootstraps=200, random_sets=2)
    assert fit_concept({"": gram}, one, [0] * 5, settings)[""].statistics(one, settings.test).freedom == 1


def test_skewness_of_the_draws_is_that_of_the_mean():
    """Of one set of clips with gradients that do not vary: γ / √n, with γ of the values."""
    values = np.random.default_rng(0).exponential(size=400)
    weights = np.random.default_rng(1).exponential(size=(20_000, 400))
    found = BootstrapT.of_draws(values.mean(), weights @ values / weights.sum(1), 400)
    assert found.skewness == pytest.approx(stats.skew(values) / 20, rel=0.25)
    assert found.error == pytest.approx(values.std() / 20, rel=0.03)


def test_ridge_counts_a_clip_of_weight_two_as_two_copies():
    generator = np.random.default_rng(0)
    activations, labels = generator.normal(size=(12, 5)), np.arange(12) < 5
    weights = generator.integers(0, 4, size=12).astype(float)
    weights[[0, 8]] = 1
    rows = np.repeat(np.arange(12), weights.astype(int))
    ridge = cav_fitter("ridge")
    kernel = activations @ activations.T
    alpha = ridge.fit(kernel, Labelling(labels=labels[None], weights=weights[None]))[0]
    copies = kernel[np.ix_(rows, rows)]
    # the penalty's unit is the spread of the clips once each
    scale = np.trace(kernel) / 12 - kernel.mean()
    centred = copies / scale - copies.mean(0) / scale - copies.mean(1)[:, None] / scale + copies.mean() / scale
    side = labels[rows]
    right = np.where(side, 1 / side.sum(), -1 / (~side).sum())
    slow = np.bincount(rows, np.linalg.solve(centred + np.eye(len(rows)), right), minlength=12)
    np.testing.assert_allclose(activations.T @ alpha, activations.T @ slow, rtol=1e-9)
