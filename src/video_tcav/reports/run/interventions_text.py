"""Methods text on interventions: what was done to activations, and what that was compared with."""

import math

from video_tcav.reports.run.text import listed
from video_tcav.reports.run.view import RunView

_OPERATIONS = {
    "step": "A step, taken at {place} clips, adds and subtracts the difference between the mean activations of concept and "
    "random clips.",
    "clamp": "Clamping sets a clip's coordinate along the CAV to that of the mean concept or of the mean random clip.",
    "remove": "Removing sets it to that of the mean random clip.",
    "restore": "Restoring gives a twin the coordinate of the clip itself, and counts what share of its loss that gives back.",
    "dose": "Dose curves add multiples of the difference.",
}


def interventions_text(view: RunView) -> str:
    """A paragraph; nothing where no operation was made."""
    effects = [effect for analysis in view.run.analyses for effect in analysis.interventions]
    if not effects:
        return ""
    layers = listed(list(dict.fromkeys(effect.layer for effect in effects)))
    made = {effect.operation for effect in effects}
    places = {stored.result.step_at for analysis in view.run.analyses for stored in analysis.found}
    sentences = [text.format(place=listed(sorted(places))) for name, text in _OPERATIONS.items() if name in made]
    if not all(math.isnan(effect.p_value) for effect in effects):
        sentences.append(
            f"These were compared with the same along {view.experiment.interventions.relabellings} CAVs of permuted labels."
        )
    return f"From {layers} on, the rest of the network was run again with edited activations. {' '.join(sentences)}"
