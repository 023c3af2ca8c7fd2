"""Section: every result in a table, what it was made from, and the experiment file."""

import math

from video_tcav.reports.run.provenance import experiment_file, provenance_facts
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import RunView, differing
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.wording import comparison_name

# Rows beyond are left to `results.csv`: 1,000 take about half a megabyte of the page.
MOST_ROWS = 1000


class Section(TemplateSection[RunView]):
    name, title, order = "numbers", "All numbers", 1100

    def values(self, view: RunView) -> Values:
        columns, rows = _results(view)
        return {
            "columns": columns,
            "rows": rows[:MOST_ROWS],
            "has_step": any(math.isfinite(row.step) for _, row in rows),
            "left_out": max(0, len(rows) - MOST_ROWS),
            "provenance": provenance_facts(view.run),
            "experiment_file": experiment_file(view.run),
        }


def _results(view: RunView) -> tuple[list[str], list[tuple[list[str], ConceptResult]]]:
    """Names of the columns that identify a result, and every result with what stands there."""
    fields = differing(view.run.analyses)
    rows = []
    for analysis in view.run.analyses:
        key = [getattr(analysis.which, field) for field in fields]
        for row in (stored.result for stored in analysis.found):
            twin = "–" if row.twin == "none" else row.twin
            rows.append(([comparison_name(row.concept, row.versus), twin, row.layer, *key], row))
    return ["Concept", "Twin", "Layer", *map(str.capitalize, fields)], rows
