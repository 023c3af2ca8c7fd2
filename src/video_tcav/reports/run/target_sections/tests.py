"""Section of a target: p-values of each significance test that was run."""

from dataclasses import dataclass

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.significance_wording import caution_on, name_of
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


@dataclass(frozen=True, kw_only=True)
class TestsReading:
    """One concept under each test in one model, at the deepest layer."""

    model: str
    results: tuple[ConceptResult, ...]
    agree: bool


class Section(ReportSection[TargetView]):
    """Significance tests, where there are several."""

    name, title, order = "tests", "Significance tests beside each other", 700

    def html(self, view: TargetView) -> Markup | None:
        # Tests that are to be relied on stand first, whichever judged the hypotheses.
        tests = sorted(dict.fromkeys(view.experiment.statistics.tests), key=lambda test: bool(caution_on(test)))
        if len(tests) < 2:
            return None
        readings = _readings(view, tests)
        return render_fragment(
            "target_sections/tests.html.j2",
            view=view,
            names=[name_of(test) for test in tests],
            cautions=[caution_on(test) for test in tests if caution_on(test)],
            readings=readings,
            disagreements=sum(not reading.agree for reading in readings),
        )


def _readings(view: TargetView, tests: list[str]) -> list[TestsReading]:
    """One for each model and concept."""
    views = [view.elsewhere(test=test) for test in tests]
    readings = []
    for number, model in enumerate(view.models):
        for concept in view.concepts:
            rows = [test_view.find(test_view.analyses[number], concept) for test_view in views]
            results = tuple(row for row in rows if row is not None)
            if len(results) == len(views):
                agree = len({view.significant(row) for row in results}) == 1
                readings.append(TestsReading(model=model, results=results, agree=agree))
    return readings
