"""Displays of results: text and HTML for notebooks, and the methods that draw, which stand in a package above."""

from collections.abc import Collection, Iterable, Sequence
from html import escape
from pkgutil import resolve_name
from typing import Any

from video_tcav.core.escaping import one_line

MOST_ROWS = 30  # of a table in a notebook, about a screenful
# No colour of its own, as a notebook may be light or dark.
_RULE = "border-bottom:1px solid rgba(127,127,127,.5)"
_CELL = "padding:.2em .8em .2em 0;vertical-align:top"


class PlainText(str):
    """Text that an interactive session shows as it is, with its line breaks."""

    def __repr__(self) -> str:
        return str(self)


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()) -> str:
    """A table for notebooks; every text is escaped, and rows beyond `MOST_ROWS` are counted.

    Args:
        columns: their names.
        rows: one text a column.
        numbers: columns that are aligned on the right.
    """
    rows = list(rows)
    aligned = ["right" if name in numbers else "left" for name in columns]

    def row(tag: str, texts: Sequence[str], style: str) -> str:
        cells = (
            f'<{tag} style="text-align:{side};{style}">{escape(one_line(text))}</{tag}>'
            for text, side in zip(texts, aligned, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(row("td", texts, _CELL) for texts in rows[:MOST_ROWS])
    more = f"<p>… and {len(rows) - MOST_ROWS} more rows.</p>" if len(rows) > MOST_ROWS else ""
    head = row("th", columns, f"{_CELL};{_RULE}")
    return f'<table style="border-collapse:collapse"><thead>{head}</thead><tbody>{body}</tbody></table>{more}'


def html_heading(text: str) -> str:
    """A heading above a table."""
    return f"<p><b>{escape(one_line(text))}</b></p>"


def html_list(texts: Iterable[str], prefix: str = "") -> str:
    """One paragraph a text, each after a prefix; nothing where there is no text."""
    return "".join(f'<p style="margin:.3em 0">{escape(prefix + one_line(text))}</p>' for text in texts)


def draw(name: str, *arguments: Any, **options: Any) -> Any:
    """Call a function of `video_tcav.reports.pictures` by its name.

    A result has methods that draw it, as users look for them there, but drawing stands above results: like pandas' plotting
    backend it is loaded by name, at the first call.
    """
    return resolve_name(f"video_tcav.reports.pictures:{name}")(*arguments, **options)
