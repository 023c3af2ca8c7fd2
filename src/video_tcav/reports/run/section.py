"""Report sections: an open kind, one module a section, registered by name or by another package's entry point."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Generic, TypeVar

from markupsafe import Markup

from video_tcav.core.registry import Registry
from video_tcav.reports.effect_charts import Chart
from video_tcav.reports.page import render_page
from video_tcav.reports.run import sections, target_sections
from video_tcav.reports.run.view import RunView, TargetView

View = TypeVar("View", RunView, TargetView)
Values = Mapping[str, Any] | None
"""Variables of a section's template; `None` leaves the section out."""


class ReportSection(ABC, Generic[View]):
    """A section of a run's report. Subclass it; it is made without arguments, from results only, never from a model.

    Another package registers its subclass by an entry point of the group `video_tcav.report_sections` (once a run, `View` is
    `RunView`) or `video_tcav.target_sections` (once a target, `TargetView`):

        [project.entry-points."video_tcav.report_sections"]
        speed = "my_package.speed:Speed"

    Attributes:
        name: id of the heading in the page.
        title: heading; empty if the section brings its own.
        order: sections are sorted by it; those of this package have 100, 200, …
        folded: whether it stands behind its title, which opens it; on paper such a section is its title alone.
    """

    name: str
    title: str
    order: int
    folded: bool = True

    @abstractmethod
    def html(self, view: View) -> str | Markup | None:
        """What stands under the heading: `Markup` as it is, any other text escaped; `None` leaves the section out."""

    def markdown(self, view: View) -> str | None:
        """The same in the Markdown; `None`, as here, leaves the section out."""
        return None

    def charts(self, view: View) -> Sequence[Chart]:
        """Charts that are written beside the page, as SVG and PNG."""
        return ()


class TemplateSection(ReportSection[View]):
    """A section of this package: the class `Section` of a module in `sections` or `target_sections`.

    Its template has the name of the module, in the folder of the same name among the templates.
    """

    def values(self, view: View) -> Values:
        """Variables of the template besides `view` and `charts`."""
        return {}

    def html(self, view: View) -> Markup | None:
        values = self.values(view)
        if values is None:
            return None
        folder, module = type(self).__module__.split(".")[-2:]
        return Markup(render_page(f"{folder}/{module}.html.j2", view=view, charts=self.charts(view), **values))


def _modules(package: ModuleType) -> dict[str, str]:
    """Where each module's section is: found by listing the folder, so that adding a section takes no other file."""
    names = sorted(module.name for module in iter_modules(package.__path__))
    return {name: f"{package.__name__}.{name}:Section" for name in names}


_MEMBERS = ("name", "title", "order", "html", "markdown", "charts")
SECTIONS: Registry[type[ReportSection[RunView]]] = Registry(
    "video_tcav.report_sections", "report section", _modules(sections), members=_MEMBERS
)
TARGET_SECTIONS: Registry[type[ReportSection[TargetView]]] = Registry(
    "video_tcav.target_sections", "target section", _modules(target_sections), members=_MEMBERS
)


def fragments(sections: Sequence[ReportSection[View]], view: View) -> list[tuple[ReportSection[View], Markup]]:
    """The HTML of each section that has something to show; plain text is escaped, and becomes paragraphs."""
    filled = [(section, html) for section in sections if (html := section.html(view))]
    return [(section, html if isinstance(html, Markup) else _paragraphs(html)) for section, html in filled]


def _paragraphs(text: str) -> Markup:
    paragraphs = [Markup('<p class="prose">{}</p>').format(paragraph) for paragraph in text.split("\n\n")]
    return Markup("\n").join(paragraphs)


def ordered(registry: Registry[type[ReportSection[View]]]) -> list[ReportSection[View]]:
    """All sections of a registry, in their order."""
    # Plug-ins may register an object instead of a class.
    made: list[Any] = [kind() if isinstance(kind, type) else kind for kind in registry.values()]
    return sorted(made, key=lambda section: (section.order, section.name))
