"""Settings of a test: the question's choices, and the one place of each setting of the statistics."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from video_tcav.core.errors import InputError
from video_tcav.core.settings import Settings, setting

At = Literal["class", "random"]
"""Where the gradient is taken: at clips of the class, or at random clips that are set aside for it."""
PLACES: tuple[At, ...] = get_args(At)
Negatives = Literal["matched", "moving"]
"""What becomes of random clips beside a concept that does not move: frozen to match, or left as they are."""
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
Cav = Literal["mean", "ridge", "logistic", "svm"]
Significance = Literal["permutation", "ttest"]
Correction = Literal["holm", "bonferroni", "bh", "maxt", "none"]


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
        "permutation",
        "permutation, or the source paper's t-test, which is anti-conservative.",
        docs="See [the t-test's warning](reading-results.md#the-t-tests-warning).",
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
        if self.significance == "ttest" and self.correction == "maxt":
            raise InputError(
                "`correction` must not be maxt with the t-test. Got maxt, which needs label permutations. Use bonferroni."
            )

    def for_provenance(self) -> dict[str, Any]:
        """The settings that can change results, with the correction that stands for none given."""
        correction = self.correction or ("bonferroni" if self.significance == "ttest" else "holm")
        return super().for_provenance() | {"correction": correction}
