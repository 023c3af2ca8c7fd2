"""A result of one concept: its numbers, the run's constants, and both together as a row of every table."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from video_tcav.gram.concept_test import ConceptStatistics
from video_tcav.gram.corrections import Correction
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav.cav_key import CavKey


@dataclass(frozen=True, kw_only=True)
class RunConstants:
    """What is the same for every measurement of a run.

    Attributes:
        target: class that is explained.
        against: the target's definition: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient was taken: at clips of the `class`, or at `random` clips set aside for it.
        space: feature space.
        cav: how the CAV was learned.
        correction: how p_adjusted was made.
        significance: the test: `studentised`, the plain `permutation`, the paper's anti-conservative `ttest`, or another
            registered one.
        step_at: whose activations a step moved: those of `random` clips, or of clips of the `class`.
    """

    target: str
    against: str
    at: str
    space: Space
    cav: str
    correction: Correction
    significance: str
    step_at: str = "class"  # as in results of earlier versions


@dataclass(frozen=True, kw_only=True)
class InterventionNumbers:
    """What the rest of the network says when activations are edited along the CAV; NaN where that was not made.

    Of each operation the effect at class clips, or for a step at the clips that `step_at` names, the ends of its 95 % interval,
    and p against CAVs of permuted labels.

    Attributes:
        step: ½ [target(h + d) − target(h − d)], d from the mean random to the mean concept clip, in target units.
        clamp: the target with the coordinate along the CAV of concept clips, less with that of random clips.
        remove: the target as it is, less with the coordinate of random clips.
        restore: the share of what a twin of the clip lost of the target that its own coordinate gives back: frozen twins in the
            rows `none` and `motion`, reversed ones in `order`.
    """

    step: float = math.nan
    step_low: float = math.nan
    step_high: float = math.nan
    clamp: float = math.nan
    clamp_low: float = math.nan
    clamp_high: float = math.nan
    clamp_p: float = math.nan
    remove: float = math.nan
    remove_low: float = math.nan
    remove_high: float = math.nan
    remove_p: float = math.nan
    restore: float = math.nan
    restore_low: float = math.nan
    restore_high: float = math.nan
    restore_p: float = math.nan


@dataclass(frozen=True, kw_only=True)
class MatchedStatistics(InterventionNumbers, ConceptStatistics):
    """The numbers of one concept at one layer, in the family of tests that they belong to.

    Attributes:
        negatives: `as given`, or `frozen` where the concept's clips do not move and the random clips were frozen to match;
            `moving` where it does not move and the random clips were left as they are.
        p_adjusted: after correction over all results of the run with the same `twin` and `versus` kind.
        family_size: how many these are.
    """

    negatives: str
    p_adjusted: float
    family_size: int


@dataclass(frozen=True, kw_only=True)
class Measurement(MatchedStatistics):
    """The numbers of one concept, version and layer.

    Attributes:
        key: which CAV, or which difference of two.
    """

    key: CavKey


@dataclass(frozen=True, kw_only=True)
class ConceptResult(MatchedStatistics, RunConstants):
    """What one concept does to one target at one layer: a row of every table.

    Attributes:
        concept: name of the concept.
        versus: what it is compared with: `random`, or another concept (relative TCAV).
        twin: `none` for the concept's own clips; `frozen`, `reversed`, `shuffled` for twins of concept and random clips;
            `motion` for effect(concept) − effect(frozen twin), `order` for effect(concept) − effect(reversed twin).
        layer: dotted module name.
    """

    concept: str
    versus: str
    twin: str
    layer: str


_KEYS = ("target", "concept", "versus", "twin", "layer")
_EDITS = ("step_at", *(f.name for f in fields(InterventionNumbers)))
COLUMNS = (*_KEYS, *(f.name for f in fields(ConceptResult) if f.name not in (*_KEYS, *_EDITS)), *_EDITS)
"""Of a table of results: what was asked first, interventions last."""


def join_rows(constants: RunConstants, measurements: Sequence[Measurement]) -> tuple[ConceptResult, ...]:
    """Rows of a table, from what all have in common and what differs."""
    rows = []
    for measurement in measurements:
        # not `asdict`, which would turn the key into a dict of its own
        numbers = {f.name: getattr(measurement, f.name) for f in fields(measurement) if f.name != "key"}
        rows.append(ConceptResult(**asdict(constants), **asdict(measurement.key), **numbers))
    return tuple(rows)
