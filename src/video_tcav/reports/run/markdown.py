"""Markdown of reports: escaped text, tables and figures."""

from collections.abc import Sequence

from video_tcav.core.escaping import printable
from video_tcav.reports.effect_charts import Chart

# Folder of the charts, beside the page.
FIGURES = "figures"
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SYNTAX = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|#!"})


def text_of(text: str) -> str:
    """Words on one line that Markdown and HTML take literally."""
    # HTML first, since a viewer of Markdown lets tags through; then signs that Markdown itself reads.
    return " ".join(printable(text).translate(_HTML).translate(_SYNTAX).split())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped texts."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(text_of, cells))} |" for cells in lines)


def figures(charts: Sequence[Chart]) -> str:
    """Each chart under its title."""
    return "\n\n".join(
        f"### {text_of(chart.title)}\n\n![{text_of(chart.title)}]({FIGURES}/{chart.name}.png)" for chart in charts
    )
