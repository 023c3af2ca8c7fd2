"""Section: the methods text of a paper, and what to cite."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.markdown import text_of
from video_tcav.reports.run.methods_text import bibtex, methods
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """Methods."""

    name, title, order = "methods", "Methods", 900

    def html(self, view: RunView) -> Markup:
        return render_fragment("sections/methods.html.j2", methods=methods(view), bibtex=bibtex(view.run))

    def markdown(self, view: RunView) -> str:
        paragraphs = map(text_of, methods(view).split("\n\n"))
        return "\n\n".join([*paragraphs, "## To cite", f"```bibtex\n{bibtex(view.run).strip()}\n```"])
