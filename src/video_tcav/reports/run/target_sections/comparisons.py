"""Section of a target: one concept rather than another (relative TCAV), where it was run."""

from collections.abc import Mapping
from typing import Any

from video_tcav.reports.run.section import TemplateSection
from video_tcav.reports.run.view import TargetView


class Section(TemplateSection[TargetView]):
    """Comparisons."""

    name, title, order = "comparisons", "One concept rather than another", 500

    def values(self, view: TargetView) -> Mapping[str, Any] | None:
        rows = list(view.comparisons())
        return {"rows": rows} if rows else None
