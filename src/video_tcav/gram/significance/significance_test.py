"""What a significance test is: an object that draws what it needs, and turns an effect's draws into a p-value."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.corrections import Correction
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import BootstrapT, Resamples

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """How many draws, and the seed of all; see `run_tcav`."""

    permutations: int = 9999
    random_sets: int = 500
    bootstraps: int = 1000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LabelDraws:
    """What a test that permutes labels has drawn for one layer and twin, or for the difference of two.

    Attributes:
        effects: under permuted labels, in target units.
        statistics: what the test compares, under the same permutations; the effects themselves or the studentised ones.
        observed: the statistic under the observed labels.
    """

    effects: Float[np.ndarray, " draw"]
    statistics: Float[np.ndarray, " draw"]
    observed: float


TestDraws = LabelDraws | Float[np.ndarray, "draw ..."]
TwinPairs = Mapping[Key, tuple[Key, Key]]
"""Differences of effects that are wanted, such as motion effects: the key of each, with those of clips and twin."""


@dataclass(frozen=True, kw_only=True)
class EffectDraws:
    """An effect at each class clip, and everything that was drawn around it: for one layer and twin, or a difference of two.

    Attributes:
        resamples: the effect at each class clip, and effects in bootstrap draws of the groups.
        random_sets: effects of CAVs against random sets.
        sides: variance of the responses of concept and of random clips, and their independent groups; see `Contrast.sides`.
        class_groups: independent groups of class clips.
        test: what the significance test drew.
    """

    resamples: Resamples
    random_sets: Float[np.ndarray, "set class_clip"]
    sides: tuple[tuple[float, int], ...]
    class_groups: int
    test: TestDraws

    @property
    def by_clip(self) -> Float[np.ndarray, " class_clip"]:
        return self.resamples.by_clip

    @property
    def effect(self) -> float:
        return self.resamples.effect

    @cached_property
    def bootstrap(self) -> Float[np.ndarray, " draw"]:
        return self.resamples.draws()

    @cached_property
    def bootstrap_t(self) -> BootstrapT:
        return BootstrapT.of(self.resamples, self.sides, self.class_groups)


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """What a test says of an effect.

    Attributes:
        statistic: such as t or z.
        p_value: two-sided.
        p_perm: the part of it that label permutations give; NaN where none were made.
    """

    __test__ = False  # pytest would take the class for a test

    statistic: float
    p_value: float
    p_perm: float = math.nan


def mean_responses(grams: Mapping[Key, Gram], twins: TwinPairs[Key]) -> dict[Key, Float[np.ndarray, " row"]]:
    """Each clip's activation along the mean class gradient, of which effects are average differences; last those of twins."""
    responses = {key: gram.mean_cross for key, gram in grams.items()}
    return responses | {key: responses[clips] - responses[twin] for key, (clips, twin) in twins.items()}


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
        permutes_labels: whether `draw` gives `LabelDraws`. Then the number of groups and of permutations bounds p-values from
            below, and max-T can correct them.
        assumes_equal_spread: whether false alarms go up or down where sets differ in size and in spread.
        resamples_groups: whether the p-value is at least that of the effect over its bootstrap standard error (`p_t`).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    caveat: ClassVar[str] = ""
    warning: ClassVar[str] = ""
    caution: ClassVar[str] = ""
    default_correction: ClassVar[Correction | None] = None
    permutes_labels: ClassVar[bool] = False
    assumes_equal_spread: ClassVar[bool] = False
    resamples_groups: ClassVar[bool] = False

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
        twins: TwinPairs[Key],
        advance: Advance = no_progress,
    ) -> Mapping[Key, TestDraws]:
        """The draws of the test at several layers and twins, with the same random numbers for all; none by default.

        Args:
            cav: how CAVs are learned.
            grams: K and C of the comparison's clips, rows as in its design.
            design: labels and groups of the clips.
            settings: how many draws were asked for, and their seed.
            twins: differences of these effects that are wanted as well.
            advance: told how many draws were done.
        """
        return dict.fromkeys([*grams, *twins], np.zeros(0))

    @abstractmethod
    def outcome(self, draws: EffectDraws) -> TestOutcome:
        """The test's statistic and its two-sided p-value."""
