"""How the house is built: bounds on names, comments, functions and classes, and no circle of imports."""

import pytest
from benchmarks.readability import circles, comment_lines, imports, long_functions, readability, sources, wide_classes

# Results and settings have a field for each column, key or figure.
RESULTS_AND_SETTINGS = {
    "result.ConceptResult",
    "result.ExplanationFacts",
    "concept_test.ConceptStatistics",
    "outcome.Outcome",
    "hypothesis.Hypothesis",
    "file.Experiment",
    "diff.ChangedEffect",
    "measured_pairs.PairedRow",
    "effects.InterventionEffect",
    "measure.TextMeasurement",
    "component.Component",
    "result.DiscoveryResult",
    "figures.VersionResult",
    "model_settings.ModelSettings",
}


@pytest.fixture(scope="module")
def counts():
    return readability(sources())


def test_few_names_are_pronouns(counts):
    assert counts.pronouns_in_1000 <= 10, counts.pronouns.most_common(10)


def test_comments_say_why_often_enough(counts):
    assert counts.comment_share >= 0.03


def test_no_function_is_long_and_run_tcav_fits_on_a_page():
    long = {name: length for file in sources() for name, length in long_functions(file, 40)}
    assert "run.run_tcav" not in long
    assert {name: length for name, length in long.items() if length > 60} == {}


def test_no_class_but_results_and_settings_has_more_than_fifteen_fields():
    wide = {name for file in sources() for name, _ in wide_classes(file, 15)}
    assert wide <= RESULTS_AND_SETTINGS


def test_no_modules_import_each_other():
    assert circles(imports()) == []


def test_circles_are_found_through_other_modules():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_directives_are_no_comments():
    assert comment_lines("a = 1  # why\nb = 2  # noqa: E501\n# pyright: ignore\n") == 1
