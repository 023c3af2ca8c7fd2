"""Section: the methods text of a paper, and what to cite."""

from video_tcav.reports.run.methods_text import bibtex, methods
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import text_of
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order = "methods", "Methods", 900

    def values(self, view: RunView) -> Values:
        return {"methods": methods(view), "bibtex": bibtex(view.run)}

    def markdown(self, view: RunView) -> str:
        paragraphs = map(text_of, methods(view).split("\n\n"))
        return "\n\n".join([*paragraphs, "## To cite", f"```bibtex\n{bibtex(view.run).strip()}\n```"])
