"""Section: claims about concepts in words, apart from those about clips, with their gate and what clips say of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.experiments import Outcome
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_model, table
from video_tcav.reports.run.view import RunView
from video_tcav.tcav import TextConceptResult
from video_tcav.tcav.wording import interval, p_text, signed

NOT_CHECKED = "not checked"


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """A text at a layer, as it is shown.

    Attributes:
        model: short name.
        target: class.
        result: its numbers.
    """

    model: str
    target: str
    result: TextConceptResult

    @property
    def cells(self) -> tuple[str, ...]:
        """Effect, interval, p among all texts and layers of the model, R², correlation, and the cosine with the CAV of clips."""
        row = self.result
        numbers = (signed(row.effect), interval(row.effect_low, row.effect_high), p_text(row.p_adjusted))
        return (
            *(numbers if row.represented else ("–", "–", "–")),
            f"{row.r_squared:.2f}",
            f"{row.correlation:.2f}",
            signed(row.cosine) if row.is_checked else NOT_CHECKED,
        )


class Section(TemplateSection[RunView]):
    name, title, order, folded = "words", "In words: weaker claims, without clips of the concept", 150, False

    def values(self, view: RunView) -> Values:
        rows = _rows(view)
        if not rows:
            return None
        return {"claims": _claims(view), "rows": rows, "encoder": view.run.texts[0].result.constants.encoder}

    def markdown(self, view: RunView) -> str | None:
        rows = _rows(view)
        if not rows:
            return None
        claims = [(each.verdict, each.name, each.model, each.layer, each.reason) for each in _claims(view)]
        figures = [(row.result.text, row.target, row.model, row.result.layer, *row.cells) for row in rows]
        tables = [table(("verdict", "hypothesis", "model", "layer", "why"), claims)] * bool(claims)
        numbers = (f"effect, {view.unit}/sd", "95 % interval", "adjusted p", "R²", "r", "cosine")
        heads = ("in words", "class", "model", "layer", *numbers)
        return "\n\n".join([*tables, table(heads, figures)])


def _claims(view: RunView) -> Sequence[Outcome]:
    return [outcome for outcome in view.run.outcomes if outcome.is_in_words]


def _rows(view: RunView) -> list[TextRow]:
    return [
        TextRow(model=short_model(test.key.model), target=test.key.target, result=result)
        for test in view.run.texts
        for result in test.result
    ]
