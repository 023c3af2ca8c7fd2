"""Tables of a calibration as text, CSV, JSON and figure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from benchmarks.calibration.causes import CauseRow
from benchmarks.calibration.confounded import ConfoundedRow
from benchmarks.calibration.designs import DesignRow
from benchmarks.calibration.equivalence import EquivalenceRow
from benchmarks.calibration.gate import GateRow
from benchmarks.calibration.heads import HeadCauseRow, HeadNullRow
from benchmarks.calibration.real_clips import RealClipsRow
from benchmarks.calibration.whole_runs import WholeRunRow
from matplotlib.figure import Figure

from video_tcav.core.files import atomic_path, write_json
from video_tcav.core.tables import write_csv
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.charts import INK, MUTED, chart_style
from video_tcav.reports.figure_files import write_figure

Row = (
    DesignRow
    | GateRow
    | WholeRunRow
    | CauseRow
    | ConfoundedRow
    | RealClipsRow
    | HeadNullRow
    | HeadCauseRow
    | EquivalenceRow
)
Column = Callable[[Any], str]
_KEPT = {True: "kept", False: "**not kept**", None: "–"}


def _rate(name: str) -> Column:
    return lambda row: _percent(getattr(row, name))


def _percent(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{100 * rate:.1f} %"


def _limits(limits: tuple[float, float] | None) -> str:
    return "–" if limits is None else f"{100 * limits[0]:.3g} to {100 * limits[1]:.3g} %"


_TESTS: dict[str, Column] = {
    "plain permutation": _rate("plain"),
    "`p_perm`": _rate("perm"),
    "`p_t`": _rate("t"),
    "p = max": _rate("both"),
}
COLUMNS: Mapping[type[Row], Mapping[str, Column]] = {
    DesignRow: {
        "design": lambda row: row.name,
        **_TESTS,
        "`p_t`, plain bootstrap": _rate("t_joint"),
        "interval holds the effect": _rate("coverage"),
        "plain bootstrap's": _rate("coverage_joint"),
        "limits": lambda row: _limits(row.size or row.coverage_limits),
        "": lambda row: _KEPT[row.holds],
    },
    GateRow: {
        "layer": lambda row: row.name,
        "data sets": lambda row: f"{row.sets:,}",
        "represented": _rate("represented"),
        "AUC": lambda row: f"{row.auc:.2f}",
        "only as a region": _rate("region"),
        "limits": lambda row: _limits(row.limits),
        "": lambda row: _KEPT[row.holds],
    },
    WholeRunRow: {
        "runs": lambda row: row.name,
        "correction": lambda row: row.correction,
        "tests of a run": lambda row: str(row.size),
        "number": lambda row: f"{row.runs:,}",
        "with a false alarm": _rate("error"),
        "": lambda row: _KEPT[row.holds],
    },
    CauseRow: {
        "": lambda row: row.what,
        "model": lambda row: row.model.rpartition(":")[2],
        "gradients at": lambda row: f"{row.at} clips",
        "clips": lambda row: f"{row.concept_clips} against {row.random_clips}",
        "draws": lambda row: f"{row.draws:,}",
        **_TESTS,
        "wrong sign": _rate("wrong_sign"),
        "limits ": lambda row: _KEPT[row.holds],
    },
    ConfoundedRow: {
        "model": lambda row: row.model.rpartition(":")[2],
        "concept": lambda row: row.concept,
        "cause": lambda row: row.confounder,
        "correlation": lambda row: f"{row.correlation:.1f}",
        "random clips": lambda row: "matched" if row.matched else "balanced",
        "gradients at": lambda row: f"{row.at} clips",
        "intervention": lambda row: f"{row.truth:+.2f} ± {row.truth_error:.2f}",
        "baseline without CAV": lambda row: f"{row.baseline:+.2f} ({_percent(row.baseline_rejected)})",
        "TCAV effect": lambda row: f"{row.effect:+.2f} ({_percent(row.rejected)})",
        "less the cause's CAV": lambda row: f"{row.projected:+.2f}",
    },
    RealClipsRow: {
        "layer": lambda row: row.layer,
        "groups": lambda row: f"{row.concept_groups} against {row.random_groups}",
        "splits": lambda row: f"{row.draws:,}",
        **_TESTS,
        "represented": _rate("represented"),
    },
    HeadNullRow: {
        "head": lambda row: row.head,
        "target": lambda row: row.target,
        "layer": lambda row: f"`{row.layer}`",
        "draws": lambda row: f"{row.draws:,}",
        **_TESTS,
        "its interval": lambda row: f"{100 * row.low:.1f} to {100 * row.high:.1f} %",
        "": lambda row: _KEPT[row.holds],
    },
    HeadCauseRow: {
        "head": lambda row: row.head,
        "target": lambda row: row.target,
        "fit": lambda row: f"{row.fit:.3f}",
        "concept": lambda row: row.concept,
        "draws": lambda row: f"{row.draws:,}",
        "significant": _rate("both"),
        "wrong sign": _rate("wrong_sign"),
        "TCAV effect": lambda row: f"{row.effect:+.2f}",
        "intervention": lambda row: f"{row.truth:+.2f} ± {row.truth_error:.2f}",
        "unit": lambda row: row.unit,
    },
    EquivalenceRow: {
        "concept": lambda row: row.concept,
        "true effect": lambda row: f"{row.effect:+.1f}",
        "margin": lambda row: f"{row.margin:.1f}",
        "draws": lambda row: f"{row.draws:,}",
        "test: smaller": _rate("smaller"),
        "supported": _rate("supported"),
        "contradicted": _rate("contradicted"),
        "undecided": _rate("undecided"),
        "not represented": _rate("not_represented"),
        "": lambda row: _KEPT[row.holds],
    },
}


def markdown(rows: Sequence[Row]) -> str:
    """One table, with a part of a design's table in bold where it begins."""
    columns = COLUMNS[type(rows[0])]
    lines = [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    part = None
    for row in rows:
        if isinstance(row, DesignRow) and row.part != part:
            part = row.part
            lines.append(f"| **{part}** |{' |' * (len(columns) - 1)}")
        lines.append(f"| {' | '.join(cell(row) for cell in columns.values())} |")
    return "\n".join(lines) + "\n"


def write_tables(tables: Mapping[str, Sequence[Row]], folder: Path, name: str, provenance: Mapping[str, Any]) -> None:
    """Write `NAME.md` with every table, `NAME.json`, a CSV a table, and `NAME.png` where there are designs.

    Args:
        tables: by their title.
        folder: where to.
        name: of the files.
        provenance: versions, settings and models.
    """
    filled = {title: rows for title, rows in tables.items() if rows}
    text = "\n".join(f"### {title}\n\n{markdown(rows)}" for title, rows in filled.items())
    with atomic_path(folder / f"{name}.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    plain = {title: [asdict(row) for row in rows] for title, rows in filled.items()}
    write_json(folder / f"{name}.json", {"provenance": dict(provenance), "tables": plain})
    for title, rows in plain.items():
        write_csv(folder / f"{title.lower().replace(' ', '-')}.csv", pd.DataFrame(rows))
    designs = [row for rows in filled.values() for row in rows if isinstance(row, DesignRow)]
    if designs:
        write_figure(design_figure(designs), folder / f"{name}.png", name=name)


def design_figure(rows: Sequence[DesignRow]) -> Figure:
    """Two panels: false alarms by design, and coverage of intervals by the number of groups."""
    sizes = [row for row in rows if row.effect == 0 and row.size is not None]
    with chart_style(), mpl.rc_context({"figure.facecolor": "white"}):
        figure = Figure(figsize=(9, max(3.0, 0.24 * len(sizes) + 1.2)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(0.035, 0.065, color="#cfe3d6", linewidth=0)
        axes.axvline(LEVEL, color=INK, linewidth=1, linestyle=(0, (3, 2)))
        places = range(len(sizes))
        axes.plot(
            [row.plain for row in sizes],
            places,
            "^",
            color="#8f5f3a",
            label="plain permutation",
            markersize=5,
            clip_on=False,
        )
        axes.plot(
            [row.both for row in sizes],
            places,
            "o",
            color=INK,
            label="studentised, p = max",
            markersize=5,
            clip_on=False,
        )
        axes.set_yticks(list(places), [row.name for row in sizes])
        axes.invert_yaxis()
        # a square-root scale on which both 5 % and 40 % are legible
        axes.set_xscale("function", functions=(lambda rate: abs(rate) ** 0.5, lambda root: root**2))
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.01, 0.05, 0.2, 0.5, 1], ["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
        axes.set_xlabel("false alarms at the 5 % level, true effect exactly zero")
        axes.tick_params(length=0)
        axes.grid(axis="x", color=MUTED, alpha=0.2)
        axes.legend(loc="lower right")
    return figure
