"""Section: diagnostics of the concept vectors, as tables and as charts where they are simple enough to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from video_tcav.experiments import Analysis
from video_tcav.reports.effect_charts import Chart
from video_tcav.reports.run.diagnostic_charts import diagnostic_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import figures
from video_tcav.reports.run.view import RunView, differing
from video_tcav.tcav.wording import signed

MOST_ROWS = 200
WORDS = {
    "consistency": (
        "Consistency between layers",
        "Whether a concept is the same thing at two layers: how the clips are ordered along its CAV at the one and the "
        "other. Near 1: the same. At the reference or below: not.",
    ),
    "entanglement": (
        "Entanglement of concepts",
        "How alike the CAVs of two concepts are. Beyond the range of the reference, which their shared random clips explain, "
        "effects of the two cannot be told apart.",
    ),
    "place_and_time": (
        "Dependence on place and time",
        "How much of a CAV is tied to places in the picture or moments of the clip, beside CAVs of random clips.",
    ),
    "split_half": (
        "Split halves",
        "How alike the CAVs of two halves of the clips are. A low value says that clips are too few, or too different.",
    ),
    "effect_by_clips": (
        "Effect by the number of clips",
        "What the effect would have been with fewer groups of concept clips. Where it still moves at the right end, more "
        "clips would change it.",
    ),
    "pool_sensitivity": (
        "Sensitivity to the random clips",
        "How much the effect changes when other random clips are taken.",
    ),
}
"""Title and meaning of each kind, in the order of the page; other kinds come after."""
# Names of files that earlier versions wrote.
_OLD_NAMES = {"dependence": "place_and_time"}


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One kind of diagnostics, of all analyses."""

    title: str
    words: str  # how to read it
    columns: tuple[tuple[str, str], ...]  # names, and "number" for those of numbers
    rows: tuple[tuple[str, ...], ...]  # their cells as text
    left_out: int  # rows that the page leaves to the files
    files: tuple[str, ...]
    charts: tuple[Chart, ...]  # one a target, where there is something to draw


class Section(TemplateSection[RunView]):
    name, title, order = "diagnostics", "Can the concept vectors be trusted?", 700

    def values(self, view: RunView) -> Values:
        kinds, remarks = view.once(diagnostics), view.run.remarks()
        return {"diagnostics": kinds, "remarks": remarks} if kinds or remarks else None

    def markdown(self, view: RunView) -> str:
        return figures(self.charts(view))

    def charts(self, view: RunView) -> Sequence[Chart]:
        return [chart for diagnostic in view.once(diagnostics) for chart in diagnostic.charts]


def diagnostics(view: RunView) -> list[Diagnostic]:
    """All that were saved beside the analyses, in the order of `WORDS`."""
    tables: dict[str, dict[Path, pd.DataFrame]] = {}
    for analysis in view.run.analyses:
        for kind, table in analysis.diagnostics().items():
            tables.setdefault(kind, {})[analysis.folder] = table
    # Unknown kinds, such as those of later versions, are shown as they are.
    order = [*WORDS, *sorted(tables)]
    kinds = sorted(tables, key=lambda kind: order.index(_OLD_NAMES.get(kind, kind)))
    return [_diagnostic(view, kind, tables[kind]) for kind in kinds]


def _diagnostic(view: RunView, file_kind: str, tables: Mapping[Path, pd.DataFrame]) -> Diagnostic:
    analyses, kind = view.run.analyses, _OLD_NAMES.get(file_kind, file_kind)
    title, words = WORDS.get(kind, (kind.replace("_", " ").capitalize(), ""))
    charts = [
        diagnostic_chart(kind, target, [tables.get(analysis.folder) for analysis in target.analyses], title)
        for target in view.targets
    ]
    named = [_with_analysis(tables[each.folder], each, analyses) for each in analyses if each.folder in tables]
    table = pd.concat(named, ignore_index=True)
    # A column that is the same in all rows says nothing; the model stays, as tables are read by model.
    keys = ("target", "space", "test")
    table = table.drop(columns=[name for name in keys if name in table and table[name].nunique(dropna=False) <= 1])
    first_rows = table.head(MOST_ROWS)
    return Diagnostic(
        title=title,
        words=words,
        columns=tuple(
            (str(name).replace("_", " "), "number" if pd.api.types.is_numeric_dtype(table[name]) else "")
            for name in table.columns
        ),
        rows=tuple(tuple(_cell(value) for value in row) for row in first_rows.itertuples(index=False)),
        left_out=len(table) - len(first_rows),
        files=tuple(
            f"{folder.relative_to(view.run.path).as_posix()}/diagnostics-{file_kind}.parquet" for folder in tables
        ),
        charts=tuple(chart for chart in charts if chart is not None),
    )


def _with_analysis(table: pd.DataFrame, analysis: Analysis, analyses: Sequence[Analysis]) -> pd.DataFrame:
    """The table with columns in front that tell its analysis from others."""
    columns = {name: getattr(analysis.which, name) for name in differing(analyses) if name not in table}
    return pd.concat([pd.DataFrame(columns, index=table.index), table], axis=1)


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return signed(float(value), 3).removeprefix("+") if np.isfinite(value) else "–"
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(_cell(element) for element in value)
    return "–" if value is None else str(value)
