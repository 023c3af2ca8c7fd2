"""The claim "it does not matter" is calibrated, and "how many more clips" keeps its promise on rendered and simulated clips."""

import numpy as np
import pytest
from benchmarks.calibration.rendered_recording import Recording, record_world
from benchmarks.calibration.resampling import draw_clips
from benchmarks.verdicts import KINDS, MARGIN, contradicted, promise, spread_effects

from video_tcav.demo.false_alarms import seed_of
from video_tcav.experiments.evidence import beyond_p, equivalence_p
from video_tcav.gram import Gram
from video_tcav.gram.effects import effects
from video_tcav.gram.resampling import bootstrap_effects, standard_error
from video_tcav.models import load_model
from video_tcav.rendered import rule_of

LEVEL, CONCEPT, RANDOM, CLASS = 0.05, 40, 80, 40


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


def measured_effects(recording: Recording, value: str, draws: int, seed: int) -> np.ndarray:
    """True effect, estimate and standard error in draws of clips with this value of the cause."""
    gram = recording.grams["class"][recording.deepest][0]
    generator = np.random.default_rng(seed)
    concept = recording.rows(recording.rule.cause, value)
    others = np.setdiff1d(np.arange(len(recording.pool)), concept)
    mean_cross = gram.cross.mean(0)
    truth = abs(mean_cross[concept].mean() - mean_cross[others].mean())
    measured = []
    for _ in range(draws):
        drawn = draw_clips(concept, others, CONCEPT, RANDOM, generator)
        class_clips = generator.choice(len(gram.cross), CLASS, replace=False)
        rows = drawn.rows
        inner = Gram(kernel=gram.kernel[np.ix_(rows, rows)], cross=gram.cross[np.ix_(class_clips, rows)])
        settings = {"draws": 200, "seed": seed_of(generator)}
        resamples = bootstrap_effects("mean", {"": inner}, drawn.design(), range(CLASS), **settings)[""]
        effect = float(effects("mean", inner.kernel, inner.cross.mean(0), drawn.design().labels[None])[0])
        measured.append((truth, effect, standard_error(resamples.draws(), CLASS)))
    return np.array(measured)


def share(test, measured: np.ndarray, margins: float) -> float:
    """How often a test about the margin is significant where the true effect is so many margins."""
    return float(
        np.mean([test(effect, error, CLASS - 1, truth / margins) <= LEVEL for truth, effect, error in measured])
    )


def test_claims_about_effects_of_0_9_1_and_2_margins(recording):
    values = [value for factor, value in recording.values() if factor == recording.rule.cause]
    every = np.concatenate([measured_effects(recording, value, 20, 5) for value in values])
    smaller, beyond = share(equivalence_p, every, 1.0), share(beyond_p, every, 0.9)
    cause = measured_effects(recording, recording.rule.classes["playing tennis"], 60, 6)
    rightly = share(beyond_p, cause, 2.0)
    print(f"{recording.name}: {smaller:.2%} and {beyond:.2%} of {len(every)}, {rightly:.2%} of {len(cause)}")
    assert smaller <= 0.05
    assert beyond <= 0.05
    assert rightly >= 0.8


def test_no_effect_is_called_nil_where_the_margin_is_wide():
    generator = np.random.default_rng(0)
    nil = [equivalence_p(generator.normal(0, 0.1), 0.1, 19, MARGIN) <= LEVEL for _ in range(500)]
    assert np.mean(nil) > 0.9


def test_does_not_matter_is_contradicted_where_it_is_false_alone():
    generator = np.random.default_rng(3)
    assert contradicted(0.9, 40, 600, generator) <= 0.05
    assert contradicted(2.0, 40, 600, generator) >= 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_more_clips_as_promised_decide_the_promised_share_of_pilots(kind):
    generator = np.random.default_rng(9)
    outcome = promise(kind, spread_effects(generator), 300, 20, 0.8, generator)
    print(f"{kind}: {outcome.decided} of {outcome.tried} pilots decided by {outcome.added:.0f} more clips")
    assert outcome.tried > 50
    # two standard errors below what was promised
    assert outcome.decided_share >= 0.8 - 2 * (0.16 / outcome.tried) ** 0.5
