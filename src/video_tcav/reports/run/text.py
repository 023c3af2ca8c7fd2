"""Text of reports: names that are short and without the folders of the machine, enumerations, and Markdown."""

import re
from collections.abc import Sequence

from video_tcav.core.escaping import printable
from video_tcav.models.loaders.loader import LOADERS
from video_tcav.reports.effect_charts import Chart

# Folder of the charts, beside the page.
FIGURES = "figures"
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SYNTAX = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|#!"})


def short_clip(clip: str, window: int | None = None) -> str:
    """The last folder and the file of a clip's path, and which clip of the file it is, if it has several."""
    # Both separators: a run may come from another system.
    file = "/".join(re.split(r"[/\\]", clip)[-2:])
    return file if window is None else f"{file}, clip {window + 1}"


def short_model(name: str) -> str:
    """A model's name; where that is its spec (`file:…`, `hf:…`), as short as its loader has it."""
    scheme, colon, source = name.partition(":")
    return LOADERS[scheme].short_name(source) if colon and scheme in LOADERS.names() else name


def slug(name: str) -> str:
    """A name that a file or an id may have."""
    # 40 letters leave room for a prefix and an ending within the 255 bytes of a file's name.
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "unnamed"


def listed(words: list[str]) -> str:
    """An enumeration: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def alternatives(words: list[str]) -> str:
    """An enumeration of which any may be meant: `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


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
