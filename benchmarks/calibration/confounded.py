"""A confounded pool: concept clips that also show the model's cause, with and without what could set the two apart.

The concept does nothing to the model. Its clips also show the cause of the class at a stated correlation: with that
probability a clip has the cause's value, otherwise any value of its factor. Beside the TCAV effect stands a baseline that
uses no CAV: the mean log-odds of concept clips minus those of random clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from benchmarks.calibration.designs import BATCH_SETS
from benchmarks.calibration.outcomes import outcomes
from benchmarks.calibration.rendered_recording import Recording
from jaxtyping import Float, Int
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.demo.false_alarms import seed_of
from video_tcav.gram.arrays import make_design
from video_tcav.gram.gram import Gram
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.rendered.factors import FACTORS, Factor
from video_tcav.rendered.training import rendered_logits
from video_tcav.tcav.settings import PLACES, At

CORRELATIONS = (0.0, 0.3, 0.6, 0.9)
_CONCEPT_CLIPS, _RANDOM_CLIPS = 20, 60
# What does nothing to a model that was trained by a rule: a value of another factor.
CONCEPTS: dict[str, tuple[Factor, str]] = {
    "scene": ("object", "racket"),
    "object": ("scene", "court"),
    "motion": ("object", "racket"),
}


@dataclass(frozen=True, kw_only=True)
class ConfoundedRow:
    """Estimates of the effect of a concept that does nothing, averaged over draws of clips, in log-odds.

    Attributes:
        model: name of the model.
        target: class.
        concept: factor and value.
        confounder: factor and value of the class's cause, which concept clips also show.
        at: where the gradient was taken.
        correlation: of the two among concept clips.
        matched: whether random clips show the confounder as often as concept clips do.
        draws: how often clips were drawn.
        truth: the interventional effect of the concept.
        truth_error: its standard error.
        baseline: mean log-odds of concept minus random clips, without CAV.
        baseline_rejected: share of draws in which Welch's t-test calls it significant.
        effect: of TCAV.
        rejected: share of draws in which the studentised test calls it significant.
        projected: effect along the CAV less its part along the confounder's CAV, learned from other clips of the pool.
    """

    model: str
    target: str
    concept: str
    confounder: str
    at: At
    correlation: float
    matched: bool
    draws: int
    truth: float
    truth_error: float
    baseline: float
    baseline_rejected: float
    effect: float
    rejected: float
    projected: float


def log_odds_of_pool(model: VideoModel, recording: Recording, target: str) -> Float[np.ndarray, " clip"]:
    """The model's log-odds of a class for each clip of the pool."""
    return parse_target(model, target, "log_odds")(rendered_logits(model, recording.pool)).double().numpy()


def concept_truth(model: VideoModel, recording: Recording, target: str, clips: int = 60) -> tuple[float, float]:
    """Interventional effect of the concept on clips of the pool, and its standard error."""
    factor, value = CONCEPTS[recording.rule.name]
    every = len(recording.pool) // clips
    odds = parse_target(model, target, "log_odds")

    def set_to(each: str) -> Float[np.ndarray, " clip"]:
        changed = [clip.with_factor(factor, each) for clip in recording.pool[::every]]
        return odds(rendered_logits(model, changed)).double().numpy()

    others = np.mean([set_to(each) for each in FACTORS[factor] if each != value], axis=0)
    change = set_to(value) - others
    return float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change)))


def confounded_table(
    recording: Recording,
    log_odds: Float[np.ndarray, " clip"],
    truth: tuple[float, float],
    *,
    draws: int,
    seed: int = 0,
) -> tuple[ConfoundedRow, ...]:
    """Draw confounded sets for the first class of a model, and estimate the concept's effect in each way.

    Args:
        recording: of the model.
        log_odds: of that class, for each clip of the pool.
        truth: interventional effect of the concept, and its standard error.
        draws: for each correlation, matching and place.
        seed: of the draws.
    """
    rows = []
    for correlation in CORRELATIONS:
        for matched in (False, True):
            pairs = _draws(recording, correlation, matched, draws, seed)
            odds = np.array([log_odds[concept].mean() - log_odds[random].mean() for concept, random in pairs])
            ps = [stats.ttest_ind(log_odds[c], log_odds[r], equal_var=False).pvalue for c, r in pairs]
            for at in PLACES:
                gram = recording.grams[at][recording.deepest][0]
                effects, p_values = _tested(gram, pairs, seed)
                projected = [_projected(recording, gram, concept, random) for concept, random in pairs]
                target, cause = recording.targets[0], recording.rule.cause
                rows.append(
                    ConfoundedRow(
                        model=recording.name,
                        target=target,
                        concept=" ".join(CONCEPTS[recording.rule.name]),
                        confounder=f"{cause} {recording.rule.classes[target]}",
                        at=at,
                        correlation=correlation,
                        matched=matched,
                        draws=draws,
                        truth=truth[0],
                        truth_error=truth[1],
                        baseline=float(odds.mean()),
                        baseline_rejected=float(np.mean(np.array(ps) <= LEVEL)),
                        effect=float(np.mean(effects)),
                        rejected=float(np.mean(np.array(p_values) <= LEVEL)),
                        projected=float(np.mean(projected)),
                    )
                )
    return tuple(rows)


Pair = tuple[Int[np.ndarray, " row"], Int[np.ndarray, " row"]]


def _draws(recording: Recording, correlation: float, matched: bool, draws: int, seed: int) -> list[Pair]:
    """Rows of concept and random clips, drawn without replacement."""
    factor, value = CONCEPTS[recording.rule.name]
    cause = recording.rule.cause
    cause_value = recording.rule.classes[recording.targets[0]]
    percent, name = round(100 * correlation), crc32(recording.name.encode())
    generator = np.random.default_rng([seed, random_streams.REAL_CONCEPTS, percent, int(matched), name])
    has_concept = np.array([getattr(clip, factor) == value for clip in recording.pool])
    has_cause = np.array([getattr(clip, cause) == cause_value for clip in recording.pool])
    # with the rest of the probability the cause is drawn from all values, this one among them
    share = correlation + (1 - correlation) * has_cause.mean()

    def side(clips: np.ndarray, size: int, share: float) -> Int[np.ndarray, " row"]:
        n_cause = generator.binomial(size, share)
        n_cause = min(n_cause, int((clips & has_cause).sum()))
        parts = ((clips & has_cause, n_cause), (clips & ~has_cause, size - n_cause))
        return np.concatenate([generator.choice(np.flatnonzero(rows), count, replace=False) for rows, count in parts])

    random_share = share if matched else has_cause.mean()
    return [
        (side(has_concept, _CONCEPT_CLIPS, share), side(~has_concept, _RANDOM_CLIPS, random_share))
        for _ in range(draws)
    ]


def _tested(gram: Gram, pairs: Sequence[Pair], seed: int) -> tuple[list[float], list[float]]:
    """Effects and p-values of the studentised test."""
    generator = np.random.default_rng([seed, random_streams.REAL_CONCEPTS])
    design = make_design(np.arange(_CONCEPT_CLIPS + _RANDOM_CLIPS) < _CONCEPT_CLIPS)
    tested = []
    for start in range(0, len(pairs), BATCH_SETS):
        grams = {n: gram.of_rows(np.concatenate(pair)) for n, pair in enumerate(pairs[start : start + BATCH_SETS])}
        tested += outcomes(grams, design, range(len(gram.cross)), seed=seed_of(generator)).values()
    return [outcome.effect for outcome in tested], [outcome.p_value for outcome in tested]


def _projected(recording: Recording, gram: Gram, concept: np.ndarray, random: np.ndarray) -> float:
    """The effect less the part of its CAV along the confounder's: ḡ·(Δμ − c (c·Δμ) / (c·c)), in Gram space."""
    cause, cause_value = recording.rule.cause, recording.rule.classes[recording.targets[0]]
    has_cause = np.array([getattr(clip, cause) == cause_value for clip in recording.pool])
    unused = ~np.isin(np.arange(len(recording.pool)), np.concatenate([concept, random]))
    difference, confounder = np.zeros(len(recording.pool)), np.zeros(len(recording.pool))
    difference[concept], difference[random] = 1 / len(concept), -1 / len(random)
    confounder[has_cause & unused] = 1 / (has_cause & unused).sum()
    confounder[~has_cause & unused] = -1 / (~has_cause & unused).sum()
    assert isinstance(gram.kernel, np.ndarray)
    along = gram.kernel @ confounder
    rest = difference - confounder * (along @ difference) / (along @ confounder)
    return float(gram.mean_cross @ rest)
