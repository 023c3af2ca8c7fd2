"""Diagnostics that an analysis left beside its results, each as a section of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Analysis, Run
from video_tcav.experiments.analyses import AnalysisKey
from video_tcav.reports.page import signed
from video_tcav.reports.run.charts import Chart
from video_tcav.reports.run.diagnostic_charts import diagnostic_chart
from video_tcav.reports.run.view import target_views

PREFIX, MOST_ROWS = "diagnostics-", 200
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
_SAME = {"dependence": "place_and_time"}
_WHICH = ("model", "target", "space", "test")
_HIDDEN = ("target", "space", "test")


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One kind of diagnostics, of all analyses.

    Attributes:
        title: what it is.
        words: what it means.
        columns: of the table.
        rows: their cells as text.
        left_out: rows that the page leaves to the file.
        numeric: whether each column holds numbers.
        files: where the tables are.
        charts: what is simple enough to draw, of each target.
        caption: below each.
    """

    title: str
    words: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int
    numeric: tuple[bool, ...]
    files: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    caption: str = ""


def diagnostics(run: Run) -> list[Diagnostic]:
    """All that are there, the known ones first.

    Raises:
        ExperimentError: if a table is damaged.
    """
    kinds = {path.stem.removeprefix(PREFIX) for one in run.analyses for path in one.folder.glob(f"{PREFIX}*.parquet")}
    order = [*WORDS, *sorted(kinds)]
    return [_diagnostic(run, kind) for kind in sorted(kinds, key=lambda kind: order.index(_SAME.get(kind, kind)))]


def _diagnostic(run: Run, kind: str) -> Diagnostic:
    paths = {one.which: one.folder / f"{PREFIX}{kind}.parquet" for one in run.analyses}
    tables = {which: _read(path) for which, path in paths.items() if path.is_file()}
    table = pd.concat([_named(found, which, run.analyses) for which, found in tables.items()], ignore_index=True)
    constant = [name for name in _HIDDEN if name in table and table[name].nunique(dropna=False) <= 1]
    table = table.drop(columns=constant)
    known = _SAME.get(kind, kind)
    title, words = WORDS.get(known, (kind.replace("_", " ").capitalize(), ""))
    charts = [
        diagnostic_chart(known, view, [tables.get(one.which) for one in view.analyses], title)
        for view in target_views(run)
    ]
    shown = table.head(MOST_ROWS)
    return Diagnostic(
        title=title,
        words=words,
        columns=tuple(str(name).replace("_", " ") for name in table.columns),
        rows=tuple(tuple(_cell(value) for value in row) for row in shown.itertuples(index=False)),
        left_out=len(table) - len(shown),
        numeric=tuple(pd.api.types.is_numeric_dtype(table[name]) for name in table.columns),
        files=tuple(paths[which].relative_to(run.path).as_posix() for which in tables),
        charts=tuple(one for one in charts if one is not None),
        caption="At the deepest layer, with 95\N{NO-BREAK SPACE}% intervals.",
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ExperimentError(
            f"{path}: diagnostics must be readable. Got: {' '.join(str(error).split())}. Delete the folder and resume."
        ) from error


def _named(table: pd.DataFrame, which: AnalysisKey, every: Sequence[Analysis]) -> pd.DataFrame:
    """The table with columns that say which analysis it is of, where there are several."""
    several = [name for name in _WHICH if len({getattr(other.which, name) for other in every}) > 1]
    named = pd.DataFrame({name: getattr(which, name) for name in several if name not in table}, index=table.index)
    return pd.concat([named, table], axis=1)


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return signed(float(value), 3).removeprefix("+") if np.isfinite(value) else "–"
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(_cell(one) for one in value)
    return "–" if value is None else str(value)
