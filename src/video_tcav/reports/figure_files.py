"""Figures as files, and as SVG inside of pages: text stays text, and the same figure gives the same bytes."""

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from video_tcav.core.errors import InputError
from video_tcav.core.files import atomic_path
from video_tcav.reports.charts import INK, LOWERS, MUTED, PAPER, RAISES, RULE, SERIES, chart_style

_PAGE_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--card)",
    RAISES: "var(--raises)",
    LOWERS: "var(--lowers)",
    **{series.colour: f"var(--series-{number})" for number, series in enumerate(SERIES)},
}
"""Variables of the page's style by the drawn colours that they replace; PAPER differs from the white of files to be found."""
_DPI = 160
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# Elements that a page must not get: a drawing's own style sheet would rule the whole page.
_DROPPED = {"metadata", "style"}
# Attributes whose many digits nobody sees, which are half of a drawing's bytes. `points` and texts are not among them.
_MEASURES, _DIGITS = {"d", "x", "y", "width", "height", "transform", "style"}, re.compile(r"\d+\.\d{3,}")


def write_figure(figure: Figure, path: str | Path, *, name: str) -> Path:
    """Write a figure as PNG or SVG, by the ending of its name; the file is there in full or not at all.

    The same figure under the same `name`, which is that of its kind, gives the same bytes.

    Raises:
        InputError: for another ending.
        OutputError: if the file cannot be written.
    """
    path = Path(path)
    file_format = path.suffix.lower().removeprefix(".")
    if file_format not in ("png", "svg"):
        raise InputError(f"`path` must end in .png or .svg. Got {path.name}. Change it.")
    # Dates and versions would differ from run to run.
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    with chart_style(), _svg_text(name), atomic_path(path) as temporary:
        figure.savefig(temporary, format=file_format, dpi=_DPI, metadata=metadata)
    return path


def chart_svg(figure: Figure, *, name: str, label: str, kind: str = "chart") -> Markup:
    """The chart as SVG to stand inside a page.

    Args:
        figure: what was drawn in `chart_style`.
        name: of this chart in its page; no other chart there may have it.
        label: what the chart shows, for those who cannot see it.
        kind: classes of the page's style; `chart narrow` is shown on phones in place of the chart before it.
    """
    # Transparent, so that the page's own background shows in light and dark style.
    content = io.BytesIO()
    with chart_style(), _svg_text(name):
        figure.savefig(content, format="svg", metadata=_NO_METADATA, transparent=True)
    drawing = ElementTree.fromstring(content.getvalue())
    for element in drawing.iter():
        _adapt_to_page(element)
    attributes = {"class": kind, "viewBox": drawing.attrib["viewBox"], "role": "img", "aria-label": label}
    drawing.attrib.clear()
    drawing.attrib.update(attributes)
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _svg_text(name: str) -> Any:
    """Text as text instead of outlines, and ids that depend on the name alone."""
    return mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name})


def _adapt_to_page(element: ElementTree.Element) -> None:
    """Fit an element of matplotlib's SVG into HTML: no namespace, style sheet or group names; the page's colours and font."""
    element.tag = _without_namespace(element.tag)
    for child in list(element):
        if _without_namespace(child.tag) in _DROPPED:
            element.remove(child)
    if element.tag != "text":
        element.text = None  # line breaks between elements
    element.tail = None
    attributes = {_without_namespace(name): value for name, value in element.attrib.items()}
    if element.tag == "g":
        attributes.pop("id", None)  # `axes_1` would be in every chart of the page; only paths and clips are referred to
    for name in _MEASURES & attributes.keys():
        attributes[name] = _DIGITS.sub(lambda number: f"{float(number[0]):.2f}", attributes[name])
    style = attributes.get("style", "")
    for colour, variable in _PAGE_COLOURS.items():
        style = style.replace(colour, variable)
    if style:  # the family is that of the page; matplotlib 3.10 has it in `font: 9px 'DejaVu Sans', …`, 3.11 by itself
        style = re.sub(r"font-family: [^;]*;?", "", style)
        attributes["style"] = re.sub(r"font: ([^';]*px)[^;]*", r"font: \1 var(--sans)", style)
    element.attrib.clear()
    element.attrib.update(attributes)


def _without_namespace(name: str) -> str:
    return name.rpartition("}")[2]  # `ElementTree` writes `{namespace}name`
