"""Section: the audit of each model, with the bar of shares, versions, single figures, and telling clips."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.auditing import AuditFigure, AuditResult, VersionResult
from video_tcav.core.wording import percent, signed
from video_tcav.reports.audit.charts import BarPiece, share_bar
from video_tcav.reports.audit.clips import TellingCard, telling_cards
from video_tcav.reports.audit.page import figure_words
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_model, table
from video_tcav.reports.run.view import RunView

_MOST_TELLING = 6
"""Telling clips over all models: a page of several audits stays small."""


@dataclass(frozen=True, kw_only=True)
class AuditedModel:
    """What is shown of one audit.

    Attributes:
        model: short name of the model.
        bar: of shares; none where there are none.
        rows: versions over all classes.
        figures: what each is in words, and the figure, over all classes.
        telling: clips that show what the figures say.
    """

    model: str
    bar: Sequence[BarPiece]
    rows: Sequence[VersionResult]
    figures: Sequence[tuple[str, AuditFigure]]
    telling: Sequence[TellingCard]


class Section(TemplateSection[RunView]):
    name, title, order, folded = "audit", "What it needs: clips with one thing changed", 200, False

    def values(self, view: RunView) -> Values:
        audits = view.once(_audited_models)
        return {"audits": audits} if audits else None

    def markdown(self, view: RunView) -> str | None:
        blocks = [_markdown(short_model(audit.model), audit.result, view.many_models) for audit in view.run.audits]
        return "\n\n".join(blocks) or None


def _audited_models(view: RunView) -> list[AuditedModel]:
    # each clip takes three small videos, some tens of kilobytes
    most = max(1, _MOST_TELLING // max(1, len(view.run.audits)))
    return [
        AuditedModel(
            model=short_model(audit.model),
            bar=share_bar(audit.result.shares_of()),
            rows=[row for row in audit.result if row.label is None],
            # contrasted accuracies are in the files: four more rows would hide the two that a reader looks for
            figures=[
                (figure_words(figure.name), figure)
                for figure in audit.result.figures
                if figure.label is None and not figure.name.startswith("contrasted_")
            ],
            telling=telling_cards(audit.result)[:most],
        )
        for audit in view.run.audits
    ]


def _markdown(model: str, result: AuditResult, many_models: bool) -> str:
    rows = [
        (
            row.version.replace("_", " "),
            percent(row.accuracy),
            f"{percent(row.accuracy_low)} to {percent(row.accuracy_high)}",
            signed(row.log_odds_lost),
        )
        for row in result
        if row.label is None
    ]
    heading = f"### {model}\n\n" if many_models else ""
    shares = ", ".join(f"{piece.player} {piece.text}" for piece in share_bar(result.shares_of()))
    return f"{heading}{f'{shares}.' if shares else ''}\n\n" + table(("version", "right", "95 %", "log-odds lost"), rows)
