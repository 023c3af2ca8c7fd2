"""HTML pages from Jinja templates: one file with its style, script, clips and charts inside, which loads nothing else."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from video_tcav.core.escaping import printable
from video_tcav.core.files import write_text
from video_tcav.reports.glossary import WORDS, explained, word_id
from video_tcav.tcav.wording import interval, p_equals, p_text, percent, represented_text, signed


def render_page(template: str, **values: Any) -> str:
    """Fill a template; every value is escaped unless it is `Markup`.

    Args:
        template: name of a file in the templates, which extends `page.html.j2`.
        **values: of its variables. One that is missing is an error.
    """
    return _environment().get_template(template).render(**values)


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Fill a template into `path`; the file is there in full or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_text(path, render_page(template, **values))
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        # `Markup` is a subclass of `str` and already escaped; any other text may hold control characters.
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A p-value must not be broken after its sign, as in `<` at the end of a line.
    environment.filters |= {
        "signed": signed,
        "percent": percent,
        "p": lambda value: "–" if math.isnan(value) else _unbroken(p_text(value)),
        "p_is": lambda value: _unbroken(p_equals(value)),
        "explained": explained,
    }
    environment.globals |= {
        "interval": interval,
        "represented": represented_text,
        "glossary": WORDS,
        "word_id": word_id,
    }
    return environment


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")
