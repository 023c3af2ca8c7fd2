"""Section of a target: p-values of each significance test, where several were run."""

from collections.abc import Iterator, Sequence

from video_tcav.gram import significance_test
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


class Section(TemplateSection[TargetView]):
    name, title, order = "tests", "Significance tests beside each other", 700

    def values(self, view: TargetView) -> Values:
        # Tests that are to be relied on stand first, whichever judged the hypotheses.
        tests = {name: significance_test(name) for name in view.experiment.statistics.tests}
        tests = dict(sorted(tests.items(), key=lambda item: bool(item[1].caution)))
        if len(tests) < 2:
            return None
        rows = list(_rows(view, list(tests)))
        return {
            "names": [test.title for test in tests.values()],
            "cautions": [test.caution for test in tests.values() if test.caution],
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
