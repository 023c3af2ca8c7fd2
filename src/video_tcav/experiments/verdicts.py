"""Verdicts on hypotheses, from evidence corrected for multiple testing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from video_tcav.auditing.result import AuditResult
from video_tcav.experiments.analyses import Analysis, AnalysisKey
from video_tcav.experiments.audit_decisions import decide_audit
from video_tcav.experiments.audit_evidence import AuditEvidence, audit_cautions, audit_evidence
from video_tcav.experiments.decisions import EQUIVALENCE, PValues, VerdictWord, claim_text, decide, unit_of
from video_tcav.experiments.effect_checks import EffectTrust
from video_tcav.experiments.evidence import Evidence, evidence
from video_tcav.experiments.file import Experiment, Statistics
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.intervention_evidence import ShareEvidence, intervention_evidence
from video_tcav.experiments.outcome import Outcome
from video_tcav.experiments.sample_size import groups_to_decide
from video_tcav.experiments.text_claims import TextEvidence, decide_text, text_cautions, text_evidence
from video_tcav.experiments.text_tests import TextTest
from video_tcav.gram.corrections import adjust_finite


def judge(
    experiment: Experiment,
    analyses: Sequence[Analysis],
    lines: Sequence[int],
    audits: Mapping[str, AuditResult] | None = None,
    texts: Sequence[TextTest] = (),
) -> tuple[Outcome, ...]:
    """The verdict on every hypothesis.

    Args:
        experiment: with its hypotheses.
        analyses: all of the run; each hypothesis uses those of its model and target, in the first space and test.
        lines: of each hypothesis in its file.
        audits: of each model, by its name; they judge claims about models.
        texts: concepts in words of each model and target; they judge claims about texts.
    """
    tests = [
        _Test.of(hypothesis, experiment, analyses)
        if hypothesis.is_about_concept
        else _Test.of_text(hypothesis, experiment, texts)
        if hypothesis.text_matters is not None
        else _Test.of_model(hypothesis, experiment, audits or {})
        for hypothesis in experiment.hypotheses
    ]
    families: dict[str, list[_Test]] = {}
    for test in tests:
        # A hypothesis that cannot be tested must not cost the others of its family any power.
        if test.evidence is not None:
            families.setdefault(test.hypothesis.family, []).append(test)
    adjusted: dict[int, _Adjusted] = {}
    for members in families.values():
        # one column a question, each corrected over those of the family that it is asked of
        questions = zip(*(test.p_values for test in members), strict=True)
        corrected = [adjust_finite(p_values, experiment.statistics.correction) for p_values in questions]
        for test, p_values in zip(members, zip(*corrected, strict=True), strict=True):
            adjusted[id(test)] = _Adjusted(PValues(*p_values), len(members))
    return tuple(
        _outcome(number, line, test, adjusted.get(id(test)), experiment)
        for number, (line, test) in enumerate(zip(lines, tests, strict=True), start=1)
    )


class _Adjusted(NamedTuple):
    """P-values after correction in a family of so many hypotheses."""

    p_values: PValues
    family_size: int


@dataclass(frozen=True, kw_only=True)
class _Test:
    """A hypothesis with the evidence on it; without evidence its p-values are NaN."""

    hypothesis: Hypothesis
    model: str
    layer: str
    margin: float
    evidence: Evidence | None
    p_values: PValues
    trust: EffectTrust

    @classmethod
    def of(cls, hypothesis: Hypothesis, experiment: Experiment, analyses: Sequence[Analysis]) -> Self:
        compared = hypothesis.same_in
        names = compared.models if compared else (hypothesis.model or next(iter(experiment.all_models())),)
        by_key = {analysis.which: analysis for analysis in analyses}
        target, space, test = hypothesis.about.target, experiment.spaces[0], experiment.statistics.tests[0]
        chosen = [by_key[AnalysisKey(model=name, target=target, space=space, test=test)] for name in names]
        layer = hypothesis.layer or chosen[0].found[-1].result.layer
        margin = hypothesis.stated_size or experiment.statistics.margin
        if hypothesis.operation is None:
            measured = evidence(hypothesis, chosen, layer)
        else:
            measured = intervention_evidence(hypothesis, chosen[0], layer)
        p_values = PValues(math.nan, math.nan, math.nan)
        if measured is not None:
            p_values = PValues(measured.p_value, measured.smaller_p(margin), measured.larger_p(margin))
        return cls(
            hypothesis=hypothesis,
            model=" and ".join(names),
            layer=layer,
            margin=margin,
            evidence=measured,
            p_values=p_values,
            trust=EffectTrust.of(hypothesis, chosen, layer, math.nan if measured is None else measured.effect),
        )

    @classmethod
    def of_model(cls, hypothesis: Hypothesis, experiment: Experiment, audits: Mapping[str, AuditResult]) -> Self:
        """The test of a claim about a model, by its audit."""
        name = hypothesis.model or next(iter(experiment.all_models()))
        claim, result, settings = hypothesis.audit_claim, audits[name], experiment.audit
        assert claim is not None and settings is not None
        measured = audit_evidence(hypothesis, result, bootstraps=settings.bootstraps, seed=experiment.seed)
        p_values = PValues(math.nan, math.nan, math.nan)
        if measured is not None:
            # A share has no natural zero that "no effect" would mean.
            p_values = PValues(math.nan, measured.below, measured.above)
        return cls(
            hypothesis=hypothesis,
            model=name,
            layer="",
            margin=claim.bound,
            evidence=measured,
            p_values=p_values,
            trust=EffectTrust(warnings=audit_cautions(hypothesis, result)),
        )

    @classmethod
    def of_text(cls, hypothesis: Hypothesis, experiment: Experiment, texts: Sequence[TextTest]) -> Self:
        """The test of a claim about a text."""
        claim, name = hypothesis.text_matters, hypothesis.model or next(iter(experiment.all_models()))
        assert claim is not None
        result = next(test.result for test in texts if test.key == (name, claim.target))
        layer = hypothesis.layer or result[-1].layer
        measured = text_evidence(hypothesis, result, layer)
        p_values = PValues(math.nan if measured is None else measured.p_value, math.nan, math.nan)
        return cls(
            hypothesis=hypothesis,
            model=name,
            layer=layer,
            margin=0.0,  # an effect of any size is claimed
            evidence=measured,
            p_values=p_values,
            trust=EffectTrust(warnings=text_cautions(measured)),
        )


def _outcome(number: int, line: int, test: _Test, adjusted: _Adjusted | None, experiment: Experiment) -> Outcome:
    hypothesis, measured, settings = test.hypothesis, test.evidence, experiment.statistics
    more_clips, p_adjusted = None, test.p_values
    claim, against = hypothesis.audit_claim, experiment.against
    unit = unit_of(hypothesis, against)
    if measured is None or adjusted is None:
        verdict, reason = _not_measured(hypothesis)
    elif isinstance(measured, AuditEvidence):
        p_adjusted = adjusted.p_values
        verdict, reason = decide_audit(hypothesis, measured, p_adjusted, level=settings.level)
        verdict, reason = test.trust.verdict(verdict, reason, None)
    elif isinstance(measured, TextEvidence):
        p_adjusted = adjusted.p_values
        verdict, reason = decide_text(hypothesis, measured, p_adjusted.effect, level=settings.level, unit=unit)
        verdict, reason = test.trust.verdict(verdict, reason, None)
    else:
        p_adjusted = adjusted.p_values
        verdict, reason = decide(hypothesis, measured, p_adjusted, margin=test.margin, level=settings.level, unit=unit)
        if verdict == "undecided":
            more_clips = _more_clips(test, measured, adjusted.family_size, settings)
            reason += "; " + more_clips_text(measured, more_clips, settings.power)
        verdict, reason = test.trust.verdict(verdict, reason, hypothesis.least_agreement)
    text = claim_text(hypothesis, margin=test.margin, against=against)
    return Outcome(
        number=number,
        line=line,
        name=hypothesis.name or text,
        claim=text,
        kind=hypothesis.kind,
        verdict=verdict,
        reason=reason,
        model=test.model,
        target=_target(hypothesis),
        concept=_subject(hypothesis),
        than=hypothesis.more_than.than if hypothesis.more_than else "",
        layer=test.layer,
        expect=hypothesis.direction if claim is None else "at least" if claim.claims_more else "at most",
        margin=test.margin,
        effect=measured.effect if measured else math.nan,
        effect_low=measured.low if measured else math.nan,
        effect_high=measured.high if measured else math.nan,
        standard_error=measured.standard_error if measured else math.nan,
        p_value=test.p_values.effect,
        p_perm=measured.p_perm if measured else math.nan,
        p_t=measured.p_t if measured else math.nan,
        p_adjusted=p_adjusted.effect,
        equivalence_p=test.p_values.equivalence,
        equivalence_p_adjusted=p_adjusted.equivalence,
        beyond_p=test.p_values.beyond,
        beyond_p_adjusted=p_adjusted.beyond,
        represented=measured is not None and measured.represented,
        concept_clips=measured.concept_clips if measured else 0,
        more_clips=more_clips,
        family=hypothesis.family,
        family_size=adjusted.family_size if adjusted else 0,
        level=settings.level,
        agreement=test.trust.agreement,
        unit=unit,
        doubted=bool(test.trust.warnings),
    )


def _target(hypothesis: Hypothesis) -> str:
    if hypothesis.audit_claim is not None:
        return hypothesis.audit_claim.label or ""
    return (hypothesis.text_matters or hypothesis.about).target


def _subject(hypothesis: Hypothesis) -> str:
    """The concept or the text; empty for a claim about a model."""
    if hypothesis.text_matters is not None:
        return hypothesis.text_matters.text
    return hypothesis.about.concept if hypothesis.is_about_concept else ""


def _not_measured(hypothesis: Hypothesis) -> tuple[VerdictWord, str]:
    """Why there is no evidence."""
    if hypothesis.audit_claim is not None:
        return (
            "undecided",
            f"there is no version {hypothesis.audit_version} of any of the clips: the warnings of the run say why",
        )
    if hypothesis.operation is None:
        return "not represented", "its clips do not move, so that there is no motion or order to test"
    return "undecided", f"{hypothesis.operation} was not made at this layer: the warnings of the run say why"


def _more_clips(test: _Test, measured: Evidence, family_size: int, settings: Statistics) -> int | None:
    """Clips of the concept that would decide an undecided hypothesis; `None` where no practical number would, or other clips."""
    if isinstance(measured, ShareEvidence):
        return None
    groups = groups_to_decide(
        measured,
        margin=test.margin,
        level=settings.level,
        power=settings.power,
        # Holm and Bonferroni share the level among the tests of a family; BH gives each about the level itself.
        tests=family_size if settings.correction in ("holm", "bonferroni") else 1,
        claims_nil=test.hypothesis.kind in EQUIVALENCE,
    )
    if groups is None:
        return None
    # The sample size is in independent groups; people collect clips.
    per_group = measured.concept_clips / measured.concept_groups
    return max(1, round((groups - measured.concept_groups) * per_group))


def more_clips_text(measured: Evidence, more_clips: int | None, power: float) -> str:
    """How many more clips would decide it, and from how many more groups where groups have several clips."""
    if isinstance(measured, ShareEvidence):
        return "clips of the class in more groups would narrow the interval"
    if more_clips is None:
        return "no practical number of clips would decide it, so close may the effect be to the margin"
    # clips of groups that are there already add next to nothing
    groups = round(more_clips * measured.concept_groups / measured.concept_clips)
    origin = "" if groups == more_clips else f" from {max(1, groups)} more group{'s' if groups > 1 else ''}"
    return (
        f"{more_clips} more clips of the concept{origin}, and as many more of the others in proportion, would decide it with a "
        f"probability of {power:.0%}"
    )
