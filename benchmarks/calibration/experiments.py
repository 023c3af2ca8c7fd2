"""Single checks of a calibration: rejection rates of a test, and effects beside interventional effects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from benchmarks.calibration.interventions import Intervention
from benchmarks.calibration.rendered_recording import Recording
from benchmarks.calibration.resampling import difference_test, draw_clips

from video_tcav.concepts import Twin
from video_tcav.core import random_streams
from video_tcav.demo.false_alarms import (
    Drawn,
    draw_nothing,
    paper_ttest,
    permutation_test,
    rejection_rate,
    seed_of,
    wilson_interval,
)
from video_tcav.gram.cavs.registry import CAV_FITTERS, cav_fitter
from video_tcav.gram.effects import clip_effects, tcav_score
from video_tcav.tcav.settings import At

SIZES = (5, 10, 20, 40, 100)
# Few where each fit takes long. The test is exact with any number for which (B + 1) · 5 % is whole.
_PERMUTATIONS, _FEW_PERMUTATIONS = 199, 19
_RANDOM_SETS, _FEW_RANDOM_SETS = 30, 10
_NULL_CLIPS = 20
_RANDOM_CLIPS = 100
_TWIN_CLIPS = 40
_TWIN_OF: dict[str, Twin] = {"motion effect": "frozen", "order effect": "reversed"}


@dataclass(frozen=True, kw_only=True)
class Rejections:
    """How often a test rejects at the 5 % level.

    Attributes:
        model: name of the model.
        what: `type I` (no concept), `power` (the model's own cause), `non-cause`, `motion effect` or `order effect`.
        test: `permutation`, or `t-test`, the source paper's.
        layer: where.
        cav: how CAVs were learned.
        at: where the gradient was taken: at clips of the `class`, or at `random` clips.
        target: class; of `type I` the first one.
        concept: factor and value; of `type I` there is none.
        concept_clips: clips of the concept in each draw.
        draws: how often clips were drawn.
        rate: fraction of draws in which the test rejects.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        effect: average effect over the draws, in log-odds; NaN where it was not measured.
    """

    model: str
    what: str
    test: str
    layer: str
    cav: str
    at: At
    target: str
    concept: str
    concept_clips: int
    draws: int
    rate: float
    low: float
    high: float
    effect: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The TCAV effect of one factor's value beside its interventional effect.

    Attributes:
        model: name of the model.
        target: class.
        factor: of the world.
        value: the concept.
        at: where the gradient was taken.
        tcav_effect: at the deepest stage, in log-odds.
        tcav_score: fraction of those clips with a positive directional derivative.
        true_effect: the interventional effect, in log-odds.
        true_error: its standard error.
        nil: whether the 95 % interval of `true_effect` holds zero.
    """

    model: str
    target: str
    factor: str
    value: str
    at: At
    tcav_effect: float
    tcav_score: float
    true_effect: float
    true_error: float
    nil: bool


def type_one(recording: Recording, kind: str, at: At, *, draws: int, seed: int, chunk: int = 0) -> list[Rejections]:
    """Concept = random clips: both tests at every layer, on the same draws; chunks have draws of their own."""
    grams = {layer: class_grams[0] for layer, class_grams in recording.grams[at].items()}
    pool = len(recording.pool)
    fast = cav_fitter(kind).closed_form
    permutations, sets = (_PERMUTATIONS, _RANDOM_SETS) if fast else (_FEW_PERMUTATIONS, _FEW_RANDOM_SETS)
    # The checksum of model and place makes the draws of each independent (Python's own hash varies).
    generator = np.random.default_rng(
        [
            seed,
            chunk,
            random_streams.NULL_CONCEPTS,
            CAV_FITTERS.names().index(kind),
            crc32(f"{recording.name} {at}".encode()),
        ]
    )
    p_values: dict[tuple[str, str], list[float]] = {}
    for _ in range(draws):
        drawn = draw_nothing(pool, _NULL_CLIPS, 2 * _NULL_CLIPS, generator)
        ps = permutation_test(kind, grams, drawn, permutations=permutations, seed=seed_of(generator))
        wider = draw_nothing(pool, _NULL_CLIPS, _RANDOM_CLIPS, generator)
        paper = paper_ttest(kind, grams, wider, sets=sets, seed=seed_of(generator))
        for layer in grams:
            p_values.setdefault((layer, "permutation"), []).append(ps[layer])
            p_values.setdefault((layer, "t-test"), []).append(paper[layer])
    return [
        rejections(
            recording,
            ps,
            what="type I",
            test=test,
            layer=layer,
            cav=kind,
            at=at,
            target=0,
            concept_clips=_NULL_CLIPS,
        )
        for (layer, test), ps in p_values.items()
    ]


def detection(
    recording: Recording,
    quantity: str,
    at: At,
    target: int,
    concept: tuple[str, str],
    *,
    size: int,
    draws: int,
    seed: int,
) -> Rejections:
    """How often the permutation test rejects for one factor's value at the deepest stage."""
    layer = recording.deepest
    grams = {layer: recording.grams[at][layer][target]}
    ps = [
        permutation_test("mean", grams, drawn, permutations=199, seed=permutation_seed)[layer]
        for drawn, permutation_seed in _concept_draws(recording, concept, target, size, draws, seed)
    ]
    return rejections(
        recording, ps, what=quantity, layer=layer, cav="mean", at=at, target=target, concept=concept, concept_clips=size
    )


def difference(
    recording: Recording, quantity: str, at: At, target: int, concept: tuple[str, str], *, draws: int, seed: int
) -> Rejections:
    """How often the motion or order effect of a concept is significant at the deepest stage, and its average size."""
    layer, twin = recording.deepest, _TWIN_OF[quantity]
    gram = recording.twin_grams[at][target]
    effects, ps = [], []
    for drawn, permutation_seed in _concept_draws(recording, concept, target, _TWIN_CLIPS, draws, seed):
        rows = recording.twin_rows(drawn.rows, twin)
        effect, p = difference_test("mean", gram, drawn, rows, permutations=199, seed=permutation_seed)
        effects.append(effect)
        ps.append(p)
    return rejections(
        recording,
        ps,
        what=quantity,
        layer=layer,
        cav="mean",
        at=at,
        target=target,
        concept=concept,
        concept_clips=_TWIN_CLIPS,
        effect=float(np.mean(effects)),
    )


def _concept_draws(
    recording: Recording, concept: tuple[str, str], target: int, size: int, draws: int, seed: int
) -> Iterator[tuple[Drawn, int]]:
    """Draws of concept and random clips, each with a seed for its label permutations."""
    with_value = recording.rows(*concept)
    without_value = np.setdiff1d(np.arange(len(recording.pool)), with_value)
    # Stream 29, of draws with a concept.
    generator = np.random.default_rng(
        [seed, target, random_streams.REAL_CONCEPTS, size, crc32(f"{recording.name} {concept}".encode())]
    )
    for _ in range(draws):
        yield draw_clips(with_value, without_value, size, _RANDOM_CLIPS, generator), seed_of(generator)


def agreement(recording: Recording, at: At, truth: Sequence[Intervention]) -> list[Agreement]:
    """TCAV effect and score over the whole pool at the deepest stage, beside each intervention."""
    agreements = []
    for intervention in truth:
        gram = recording.grams[at][recording.deepest][recording.targets.index(intervention.target)]
        labels = np.isin(np.arange(len(recording.pool)), recording.rows(intervention.factor, intervention.value))
        by_clip = clip_effects("mean", gram.kernel, gram.cross, labels[None])[0]
        agreements.append(
            Agreement(
                model=recording.name,
                target=intervention.target,
                factor=intervention.factor,
                value=intervention.value,
                at=at,
                tcav_effect=float(by_clip.mean()),
                tcav_score=float(tcav_score(by_clip)),
                true_effect=intervention.effect,
                true_error=intervention.error,
                nil=intervention.nil,
            )
        )
    return agreements


def rejections(
    recording: Recording,
    p_values: Sequence[float],
    *,
    what: str,
    layer: str,
    cav: str,
    at: At,
    target: int,
    concept_clips: int,
    test: str = "permutation",
    concept: tuple[str, str] | None = None,
    effect: float = float("nan"),
) -> Rejections:
    """Count the rejections among p-values, with an interval."""
    rate = rejection_rate(p_values)
    low, high = wilson_interval(rate, len(p_values))
    return Rejections(
        model=recording.name,
        what=what,
        test=test,
        layer=layer,
        cav=cav,
        at=at,
        target=recording.targets[target],
        concept="" if concept is None else f"{concept[0]} {concept[1]}",
        concept_clips=concept_clips,
        draws=len(p_values),
        rate=rate,
        low=low,
        high=high,
        effect=effect,
    )


def combine(rows: Sequence[Rejections]) -> Rejections:
    """Merge rows of one check whose draws are independent."""
    draws = sum(row.draws for row in rows)
    rate = sum(row.rate * row.draws for row in rows) / draws
    low, high = wilson_interval(rate, draws)
    effect = sum(row.effect * row.draws for row in rows) / draws
    return replace(rows[0], draws=draws, rate=rate, low=low, high=high, effect=effect)
