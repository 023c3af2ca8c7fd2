"""Heads of other kinds: false alarms of meaningless concepts, power and sign for a head's cause, equivalence of a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from benchmarks.calibration.causes import cause_of, drawn_grams, power_draws
from benchmarks.calibration.equivalence import EquivalenceRow, equivalence_rows
from benchmarks.calibration.head_models import Head
from benchmarks.calibration.interventions import interventional_effects
from benchmarks.calibration.outcomes import Outcome, outcomes
from benchmarks.calibration.rendered_recording import Recording, passes, record_world

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.demo.false_alarms import draw_nothing, rejection_rate, seed_of, wilson_interval
from video_tcav.gram.arrays import make_design
from video_tcav.gram.thresholds import LEVEL

_POOL_CLIPS, _CLASS_CLIPS, _CONCEPT_CLIPS, _RANDOM_CLIPS = 840, 30, 20, 60
# Nominal 5 %, as in simulated designs.
_LIMITS = (0.035, 0.065)


@dataclass(frozen=True, kw_only=True)
class HeadNullRow:
    """False alarms of concepts that are random clips, at one layer.

    Attributes:
        head: which.
        target: its class, or the number.
        layer: where.
        draws: of concept and random clips.
        plain: share with a plain permutation p of at most 0.05.
        perm: of `p_perm`.
        t: of `p_t`.
        both: of the studentised test, which a run shows.
        low: lower end of the 95 % interval of `both` (Wilson).
        high: upper end.
    """

    head: str
    target: str
    layer: str
    draws: int
    plain: float
    perm: float
    t: float
    both: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return _LIMITS[0] <= self.both <= _LIMITS[1]


@dataclass(frozen=True, kw_only=True)
class HeadCauseRow:
    """Power and sign for the cause of a head's target, at the deepest layer.

    Attributes:
        head: which.
        target: its class, or the number.
        fit: how well the head does on held-out clips, see `Head`.
        concept: factor and value that is the cause.
        draws: of concept and random clips.
        both: share in which the studentised test calls it significant.
        wrong_sign: share in which it does with a negative effect.
        effect: average over draws.
        truth: change when the factor is set to the value in clips of the class.
        truth_error: its standard error.
        unit: of effects.
    """

    head: str
    target: str
    fit: float
    concept: str
    draws: int
    both: float
    wrong_sign: float
    effect: float
    truth: float
    truth_error: float
    unit: str


HeadTables = tuple[tuple[HeadNullRow, ...], tuple[HeadCauseRow, ...], tuple[EquivalenceRow, ...]]


def head_tables(
    heads: Sequence[Head],
    *,
    draws: int,
    seed: int = 0,
    progress: bool = False,
    pool_clips: int = _POOL_CLIPS,
    class_clips: int = _CLASS_CLIPS,
) -> HeadTables:
    """Measure all heads; effects of the number alone are judged against a margin.

    Args:
        heads: trained ones.
        draws: of clips, for each row.
        seed: of all clips and draws.
        progress: whether to show progress bars.
        pool_clips: at least so many clips in the pool.
        class_clips: of each target.
    """
    nulls, causes, equivalence = [], [], []
    for head in heads:
        recording = _recorded(head, pool_clips, class_clips, seed, progress)
        with progress_bar(f"{head.name} (draws)", 2 * draws, visible=progress) as advance:
            nulls += _null_rows(head, recording, draws, seed, advance)
            causes.append(_cause_row(head, recording, draws, seed))
            advance(draws)
        if head.model.outputs.kind == "numbers":
            equivalence += equivalence_rows(recording, draws=draws, seed=seed, progress=progress)
    return tuple(nulls), tuple(causes), tuple(equivalence)


def _recorded(head: Head, pool_clips: int, class_clips: int, seed: int, progress: bool) -> Recording:
    steps = passes(head.rule, pool_clips, class_clips, 1, twins=False, places=("class",))
    with progress_bar(f"{head.name} (clips)", steps, visible=progress) as advance:
        return record_world(
            head.model, head.rule, pool_clips=pool_clips, class_clips=class_clips, seed=seed, targets=(head.target,),
            twins=False, places=("class",), advance=advance,
        )  # fmt: skip


def _seeds(recording: Recording, stream: int, seed: int) -> list[int]:
    # the checksum makes the draws of each head independent
    return [seed, stream, crc32(recording.name.encode())]


def _null_rows(
    head: Head, recording: Recording, draws: int, seed: int, advance: Callable[[int], None]
) -> list[HeadNullRow]:
    """Concept and random clips of one pool, at every layer."""
    grams = {layer: recording.grams["class"][layer][0] for layer in recording.layers}
    generator = np.random.default_rng(_seeds(recording, random_streams.NULL_CONCEPTS, seed))
    design = make_design(np.arange(_CONCEPT_CLIPS + _RANDOM_CLIPS) < _CONCEPT_CLIPS)

    def choose(generator: np.random.Generator) -> np.ndarray:
        return draw_nothing(len(recording.pool), _CONCEPT_CLIPS, _RANDOM_CLIPS, generator).rows

    tested: dict[str, list[Outcome]] = {layer: [] for layer in grams}
    for batch in drawn_grams(grams, choose, draws, generator, new_class_clips=False):
        class_clips = range(len(recording.class_clips[0]))
        for (_, layer), outcome in outcomes(batch, design, class_clips, seed=seed_of(generator)).items():
            tested[layer].append(outcome)
        advance(len(batch) // len(grams))
    return [_null_row(head, layer, layer_outcomes) for layer, layer_outcomes in tested.items()]


def _null_row(head: Head, layer: str, tested: Sequence[Outcome]) -> HeadNullRow:
    both = rejection_rate([outcome.p_value for outcome in tested])
    low, high = wilson_interval(both, len(tested))
    return HeadNullRow(
        head=head.name,
        target=head.target,
        layer=layer,
        draws=len(tested),
        plain=rejection_rate([outcome.p_plain for outcome in tested]),
        perm=rejection_rate([outcome.p_perm for outcome in tested]),
        t=rejection_rate([outcome.p_t for outcome in tested]),
        both=both,
        low=low,
        high=high,
    )


def _cause_row(head: Head, recording: Recording, draws: int, seed: int) -> HeadCauseRow:
    tested = power_draws(
        cause_of(recording, "class", 0), _CONCEPT_CLIPS, _RANDOM_CLIPS, draws,
        _seeds(recording, random_streams.REAL_CONCEPTS, seed),
    )  # fmt: skip
    factor, value = head.rule.cause, head.rule.classes[head.target]
    (truth,) = [
        intervention
        for intervention in interventional_effects(head.model, recording, clips=len(recording.class_clips[0]))
        if (intervention.factor, intervention.value) == (factor, value)
    ]
    significant = np.array([outcome.p_value for outcome in tested]) <= LEVEL
    effects = np.array([outcome.effect for outcome in tested])
    return HeadCauseRow(
        head=head.name,
        target=head.target,
        fit=head.fit,
        concept=f"{factor} {value}",
        draws=draws,
        both=float(significant.mean()),
        wrong_sign=float((significant & (effects < 0)).mean()),
        effect=float(effects.mean()),
        truth=truth.effect,
        truth_error=truth.error,
        unit=head.unit,
    )
