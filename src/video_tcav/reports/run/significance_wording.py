"""Wording of significance tests in reports: names, cautions and methods."""

from collections.abc import Iterator

from video_tcav.experiments import Experiment

_NAMES = {"permutation": "permutation test", "ttest": "t-test"}
_CAUTIONS = {
    "ttest": "The t-test is the one that the source paper used. It takes re-draws of the random clips around one fixed set of "
    "concept clips for independent data. So it calls most concepts significant, also those that mean nothing. Do not rely on it."
}
_CORRECTIONS = {
    "holm": "the Holm procedure",
    "bonferroni": "the Bonferroni procedure",
    "bh": "the Benjamini–Hochberg procedure",
    "maxt": "the max-T procedure of Westfall and Young",
}


def name_of(test: str) -> str:
    """A significance test in words."""
    return _NAMES.get(test, test)


def caution_on(test: str) -> str:
    """Why a test is not to be relied on; empty for a calibrated one."""
    return _CAUTIONS.get(test, "")


def repeats_caution(warning: str) -> bool:
    """Whether a warning of an analysis says what `caution_on` says at more length."""
    return "t-test" in warning and "anti-conservative" in warning


def tests_methods(experiment: Experiment) -> Iterator[str]:
    """Sentences of the methods text on the tests that were run, the first of which judged the hypotheses."""
    settings = experiment.statistics
    correction = _CORRECTIONS.get(settings.correction)
    adjusted = f"corrected for multiple tests by {correction}" if correction else "not corrected for multiple tests"
    if settings.tests[0] == "permutation":
        yield (
            f"Significance was tested by {settings.permutations:,} permutations of the labels of groups (two-sided), {adjusted}, "
            f"at the level of {settings.level:g}."
        )
    if "ttest" in settings.tests:
        role = "Significance was tested by" if settings.tests[0] == "ttest" else "For comparison, we also report"
        yield (
            f"{role} the t-test between TCAV scores of the concept and of "
            f"random sets ({settings.random_sets} sets), which is anti-conservative."
        )
