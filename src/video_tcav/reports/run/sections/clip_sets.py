"""Section: some clips of each set, as the first model sees them."""

from collections.abc import Mapping
from typing import Any

from video_tcav.reports.run.section import TemplateSection
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    """Previews."""

    name, title, order = "clips", "The clips", 400

    def values(self, view: RunView) -> Mapping[str, Any] | None:
        return {} if view.clips.sets else None
