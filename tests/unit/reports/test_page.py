import re
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from video_tcav import reports
from video_tcav.core.errors import OutputError
from video_tcav.reports import render_page, write_page
from video_tcav.reports.charts import LOWERS, RAISES, SERIES

TEMPLATES = Path(reports.__path__[0]) / "templates"


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="undefined"):
        render_page("demo.html.j2", target="playing tennis")


def test_a_page_is_there_in_full_or_not_at_all(tmp_path):
    path = write_page(tmp_path / "new" / "index.html", "page.html.j2")
    assert path.read_text().rstrip().endswith("</html>")
    with pytest.raises(OutputError, match="must be writable"):
        write_page(path / "index.html", "page.html.j2")
    with pytest.raises(TemplateNotFound, match="other"):
        write_page(path, "other.html.j2")
    assert list(path.parent.iterdir()) == [path] and path.stat().st_size > 1000


def test_only_markup_is_taken_as_it_is():
    page = render_page("sections/commands.html.j2", commands=[Markup("<i>"), "<b>"])
    assert "<code><i></code>" in page and "<code>&lt;b&gt;</code>" in page


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, by WCAG 2."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_can_be_read_on_every_ground():
    """The text of drawings, too, which axe leaves undecided."""
    style = "".join((TEMPLATES / name).read_text() for name in ("page.css", "report.css"))
    found = re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", style)
    # each colour stands for light, dark and paper, in this order
    schemes = [{}, {}, {}]
    for name, colour in found:
        next(scheme for scheme in schemes if name not in scheme)[name] = colour
    names = {"ink", "muted", "raises", "lowers", "link", "supported", "contradicted", "undecided"}
    names |= {f"series-{number}" for number in range(len(SERIES))}
    for scheme in schemes:
        for name in names:
            for ground in ("paper", "card", "wash"):
                lighter, darker = sorted((luminance(scheme[name]), luminance(scheme[ground])), reverse=True)
                assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (name, ground, scheme[name])
    light = schemes[0]
    assert [series.colour for series in SERIES] == [light[f"series-{number}"] for number in range(len(SERIES))]
    assert (light["raises"], light["lowers"]) == (RAISES, LOWERS)
