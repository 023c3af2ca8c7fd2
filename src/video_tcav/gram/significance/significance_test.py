"""What a significance test is: an object that draws what it needs, and turns an effect's draws into a p-value."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.corrections import Correction
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """How many draws, and the seed of all; see `run_tcav`."""

    permutations: int = 9999
    random_sets: int = 500
    bootstraps: int = 1000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class EffectDraws:
    """An effect at each class clip, and everything that was drawn around it: for one layer and twin, or a difference of two.

    Attributes:
        by_clip: effect at each class clip; their average is the effect.
        bootstrap: effects in resamples of the groups.
        random_sets: effects of CAVs against random sets.
        test: what the significance test drew, one draw a row.
    """

    by_clip: Float[np.ndarray, " class_clip"]
    bootstrap: Float[np.ndarray, " draw"]
    random_sets: Float[np.ndarray, "set class_clip"]
    test: Float[np.ndarray, "draw ..."]

    @property
    def effect(self) -> float:
        return float(self.by_clip.mean())

    def minus(self, twin: "EffectDraws") -> "EffectDraws":
        """The difference, draw by draw: both were drawn with the same random numbers."""
        return EffectDraws(
            by_clip=self.by_clip - twin.by_clip,
            bootstrap=self.bootstrap - twin.bootstrap,
            random_sets=self.random_sets - twin.random_sets,
            test=self.test - twin.test,
        )


class SignificanceTest(ABC):
    """A significance test. Subclass it, and register the class by an entry point of `video_tcav.significance_tests`.

    Attributes:
        name: what users write, as in `significance="permutation"`.
        title: its name in sentences, such as "permutation test".
        help: one line for the command line.
        caveat: stands before its p-values in sentences, such as "t-test, anti-conservative".
        warning: one line that every result carries, with what to use instead; empty if there is nothing to beware of.
        caution: the same for readers of a report.
        default_correction: for many tests, where the caller names none, and in experiment files in any case.
        permutes_labels: whether `draw` gives effects under label permutations. Then the number of groups and of permutations
            bounds p-values from below, max-T can correct them, and draws of two concepts can be subtracted.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    caveat: ClassVar[str] = ""
    warning: ClassVar[str] = ""
    caution: ClassVar[str] = ""
    default_correction: ClassVar[Correction | None] = None
    permutes_labels: ClassVar[bool] = False

    @abstractmethod
    def methods_text(self, settings: DrawSettings) -> str:
        """What a report's methods section says significance was tested by, such as "999 permutations of labels"."""

    def steps(self, settings: DrawSettings) -> int:
        """How many draws of one layer and twin `draw` reports as progress."""
        return 0

    def draw(
        self,
        cav: CavFitter,
        grams: Mapping[Key, Gram],
        design: Design,
        settings: DrawSettings,
        advance: Advance = no_progress,
    ) -> dict[Key, Float[np.ndarray, "draw ..."]]:
        """The draws of the test at several layers and twins, with the same random numbers for all; none by default.

        Args:
            cav: how CAVs are learned.
            grams: K and C of the comparison's clips, rows as in its design.
            design: labels and groups of the clips.
            settings: how many draws were asked for, and their seed.
            advance: told how many draws were done.
        """
        return dict.fromkeys(grams, np.zeros(0))

    @abstractmethod
    def statistic_and_p(self, draws: EffectDraws) -> tuple[float, float]:
        """The test's statistic, such as z or t, and its two-sided p-value."""
