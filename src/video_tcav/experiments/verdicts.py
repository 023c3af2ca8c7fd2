"""Verdicts on hypotheses, from evidence corrected for multiple testing: supported, contradicted, undecided, not represented."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, get_args

from video_tcav.experiments.analyses import Analysis, AnalysisKey
from video_tcav.experiments.evidence import Evidence, beyond_p, equivalence_p, evidence
from video_tcav.experiments.file import Experiment, Statistics
from video_tcav.experiments.hypothesis import Hypothesis, Kind
from video_tcav.experiments.sample_size import groups_to_decide
from video_tcav.gram.corrections import adjust
from video_tcav.tcav.wording import p_equals, units

VerdictWord = Literal["supported", "contradicted", "undecided", "not represented"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
# Kinds that claim that an effect, or a difference, is too small to matter.
EQUIVALENCE: tuple[Kind, ...] = ("does_not_matter", "same_in")
_PARTS = {"whole": "", "motion": "the motion of ", "order": "the order of the frames of "}
_NOUNS: dict[Kind, str] = {"more_than": "difference", "same_in": "difference"}
_VERBS = {"positive": "raises", "negative": "lowers", "either": "changes"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A hypothesis and its verdict: a row of `hypotheses.csv`.

    Attributes:
        number: its place in the file, from one.
        line: its line there.
        name: as the file has it, or the claim.
        claim: the hypothesis in words.
        kind: of hypothesis.
        verdict: supported, contradicted, undecided, or not represented.
        reason: why, in words.
        model: name of the model; of both with `same_in`.
        target: class.
        concept: the concept.
        than: what it is compared with; empty where it is not.
        layer: where.
        expect: the direction it claims.
        margin: an effect below it does not matter.
        effect: in units of the target; NaN where there is nothing to measure, as for all numbers below.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        standard_error: of the effect.
        p_value: two-sided, of no effect.
        p_perm: its part from label permutations; NaN where there are none.
        p_t: its part from the effect over its standard error.
        p_adjusted: `p_value` after correction in its family.
        equivalence_p: of an effect of the margin or more: small where the effect is shown to be smaller than the margin.
        equivalence_p_adjusted: after correction in its family.
        beyond_p: of an effect of the margin or less: small where the effect is shown to be larger than the margin.
        beyond_p_adjusted: after correction in its family.
        represented: whether the layer encodes the concept.
        concept_clips: that were used.
        more_clips: of the concept that would decide it, others in proportion, with the probability that the experiment asks
            for (`power`); `None` where it is decided, or no practical number would.
        family: it was corrected in.
        family_size: how many hypotheses of it were tested.
        level: of significance that the adjusted p-values were compared with.
    """

    number: int
    line: int
    name: str
    claim: str
    kind: Kind
    verdict: VerdictWord
    reason: str
    model: str
    target: str
    concept: str
    than: str
    layer: str
    expect: str
    margin: float
    effect: float
    effect_low: float
    effect_high: float
    standard_error: float
    p_value: float
    p_adjusted: float
    equivalence_p: float
    equivalence_p_adjusted: float
    represented: bool
    concept_clips: int
    more_clips: int | None
    family: str
    # what runs of version 0.1 do not have
    p_perm: float = math.nan
    p_t: float = math.nan
    beyond_p: float = math.nan
    beyond_p_adjusted: float = math.nan
    family_size: int = 0
    level: float = math.nan


def judge(experiment: Experiment, analyses: Sequence[Analysis], lines: Sequence[int]) -> tuple[Outcome, ...]:
    """The verdict on every hypothesis.

    Args:
        experiment: with its hypotheses.
        analyses: all of the run; each hypothesis uses those of its model and target, in the first space and test.
        lines: of each hypothesis in its file.
    """
    tests = [_Test.of(hypothesis, experiment, analyses) for hypothesis in experiment.hypotheses]
    families: dict[str, list[_Test]] = {}
    for test in tests:
        # A hypothesis that cannot be tested must not cost the others of its family any power.
        if test.evidence is not None:
            families.setdefault(test.hypothesis.family, []).append(test)
    adjusted: dict[int, Adjusted] = {}
    for members in families.values():
        # one column a question, each corrected over the family
        questions = zip(*(test.p_values for test in members), strict=True)
        corrected = [adjust(list(p_values), experiment.statistics.correction) for p_values in questions]
        for test, p_values in zip(members, zip(*corrected, strict=True), strict=True):
            adjusted[id(test)] = Adjusted(PValues(*p_values), len(members))
    return tuple(
        _outcome(number, line, test, adjusted.get(id(test)), experiment)
        for number, (line, test) in enumerate(zip(lines, tests, strict=True), start=1)
    )


class PValues(NamedTuple):
    """Three p-values of one hypothesis: of no effect, of one as large as the margin, of one no larger than the margin."""

    effect: float
    equivalence: float
    beyond: float


class Adjusted(NamedTuple):
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

    @classmethod
    def of(cls, hypothesis: Hypothesis, experiment: Experiment, analyses: Sequence[Analysis]) -> Self:
        compared = hypothesis.same_in
        names = compared.models if compared else (hypothesis.model or next(iter(experiment.all_models())),)
        by_key = {analysis.which: analysis for analysis in analyses}
        target, space, test = hypothesis.about.target, experiment.spaces[0], experiment.statistics.tests[0]
        chosen = [by_key[AnalysisKey(model=name, target=target, space=space, test=test)] for name in names]
        layer = hypothesis.layer or chosen[0].found[-1].result.layer
        margin = getattr(hypothesis.about, "margin", None) or experiment.statistics.margin
        measured = evidence(hypothesis, chosen, layer)
        p_values = PValues(math.nan, math.nan, math.nan)
        if measured is not None:
            t_test = (measured.effect, measured.standard_error, measured.freedom, margin)
            p_values = PValues(measured.p_value, equivalence_p(*t_test), beyond_p(*t_test))
        return cls(
            hypothesis=hypothesis,
            model=" and ".join(names),
            layer=layer,
            margin=margin,
            evidence=measured,
            p_values=p_values,
        )


def _outcome(number: int, line: int, test: _Test, adjusted: Adjusted | None, experiment: Experiment) -> Outcome:
    hypothesis, measured, settings = test.hypothesis, test.evidence, experiment.statistics
    more_clips, p_adjusted = None, test.p_values
    if measured is None or adjusted is None:
        verdict: VerdictWord = "not represented"
        reason = "its clips do not move, so that there is no motion or order to test"
    else:
        p_adjusted = adjusted.p_values
        unit = units(experiment.against)
        verdict, reason = decide(hypothesis, measured, p_adjusted, margin=test.margin, level=settings.level, unit=unit)
        if verdict == "undecided":
            more_clips = _more_clips(test, measured, adjusted.family_size, settings)
            reason += "; " + _more_clips_text(more_clips, settings.power)
    claim = claim_text(hypothesis, margin=test.margin, against=experiment.against)
    return Outcome(
        number=number,
        line=line,
        name=hypothesis.name or claim,
        claim=claim,
        kind=hypothesis.kind,
        verdict=verdict,
        reason=reason,
        model=test.model,
        target=hypothesis.about.target,
        concept=hypothesis.about.concept,
        than=hypothesis.more_than.than if hypothesis.more_than else "",
        layer=test.layer,
        expect=hypothesis.expect,
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
    )


def _more_clips(test: _Test, measured: Evidence, family_size: int, settings: Statistics) -> int | None:
    """Clips of the concept that would decide an undecided hypothesis; `None` where no practical number would."""
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


def _more_clips_text(more_clips: int | None, power: float) -> str:
    if more_clips is None:
        return "no practical number of clips would decide it, so close may the effect be to the margin"
    return (
        f"{more_clips} more clips of the concept, and as many more of the others in proportion, would decide it with a "
        f"probability of {power:.0%}"
    )


def decide(
    hypothesis: Hypothesis, measured: Evidence, p_adjusted: PValues, *, margin: float, level: float, unit: str
) -> tuple[VerdictWord, str]:
    """The verdict, and why.

    A claim that an effect is below the margin is contradicted only by a test that it is beyond it: of effects just below the
    margin, nearly half are estimated above it. A claim that there is an effect needs a significant one whose estimate is at
    least the margin. What the layer does not encode is neither there nor nil.
    """
    rules = _nil_claim if hypothesis.kind in EQUIVALENCE else _effect_claim
    return rules(hypothesis, _Findings.of(hypothesis, measured, p_adjusted, margin, level, unit))


@dataclass(frozen=True, kw_only=True)
class _Findings:
    """What the tests of a hypothesis show, and each figure in words."""

    effect: float
    is_there: bool
    is_smaller: bool
    is_larger: bool
    is_represented: bool
    is_estimated_large: bool
    noun: str
    size: str
    margin: str
    p: str
    p_smaller: str
    p_larger: str

    @classmethod
    def of(
        cls, hypothesis: Hypothesis, measured: Evidence, p_adjusted: PValues, margin: float, level: float, unit: str
    ) -> Self:
        return cls(
            effect=measured.effect,
            is_there=p_adjusted.effect <= level,
            is_smaller=p_adjusted.equivalence <= level,
            is_larger=p_adjusted.beyond <= level,
            is_represented=measured.represented,
            is_estimated_large=abs(measured.effect) >= margin,
            noun=_NOUNS.get(hypothesis.kind, "effect"),
            size=f"{measured.effect:+.2f} {unit} [{measured.low:+.2f}, {measured.high:+.2f}]",
            margin=f"the margin of {margin:g}",
            p=f"adjusted p {p_equals(p_adjusted.effect)}",
            p_smaller=f"adjusted p {p_equals(p_adjusted.equivalence)}",
            p_larger=f"adjusted p {p_equals(p_adjusted.beyond)}",
        )


def _nil_claim(hypothesis: Hypothesis, shown: _Findings) -> tuple[VerdictWord, str]:
    """Verdict on a claim that an effect, or a difference, is smaller than the margin."""
    # First: an effect that is there counts even where the layer seems not to tell the concept apart.
    if shown.is_larger:
        return "contradicted", f"the {shown.noun} is larger than {shown.margin}: {shown.size}, {shown.p_larger}"
    if not shown.is_represented:
        return "not represented", _not_represented(hypothesis, shown)
    if shown.is_smaller:
        return "supported", f"the {shown.noun} is smaller than {shown.margin}: {shown.size}, {shown.p_smaller}"
    return "undecided", (
        f"the {shown.noun} is {shown.size}; that it is smaller than {shown.margin} is not shown ({shown.p_smaller}), nor that "
        f"it is larger ({shown.p_larger})"
    )


def _effect_claim(hypothesis: Hypothesis, shown: _Findings) -> tuple[VerdictWord, str]:
    """Verdict on a claim that there is an effect, or a difference."""
    expected = {"positive": shown.effect > 0, "negative": shown.effect < 0, "either": True}[hypothesis.expect]
    direction = "" if hypothesis.expect == "either" else f" in the {'claimed' if expected else 'opposite'} direction"
    there = f"the {shown.noun}{direction} is shown: {shown.size}, {shown.p}"
    if shown.is_there and shown.is_estimated_large:
        beyond = (
            f"and it is larger than {shown.margin} ({shown.p_larger})"
            if shown.is_larger
            else f"its estimate is at least {shown.margin}; that it is itself so large is not shown ({shown.p_larger})"
        )
        return ("supported" if expected else "contradicted"), f"{there}; {beyond}"
    if not shown.is_represented:
        return "not represented", _not_represented(hypothesis, shown)
    if shown.is_smaller:
        smaller = f"the {shown.noun} is smaller than {shown.margin}: {shown.size}, {shown.p_smaller}"
        return (
            "contradicted",
            f"{smaller}; there is one, but it is too small ({shown.p})" if shown.is_there else smaller,
        )
    if shown.is_there:
        small = f"its estimate is below {shown.margin}, but that it is itself so small is not shown ({shown.p_smaller})"
        return "undecided", f"{there}; {small}"
    return "undecided", (
        f"the {shown.noun} is {shown.size}; that there is one is not shown ({shown.p}), nor that it is smaller than "
        f"{shown.margin} ({shown.p_smaller})"
    )


def _not_represented(hypothesis: Hypothesis, shown: _Findings) -> str:
    return (
        f"clips of {hypothesis.about.concept} cannot be told from random clips at this layer by this CAV ({shown.size})"
    )


def claim_text(hypothesis: Hypothesis, *, margin: float, against: str) -> str:
    """The claim of a hypothesis."""
    about, verb = hypothesis.about, _VERBS[hypothesis.expect]
    subject = f"{_PARTS[hypothesis.part]}{about.concept}"
    small = f"by less than {margin:g} {units(against)}"
    match hypothesis.kind:
        case "matters" | "motion_matters" | "order_matters":
            return f"{subject} {verb} {about.target}"
        case "more_than":
            assert hypothesis.more_than is not None
            if hypothesis.expect == "either":
                return f"{about.concept} and {hypothesis.more_than.than} move {about.target} to different degrees"
            return f"{about.concept} {verb} {about.target} more than {hypothesis.more_than.than} does"
        case "does_not_matter":
            return f"{subject} does not matter for {about.target}: it changes it {small}"
        case "same_in":
            assert hypothesis.same_in is not None
            first, second = hypothesis.same_in.models
            return f"{subject} matters for {about.target} as much in {first} as in {second}: they differ {small}"
