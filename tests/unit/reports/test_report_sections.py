"""Report sections are an open kind: those of this package are found by their files, others by entry points."""

import os
import subprocess
import sys

import pytest
from markupsafe import Markup

from tests.plugins import make_plugin
from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.reports import ReportSection, RunView
from video_tcav.reports.run.report import run_markdown, run_page
from video_tcav.reports.run.section import SECTIONS, TARGET_SECTIONS, ordered

SPEED = """
from markupsafe import Markup
from video_tcav.reports import ReportSection

class Speed(ReportSection):
    name, title, order = "speed", "How long it took", 350

    def html(self, view):
        return Markup("<p>{} analyses of <b>{}</b></p>").format(len(view.run.analyses), view.experiment.title)

    def markdown(self, view):
        return f"{len(view.run.analyses)} analyses"
"""
LARGEST = """
from video_tcav.reports import ReportSection

class Largest(ReportSection):
    name, title, order = "largest", "The largest effect", 150

    def html(self, view):
        return f"{max(abs(row.effect) for row in view.results):.2f} <of> {view.target}"
"""


def test_another_package_adds_sections_to_a_run_s_report(tmp_path):
    folders = [
        make_plugin(tmp_path, "video_tcav.report_sections", "speed", SPEED, "Speed"),
        make_plugin(tmp_path, "video_tcav.target_sections", "largest", LARGEST, "Largest"),
    ]
    sample = Sample(
        models=("only",), concepts=("court", "nothing"), shown=0, previews=1, twins=False, tests=("studentised",)
    )
    write_run(tmp_path / "run", sample)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "video_tcav", "report", tmp_path / "run"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page, note = ((tmp_path / "run" / f"report.{ending}").read_text() for ending in ("html", "md"))
    heading = '<summary><h3 id="speed">How long it took</h3></summary>\n<p>'
    assert page.index("What moves “") < page.index(heading) < page.index('<h3 id="clips">')  # by its order
    assert "analyses of <b>" in page
    assert "## How long it took\n\n" in note and note.index("## Effects") < note.index("## How long it took")
    assert "<h3>The largest effect</h3>" in page and "&lt;of&gt; playing tennis</p>" in page  # text is escaped


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return RunView(run=write_run(tmp_path_factory.mktemp("run"), Sample(shown=0, previews=0, twins=False)))


class Plain(ReportSection[RunView]):
    name, title, order, folded = "plain", "Plain <text>", 1, False

    def html(self, view):
        return "Two < three.\n\nAnother paragraph."


def test_text_is_escaped_and_markup_is_not(view):
    page = run_page(view, [Plain()])
    assert '<h2 id="plain">Plain &lt;text&gt;</h2>' in page
    assert '<p class="prose">Two &lt; three.</p>\n<p class="prose">Another paragraph.</p>' in page
    assert "plain" not in run_markdown(view, [Plain()])  # it has no Markdown

    class Bold(Plain):
        def html(self, view):
            return Markup("<b>bold</b>")

    assert "<b>bold</b>" in run_page(view, [Bold()])


def test_a_section_is_folded_unless_it_says_otherwise(view):
    class Folded(Plain):
        folded = True

    assert ReportSection.folded
    text = "Two &lt; three."
    for section, in_more in ((Folded(), True), (Plain(), False)):
        before_more, more = run_page(view, [section]).split('<h2 id="more">')
        assert (text in more, text in before_more) == (in_more, not in_more)


def test_every_module_is_a_section_with_a_place_of_its_own():
    for registry in (SECTIONS, TARGET_SECTIONS):
        sections = ordered(registry)
        assert len(sections) == len(registry.names()) > 5
        assert all(isinstance(section, ReportSection) for section in sections)
        assert (
            len({section.order for section in sections}) == len({section.name for section in sections}) == len(sections)
        )


def test_charts_are_drawn_once_for_all_formats(view):
    (targets,) = (section for section in ordered(SECTIONS) if section.name == "targets")
    first, second = (targets.charts(view) for _ in range(2))
    assert first and all(one is other for one, other in zip(first, second, strict=True))
