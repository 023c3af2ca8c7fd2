"""Comparison of two runs of an experiment, such as those of two checkpoints: verdicts, effects, settings, clips."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import pandas as pd

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.analyses import Analysis, StoredResult
from video_tcav.experiments.audit_diff import ChangedShare, changed_shares
from video_tcav.experiments.completed_run import Run
from video_tcav.experiments.directory import changed_settings
from video_tcav.experiments.outcome import Outcome
from video_tcav.gram.corrections import adjust, adjust_finite
from video_tcav.gram.resampling import BootstrapT
from video_tcav.tcav.interventions.effects import InterventionEffect

_KEY = ("model", "target", "space", "test", "concept", "versus", "twin", "layer")
# Keys of an experiment whose changes are no warning: they are shown elsewhere, or change no effect.
_EXPECTED = ("model", "models", "title", "description", "hypotheses", "shown", "memory")
# A test notes the clips, which are compared by content, but not their paths, and it claims nothing.
_NOT_NOTED_BY_TESTS = ("targets", "concepts", "random", "layers", "twins")


@dataclass(frozen=True, kw_only=True)
class ChangedVerdict:
    """A hypothesis of both runs, and its two verdicts."""

    claim: str
    model: str
    before: str
    after: str
    effect_before: float
    effect_after: float
    is_share: bool = False  # or an effect in units of the target

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class ChangedEffect:
    """An effect that both runs measured.

    Attributes:
        model: in the second run.
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
        standard_error: of the change. Where both runs saw the same clips with the same seed, it is that of the difference
            draw by draw; elsewhere they count as independent, which is on the safe side where they share some clips.
        step_before: what a whole step did in the first run; NaN where it was not made.
        step_after: likewise in the second.
        step_p_adjusted: of no change of the step, two-sided, as if the runs were independent; Holm over all steps.
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
    step_before: float = math.nan
    step_after: float = math.nan
    step_p_adjusted: float = math.nan


@dataclass(frozen=True, kw_only=True)
class RunDiff:
    """Differences between two runs.

    Attributes:
        settings: keys of the experiment that differ, and on which effects depend; models are left out, which are expected to.
        verdicts: of the hypotheses of both.
        effects: that both measured, those that changed most first.
        only_before: hypotheses of the first run alone.
        only_after: of the second alone.
        other_clips: whether the runs saw different clips.
        shares: of audited clips that both measured; none without audits.
    """

    settings: tuple[str, ...]
    verdicts: tuple[ChangedVerdict, ...]
    effects: tuple[ChangedEffect, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    other_clips: bool
    shares: tuple[ChangedShare, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row an effect."""
        return pd.DataFrame([vars(effect) for effect in self.effects])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "settings": list(self.settings),
            "other_clips": self.other_clips,
            "verdicts": [{**vars(verdict), "changed": verdict.changed} for verdict in self.verdicts],
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "effects": [vars(effect) for effect in self.effects],
            "shares": [vars(share) for share in self.shares],
        }


def diff_runs(before: Run, after: Run) -> RunDiff:
    """Compare two runs, hypothesis by hypothesis and effect by effect.

    Where each run has a single model, these are compared with each other whatever they are called.

    Raises:
        ExperimentError: if they have nothing in common.
    """
    renamed = _renamed_model(before, after)
    earlier = {_hypothesis_key(outcome, renamed): outcome for outcome in before.outcomes}
    later = {_hypothesis_key(outcome, {}): outcome for outcome in after.outcomes}
    shared = [key for key in earlier if key in later]
    effects = _changed_effects(before, after, renamed)
    shares = _changed_shares(before, after, renamed)
    if not shared and not effects and not shares:
        raise ExperimentError(
            f"{after.path}: two runs must share a hypothesis, an effect or an audit. Got none in common with {before.path}. "
            "Compare runs of one experiment."
        )
    # no warnings: a test may have settings that no file can have, such as a correction by max-T
    settings = changed_settings(*(run.experiment.model_dump(mode="json", warnings=False) for run in (before, after)))
    expected = _EXPECTED if before.outcomes and after.outcomes else (*_EXPECTED, *_NOT_NOTED_BY_TESTS)
    return RunDiff(
        settings=tuple(name for name in settings if name.split(".")[0] not in expected),
        verdicts=tuple(
            ChangedVerdict(
                claim=earlier[key].claim,
                model=earlier[key].model,
                before=earlier[key].verdict,
                after=later[key].verdict,
                effect_before=earlier[key].effect,
                effect_after=later[key].effect,
                is_share=later[key].is_share,
            )
            for key in shared
        ),
        effects=effects,
        only_before=tuple(outcome.claim for key, outcome in earlier.items() if key not in later),
        only_after=tuple(outcome.claim for key, outcome in later.items() if key not in earlier),
        other_clips=_clip_digests(before) != _clip_digests(after),
        shares=shares,
    )


def _changed_shares(before: Run, after: Run, renamed: Mapping[str, str]) -> tuple[ChangedShare, ...]:
    settings = after.experiment.audit
    if settings is None:
        return ()
    return changed_shares(
        {renamed.get(audit.model, audit.model): audit.result for audit in before.audits},
        {audit.model: audit.result for audit in after.audits},
        bootstraps=settings.bootstraps,
        seed=after.experiment.seed,
    )


def _renamed_model(before: Run, after: Run) -> dict[str, str]:
    earlier, later = list(before.experiment.all_models()), list(after.experiment.all_models())
    # Two checkpoints are usually two specs: with one model each there is no doubt which are compared.
    return {earlier[0]: later[0]} if len(earlier) == len(later) == 1 else {}


def _hypothesis_key(outcome: Outcome, renamed: Mapping[str, str]) -> tuple[str, ...]:
    return (outcome.claim, renamed.get(outcome.model, outcome.model), outcome.layer)


def _clip_digests(run: Run) -> set[str | None]:
    sets = [clips for analysis in run.analyses for clips in analysis.record["provenance"]["clips"].values()]
    sets += [clips for test in run.texts for clips in test.result.provenance["clips"].values()]
    sets += [audit.result.provenance["clips"] for audit in run.audits]
    return {digest for clips in sets for digest in clips.values()}


def _changed_effects(before: Run, after: Run, renamed: Mapping[str, str]) -> tuple[ChangedEffect, ...]:
    earlier, later = _measured_effects(before, renamed), _measured_effects(after, {})
    changes, p_values, step_p_values = [], [], []
    for key in (key for key in earlier if key in later):
        (first_analysis, first), (second_analysis, second) = earlier[key], later[key]
        change = second.result.effect - first.result.effect
        fewest = max(2, min(first.result.fewest_groups, second.result.fewest_groups))
        if _share_draws(before, after, first_analysis, second_analysis) and len(first.bootstrap) == len(
            second.bootstrap
        ):
            test = BootstrapT.of_draws(change, second.bootstrap - first.bootstrap, fewest)
        else:
            # independent runs: the variances of both effects add up
            error = math.hypot(first.result.standard_error, second.result.standard_error)
            test = BootstrapT(effect=change, error=error, skewness=0.0, freedom=fewest - 1)
        names: dict[str, Any] = dict(zip(_KEY, key, strict=True))
        sizes = {"before": first.result.effect, "after": second.result.effect, "change": change}
        sizes |= {"step_before": first.result.step, "step_after": second.result.step}
        changes.append({**names, **sizes, "standard_error": test.error})
        p_values.append(test.p_value)
        step_p_values.append(_step_p(first_analysis, first, second_analysis, second))
    if not changes:
        return ()
    adjusted = adjust(p_values, "holm")
    steps = adjust_finite(step_p_values, "holm")
    effects = [
        ChangedEffect(**facts, p_adjusted=p, step_p_adjusted=step_p)
        for facts, p, step_p in zip(changes, adjusted, steps, strict=True)
    ]
    # The largest change in units of its standard error first.
    return tuple(
        sorted(effects, key=lambda each: -abs(each.change) / each.standard_error if each.standard_error else 0.0)
    )


def _step_p(first_analysis: Analysis, first: StoredResult, second_analysis: Analysis, second: StoredResult) -> float:
    """Two-sided p of no change of the step; NaN where one of both was not made."""
    steps = [_step_of(first_analysis, first), _step_of(second_analysis, second)]
    before, after = steps
    if before is None or after is None:
        return math.nan
    error = math.hypot(before.standard_error, after.standard_error)
    freedom = max(1.0, min(before.freedom, after.freedom))
    return BootstrapT(effect=after.effect - before.effect, error=error, skewness=0.0, freedom=freedom).p_value


def _step_of(analysis: Analysis, stored: StoredResult) -> InterventionEffect | None:
    row = stored.result
    key = ("step", row.concept, row.versus, row.twin, row.layer)
    edits = (
        (edit, (edit.operation, edit.concept, edit.versus, edit.twin, edit.layer)) for edit in analysis.interventions
    )
    return next((edit for edit, names in edits if names == key), None)


def _share_draws(before: Run, after: Run, first: Analysis, second: Analysis) -> bool:
    """Whether bootstrap draws of both analyses give a group of clips the same weights.

    Weights belong to the seed and to the number of the group, which it has by its place among the clips.
    """
    settings = [(run.experiment.seed, run.experiment.group, run.experiment.at) for run in (before, after)]
    # in order, but without names: clips that were rendered for each run are in its own folder
    clips = [
        [(role, list(digests.values())) for role, digests in analysis.record["provenance"]["clips"].items()]
        for analysis in (first, second)
    ]
    has_group_weights = first.has_group_weights and second.has_group_weights
    return has_group_weights and settings[0] == settings[1] and clips[0] == clips[1]


def _measured_effects(run: Run, renamed: Mapping[str, str]) -> dict[tuple[str, ...], tuple[Analysis, StoredResult]]:
    """Every result of a run, with its analysis."""
    effects = {}
    for analysis in run.analyses:
        model, *question = astuple(analysis.which)
        for stored in analysis.found:
            result = stored.result
            names = (result.concept, result.versus, result.twin, result.layer)
            effects[(renamed.get(model, model), *question, *names)] = (analysis, stored)
    return effects
