import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from video_tcav.core.errors import OutputError
from video_tcav.reports import render_page, write_page
from video_tcav.reports.page import interval, p_equals, p_text, percent, signed


def test_numbers_look_the_same_everywhere():
    assert [signed(value) for value in (1, -0.5, -0.001, 0)] == ["+1.00", "−0.50", "0.00", "0.00"]
    assert signed(12.34, 1) == "+12.3"
    assert interval(-1, 2) == "−1.00 to +2.00"
    assert [percent(0.5), percent(0.055, 1), percent(float("nan"))] == ["50\xa0%", "5.5\xa0%", "–"]
    assert [p_text(0.5), p_text(0.00161), p_text(1e-9)] == ["0.5", "0.0016", "<\xa00.0001"]
    assert [p_equals(0.5), p_equals(0)] == ["=\xa00.5", "<\xa00.0001"]


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
    page = render_page("page.html.j2", style=Markup("<i>"), script="<b>")
    assert "<i>" in page and "&lt;b&gt;" in page
