"""Section: three witnesses of the same claims, concept effect, intervention at the layer and edit of the pixels, side by side."""

from video_tcav.experiments import Witness
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import table
from video_tcav.reports.run.view import RunView
from video_tcav.tcav.wording import signed


class Section(TemplateSection[RunView]):
    name, title, order, folded = "witnesses", "Three witnesses of one claim", 350, False

    def values(self, view: RunView) -> Values:
        return {"witnesses": view.run.witnesses} if view.run.witnesses else None

    def markdown(self, view: RunView) -> str | None:
        rows = [
            (row.concept, row.target, row.model, row.player, *map(_witness, row.witnesses), row.verdict, row.look_at)
            for row in view.run.witnesses
        ]
        heads = ("concept", "class", "model", "of", "effect", "intervention", "edit", "verdict", "look at")
        return table(heads, rows) if rows else None


def _witness(said: Witness) -> str:
    return f"{said.by}: {said.says}" + ("" if said.value != said.value else f" ({signed(said.value)})")
