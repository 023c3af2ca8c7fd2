"""Equivalence in the unit of a number: verdicts on "does not matter" where the true effect is 0, one margin or two."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from zlib import crc32

import numpy as np
from benchmarks.calibration.causes import cause_of, draw_sides, drawn_grams, moved
from benchmarks.calibration.gate import gates_of
from benchmarks.calibration.outcomes import Outcome, outcomes
from benchmarks.calibration.rendered_recording import Recording

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.demo.false_alarms import seed_of
from video_tcav.experiments.decisions import PValues, VerdictWord, decide
from video_tcav.experiments.evidence import Evidence
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.arrays import make_design
from video_tcav.gram.gram import Gram
from video_tcav.gram.representation import Representation
from video_tcav.gram.thresholds import LEVEL

_CONCEPT_CLIPS, _RANDOM_CLIPS = 20, 60
_MOST_WRONG = 0.065  # of a nominal 5 %, as in simulated designs
# Of `does_not_matter`, in pixels a frame: a fifth of the number's average, a third of what its cause adds.
MARGIN = 1.0
# A concept that the layer tells apart; its clips are moved along the number's cause until their effect is as planted.
_MOVED = ("motion", "wave")
_PLANTED = (0.0, 1.0, -1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class EquivalenceRow:
    """Verdicts on "does not matter", in the unit of the number.

    Attributes:
        concept: whose clips.
        effect: the true one in the pool, in pixels a frame.
        margin: in pixels a frame.
        draws: of concept, random and class clips.
        smaller: share in which the equivalence test says that the effect is smaller than the margin.
        supported: share in which the verdict says so: the layer must tell the concept from random clips, too.
        contradicted: share in which it is called larger.
        undecided: share in which neither is shown.
        not_represented: share in which the layer does not tell the concept from random clips.
    """

    concept: str
    effect: float
    margin: float
    draws: int
    smaller: float
    supported: float
    contradicted: float
    undecided: float
    not_represented: float

    @property
    def holds(self) -> bool | None:
        """Whether wrong calls are rare: of smaller where it is not, of larger where it is not."""
        size = abs(self.effect) / self.margin
        wrong = [self.smaller] * (size >= 1) + [self.contradicted] * (size <= 1)
        return all(rate <= _MOST_WRONG for rate in wrong)


def equivalence_rows(
    recording: Recording, *, draws: int, seed: int = 0, progress: bool = False
) -> list[EquivalenceRow]:
    """Verdicts at planted effects of so many margins, as an experiment gives them on one hypothesis.

    Clips are drawn from the pool with replacement, so that the pool is the population, in which the effect is exact.
    """
    cause = cause_of(recording, "class", 0)
    is_moved = np.isin(np.arange(len(recording.pool)), recording.rows(*_MOVED))
    along_cause = cause.has_cause / cause.has_cause.sum() - ~cause.has_cause / (~cause.has_cause).sum()
    rows = []
    with progress_bar("equivalence (draws)", len(_PLANTED) * draws, visible=progress) as advance:
        for margins in _PLANTED:
            planted = with_effect(cause.gram, is_moved, along_cause, margins * MARGIN)
            # each row has draws of its own
            seeds = [seed, random_streams.REAL_CONCEPTS, crc32(recording.name.encode()), _PLANTED.index(margins)]
            smaller, words = _verdicts(planted, is_moved, draws, seeds, advance)
            rows.append(
                EquivalenceRow(
                    concept=f"{' '.join(_MOVED)}, moved",
                    effect=margins * MARGIN,
                    margin=MARGIN,
                    draws=draws,
                    smaller=smaller / draws,
                    supported=words["supported"] / draws,
                    contradicted=words["contradicted"] / draws,
                    undecided=words["undecided"] / draws,
                    not_represented=words["not represented"] / draws,
                )
            )
    return rows


def with_effect(gram: Gram, is_concept: np.ndarray, direction: np.ndarray, effect: float) -> Gram:
    """Inner products after concept clips were moved along a direction until their effect in the pool is the one given."""
    difference = is_concept / is_concept.sum() - ~is_concept / (~is_concept).sum()
    missing = effect - float(gram.mean_cross @ difference)
    return moved(gram, is_concept, direction * missing / float(gram.mean_cross @ direction))


def _verdicts(
    gram: Gram, is_concept: np.ndarray, draws: int, seeds: Sequence[int], advance: Callable[[int], None]
) -> tuple[int, Counter[VerdictWord]]:
    """How often the equivalence test alone says that the effect is below the margin, and the verdicts."""
    generator, smaller, words = np.random.default_rng(seeds), 0, Counter[VerdictWord]()
    design = make_design(np.arange(_CONCEPT_CLIPS + _RANDOM_CLIPS) < _CONCEPT_CLIPS)
    choose = partial(draw_sides, is_concept, _CONCEPT_CLIPS, _RANDOM_CLIPS, replace=True)
    # a hypothesis alone in its family, whose p-values need no correction
    hypothesis = Hypothesis.model_validate({"does_not_matter": {"concept": "concept", "target": "number"}})
    for batch in drawn_grams({"": gram}, choose, draws, generator, new_class_clips=True):
        seed = seed_of(generator)
        tested = outcomes(batch, design, range(len(gram.cross)), seed=seed).values()
        gates = gates_of({number: drawn.kernel for (number, _), drawn in batch.items()}, design, seed)
        for outcome, gate in zip(tested, gates, strict=True):
            measured = _evidence(outcome, gate)
            p_values = PValues(measured.p_value, measured.smaller_p(MARGIN), measured.larger_p(MARGIN))
            smaller += p_values.equivalence <= LEVEL
            words[decide(hypothesis, measured, p_values, margin=MARGIN, level=LEVEL, unit="")[0]] += 1
        advance(len(batch))
    return smaller, words


def _evidence(outcome: Outcome, gate: Representation) -> Evidence:
    return Evidence(
        effect=outcome.effect,
        low=outcome.low,
        high=outcome.high,
        standard_error=outcome.standard_error,
        freedom=outcome.freedom,
        p_value=outcome.p_value,
        represented=gate.represented,
        concept_groups=_CONCEPT_CLIPS,
        concept_clips=_CONCEPT_CLIPS,
    )
