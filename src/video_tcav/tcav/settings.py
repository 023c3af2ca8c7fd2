"""Settings of a test: the question's choices, and the one place of each setting of the statistics."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from video_tcav.core.errors import InputError
from video_tcav.core.settings import Settings, setting
from video_tcav.gram.cavs.registry import CAV_FITTERS, cav_fitter
from video_tcav.gram.significance.registry import SIGNIFICANCE_TESTS, significance_test

if TYPE_CHECKING:  # the command line lists the settings without loading NumPy
    from video_tcav.gram.cavs.fitter import CavFitter
    from video_tcav.gram.significance.significance_test import SignificanceTest

At = Literal["class", "random"]
"""Where the gradient is taken: at clips of the class, or at random clips that are set aside for it."""
PLACES: tuple[At, ...] = get_args(At)
Negatives = Literal["matched", "moving"]
"""What becomes of random clips beside a concept that does not move: frozen to match, or left as they are."""
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
MOST_PAIRS = 100
"""Pairs of clips with and without a concept that are measured; drawn from as many groups as there are."""
Correction = Literal["holm", "bonferroni", "bh", "maxt", "none"]
USUAL_CORRECTION: Correction = "holm"
if TYPE_CHECKING:
    Cav = str | CavFitter
    Significance = str | SignificanceTest
else:  # names of every kind that is installed, for the command line and the schema; functions take objects as well
    Cav = Literal[CAV_FITTERS.names()]
    Significance = Literal[SIGNIFICANCE_TESTS.names()]


@dataclass(frozen=True, kw_only=True)
class InterventionSettings(Settings):
    """What the model would say: how activations are edited, and where."""

    TITLE = "Interventions"

    intervene: str = setting(
        "step",
        "What to do to activations: step, clamp, remove, restore, dose, with commas between; or none.",
        metavar="OPERATIONS",
        methods="The rest of the network was run again with edited activations: {value}.",
        docs="See [interventions](interventions.md).",
    )
    intervene_at: str = setting(
        "deepest",
        "Layers where that is done: the deepest of those tested, all of them, or names with commas between.",
        metavar="deepest|all|LAYERS",
    )
    step_at: At = setting(
        "random",
        "Whose activations a step moves: random clips, or clips of the class. Other operations are of the gradient clips.",
        docs="See [where a step is taken](interventions.md#where-a-step-is-taken).",
    )
    relabellings: int = setting(
        199,
        "CAVs of permuted labels that clamp, remove and restore are compared with; 0 makes no p-values, and is much faster.",
        most=10**6,
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class StatisticsSettings(Settings):
    """How CAVs are learned and effects tested."""

    TITLE = "Statistics"

    cav: Cav = setting(
        "mean",
        "How a CAV is learned.",
        docs="See [CAVs](method.md#cavs). `logistic` and `svm` are fitted anew in each draw, which is slow for `svm`.",
    )
    significance: Significance = setting(
        "studentised",
        "studentised permutations and t over class clips; or one of the older tests, which have more false alarms.",
        docs="See [significance](method.md#significance).",
    )
    correction: Correction | None = setting(
        None,
        "How p-values are corrected for many tests.",
        default_text="holm, or bonferroni with the t-test",
        docs="See [families](reading-results.md#families).",
    )
    permutations: int = setting(9999, "Label permutations of the permutation test.", least=1, most=10**9)
    random_sets: int = setting(
        500, "Random sets for the spread of the TCAV score, and for the t-test.", least=2, most=10**6
    )
    bootstraps: int = setting(1000, "Resamples of the groups for the 95 % intervals.", least=2, most=10**7)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.correction == "maxt" and not self.test.permutes_labels:
            cure = self.test.default_correction or USUAL_CORRECTION
            raise InputError(
                f"`correction` must not be maxt with the {self.test.title}. Got maxt, which needs label permutations. Use {cure}."
            )

    @cached_property
    def fitter(self) -> "CavFitter":
        return cav_fitter(self.cav)

    @cached_property
    def test(self) -> "SignificanceTest":
        return significance_test(self.significance)

    def for_provenance(self) -> dict[str, Any]:
        """The settings that can change results, with the correction that stands for none given."""
        correction = self.correction or self.test.default_correction or USUAL_CORRECTION
        names = {"cav": self.fitter.name, "significance": self.test.name, "correction": correction}
        return super().for_provenance() | names
