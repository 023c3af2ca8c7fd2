"""Answer of a run in plain words: what was asked, what was found, how sure it is, and what was not shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.experiments import Outcome
from video_tcav.experiments.decisions import EQUIVALENCE
from video_tcav.experiments.hypothesis import OPERATIONS
from video_tcav.reports.run.audit_text import UNSEEN_BY_AUDITS, WHAT_IT_NEEDS, audited_sentence
from video_tcav.reports.run.sections.cautions import FEW_GROUPS, cautions
from video_tcav.reports.run.text import alternatives, listed, short_model
from video_tcav.reports.run.view import DYNAMIC, STATIC, RunView
from video_tcav.reports.run.words_text import in_words_sentence
from video_tcav.tcav.wording import interval, odds_factor, odds_text, p_equals, percent, signed

# Claims that are named where they were not shown; the others are counted.
_MOST_NAMED = 3
_MANY = 6
_PARTS = {"motion_matters": "motion", "order_matters": "order"}
_RESOLUTION = (
    "What editing a video would do. An effect is a slope inside the network: what a small push towards the clips of a concept "
    "does at {layers}."
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a reader should take from a run.

    Attributes:
        asked: the question, from targets, models and concepts.
        findings: of each model its name, empty where there is one alone, and sentences on what was decided.
        sure: how sure that is.
        not_shown: what is open, and what no run shows.
    """

    asked: str
    findings: tuple[tuple[str, tuple[str, ...]], ...]
    sure: tuple[str, ...]
    not_shown: tuple[str, ...]


def answer(view: RunView) -> Answer:
    """The answer, from the verdicts on the hypotheses alone."""
    outcomes = view.run.outcomes
    models = tuple(dict.fromkeys(outcome.model for outcome in outcomes))
    findings = tuple(
        (short_model(model) if view.many_models else "", tuple(_findings(view, model))) for model in models
    )
    return Answer(asked=_asked(view), findings=findings, sure=tuple(_sure(view)), not_shown=tuple(_not_shown(view)))


def plain_concept(view: RunView, name: str) -> str:
    """A concept's name, with what its clips are in words: `swing (moving clips)` for `swing/dynamic`."""
    for ending, words in ((STATIC, "still pictures"), (DYNAMIC, "moving clips")):
        base = name.removesuffix(ending)
        if base != name and {base + STATIC, base + DYNAMIC} <= view.experiment.all_concepts().keys():
            return f"{base} ({words})"
    return name


def quantity(outcome: Outcome, value: float) -> str:
    """An effect, a margin or an end of an interval for pages: shares as percentages, all else with its sign."""
    return percent(value) if outcome.is_share else signed(value)


def limits(outcome: Outcome) -> str:
    """The interval, as `−1.00 to +2.00` or `40 % to 81 %`."""
    low, high = outcome.effect_low, outcome.effect_high
    return f"{percent(low)} to {percent(high)}" if outcome.is_share else interval(low, high)


def size_text(view: RunView, effect: float) -> str:
    """An effect for readers: as a factor of the odds, or in the unit of the target."""
    return odds_text(effect) if view.unit == "log-odds" else f"changes it by {signed(effect)} {view.unit}"


def _asked(view: RunView) -> str:
    experiment = view.experiment
    count = len(view.run.outcomes)
    written = f"{'One claim was' if count == 1 else f'{count} claims were'} written down before the run."
    texts = [] if experiment.words is None else [f"the words “{text}”" for text in experiment.words.texts]
    if not experiment.tests_concepts and not texts:
        return f"{WHAT_IT_NEEDS} {written}"
    concepts = list(
        dict.fromkeys(name.removesuffix(STATIC).removesuffix(DYNAMIC) for name in experiment.all_concepts())
    )
    models = [short_model(name) for name in experiment.all_models()] if view.many_models else []
    where = f" in the {listed(models)}" if models else ""
    targets = alternatives([f"“{target}”" for target in experiment.targets])
    concepts += texts
    named = [*concepts[:_MANY], *([f"{len(concepts) - _MANY} others"] if len(concepts) > _MANY else [])]
    audit = "" if experiment.audit is None else f" {WHAT_IT_NEEDS}"
    return f"What raises {targets}{where}: {alternatives(named)}?{audit} {written}"


def _findings(view: RunView, model: str) -> list[str]:
    """One sentence for what raises, what lowers, what does not matter, and what counts more."""
    decided = [
        each for each in view.run.outcomes if each.model == model and each.verdict in ("supported", "contradicted")
    ]
    # The strongest first, and each concept before its parts.
    strength: dict[str, float] = {}
    audited = [outcome for outcome in decided if outcome.is_about_model]
    in_words = [outcome for outcome in decided if outcome.is_in_words]
    edited = [outcome for outcome in decided if outcome.kind in OPERATIONS]
    decided = [outcome for outcome in decided if outcome not in (*edited, *audited, *in_words)]  # of other units
    for outcome in decided:
        strength[outcome.concept] = max(strength.get(outcome.concept, 0.0), abs(outcome.effect))
    decided.sort(key=lambda outcome: (-strength[outcome.concept], outcome.concept, bool(_part(outcome))))
    comparisons = [outcome for outcome in decided if outcome.kind in ("more_than", "same_in")]
    single = [outcome for outcome in decided if outcome not in comparisons]
    sentences = []
    for target in dict.fromkeys(outcome.target for outcome in single):
        of_target = [outcome for outcome in single if outcome.target == target]
        large = _once([outcome for outcome in of_target if not _is_small(outcome)])
        raising, lowering = ([each for each in large if (each.effect >= 0) is raises] for raises in (True, False))
        sentences += [_large_sentence(view, target, "raise", raising)] if raising else []
        sentences += [_large_sentence(view, target, "lower", lowering)] if lowering else []
        small = [outcome for outcome in of_target if _is_small(outcome)]
        sentences += [_small_sentence(view, target, small)] if small else []
    sentences += [_comparison(view, outcome) for outcome in comparisons]
    sentences += [_edited_sentence(view, outcome) for outcome in edited]
    sentences += map(in_words_sentence, in_words)
    sentences += map(audited_sentence, audited)
    sentences += _doubts(view, [*decided, *edited, *in_words, *audited])
    return sentences or ["Nothing was decided: see what was not shown."]


def _once(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Of claims on one concept, or one part of it, at several layers that agree in direction: the largest effect."""
    largest: dict[tuple[str, str, bool], Outcome] = {}
    for outcome in outcomes:
        subject = (outcome.concept, _part(outcome), outcome.effect >= 0)
        largest[subject] = max(largest.get(subject, outcome), outcome, key=lambda each: abs(each.effect))
    return list(largest.values())


def _doubts(view: RunView, decided: Sequence[Outcome]) -> list[str]:
    """Claims whose reasons have cautions: a step or edits of the clips may not bear the effect out."""
    doubted = [outcome for outcome in decided if outcome.doubted]
    names = dict.fromkeys(
        "the audit"
        if outcome.is_about_model
        else f"“{outcome.concept}” in words"
        if outcome.is_in_words
        else plain_concept(view, outcome.concept)
        for outcome in doubted
    )
    if not names:
        return []
    return [f"Read the caution on {listed(list(names))} before you rely on this."]


def _is_small(outcome: Outcome) -> bool:
    """Whether an outcome that is decided shows an effect below the margin."""
    claims_nil = outcome.kind in EQUIVALENCE
    is_supported = outcome.verdict == "supported"
    # A claim of an effect is also contradicted by one in the other direction.
    opposite = outcome.expect != "either" and (outcome.effect > 0) != (outcome.expect == "positive")
    large_opposite = opposite and abs(outcome.effect) >= outcome.margin
    return is_supported if claims_nil else not is_supported and not large_opposite


def _part(outcome: Outcome) -> str:
    """`motion` or `order` where the claim is on that part of the effect alone."""
    # Claims on a nil effect name their part in their words alone.
    return _PARTS.get(outcome.kind) or next(
        (part for part in _PARTS.values() if outcome.claim.startswith(f"the {part} of")), ""
    )


def _subjects(view: RunView, outcomes: Sequence[Outcome]) -> tuple[str, bool]:
    """The subjects of some outcomes with a capital letter, and whether there are several."""
    names: list[str] = []
    for outcome in outcomes:
        part, concept = _part(outcome), plain_concept(view, outcome.concept)
        # Sorted by size, so that a part may come before its whole.
        of_clips = "order of frames" if part == "order" else part
        name = f"its {of_clips}" if names[-1:] == [concept] else f"the {of_clips} of {concept}"
        name = name if part else concept
        names += [name] if name not in names else []
    text = listed(names)
    return text[:1].upper() + text[1:], len(names) > 1


def _large_sentence(view: RunView, target: str, verb: str, outcomes: Sequence[Outcome]) -> str:
    subjects, several = _subjects(view, outcomes)
    if view.unit == "log-odds":
        factors = listed(list(dict.fromkeys(odds_factor(outcome.effect) for outcome in outcomes)))
        many, single = ("multiply", "multiplies") if verb == "raise" else ("divide", "divides")
        size = f"they {many} the odds by {factors}" if several else f"it {single} the odds by {factors}"
    else:
        size = f"by {listed([signed(outcome.effect) for outcome in outcomes])} {view.unit}"
    return f"{subjects} {verb if several else f'{verb}s'} “{target}”: {size}."


def _small_sentence(view: RunView, target: str, outcomes: Sequence[Outcome]) -> str:
    subjects, several = _subjects(view, outcomes)
    return f"{subjects} {'do' if several else 'does'} not matter for “{target}”."


def _comparison(view: RunView, outcome: Outcome) -> str:
    concept, than = (plain_concept(view, name) for name in (outcome.concept, outcome.than))
    if outcome.kind == "same_in":
        alike = "as much" if outcome.verdict == "supported" else "not as much"
        return f"{concept} counts {alike} in {outcome.model}."
    if _is_small(outcome):
        return f"{concept} and {than} move it to about the same degree."
    if outcome.expect == "either":
        return f"{concept} and {than} move it to different degrees."
    verb = "raises" if outcome.expect == "positive" else "lowers"
    first, second = (concept, than) if outcome.verdict == "supported" else (than, concept)
    return f"{first[:1].upper()}{first[1:]} {verb} it more than {second} does."


def _edited_sentence(view: RunView, outcome: Outcome) -> str:
    """What was decided about an intervention."""
    concept, size = plain_concept(view, outcome.concept), quantity(outcome, outcome.effect)
    as_claimed = "" if outcome.verdict == "supported" else ", which is not what was claimed"
    if outcome.kind == "needed":
        return f"Without {concept}, {size} of the clips of “{outcome.target}” get another first class{as_claimed}."
    if outcome.kind == "carries":
        return f"{size} {outcome.unit} of “{outcome.target}” comes back through {concept} alone{as_claimed}."
    return f"Having {concept} instead of not having it changes “{outcome.target}” by {size} {view.unit}{as_claimed}."


def _sure(view: RunView) -> list[str]:
    outcomes = view.run.outcomes
    decided = [outcome for outcome in outcomes if outcome.verdict in ("supported", "contradicted")]
    sentences = []
    if decided:
        p_value = p_equals(max(deciding_p(outcome)[1] for outcome in decided))
        each = (
            f"each with adjusted p {p_value}" if p_value.startswith("<") else f"the weakest with adjusted p {p_value}"
        )
        sentences.append(f"{len(decided)} of {len(outcomes)} claims are decided, {each}.")
    rows = [stored.result for analysis in view.run.analyses for stored in analysis.found]
    if rows:
        groups = min(row.n_concept_groups for row in rows)
        sentences.append(f"The smallest concept has {groups} independent groups of clips{_few(groups)}.")
    reservations = [caution.brief for caution in cautions(view)]
    if reservations:
        sentences.append(f"Cautions: {'; '.join(reservations)}.")
    return sentences


def _few(groups: int) -> str:
    return ", which is few" if groups < FEW_GROUPS else ""


def deciding_p(outcome: Outcome) -> tuple[str, float]:
    """Name and value of the adjusted p that bears on the verdict: of no effect, or of one at the margin."""
    if outcome.is_about_model:
        shows_more = (outcome.expect == "at least") == (outcome.verdict == "supported")
        return "adjusted p", outcome.beyond_p_adjusted if shows_more else outcome.equivalence_p_adjusted
    claims_nil = outcome.kind in EQUIVALENCE
    if claims_nil and outcome.verdict == "contradicted" and not math.isnan(outcome.beyond_p_adjusted):
        return "beyond p", outcome.beyond_p_adjusted
    if claims_nil or (outcome.verdict == "contradicted" and _is_small(outcome)):
        return "equivalence p", outcome.equivalence_p_adjusted
    return "adjusted p", outcome.p_adjusted


def _not_shown(view: RunView) -> list[str]:
    sentences = []
    outcomes = [outcome for outcome in view.run.outcomes if outcome.verdict not in ("supported", "contradicted")]
    for outcome in outcomes[:_MOST_NAMED]:
        where = f" in the {short_model(outcome.model)}" if view.many_models else ""
        if outcome.verdict == "undecided":
            more = "" if outcome.more_clips is None else f" About {outcome.more_clips} more clips would decide it."
            sentences.append(f"Undecided{where}: {outcome.claim}.{more}")
        else:
            cause = "represent the words" if outcome.is_in_words else "tell these clips from random ones"
            sentences.append(f"Open{where}, as the layer does not {cause}: {outcome.claim}.")
    if len(outcomes) > _MOST_NAMED:
        sentences.append(f"{len(outcomes) - _MOST_NAMED} more claims: see below.")
    if view.experiment.audit is not None:
        sentences.append(UNSEEN_BY_AUDITS)
    layers = sorted({outcome.layer for outcome in view.run.outcomes if not outcome.is_about_model})
    if not layers and view.run.outcomes:
        return sentences
    sentences.append(_RESOLUTION.format(layers=f"layer {layers[0]}" if len(layers) == 1 else "its layers"))
    return sentences
