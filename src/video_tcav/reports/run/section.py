"""Report sections: an open kind, one module a section, registered by name or by another package's entry point."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Generic, TypeVar

from markupsafe import Markup

from video_tcav.core.registry import Registry
from video_tcav.reports.charts import Chart
from video_tcav.reports.run import sections, target_sections
from video_tcav.reports.run.view import RunView, TargetView

View = TypeVar("View", RunView, TargetView)


class ReportSection(ABC, Generic[View]):
    """A section of a run's report. Subclass it; it is made without arguments, from results only, never from a model.

    Another package registers its subclass by an entry point of the group `video_tcav.report_sections` (once a run, `View` is
    `RunView`) or `video_tcav.target_sections` (once a target, `TargetView`):

        [project.entry-points."video_tcav.report_sections"]
        speed = "my_package.speed:Speed"

    In this package, a module in the folder `sections` or `target_sections` is a section, and calls its class `Section`.

    Attributes:
        name: id of the heading in the page.
        title: heading; empty if the section brings its own.
        order: sections are sorted by it; those of this package have 100, 200, …
    """

    name: str
    title: str
    order: int

    @abstractmethod
    def html(self, view: View) -> str | Markup | None:
        """What stands under the heading: `Markup` as it is, any other text escaped; `None` leaves the section out."""

    def markdown(self, view: View) -> str | None:
        """The same in the Markdown; `None`, as here, leaves the section out."""
        return None

    def charts(self, view: View) -> Sequence[Chart]:
        """Charts that are written beside the page, as SVG and PNG."""
        return ()


_MEMBERS = ("name", "title", "order", "html", "markdown", "charts")


def _modules(package: ModuleType) -> dict[str, str]:
    """Where each module's section is; so adding one takes its file alone."""
    names = sorted(module.name for module in iter_modules(package.__path__))
    return {name: f"{package.__name__}.{name}:Section" for name in names}


SECTIONS: Registry[type[ReportSection[RunView]]] = Registry(
    "video_tcav.report_sections", "report section", _modules(sections), members=_MEMBERS
)
TARGET_SECTIONS: Registry[type[ReportSection[TargetView]]] = Registry(
    "video_tcav.target_sections", "target section", _modules(target_sections), members=_MEMBERS
)


def ordered(registry: Registry[type[ReportSection[View]]]) -> list[ReportSection[View]]:
    """All sections of a registry, in their order.

    Raises:
        PluginError: if a section of another package cannot be used.
    """
    made: list[Any] = [kind() if isinstance(kind, type) else kind for kind in registry.values()]
    return sorted(made, key=lambda section: (section.order, section.name))
