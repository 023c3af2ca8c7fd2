"""The verdicts of a run, as the page shows them: each with its numbers and its interval beside the margin."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from video_tcav.experiments import Outcome, Run
from video_tcav.reports.page import p_text, signed
from video_tcav.reports.run.view import slug
from video_tcav.tcav.summaries import units

_WIDTH, _HEIGHT, _PAD = 300, 46, 12


@dataclass(frozen=True, kw_only=True)
class Card:
    """One hypothesis.

    Attributes:
        outcome: what became of it.
        kind: the verdict as a word for the style.
        claim: what it says, where its name does not.
        reason: why, as a sentence.
        facts: its numbers, by name.
        line: its interval beside zero and the margin.
    """

    outcome: Outcome
    kind: str
    claim: str
    reason: str
    facts: tuple[tuple[str, str], ...]
    line: Markup


def cards(run: Run) -> list[Card]:
    """All hypotheses in the order of the file, their intervals on one scale."""
    unit = units(run.experiment.against)
    reach = _reach(run.outcomes)
    return [
        Card(
            outcome=one,
            kind=slug(one.verdict),
            claim="" if one.claim == one.name else one.claim,
            reason=_sentence(one),
            facts=tuple(_facts(one, unit, many=len(run.experiment.all_models()) > 1)),
            line=_line(one, reach, unit),
        )
        for one in run.outcomes
    ]


def _sentence(one: Outcome) -> str:
    """The reason with a capital letter, unless it begins with the name of a concept, and with true minus signs."""
    text = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", one.reason)
    return text if text.startswith(one.concept) else text[:1].upper() + text[1:]


def _facts(one: Outcome, unit: str, *, many: bool) -> list[tuple[str, str]]:
    facts = []
    if math.isfinite(one.effect):
        facts.append(("adjusted p", p_text(one.p_adjusted)))
        facts.append(("equivalence p", p_text(one.equivalence_p_adjusted)))
    facts.append(("margin", f"{one.margin:g} {unit}"))
    if many:
        facts.append(("model", one.model))
    facts += [("layer", one.layer), ("clips of the concept", str(one.concept_clips))]
    if one.more_clips is not None:
        facts.append(("would decide it", f"about {one.more_clips} more clips of the concept"))
    if one.family != "all":
        facts.append(("family", one.family))
    return facts


def _reach(outcomes: Sequence[Outcome]) -> float:
    """How far the scale goes to either side: to the furthest interval of all."""
    ends = [abs(end) for one in outcomes for end in (one.effect_low, one.effect_high) if math.isfinite(end)]
    return 1.05 * max([*ends, *(1.5 * one.margin for one in outcomes)], default=1.0)


def _line(one: Outcome, reach: float, unit: str) -> Markup:
    if not math.isfinite(one.effect):
        return Markup("")

    def across(value: float) -> str:
        return f"{_PAD + (_WIDTH - 2 * _PAD) * (value + reach) / (2 * reach):.1f}"

    middle, low, high = across(one.effect), across(one.effect_low), across(one.effect_high)
    left, right, zero = across(-one.margin), across(one.margin), across(0)
    end = _end(reach)
    label = escape(
        f"Effect {one.effect:+.2f} {unit}, interval {one.effect_low:+.2f} to {one.effect_high:+.2f}, margin ±{one.margin:g}"
    )
    return Markup(  # numbers alone, and an escaped label
        f'<svg class="margin" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<rect class="band" x="{left}" y="4" width="{float(right) - float(left):.1f}" height="22"/>'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="2" y2="28"/>'
        f'<line class="rest" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="28" y2="28"/>'
        f'<line class="interval" x1="{low}" x2="{high}" y1="15" y2="15"/><circle cx="{middle}" cy="15" r="4.6"/>'
        f'<text x="{across(-end)}" y="42" text-anchor="middle">{signed(-end, 0 if end >= 1 else 2)}</text>'
        f'<text x="{zero}" y="42" text-anchor="middle">0</text>'
        f'<text x="{across(end)}" y="42" text-anchor="middle">{signed(end, 0 if end >= 1 else 2)}</text></svg>'
    )


def _end(reach: float) -> float:
    """A round number on the scale."""
    power = 10.0 ** math.floor(math.log10(reach))
    return next(step * power for step in (5, 2, 1, 0.5) if step * power <= 0.97 * reach)
