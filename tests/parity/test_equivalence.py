"""The claim "it does not matter" is calibrated, and "how many more clips" is right: on the rendered world and in simulation."""

import numpy as np
import pytest
from benchmarks.calibration.rendered_recording import Recording, record_world
from benchmarks.calibration.resampling import draw_clips

from video_tcav.demo.false_alarms import seed_of
from video_tcav.experiments.evidence import Evidence, equivalence_p, groups_to_decide, standard_error
from video_tcav.gram import Gram
from video_tcav.gram.effects import effects
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.resampling import bootstrap_effects
from video_tcav.models import load_model
from video_tcav.rendered import rule_of

LEVEL, CONCEPT, RANDOM, CLASS = 0.05, 24, 80, 20


@pytest.fixture(scope="module", params=["motion", "scene"])
def recording(request) -> Recording:
    rule = rule_of(request.param)
    model = load_model(f"rendered:r2plus1d-{request.param}", device="cpu")
    return record_world(
        model,
        rule,
        pool_clips=560,
        class_clips=60,
        seed=31,
        targets=("playing tennis",),
        twins=False,
        places=("class",),
    )


def wrong_claims(recording: Recording, draws: int, seed: int) -> float:
    """How often an effect that is exactly the margin is said to be smaller, over all factor values that have an effect."""
    gram = recording.grams["class"][recording.deepest][0]
    generator = np.random.default_rng(seed)
    found = []
    for factor, value in recording.values():
        concept = recording.rows(factor, value)
        others = np.setdiff1d(np.arange(len(recording.pool)), concept)
        mean_cross = gram.cross.mean(0)
        truth = abs(mean_cross[concept].mean() - mean_cross[others].mean())
        for _ in range(draws):
            drawn = draw_clips(concept, others, CONCEPT, RANDOM, generator)
            class_clips = generator.choice(len(gram.cross), CLASS, replace=False)
            rows = drawn.rows
            inner = Gram(kernel=gram.kernel[np.ix_(rows, rows)], cross=gram.cross[np.ix_(class_clips, rows)])
            boots = bootstrap_effects(
                "mean",
                {"": inner},
                drawn.design(),
                range(CLASS),
                draws=200,
                seed=seed_of(generator),
            )[""]
            effect = float(effects("mean", inner.kernel, inner.cross.mean(0), drawn.design().labels[None])[0])
            p = equivalence_p(effect, standard_error(boots, CLASS), CLASS - 1, truth)
            found.append(p <= LEVEL)
    return float(np.mean(found))


def test_an_effect_as_large_as_the_margin_is_called_nil_in_5_percent_at_most(recording):
    rate = wrong_claims(recording, draws=60, seed=5)
    print(f"{recording.name}: does not matter, wrongly: {rate:.2%}")
    assert rate <= 0.05


def test_no_effect_is_called_nil_where_the_margin_is_wide():
    generator = np.random.default_rng(0)
    found = [equivalence_p(generator.normal(0, 0.1), 0.1, 19, 0.5) <= LEVEL for _ in range(500)]
    assert np.mean(found) > 0.9


def two_sample(groups: int, others: int, difference: float, generator: np.random.Generator) -> tuple[Gram, np.ndarray]:
    """Clips whose responses are known: one value each, with a spread of one."""
    values = np.concatenate([generator.normal(difference, 1, groups), generator.normal(0, 1, others)])
    return Gram(kernel=np.outer(values, values), cross=values[None]), np.arange(groups + others) < groups


def pilot(difference: float, groups: int, others: int, generator: np.random.Generator) -> Evidence:
    gram, labels = two_sample(groups, others, difference, generator)
    values = gram.cross[0]
    error = float(np.hypot(values[labels].std(ddof=1) / groups**0.5, values[~labels].std(ddof=1) / others**0.5))
    return Evidence(
        effect=float(values[labels].mean() - values[~labels].mean()),
        low=0.0,
        high=0.0,
        standard_error=error,
        freedom=groups - 1,
        p_value=1.0,
        represented=True,
        concept_groups=groups,
        concept_clips=groups,
    )


def detection_rate(difference: float, groups: int, generator: np.random.Generator, draws: int = 200) -> float:
    """How often the permutation test finds the difference with so many groups, and three times as many others."""
    found = []
    for _ in range(draws):
        gram, labels = two_sample(groups, 3 * groups, difference, generator)
        values = gram.cross[0]
        keys = generator.random((199, len(values)))
        permuted = keys.argsort(1) < groups
        null = np.where(permuted, values, 0).sum(1) / groups - np.where(permuted, 0, values).sum(1) / (3 * groups)
        effect = float(values[labels].mean() - values[~labels].mean())
        found.append(permutation_p(effect, null) <= LEVEL)
    return float(np.mean(found))


def nil_rate(margin: float, groups: int, generator: np.random.Generator, draws: int = 1000) -> float:
    """How often an effect of nothing is shown to be below the margin with so many groups, and three times as many others."""
    found = [pilot(0.0, groups, 3 * groups, generator) for _ in range(draws)]
    return float(
        np.mean([equivalence_p(one.effect, one.standard_error, one.freedom, margin) <= LEVEL for one in found])
    )


def needed(rate, power: float) -> int:
    """The smallest number of groups at which a rate reaches the power, by bisection."""
    low, high = 3, 400
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if rate(middle) >= power else (middle + 1, high)
    return low


def predicted(difference: float, margin: float, power: float, generator: np.random.Generator) -> float:
    """The middle prediction of many pilots of 16 groups."""
    found = [pilot(difference, 16, 48, generator) for _ in range(400)]
    counts = [groups_to_decide(one, margin=margin, level=LEVEL, power=power, tests=1) for one in found]
    return float(np.median([np.inf if count is None else count for count in counts]))


@pytest.mark.parametrize("difference", [0.4, 0.6])
def test_more_clips_that_find_an_effect_are_right_within_a_factor_of_one_and_a_half(difference):
    generator = np.random.default_rng(7)
    truth = needed(lambda groups: detection_rate(difference, groups, generator), 0.8)
    said = predicted(difference, 0.01, 0.8, generator)
    print(f"difference {difference}: {said:.0f} groups said, {truth} needed")
    assert truth / 1.5 <= said <= truth * 1.5


@pytest.mark.parametrize("margin", [0.8, 0.6])
def test_more_clips_that_show_there_is_none_are_right_within_a_factor_of_one_and_a_half(margin):
    generator = np.random.default_rng(8)
    truth = needed(lambda groups: nil_rate(margin, groups, generator), 0.8)
    said = predicted(0.0, margin, 0.8, generator)
    print(f"margin {margin}: {said:.0f} groups said, {truth} needed")
    assert truth / 1.5 <= said <= truth * 1.5
