"""Section of a target: p-values of each significance test, where several were run."""

from collections.abc import Iterator, Sequence

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.significance_wording import caution_on, name_of
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


class Section(TemplateSection[TargetView]):
    name, title, order = "tests", "Significance tests beside each other", 700

    def values(self, view: TargetView) -> Values:
        # Tests that are to be relied on stand first, whichever judged the hypotheses.
        tests = sorted(dict.fromkeys(view.experiment.statistics.tests), key=lambda test: bool(caution_on(test)))
        if len(tests) < 2:
            return None
        rows = list(_rows(view, tests))
        return {
            "names": [name_of(test) for test in tests],
            "cautions": [caution_on(test) for test in tests if caution_on(test)],
            "rows": rows,
            "disagreements": sum(not agree for *_, agree in rows),
        }


def _rows(view: TargetView, tests: Sequence[str]) -> Iterator[tuple[str, list[ConceptResult], bool]]:
    """Model, its result for one concept with each test, and whether all tests agree."""
    views = [view.elsewhere(test=test) for test in tests]
    for number, model in enumerate(view.models):
        for concept in view.concepts:
            results = [row for test_view in views if (row := test_view.per_model(concept)[number]) is not None]
            if len(results) == len(tests):
                yield model, results, len({view.significant(row) for row in results}) == 1
