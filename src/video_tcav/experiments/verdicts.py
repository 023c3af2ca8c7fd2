"""From evidence to verdicts: supported, contradicted, undecided, not represented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.evidence import Evidence, equivalence_p, evidence, groups_to_decide
from video_tcav.experiments.file import Experiment, Hypothesis, Kind
from video_tcav.experiments.statements import claim_text
from video_tcav.gram.significance import adjust
from video_tcav.tcav.wording import p_text, units

VerdictWord = Literal["supported", "contradicted", "undecided", "not represented"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
EQUIVALENCE: tuple[Kind, ...] = ("does_not_matter", "same_in")
"""Kinds that claim that an effect, or a difference, is too small to matter."""
MOST_GROUPS = 5000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A hypothesis and what became of it.

    Attributes:
        number: its place in the file, from one.
        line: its line there.
        name: as the file has it, or the claim.
        claim: what it says, in words.
        kind: of hypothesis.
        verdict: what became of it.
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
        analyses: all of the run; each hypothesis looks at those of its model and target, in the first space and test.
        lines: of each hypothesis in its file.
    """
    questions = [_question(one, experiment, analyses) for one in experiment.hypotheses]
    families: dict[str, list[int]] = {}
    for number, (one, found) in enumerate(zip(experiment.hypotheses, questions, strict=True)):
        if found.evidence is not None:
            families.setdefault(one.family, []).append(number)
    adjusted: dict[int, tuple[float, float]] = {}
    for members in families.values():
        differences = [questions[number].p_value for number in members]
        equivalences = [questions[number].equivalence_p for number in members]
        correction = experiment.statistics.correction
        both = zip(adjust(differences, correction), adjust(equivalences, correction), strict=True)
        adjusted |= {number: (float(p), float(q)) for number, (p, q) in zip(members, both, strict=True)}
    return tuple(
        _outcome(number, lines[number], one, questions[number], adjusted.get(number), experiment, families)
        for number, one in enumerate(experiment.hypotheses)
    )


@dataclass(frozen=True, kw_only=True)
class _Question:
    model: str
    layer: str
    margin: float
    evidence: Evidence | None
    p_value: float
    equivalence_p: float


def _question(one: Hypothesis, experiment: Experiment, analyses: Sequence[Analysis]) -> _Question:
    names = one.same_in.models if one.same_in else (one.model or next(iter(experiment.all_models())),)
    space, test = experiment.spaces[0], experiment.statistics.tests[0]
    chosen = [
        next(
            found
            for found in analyses
            if (found.which.model, found.which.target, found.which.space, found.which.test)
            == (name, one.about.target, space, test)
        )
        for name in names
    ]
    layer = one.layer or chosen[0].found[-1].result.layer
    margin = getattr(one.about, "margin", None) or experiment.statistics.margin
    found = evidence(one, chosen, layer)
    return _Question(
        model=" and ".join(names),
        layer=layer,
        margin=margin,
        evidence=found,
        p_value=1.0 if found is None else found.p_value,
        equivalence_p=1.0
        if found is None
        else equivalence_p(found.effect, found.standard_error, found.freedom, margin),
    )


def _outcome(
    number: int,
    line: int,
    one: Hypothesis,
    question: _Question,
    adjusted: tuple[float, float] | None,
    experiment: Experiment,
    families: Mapping[str, Sequence[int]],
) -> Outcome:
    found, settings = question.evidence, experiment.statistics
    p_adjusted, q_adjusted = adjusted or (1.0, 1.0)
    verdict, reason = (
        ("not represented", "its clips do not move, so that there is no motion or order to test")
        if found is None
        else decide(one, found, p_adjusted, q_adjusted, question.margin, settings.level, units(experiment.against))
    )
    more = None
    if found is not None and verdict == "undecided":
        shared = settings.correction in ("holm", "bonferroni")
        tests = len(families[one.family]) if shared else 1
        needed = groups_to_decide(
            found, margin=question.margin, level=settings.level, power=settings.power, tests=tests
        )
        if needed is not None and needed <= MOST_GROUPS:
            per_group = found.concept_clips / found.concept_groups
            more = max(1, round((needed - found.concept_groups) * per_group))
            reason += f"; about {more} more clips of the concept (and others in proportion) would decide it"
        else:
            reason += "; no practical number of clips would decide it, so close is the effect to the margin"
    claim = claim_text(one, margin=question.margin, against=experiment.against)
    nan = float("nan")
    return Outcome(
        number=number + 1,
        line=line,
        name=one.name or claim,
        claim=claim,
        kind=one.kind,
        verdict=verdict,
        reason=reason,
        model=question.model,
        target=one.about.target,
        concept=one.about.concept,
        than=one.more_than.than if one.more_than else "",
        layer=question.layer,
        expect=one.expect,
        margin=question.margin,
        effect=found.effect if found else nan,
        effect_low=found.low if found else nan,
        effect_high=found.high if found else nan,
        standard_error=found.standard_error if found else nan,
        p_value=found.p_value if found else nan,
        p_adjusted=p_adjusted if found else nan,
        equivalence_p=question.equivalence_p if found else nan,
        equivalence_p_adjusted=q_adjusted if found else nan,
        represented=found.represented if found else False,
        concept_clips=found.concept_clips if found else 0,
        more_clips=more,
        family=one.family,
    )


def decide(
    one: Hypothesis,
    found: Evidence,
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
    size = f"{found.effect:+.2f} {unit} [{found.low:+.2f}, {found.high:+.2f}]"
    there, nil = p_adjusted <= level and abs(found.effect) >= margin, q_adjusted <= level
    p_words, q_words = f"adjusted p {p_text(p_adjusted)}", f"equivalence p {p_text(q_adjusted)}"
    claims_nil = one.kind in EQUIVALENCE
    if there:
        right = {"positive": found.effect > 0, "negative": found.effect < 0, "either": True}[one.expect]
        verdict: VerdictWord = "supported" if right and not claims_nil else "contradicted"
        return verdict, f"the effect is {size}, {p_words}"
    if not found.represented:
        return "not represented", f"{one.about.concept} cannot be told from random clips at this layer ({size})"
    if nil:
        smaller = f"the effect is smaller than {margin:g} {unit}: {size}, {q_words}"
        return ("supported" if claims_nil else "contradicted"), smaller
    if p_adjusted <= level:
        return (
            "undecided",
            f"there is an effect, {size}, {p_words}, but it may be too small to matter (margin {margin:g})",
        )
    return "undecided", f"neither an effect nor its absence is shown: {size}, {p_words}, {q_words}"
