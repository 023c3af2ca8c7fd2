"""Section: the verdict on each hypothesis, with its numbers and its interval beside the margin."""

import math
import re
from collections.abc import Sequence
from typing import Any

from video_tcav.experiments import Outcome
from video_tcav.experiments.decisions import VERDICTS
from video_tcav.reports.run.answer import deciding_p, limits, quantity, size_text
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import table
from video_tcav.reports.run.view import RunView
from video_tcav.tcav.wording import MINUS, p_equals, p_text, percent, signed, tests_text

MEANINGS = {
    "supported": "The run shows what the hypothesis claims.",
    "contradicted": "The run shows the opposite, or that there is nothing where something was claimed.",
    "undecided": "The clips do not decide it either way. This is not a “no”.",
    "not represented": "This CAV does not tell these clips from random ones in this space, so that its effect says nothing.",
}
_MARKS = {"supported": "✔", "contradicted": "✘", "undecided": "?", "not represented": "∅"}
# Units of the drawing of an interval, which the page scales to its width.
_WIDTH, _HEIGHT, _PAD = 300, 46, 12


class Section(TemplateSection[RunView]):
    name, title, order, folded = "verdicts", "The claims", 100, False

    def values(self, view: RunView) -> Values:
        outcomes = _outcomes(view)
        if not outcomes:
            return None
        verdicts, reach = {outcome.verdict for outcome in outcomes}, _reach(outcomes)  # all intervals on one scale
        return {
            "cards": [
                (outcome, _in_short(outcome, view), _facts(outcome, view), _interval_drawing(outcome, reach))
                for outcome in outcomes
            ],
            "shares": any(outcome.is_share for outcome in outcomes),
            "meanings": [(verdict, MEANINGS[verdict]) for verdict in VERDICTS if verdict in verdicts],
        }

    def markdown(self, view: RunView) -> str | None:
        outcomes = _outcomes(view)
        if not outcomes:
            return None
        numbers = (f"effect, {view.unit}", "95 % interval", "adjusted p", "margin")
        heads = ("", "verdict", "hypothesis", "model", "layer", *numbers, "why")
        return table(heads, [_row(outcome, view) for outcome in outcomes])


def _outcomes(view: RunView) -> Sequence[Outcome]:
    """All but those about concepts in words, which have a section and a unit of their own."""
    return [outcome for outcome in view.run.outcomes if not outcome.is_in_words]


def _row(outcome: Outcome, view: RunView) -> tuple[str, ...]:
    numbers = ("–", "–", "–")
    if math.isfinite(outcome.effect):
        p_value = deciding_p(outcome)[1] if outcome.is_about_model else outcome.p_adjusted
        p_value = f"{p_text(p_value)} (of {tests_text(_family_size(outcome, view))})"
        numbers = (quantity(outcome, outcome.effect), limits(outcome), p_value)
    name = outcome.name if outcome.name == outcome.claim else f"{outcome.name}: {outcome.claim}"
    verdict = (_MARKS[outcome.verdict], outcome.verdict)
    return (*verdict, name, outcome.model, outcome.place, *numbers, _margin(outcome), outcome.reason)


def _margin(outcome: Outcome) -> str:
    return percent(outcome.margin) if outcome.is_share else f"{outcome.margin:g}"


def _sentence(outcome: Outcome) -> str:
    """The reason with a capital letter, unless it begins with the name of a concept, and with true minus signs."""
    # A minus that begins a number, not a hyphen inside a name such as `layer-4`.
    text = re.sub(r"(?<![\w.])-(?=\d)", MINUS, outcome.reason)
    return text if outcome.concept and text.startswith(outcome.concept) else text[:1].upper() + text[1:]


def _in_short(outcome: Outcome, view: RunView) -> str:
    """The effect in plain words, with its interval and p; empty where there is none to tell."""
    if outcome.verdict == "not represented":
        return "The layer does not tell these clips from random ones, so nothing follows."
    if not math.isfinite(outcome.effect):
        return ""
    if outcome.is_share:
        effect = f"is {quantity(outcome, outcome.effect)} {outcome.unit}, interval {limits(outcome)}"
    else:
        size = size_text(view, outcome.effect)
        effect = f"{size}: {signed(outcome.effect)} {view.unit}, interval {limits(outcome)}"
    subject = "The difference" if outcome.kind in ("more_than", "same_in") else "It"
    if outcome.verdict == "undecided":  # several p-values bear on it, which are among its figures
        return f"{subject} {effect}."
    name, p_value = deciding_p(outcome)
    return f"{subject} {effect}{'' if math.isnan(p_value) else f'; {name} {p_equals(p_value)}'}."


def _facts(outcome: Outcome, view: RunView) -> list[tuple[str, str]]:
    facts = [("why", f"{_sentence(outcome)}.")]
    if outcome.claim != outcome.name:
        facts.insert(0, ("claim", f"{outcome.claim}."))
    if math.isfinite(outcome.effect) and outcome.verdict != "not represented":
        tests = f"(of {tests_text(_family_size(outcome, view))})"
        if not math.isnan(outcome.p_adjusted):
            facts.append(("adjusted p", f"{p_text(outcome.p_adjusted)} {tests}"))
        facts += [(name, f"{p_text(p_value)} {tests}") for name, p_value in _other_p_values(outcome, view.level)]
    claimed = "claimed share" if outcome.is_share else "claimed size" if outcome.kind == "would_change" else "margin"
    facts.append((claimed, f"{_margin(outcome)} {outcome.unit or view.unit}"))
    if view.many_models:
        facts.append(("model", outcome.model))
    clips = "clips" if outcome.is_about_model else "clips of the concept"
    facts += [("layer", outcome.layer)] * (not outcome.is_about_model) + [(clips, str(outcome.concept_clips))]
    if outcome.more_clips is not None:
        facts.append(("would decide it", f"about {outcome.more_clips} more clips of the concept"))
    if outcome.family != "all":
        facts.append(("family", outcome.family))
    return facts


def _other_p_values(outcome: Outcome, level: float) -> list[tuple[str, float]]:
    """P-values at the margin, where they bear on the verdict: where they are small, and on a claim that is open."""
    is_open = outcome.verdict == "undecided"
    p_values = {"equivalence p": outcome.equivalence_p_adjusted, "beyond p": outcome.beyond_p_adjusted}
    return [(name, value) for name, value in p_values.items() if value <= level or (is_open and not math.isnan(value))]


def _family_size(outcome: Outcome, view: RunView) -> int:
    """How many hypotheses were corrected together; those without an effect could not be tested."""
    return sum(each.family == outcome.family and math.isfinite(each.effect) for each in view.run.outcomes)


def _reach(outcomes: Sequence[Outcome]) -> float:
    """How far the scale goes to either side of zero: past the furthest end of an interval, and well past each margin."""
    outcomes = [outcome for outcome in outcomes if not outcome.is_share]
    ends = [abs(end) for outcome in outcomes for end in (outcome.effect_low, outcome.effect_high) if math.isfinite(end)]
    return 1.05 * max([*ends, *(1.5 * outcome.margin for outcome in outcomes)], default=1.0)


def _interval_drawing(outcome: Outcome, reach: float) -> dict[str, Any] | None:
    """Positions of the margin's band, the interval, the effect and the labelled ticks; none where there is no effect."""
    if not math.isfinite(outcome.effect):
        return None

    start, end = (-reach, reach)
    if outcome.is_share:  # from nothing to all; what is restored may be less than nothing, or more than all
        start, end = min(0.0, outcome.effect_low), max(1.0, outcome.effect_high)

    def x(value: float) -> str:
        return f"{_PAD + (_WIDTH - 2 * _PAD) * (value - start) / (end - start):.1f}"

    label = (
        f"{quantity(outcome, outcome.effect)} {outcome.unit}, interval {limits(outcome)}, {_margin(outcome)} claimed"
    )
    drawing = {
        "interval": (x(outcome.effect_low), x(outcome.effect_high)),
        "effect": x(outcome.effect),
        "zero": x(0),
        "size": (_WIDTH, _HEIGHT, _PAD),
    }
    if outcome.is_share:
        # labels stand centred under their values, but at the ends of the scale a phone has no room for half of them
        positions = [min(max(float(x(share)), 1.4 * _PAD), _WIDTH - 2.2 * _PAD) for share in (0, 0.5, 1)]
        ticks = [(f"{position:.1f}", percent(share)) for position, share in zip(positions, (0, 0.5, 1), strict=True)]
        return {**drawing, "band": (x(0), x(outcome.margin)), "ticks": ticks, "label": label}
    tick = _round_tick(reach)
    digits = 0 if tick >= 1 else max(2, math.ceil(-math.log10(tick)))
    return {
        **drawing,
        "band": (x(-outcome.margin), x(outcome.margin)),
        "ticks": [(x(-tick), signed(-tick, digits)), (x(0), "0"), (x(tick), signed(tick, digits))],
        "label": "",
    }


def _round_tick(reach: float) -> float:
    """The largest of 5, 2, 1 or 0.5 times a power of ten that the scale holds."""
    power = 10.0 ** math.floor(math.log10(reach))
    return next(step * power for step in (5, 2, 1, 0.5) if step * power <= 0.97 * reach)
