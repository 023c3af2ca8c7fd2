"""Report of a test, which is a run without hypotheses: sentences and effects in place of verdicts."""

from dataclasses import replace

from video_tcav.reports.run.answer import Answer, answer
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import RunView

# Sections on hypotheses, and on the experiment file.
_OF_EXPERIMENTS = ("verdicts", "again")


def without_verdicts(sections: list[ReportSection[RunView]]) -> list[ReportSection[RunView]]:
    """The sections that do not need hypotheses."""
    return [section for section in sections if section.name not in _OF_EXPERIMENTS]


def answer_of_test(view: RunView) -> Answer:
    """The answer, from the effects: one sentence a concept."""
    concepts, targets = " or ".join(view.experiment.all_concepts()), " or ".join(view.experiment.targets)
    return replace(
        answer(view),
        asked=f"Does {concepts} raise or lower “{targets}”? Nothing was claimed before the test.",
        findings=tuple(("", (sentence,)) for sentence in view.run.sentences()),
    )
