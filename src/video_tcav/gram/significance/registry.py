"""The registry of significance tests; other packages add theirs by entry points of `video_tcav.significance_tests`."""

from typing import TYPE_CHECKING

from video_tcav.core.registry import Registry

if TYPE_CHECKING:  # the command line lists the names without loading NumPy
    from video_tcav.gram.significance.significance_test import SignificanceTest

SIGNIFICANCE_TESTS: "Registry[SignificanceTest]" = Registry(
    "video_tcav.significance_tests",
    "significance",
    {
        "studentised": "video_tcav.gram.significance.studentised:StudentisedTest",
        "permutation": "video_tcav.gram.significance.permutation:PermutationTest",
        "ttest": "video_tcav.gram.significance.random_set_ttest:RandomSetTTest",
    },
    members=("name", "title", "help", "methods_text", "draw", "outcome"),
)


def significance_test(significance: "str | SignificanceTest") -> "SignificanceTest":
    """The test of that name, or the object itself.

    Raises:
        InputError: if there is no such test.
        PluginError: if the package that adds it cannot be used.
    """
    return SIGNIFICANCE_TESTS.resolve(significance)
