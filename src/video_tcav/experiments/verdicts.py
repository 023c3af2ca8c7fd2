"""Verdicts on hypotheses, from evidence corrected for multiple testing: supported, contradicted, undecided, not represented."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, get_args

from video_tcav.experiments.analyses import Analysis, AnalysisKey
from video_tcav.experiments.evidence import Evidence, equivalence_p, evidence, groups_to_decide
from video_tcav.experiments.file import Experiment, Statistics
from video_tcav.experiments.hypothesis import Hypothesis, Kind
from video_tcav.gram.corrections import adjust
from video_tcav.tcav.wording import p_text, units

VerdictWord = Literal["supported", "contradicted", "undecided", "not represented"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
# Kinds that claim that an effect, or a difference, is too small to matter.
EQUIVALENCE: tuple[Kind, ...] = ("does_not_matter", "same_in")
# More independent groups of clips than this are no practical number: nobody collects them.
MOST_GROUPS = 5000
_PARTS = {"whole": "", "motion": "the motion of ", "order": "the order of the frames of "}
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
        p_adjusted: after correction in its family.
        equivalence_p: of an effect of the margin or more.
        equivalence_p_adjusted: after correction in its family.
        represented: whether the layer encodes the concept.
        concept_clips: that were used.
        more_clips: of the concept that would decide it, others in proportion; `None` where it is decided or none would.
        family: it was corrected in.
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
    adjusted: dict[int, _Adjusted] = {}
    for members in families.values():
        correction = experiment.statistics.correction
        effect_ps = adjust([test.p_value for test in members], correction)
        equivalence_ps = adjust([test.equivalence_p for test in members], correction)
        for test, p, q in zip(members, effect_ps, equivalence_ps, strict=True):
            adjusted[id(test)] = _Adjusted(p, q, len(members))
    return tuple(
        _outcome(number, line, test, adjusted.get(id(test)), experiment)
        for number, (line, test) in enumerate(zip(lines, tests, strict=True), start=1)
    )


class _Adjusted(NamedTuple):
    """P-values after correction in a family of so many hypotheses."""

    p_value: float
    equivalence_p: float
    family_size: int


@dataclass(frozen=True, kw_only=True)
class _Test:
    """A hypothesis with the evidence on it; without evidence its p-values are 1."""

    hypothesis: Hypothesis
    model: str
    layer: str
    margin: float
    evidence: Evidence | None
    p_value: float
    equivalence_p: float

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
        p = q = 1.0
        if measured is not None:
            p, q = measured.p_value, equivalence_p(measured.effect, measured.standard_error, measured.freedom, margin)
        return cls(
            hypothesis=hypothesis,
            model=" and ".join(names),
            layer=layer,
            margin=margin,
            evidence=measured,
            p_value=p,
            equivalence_p=q,
        )


def _outcome(number: int, line: int, test: _Test, adjusted: _Adjusted | None, experiment: Experiment) -> Outcome:
    hypothesis, measured = test.hypothesis, test.evidence
    more_clips = None
    if measured is None or adjusted is None:
        verdict: VerdictWord = "not represented"
        reason = "its clips do not move, so that there is no motion or order to test"
    else:
        level, unit = experiment.statistics.level, units(experiment.against)
        p, q = adjusted.p_value, adjusted.equivalence_p
        verdict, reason = decide(hypothesis, measured, p, q, test.margin, level, unit)
        if verdict == "undecided":
            more_clips = _more_clips(measured, test.margin, adjusted.family_size, experiment.statistics)
            reason += (
                "; no practical number of clips would decide it, so close is the effect to the margin"
                if more_clips is None
                else f"; about {more_clips} more clips of the concept (and others in proportion) would decide it"
            )
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
        p_value=measured.p_value if measured else math.nan,
        p_adjusted=adjusted.p_value if adjusted else math.nan,
        equivalence_p=test.equivalence_p if measured else math.nan,
        equivalence_p_adjusted=adjusted.equivalence_p if adjusted else math.nan,
        represented=measured is not None and measured.represented,
        concept_clips=measured.concept_clips if measured else 0,
        more_clips=more_clips,
        family=hypothesis.family,
    )


def _more_clips(measured: Evidence, margin: float, family_size: int, settings: Statistics) -> int | None:
    """Clips of the concept that would decide an undecided hypothesis; `None` where no practical number would."""
    # Holm and Bonferroni share the level among the tests of a family; BH gives each about the level itself.
    tests = family_size if settings.correction in ("holm", "bonferroni") else 1
    groups = groups_to_decide(measured, margin=margin, level=settings.level, power=settings.power, tests=tests)
    if groups is None or groups > MOST_GROUPS:
        return None
    # The sample size is in independent groups; people collect clips.
    per_group = measured.concept_clips / measured.concept_groups
    return max(1, round((groups - measured.concept_groups) * per_group))


def decide(
    hypothesis: Hypothesis,
    measured: Evidence,
    p_adjusted: float,
    q_adjusted: float,
    margin: float,
    level: float,
    unit: str,
) -> tuple[VerdictWord, str]:
    """The verdict, and why.

    An effect counts where it is significant and at least as large as the margin; it is nil where it is significantly smaller
    than the margin. What the layer does not encode is neither.
    """
    size = f"{measured.effect:+.2f} {unit} [{measured.low:+.2f}, {measured.high:+.2f}]"
    significant = p_adjusted <= level
    p_words, q_words = f"adjusted p {p_text(p_adjusted)}", f"equivalence p {p_text(q_adjusted)}"
    claims_nil = hypothesis.kind in EQUIVALENCE
    if significant and abs(measured.effect) >= margin:
        right = {"positive": measured.effect > 0, "negative": measured.effect < 0, "either": True}[hypothesis.expect]
        verdict: VerdictWord = "supported" if right and not claims_nil else "contradicted"
        return verdict, f"the effect is {size}, {p_words}"
    # Only now: an effect that is there counts even where the layer's accuracy is not above chance.
    if not measured.represented:
        return "not represented", f"{hypothesis.about.concept} cannot be told from random clips at this layer ({size})"
    if q_adjusted <= level:
        smaller = f"the effect is smaller than {margin:g} {unit}: {size}, {q_words}"
        return ("supported" if claims_nil else "contradicted"), smaller
    if significant:
        small = f"there is an effect, {size}, {p_words}, but it may be too small to matter (margin {margin:g})"
        return "undecided", small
    return "undecided", f"neither an effect nor its absence is shown: {size}, {p_words}, {q_words}"


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
