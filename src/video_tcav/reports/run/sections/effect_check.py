"""Section: how far effects predict plain edits of the class clips, by layer and estimate."""

from collections.abc import Iterator

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import text_of
from video_tcav.reports.run.view import RunView
from video_tcav.tcav import EffectCheck


class Section(TemplateSection[RunView]):
    name, title, order = "edits", "Do effects predict edits of the clips?", 575

    def values(self, view: RunView) -> Values:
        checks = list(_checks(view))
        return {"checks": checks} if checks else None

    def markdown(self, view: RunView) -> str | None:
        lines = [
            f"- {f'{text_of(model)}: ' if view.many_models else ''}{text_of(sentence)}"
            for model, check in _checks(view)
            for sentence in check.sentences()
        ]
        return "\n".join(lines) or None


def _checks(view: RunView) -> Iterator[tuple[str, EffectCheck]]:
    """Each check with its model; analyses of one model and target share one."""
    for target in view.targets:
        for model, analysis in zip(target.models, target.analyses, strict=True):
            if analysis.effect_check is not None:
                yield model, analysis.effect_check
