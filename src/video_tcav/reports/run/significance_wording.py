"""Wording of significance tests in reports: names, cautions and methods, as each test says them."""

from collections.abc import Iterator

from video_tcav.experiments import Experiment
from video_tcav.gram import DrawSettings, significance_test

_CORRECTIONS = {
    "holm": "the Holm procedure",
    "bonferroni": "the Bonferroni procedure",
    "bh": "the Benjamini–Hochberg procedure",
    "maxt": "the max-T procedure of Westfall and Young",
}


def name_of(test: str) -> str:
    """A significance test in words."""
    return significance_test(test).title


def caution_on(test: str) -> str:
    """Why a test is not to be relied on; empty for a calibrated one."""
    return significance_test(test).caution


def repeats_caution(warning: str, experiment: Experiment) -> bool:
    """Whether a warning of an analysis says what `caution_on` says at more length."""
    tests = [significance_test(test) for test in experiment.statistics.tests]
    return any(warning == test.warning and test.caution for test in tests)


def tests_methods(experiment: Experiment) -> Iterator[str]:
    """Sentences of the methods text on the tests that were run, the first of which judged the hypotheses."""
    settings = experiment.statistics
    draws = DrawSettings(permutations=settings.permutations, random_sets=settings.random_sets)
    first, *others = (significance_test(test) for test in settings.tests)
    correction = _CORRECTIONS.get(first.default_correction or settings.correction)
    adjusted = f"corrected for multiple tests by {correction}" if correction else "not corrected for multiple tests"
    yield f"Significance was tested by {first.methods_text(draws)}, {adjusted}, at the level of {settings.level:g}."
    for test in others:
        yield f"For comparison, we also report {test.methods_text(draws)}."
