import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from video_tcav.core.errors import OutputError
from video_tcav.reports import render_page, write_page


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
