"""Three witnesses of one claim: the concept's effect, an intervention at the layer, and an edit of the pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from video_tcav.auditing.coalitions import Player, players_of
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.shares import coalition_log_odds
from video_tcav.auditing.versions import ORIGINAL
from video_tcav.experiments.analyses import Analysis, AnalysisKey
from video_tcav.experiments.audit_section import WITNESS_VERSIONS, Audit
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.models.class_names import class_of_label

Says = Literal["raises", "lowers", "does not matter", "unclear", "not represented", "not measured"]
_DECIDED: tuple[Says, ...] = ("raises", "lowers", "does not matter")
_TWINS: dict[Player, str] = {"motion": "motion", "order": "order"}


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What one witness says, by its own test.

    Attributes:
        by: what was measured: `slope`, `clamp`, `step`, or the version of the clips that lacks the player.
        value: in units of the target; of an edit the log-odds that clips lose. NaN, as the numbers below, where not measured.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: of no effect, adjusted for the slope; NaN for an edit, which is judged by its interval.
        says: `raises` or `lowers` where it is significant and at least the margin, `does not matter` where the interval lies
            within the margin, else `unclear`; `not represented` where the layer does not tell the concept.
    """

    by: str
    value: float
    low: float
    high: float
    p_value: float
    says: Says


@dataclass(frozen=True, kw_only=True)
class ThreeWitnesses:
    """A claim that a concept moves a class, and what three witnesses say.

    Attributes:
        model: its name in the experiment.
        target: class.
        concept: the concept.
        player: what of a clip it is.
        layer: where slope and intervention are of.
        part: of the effect: `whole`, or what `motion` or `order` adds.
        effect: the slope along the CAV.
        intervention: the rest of the network with the activation clamped, or moved by a step.
        edit: log-odds of class clips, less those of the same clips without the player.
        verdict: `agree`, `disagree`, or `open` where one of them does not decide.
        look_at: what to look at where they do not agree.
    """

    model: str
    target: str
    concept: str
    player: Player
    layer: str
    part: str
    effect: Witness
    intervention: Witness
    edit: Witness
    verdict: Literal["agree", "disagree", "open"]
    look_at: str

    @property
    def witnesses(self) -> tuple[Witness, Witness, Witness]:
        """All three, in their order."""
        return self.effect, self.intervention, self.edit


def three_witnesses(
    experiment: Experiment, analyses: Sequence[Analysis], audits: Mapping[str, AuditResult]
) -> tuple[ThreeWitnesses, ...]:
    """One row for each model, class and concept that a hypothesis is about and that `witnesses` names.

    Claims that a concept lowers a class are left out: an edit removes what clips of the class hold.
    """
    settings = experiment.audit
    if settings is None or not settings.witnesses:
        return ()
    by_key = {analysis.which: analysis for analysis in analyses}
    space, test = experiment.spaces[0], experiment.statistics.tests[0]
    rows: dict[tuple[str, ...], ThreeWitnesses] = {}
    for hypothesis in experiment.hypotheses:
        if not hypothesis.is_about_concept or hypothesis.direction == "negative":
            continue
        about = hypothesis.about
        if about.concept not in settings.witnesses:
            continue
        names = hypothesis.same_in.models if hypothesis.same_in else (hypothesis.model or next(iter(audits)),)
        for name in names:
            analysis = by_key[AnalysisKey(model=name, target=about.target, space=space, test=test)]
            layer = hypothesis.layer or analysis.found[-1].result.layer
            key = (name, about.target, about.concept, layer)
            if key not in rows:
                rows[key] = _witnesses(experiment, settings, hypothesis, analysis, layer, audits[name])
    return tuple(rows.values())


def witnesses_frame(rows: Sequence[ThreeWitnesses]) -> pd.DataFrame:
    """One row a claim, with columns such as `edit_value`."""
    return pd.json_normalize([asdict(row) for row in rows], sep="_")


def _witnesses(
    experiment: Experiment,
    settings: Audit,
    hypothesis: Hypothesis,
    analysis: Analysis,
    layer: str,
    result: AuditResult,
) -> ThreeWitnesses:
    concept, target = hypothesis.about.concept, hypothesis.about.target
    player = settings.witnesses[concept]
    # What motion adds is the claim that a frozen clip tests; a concept whose clips do not move has no such effect.
    twin = _TWINS.get(player, "none")
    if analysis.get(concept, layer, twin=twin) is None:
        twin = "none"
    level, margin = experiment.statistics.level, experiment.statistics.margin
    effect = _slope(analysis, concept, layer, twin, level, margin)
    intervention = _intervention(analysis, concept, layer, twin, level, margin)
    edit = edit_witness(
        result,
        player,
        class_of_label(result.answers.classes, target),
        bootstraps=settings.bootstraps,
        seed=experiment.seed,
        margin=margin,
    )
    verdict, look_at = compare(concept, player, effect, intervention, edit)
    return ThreeWitnesses(
        model=analysis.which.model,
        target=target,
        concept=concept,
        player=player,
        layer=layer,
        part="whole" if twin == "none" else twin,
        effect=effect,
        intervention=intervention,
        edit=edit,
        verdict=verdict,
        look_at=look_at,
    )


def _slope(analysis: Analysis, concept: str, layer: str, twin: str, level: float, margin: float) -> Witness:
    stored = analysis.get(concept, layer, twin=twin)
    if stored is None:
        return _not_measured("slope")
    row = stored.result
    says = _says(row.effect, row.effect_low, row.effect_high, margin, is_significant=row.p_adjusted <= level)
    # A significant effect counts even there, as in verdicts: the means differ along the CAV in what the class reads.
    if not row.represented and says not in ("raises", "lowers"):
        says = "not represented"
    return Witness(
        by="slope", value=row.effect, low=row.effect_low, high=row.effect_high, p_value=row.p_adjusted, says=says
    )


def _intervention(analysis: Analysis, concept: str, layer: str, twin: str, level: float, margin: float) -> Witness:
    """The clamp where it was made, else the step."""
    made = (analysis.edited(concept, layer, operation, twin=twin) for operation in ("clamp", "step"))
    edit = next((each for each in made if each is not None), None)
    if edit is None:
        return _not_measured("step")
    # other CAVs of the same clips, where there are some, and other clips: the larger p of the two
    p_value = edit.p_t if math.isnan(edit.p_value) else max(edit.p_value, edit.p_t)
    says = _says(edit.effect, edit.effect_low, edit.effect_high, margin, is_significant=p_value <= level)
    return Witness(
        by=edit.operation, value=edit.effect, low=edit.effect_low, high=edit.effect_high, p_value=p_value, says=says
    )


def edit_witness(
    result: AuditResult, player: Player, label: str | None, *, bootstraps: int, seed: int, margin: float
) -> Witness:
    """Log-odds that clips of a class lose without the player, with an interval by groups.

    Args:
        result: of the audit.
        player: what is removed.
        label: the class; `None` where the model has none of that name.
        bootstraps: resamples of the groups, where the loss is no row of the result.
        seed: of these.
        margin: a smaller loss does not matter.
    """
    # a version that is in the table of the audit, where there is one
    version = WITNESS_VERSIONS.get(player, f"without_{player}")
    if label is None:  # which in a result would be all classes
        return _not_measured(version)
    if player in WITNESS_VERSIONS:
        row = result.version(version, label)
        if row is None or not row.n_clips:
            return _not_measured(version)
        value, low, high = row.log_odds_lost, row.log_odds_lost_low, row.log_odds_lost_high
    else:
        answers = result.answers
        chosen = answers.clip_objects & (np.asarray(answers.labels) == label)
        if not chosen.any():
            return _not_measured(version)
        # All players but one are present, so that nothing else differs from the clip.
        team = frozenset(players_of(has_objects=True)) - {player}
        lost = answers.versions[ORIGINAL.name].log_odds - coalition_log_odds(answers, team)
        intervals = GroupIntervals.draw(answers.groups, bootstraps, seed).subset(chosen)
        value, low, high = intervals.mean(lost[chosen])
    says = _says(value, low, high, margin, is_significant=low > 0 or high < 0)
    return Witness(by=version, value=float(value), low=float(low), high=float(high), p_value=math.nan, says=says)


def _says(value: float, low: float, high: float, margin: float, *, is_significant: bool) -> Says:
    if is_significant and abs(value) >= margin:
        return "raises" if value > 0 else "lowers"
    # The interval of an equivalence test at 2.5 % on each side, so that all three witnesses have one rule.
    return "does not matter" if -margin < low and high < margin else "unclear"


def _not_measured(by: str) -> Witness:
    return Witness(by=by, value=math.nan, low=math.nan, high=math.nan, p_value=math.nan, says="not measured")


def compare(
    concept: str, player: Player, effect: Witness, intervention: Witness, edit: Witness
) -> tuple[Literal["agree", "disagree", "open"], str]:
    """Whether they agree, and what to look at where they do not."""
    witnesses = (effect, intervention, edit)
    decided = [witness.says for witness in witnesses if witness.says in _DECIDED]
    if len(set(decided)) > 1:
        return "disagree", _look_at(concept, player, effect, intervention, edit)
    if len(decided) == len(witnesses):
        return "agree", ""
    open_ones = ", ".join(f"{witness.by} ({witness.says})" for witness in witnesses if witness.says not in _DECIDED)
    return "open", f"Not decided by {open_ones}: clips in more groups, or another layer, may decide it."


def _look_at(concept: str, player: Player, effect: Witness, intervention: Witness, edit: Witness) -> str:
    # Of the two at the layer the intervention is believed: the slope is its first order.
    layer_says = intervention if intervention.says in _DECIDED else effect
    if layer_says.says == edit.says or edit.says not in _DECIDED:
        return (
            f"Slope and {intervention.by} differ: what the network says is no straight line along the CAV. Believe the "
            f"{intervention.by}."
        )
    if edit.says == "does not matter":
        return (
            f"{concept} moves the class at the layer, but clips lose nothing without the {player}: they hold other causes "
            f"enough, or clips of {concept} share something else. Look at what else clips of {concept} have in common."
        )
    if layer_says.says == "does not matter":
        return (
            f"Clips lose log-odds without the {player}, but {concept} does not move the class at the layer: the {player} holds "
            f"something else than {concept}, or the edit leaves traces. Look at the clips of {edit.by} and at the paste control."
        )
    return (
        f"{concept} and the {player} move the class in opposite directions: the {player} of these clips may not be {concept}. "
        f"Look at clips of both side by side."
    )
