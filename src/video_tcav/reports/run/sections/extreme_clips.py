"""Section: the class clips with the highest and the lowest effect of each concept."""

from collections.abc import Iterator

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_clip
from video_tcav.reports.run.view import RunView, TargetView, deepest


class Section(TemplateSection[RunView]):
    name, title, order = "most", "At which clip each concept raised or lowered the class most", 600

    def values(self, view: RunView) -> Values:
        if view.experiment.at != "class":
            return None
        rows = [row for target in view.targets for row in _rows(view, target)]
        return {"rows": rows} if rows else None


def _rows(view: RunView, target: TargetView) -> Iterator[tuple[str, str, str, list[tuple[str, int | None, float]]]]:
    """Target, model, concept, and of the clips with the highest and the lowest effect file, number of its player, and effect."""
    players = {
        (player.clip.model, player.clip.target, player.clip.clip, player.clip.window): number
        for number, player in enumerate(view.clips.players, start=1)
    }
    for model, analysis in zip(target.models, target.analyses, strict=True):
        for concept in target.concepts:
            stored = analysis.get(concept, deepest(analysis))
            # Where the gradient is taken at random clips, there is no effect by clip.
            if stored is None or not len(stored.by_clip):
                continue
            ends = []
            for index in (int(stored.by_clip.argmax()), int(stored.by_clip.argmin())):
                clip, window = analysis.clips[index]
                number = players.get((analysis.which.model, target.target, clip, window))
                file = short_clip(clip, window if view.experiment.windows > 1 else None)
                ends.append((file, number, float(stored.by_clip[index])))
            yield target.target, model, concept, ends
