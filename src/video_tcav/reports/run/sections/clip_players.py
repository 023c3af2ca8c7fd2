"""Section: clips with the maps of each concept, and the timelines."""

from video_tcav.reports.run.clips import heat_table
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.timeline import line_look
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order, folded = "when", "Where and when it looked", 500, False

    def values(self, view: RunView) -> Values:
        players = list(enumerate(view.clips.players, start=1))
        if not players:
            return None
        # One clip of each model and target is open; the others are a click away.
        first = {(player.clip.model, player.clip.target): number for number, player in reversed(players)}.values()
        return {
            "looks": line_look,
            "heat": heat_table(),
            "first": [(number, player) for number, player in players if number in first],
            "others": [(number, player) for number, player in players if number not in first],
        }
