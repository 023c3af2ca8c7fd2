"""Rules and words of verdicts: supported, contradicted, undecided, not represented."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, get_args

from video_tcav.experiments.audit_wording import audit_claim_text, audit_unit
from video_tcav.experiments.evidence import Evidence
from video_tcav.experiments.hypothesis import Hypothesis, Kind
from video_tcav.tcav.wording import p_equals, units

VerdictWord = Literal["supported", "contradicted", "undecided", "not represented"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
SHARES: tuple[Kind, ...] = ("needed", "carries")
"""Kinds whose size is a share: of class clips, or of what their twins lose."""
EQUIVALENCE: tuple[Kind, ...] = ("does_not_matter", "same_in")
"""Kinds that claim that an effect, or a difference, is too small to matter."""
_NOUNS: dict[Kind, str] = {
    "more_than": "difference",
    "same_in": "difference",
    "would_change": "clamp effect",
    "needed": "share of class clips whose first class changes",
    "carries": "share that the concept gives back",
}
_MORE: dict[Kind, str] = {"needed": "more than along CAVs of permuted labels", "carries": "more than nothing"}
_SIZES: dict[Kind, str] = {"would_change": "size", "needed": "share", "carries": "share"}
_LOSERS = {"motion": "frozen", "order": "reversed"}
_PARTS = {"whole": "", "motion": "the motion of ", "order": "the order of the frames of "}
_VERBS = {"positive": "raises", "negative": "lowers", "either": "changes"}


class PValues(NamedTuple):
    """Three p-values of one hypothesis: of no effect, of one as large as the margin, of one no larger than the margin."""

    effect: float
    equivalence: float
    beyond: float


def unit_of(hypothesis: Hypothesis, against: str) -> str:
    """What the size of a claim is measured in."""
    if hypothesis.audit_claim is not None:
        return audit_unit(hypothesis)
    if hypothesis.text_matters is not None:
        return f"{units(against)} for one standard deviation of the random clips"
    if hypothesis.kind == "needed":
        return "of the class clips"
    if hypothesis.kind == "carries":
        return f"of what {_LOSERS[hypothesis.part]} class clips lose"
    return units(against)


def amount(kind: Kind, value: float) -> str:
    """A size in words: a share as a percentage, any other with its sign."""
    return f"{round(value, 2) + 0.0:.0%}" if kind in SHARES else f"{value:+.2f}"


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
    more: str
    size: str
    margin: str
    p: str
    p_smaller: str
    p_larger: str

    @classmethod
    def of(
        cls, hypothesis: Hypothesis, measured: Evidence, p_adjusted: PValues, margin: float, level: float, unit: str
    ) -> Self:
        kind = hypothesis.kind
        low, high = amount(kind, measured.low), amount(kind, measured.high)
        stated = amount(kind, margin) if kind in SHARES else f"{margin:g}"
        return cls(
            effect=measured.effect,
            is_there=p_adjusted.effect <= level,
            is_smaller=p_adjusted.equivalence <= level,
            is_larger=p_adjusted.beyond <= level,
            is_represented=measured.represented,
            is_estimated_large=abs(measured.effect) >= margin,
            noun=_NOUNS.get(kind, "effect"),
            more=_MORE.get(kind, ""),
            size=f"{amount(kind, measured.effect)} {unit} [{low}, {high}]",
            margin=f"the claimed {_SIZES[kind]} of {stated}" if kind in _SIZES else f"the margin of {stated}",
            p=f"adjusted p {p_equals(p_adjusted.effect)}",
            p_smaller=f"adjusted p {p_equals(p_adjusted.equivalence)}",
            p_larger=f"adjusted p {p_equals(p_adjusted.beyond)}",
        )


def _nil_claim(hypothesis: Hypothesis, findings: _Findings) -> tuple[VerdictWord, str]:
    """Verdict on a claim that an effect, or a difference, is smaller than the margin."""
    # first: an effect that is there counts even where the layer seems not to tell the concept apart.
    if findings.is_larger:
        return (
            "contradicted",
            f"the {findings.noun} is larger than {findings.margin}: {findings.size}, {findings.p_larger}",
        )
    if not findings.is_represented:
        return "not represented", _not_represented(hypothesis, findings)
    if findings.is_smaller:
        return (
            "supported",
            f"the {findings.noun} is smaller than {findings.margin}: {findings.size}, {findings.p_smaller}",
        )
    not_shown = f"that it is smaller than {findings.margin} is not shown ({findings.p_smaller}), nor that it is larger"
    return "undecided", f"the {findings.noun} is {findings.size}; {not_shown} ({findings.p_larger})"


def _effect_claim(hypothesis: Hypothesis, findings: _Findings) -> tuple[VerdictWord, str]:
    """Verdict on a claim that there is an effect, or a difference."""
    claimed = hypothesis.direction
    expected = {"positive": findings.effect > 0, "negative": findings.effect < 0, "either": True}[claimed]
    is_directed = claimed != "either" and hypothesis.kind not in SHARES
    direction = f" in the {'claimed' if expected else 'opposite'} direction" if is_directed else ""
    shown_as = f" to be {findings.more}" if findings.more else ""
    there = f"the {findings.noun}{direction} is shown{shown_as}: {findings.size}, {findings.p}"
    if findings.is_there and findings.is_estimated_large:
        beyond = (
            f"it is larger than {findings.margin}, too ({findings.p_larger})"
            if findings.is_larger
            else f"its estimate is at least {findings.margin}; that it is itself so large is not shown ({findings.p_larger})"
        )
        return ("supported" if expected else "contradicted"), f"{there}; {beyond}"
    if not findings.is_represented:
        return "not represented", _not_represented(hypothesis, findings)
    if findings.is_smaller:
        reason = f"the {findings.noun} is smaller than {findings.margin}: {findings.size}, {findings.p_smaller}"
        too_small = f"; there is one, but it is too small to matter ({findings.p})" if findings.is_there else ""
        return "contradicted", reason + too_small
    if findings.is_there:
        small = f"its estimate is below {findings.margin}, but that it is itself so small is not shown ({findings.p_smaller})"
        return "undecided", f"{there}; {small}"
    open_claim = f"that it is {findings.more}" if findings.more else "that there is one"
    return "undecided", (
        f"the {findings.noun} is {findings.size}; {open_claim} is not shown ({findings.p}), nor that it is smaller than "
        f"{findings.margin} ({findings.p_smaller})"
    )


def _not_represented(hypothesis: Hypothesis, findings: _Findings) -> str:
    return f"the clips of {hypothesis.about.concept} cannot be told from random clips at this layer ({findings.size})"


def claim_text(hypothesis: Hypothesis, *, margin: float, against: str) -> str:
    """The claim of a hypothesis."""
    if hypothesis.audit_claim is not None:
        return audit_claim_text(hypothesis)
    verb = _VERBS[hypothesis.direction]
    if hypothesis.text_matters is not None:
        return f"“{hypothesis.text_matters.text}” in words {verb} {hypothesis.text_matters.target}"
    about = hypothesis.about
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
        case "would_change":
            return f"having {subject} {verb} {about.target} by {margin:g} {units(against)} or more"
        case "needed":
            return f"without {subject}, {margin:.0%} or more of the clips of {about.target} get another first class"
        case "carries":
            lost = f"what {_LOSERS[hypothesis.part]} clips of {about.target} lose"
            return f"{margin:.0%} or more of {lost} goes through {about.concept}"
        case "does_not_matter":
            return f"{subject} does not matter for {about.target}: it changes it {small}"
        case "same_in":
            assert hypothesis.same_in is not None
            first, second = hypothesis.same_in.models
            return f"{subject} matters for {about.target} as much in {first} as in {second}: they differ {small}"
        case _:
            raise AssertionError(hypothesis.kind)  # a claim about a text or a model, which has its text above
