"""Section: how much of the target the concepts explain together, each one's share, and the clips that they explain worst."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_clip, table
from video_tcav.reports.run.view import RunView
from video_tcav.tcav.completeness import MANIFEST, RunCompleteness


@dataclass(frozen=True, kw_only=True)
class ExplainedTarget:
    """What the concepts explain of one target in one model.

    Attributes:
        target: class.
        model: its short name.
        measured: what was measured.
        clips: names of the unexplained clips, in their order.
        commands: that put them into a bank for review; none where they are no files.
    """

    target: str
    model: str
    measured: RunCompleteness
    clips: tuple[str, ...]
    commands: tuple[str, ...]


class Section(TemplateSection[RunView]):
    name, title, order = "completeness", "Is that all?", 650

    def values(self, view: RunView) -> Values:
        measured, reasons = view.once(_explained_targets), view.once(_reasons)
        return {"measured": measured, "reasons": reasons} if measured or reasons else None

    def markdown(self, view: RunView) -> str | None:
        measured = view.once(_explained_targets)
        heads = ("Class", "Model", "Layer", "Concepts explain", "Relabelled concepts", "All directions", "Clips")
        rows = [
            (each.target, each.model, each.measured.layer, *_figures(each.measured), str(each.measured.n_clips))
            for each in measured
        ]
        return table(heads, rows) if rows else None


def _figures(measured: RunCompleteness) -> tuple[str, str, str]:
    explained = (
        f"{_percent(measured.explained)} ({_percent(measured.explained_low)} to {_percent(measured.explained_high)})"
    )
    return explained, _percent(measured.relabelled), _percent(measured.all_directions)


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _explained_targets(view: RunView) -> list[ExplainedTarget]:
    return list(_each_measured(view))


def _each_measured(view: RunView) -> Iterator[ExplainedTarget]:
    for target in view.targets:
        for model, analysis in zip(target.models, target.analyses, strict=True):
            measured = analysis.completeness()
            if measured is None:
                continue
            several = view.experiment.windows > 1
            manifest = analysis.folder / MANIFEST
            place = manifest.relative_to(view.run.path).as_posix()
            commands = (
                f"video-tcav bank import BANK {shlex.quote(place)} --verdict open",
                "video-tcav studio BANK",
            )
            yield ExplainedTarget(
                target=target.target,
                model=model,
                measured=measured,
                clips=tuple(short_clip(clip.clip, clip.window if several else None) for clip in measured.clips),
                commands=commands if manifest.exists() else (),
            )


def _reasons(view: RunView) -> tuple[str, ...]:
    """Why it was not measured, each reason once."""
    stored = [analysis.record.get("completeness") for target in view.targets for analysis in target.analyses]
    return tuple(dict.fromkeys(each["sentence"] for each in stored if each and "layer" not in each))
