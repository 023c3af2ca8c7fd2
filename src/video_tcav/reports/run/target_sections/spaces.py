"""Section of a target: its effects by feature space, where there are several."""

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView


class Section(TemplateSection[TargetView]):
    name, title, order = "spaces", "Other feature spaces", 600

    def values(self, view: TargetView) -> Values:
        spaces = view.experiment.spaces
        if len(spaces) < 2:
            return None
        views = [view.elsewhere(space=space) for space in spaces]
        # Per concept one list a space, transposed to one a model; models come first in the table.
        results = {
            concept: list(zip(*(each.per_model(concept) for each in views), strict=True)) for concept in view.concepts
        }
        rows = [
            (concept, model, results[concept][number])
            for number, model in enumerate(view.models)
            for concept in view.concepts
        ]
        return {"spaces": spaces, "rows": rows}
