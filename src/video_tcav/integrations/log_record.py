"""What of a result goes into an experiment tracker: effects and verdicts as numbers, a table of words, and charts."""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import PIL.Image
from matplotlib.figure import Figure

from video_tcav.auditing import AuditResult
from video_tcav.experiments import Run
from video_tcav.reports.charts import chart_style
from video_tcav.reports.run.target_sections.effects import effects_chart
from video_tcav.reports.run.text import short_model, slug
from video_tcav.reports.run.view import RunView, differing
from video_tcav.tcav import ConceptResult, TcavResult

NUMBERS = ("effect", "effect_low", "effect_high", "p_adjusted")
VERDICT_NUMBERS = {"supported": 1, "contradicted": -1}
"""How a verdict is drawn over time; the others, which decide nothing, are 0."""
_LONGEST_NAME = 120  # MLflow takes 250 characters, of which layers and prefixes need some
_DPI = 130


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """A result as trackers take it.

    Attributes:
        numbers: `TARGET/CONCEPT/LAYER/effect` and so on, and `verdict/HYPOTHESIS` as 1, 0 or -1.
        verdicts: word by hypothesis; empty without hypotheses.
        heads: of the table.
        rows: of the table: verdicts with their reasons, or one sentence a concept.
        charts: of the effects, by name.
    """

    numbers: Mapping[str, float]
    verdicts: Mapping[str, str] = field(default_factory=dict)
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    charts: Mapping[str, Figure]

    @classmethod
    def of(cls, result: Run | TcavResult) -> "LogRecord":
        """The record of a finished run, or of one test."""
        return _record_of_run(result) if isinstance(result, Run) else _record_of_test(result)


def picture(chart: Figure) -> PIL.Image.Image:
    """A chart as a picture, in the look of all charts."""
    content = io.BytesIO()
    with chart_style():
        chart.savefig(content, format="png", dpi=_DPI)
    return PIL.Image.open(content).convert("RGB")


def _record_of_run(run: Run) -> LogRecord:
    view, analyses = RunView(run=run), run.analyses
    several = [name for name in differing(analyses) if name != "target"]  # the target is in every name
    numbers: dict[str, float] = {}
    for analysis in analyses:
        words = [short_model(str(getattr(analysis.which, name))) for name in several]
        numbers |= _numbers_of((stored.result for stored in analysis.found), words)
    for audit in run.audits:
        words = ["audit", *([short_model(audit.model)] if view.many_models else [])]
        numbers |= _numbers_of_audit(audit.result, words)
    for outcome in run.outcomes:
        numbers[f"verdict/{_word(outcome.name)}"] = VERDICT_NUMBERS.get(outcome.verdict, 0)
    charts = {f"effects-{slug(target.target)}": effects_chart(target).figure for target in view.targets}
    return LogRecord(
        numbers=numbers,
        verdicts={_word(outcome.name): outcome.verdict for outcome in run.outcomes},
        heads=("verdict", "hypothesis", "why"),
        rows=[(outcome.verdict, outcome.name, outcome.reason) for outcome in run.outcomes],
        charts=charts,
    )


def _record_of_test(result: TcavResult) -> LogRecord:
    return LogRecord(
        numbers=_numbers_of(result.results, ()),
        heads=(f"what moves {result.constants.target}",),
        rows=[(sentence,) for sentence in result.sentences()],
        charts={f"effects-{slug(result.constants.target)}": result.plot()},
    )


def _numbers_of(rows: Sequence[ConceptResult] | Iterator[ConceptResult], words: Sequence[str]) -> dict[str, float]:
    """Effects, intervals and p-values by name; what was not measured is left out."""
    numbers: dict[str, float] = {}
    for row in rows:
        concept = row.concept if row.versus == "random" else f"{row.concept} - {row.versus}"
        version = concept if row.twin == "none" else f"{concept} ({row.twin})"
        name = "/".join(map(_word, [*words, row.target, version, row.layer]))
        numbers |= {f"{name}/{number}": float(getattr(row, number)) for number in NUMBERS}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _numbers_of_audit(result: AuditResult, words: Sequence[str]) -> dict[str, float]:
    """Accuracy of each version, single figures and shares over all classes, by name."""
    values = {f"{row.version}/accuracy": row.accuracy for row in result if row.label is None}
    values |= {figure.name: figure.value for figure in result.figures if figure.label is None}
    values |= {f"share/{share.player}": share.share for share in result.shares_of()}
    prefix = "/".join(map(_word, words))
    return {f"{prefix}/{name}": float(value) for name, value in values.items() if math.isfinite(value)}


def _word(name: str) -> str:
    """A part of a name with the characters that all trackers take (MLflow the fewest); slashes make folders."""
    return re.sub(r"[^\w .\-]+", "_", name)[:_LONGEST_NAME]
