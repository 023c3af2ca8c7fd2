"""The skeleton of a page: one HTML file with its style, script, clips and charts inside, which asks for nothing else."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from video_tcav.core.escaping import printable
from video_tcav.core.files import write_text

_TEMPLATES = Path(__file__).parent / "templates"
_SMALLEST_P = 0.0001
_SPACE = "\N{NO-BREAK SPACE}"


def render_page(template: str, **values: Any) -> str:
    """Fill a template; every value is escaped unless it is `Markup`.

    Args:
        template: name of a file in the templates, which extends `page.html.j2`.
        **values: what it shows. A name that it needs and does not get is an error.
    """
    return _environment().get_template(template).render(**values)


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Fill a template into `path`; the file is there in full or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    text = render_page(template, **values)
    write_text(path, text)
    return path


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, as it is printed: a true minus, and no sign on what rounds to zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def interval(low: float, high: float) -> str:
    """An interval in words."""
    return f"{signed(low)} to {signed(high)}"


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage."""
    return f"{share:.{digits}%}".replace("%", f"{_SPACE}%") if math.isfinite(share) else "–"


def p_text(value: float) -> str:
    """A p-value; one that is smaller than is worth printing is never shown as zero."""
    return f"{value:.2g}" if value >= _SMALLEST_P else f"<{_SPACE}{_SMALLEST_P}"


def p_equals(value: float) -> str:
    """The same to stand after "p"."""
    return f"={_SPACE}{p_text(value)}" if value >= _SMALLEST_P else p_text(value)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,  # `Markup` is ours
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signed": signed, "percent": percent, "p": p_text, "p_is": p_equals}
    environment.globals |= {"style": _verbatim("page.css"), "script": _verbatim("page.js"), "interval": interval}
    environment.globals |= {"report_style": _verbatim("report.css"), "report_script": _verbatim("report.js")}
    return environment


def _verbatim(name: str) -> Markup:
    """A file of the package's own, which needs no escaping."""
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))
