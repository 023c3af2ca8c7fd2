"""What changed between two runs of an experiment, such as those of two checkpoints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.completed_run import Run
from video_tcav.experiments.directory import changed
from video_tcav.experiments.evidence import standard_error
from video_tcav.experiments.verdicts import Outcome
from video_tcav.gram.significance import adjust

_PLACE = ("model", "target", "space", "test", "concept", "versus", "twin", "layer")


_EXPECTED = ("model", "models", "title", "description", "hypotheses", "shown", "memory")
"""Keys of an experiment that may differ without a word: their changes are shown, or change no effect."""


@dataclass(frozen=True, kw_only=True)
class ChangedVerdict:
    """A hypothesis that both runs asked, and its two verdicts."""

    claim: str
    model: str
    before: str
    after: str
    effect_before: float
    effect_after: float

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class ChangedEffect:
    """An effect that both runs measured.

    Attributes:
        model: in the first run.
        target: class.
        space: feature space.
        test: of significance.
        concept: the concept.
        versus: what it is compared with.
        twin: see `ConceptResult`.
        layer: where.
        before: in the first run.
        after: in the second.
        change: after less before.
        standard_error: of the change; both runs count as independent, which is on the safe side where they share clips.
        p_adjusted: of no change, two-sided, by Student's t, Holm over all effects.
    """

    model: str
    target: str
    space: str
    test: str
    concept: str
    versus: str
    twin: str
    layer: str
    before: float
    after: float
    change: float
    standard_error: float
    p_adjusted: float


@dataclass(frozen=True, kw_only=True)
class RunDiff:
    """What changed between two runs.

    Attributes:
        settings: keys of the experiment that differ, and on which effects depend; models are left out, which are expected to.
        verdicts: of the hypotheses that both asked.
        effects: that both measured, those that changed most first.
        only_before: hypotheses of the first run alone.
        only_after: of the second alone.
        other_clips: whether the runs saw different clips.
    """

    settings: tuple[str, ...]
    verdicts: tuple[ChangedVerdict, ...]
    effects: tuple[ChangedEffect, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    other_clips: bool

    def to_frame(self) -> pd.DataFrame:
        """One row an effect."""
        return pd.DataFrame([vars(one) for one in self.effects])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "settings": list(self.settings),
            "other_clips": self.other_clips,
            "verdicts": [{**vars(one), "changed": one.changed} for one in self.verdicts],
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "effects": [vars(one) for one in self.effects],
        }


def diff_runs(before: Run, after: Run) -> RunDiff:
    """Compare two runs, hypothesis by hypothesis and effect by effect.

    Where each run has a single model, these are compared with each other whatever they are called.

    Raises:
        ExperimentError: if they have nothing in common.
    """
    renamed = _renamed(before, after)
    asked = {_question(one, renamed): one for one in before.outcomes}
    found = {_question(one, {}): one for one in after.outcomes}
    both = [key for key in asked if key in found]
    effects = _effects(before, after, renamed)
    if not both and not effects:
        raise ExperimentError(
            f"{after.path}: two runs must share a hypothesis or an effect. Got none in common with {before.path}. Compare runs of"
            " one experiment."
        )
    own, other = (run.experiment.model_dump(mode="json") for run in (before, after))
    settings = [name for name in changed(own, other) if name.split(".")[0] not in _EXPECTED]
    return RunDiff(
        settings=tuple(settings),
        verdicts=tuple(
            ChangedVerdict(
                claim=asked[key].claim,
                model=asked[key].model,
                before=asked[key].verdict,
                after=found[key].verdict,
                effect_before=asked[key].effect,
                effect_after=found[key].effect,
            )
            for key in both
        ),
        effects=effects,
        only_before=tuple(one.claim for key, one in asked.items() if key not in found),
        only_after=tuple(one.claim for key, one in found.items() if key not in asked),
        other_clips=_clips(before) != _clips(after),
    )


def _renamed(before: Run, after: Run) -> dict[str, str]:
    own, other = list(before.experiment.all_models()), list(after.experiment.all_models())
    return {own[0]: other[0]} if len(own) == len(other) == 1 else {}


def _question(one: Outcome, renamed: Mapping[str, str]) -> tuple[str, ...]:
    return (one.claim, renamed.get(one.model, one.model), one.layer)


def _clips(run: Run) -> set[str | None]:
    found: set[str | None] = set()
    for analysis in run.analyses:
        for digests in analysis.record["provenance"]["clips"].values():
            found |= set(digests.values())
    return found


def _effects(before: Run, after: Run, renamed: Mapping[str, str]) -> tuple[ChangedEffect, ...]:
    own, other = _measured(before, renamed), _measured(after, {})
    both = [place for place in own if place in other]
    changes, p_values = [], []
    for place in both:
        (first, error, freedom), (second, other_error, other_freedom) = own[place], other[place]
        change, spread = second - first, math.hypot(error, other_error)
        changes.append((place, first, second, change, spread))
        p_values.append(_p(change, spread, min(freedom, other_freedom)))
    if not changes:
        return ()
    adjusted = adjust(p_values, "holm")
    order = np.argsort([-abs(change) / spread if spread else 0.0 for *_, change, spread in changes], kind="stable")
    found = []
    for index in order:
        place, first, second, change, spread = changes[index]
        names: dict[str, Any] = dict(zip(_PLACE, place, strict=True))
        numbers = {"before": first, "after": second, "change": change, "standard_error": spread}
        found.append(ChangedEffect(**names, **numbers, p_adjusted=float(adjusted[index])))
    return tuple(found)


def _p(change: float, spread: float, freedom: int) -> float:
    if spread == 0:
        return 1.0 if change == 0 else 1e-6
    return float(2 * stats.t.sf(abs(change) / spread, freedom))


def _measured(run: Run, renamed: Mapping[str, str]) -> dict[tuple[str, ...], tuple[float, float, int]]:
    """Effect, standard error and degrees of freedom of everything that a run measured."""
    found = {}
    for analysis in run.analyses:
        which = analysis.which
        for one in analysis.found:
            result = one.result
            fewest = max(2, min(result.n_concept_groups, analysis.class_groups))
            place = (renamed.get(which.model, which.model), which.target, which.space, which.test)
            place += (result.concept, result.versus, result.twin, result.layer)
            found[place] = (result.effect, standard_error(one.bootstrap, fewest), fewest - 1)
    return found
