"""Tests of components in the half that found nothing: presence in the class, and effect of having the component."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core.progress import Advance, no_progress
from video_tcav.discovery.recorded_clips import RecordedClips
from video_tcav.gram.concept_test import TestSettings
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.studentised import contrast
from video_tcav.gram.thresholds import MIN_CLIPS, MIN_GROUPS
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import Measurement
from video_tcav.tcav.measure import measure

_STRONG_SHARE = 1 / 3
"""Of the class clips, and of the random clips, that count as having a component: those with most of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StrongClips:
    """Clips with much of a component, and as many class and random clips in proportion with little of it.

    Attributes:
        clips: numbers of all of them.
        strong: which of these have the component.
    """

    clips: Int[np.ndarray, " chosen"]
    strong: Bool[np.ndarray, " chosen"]


def presence_p_values(
    presences: Float[np.ndarray, "clip component"], design: Design, *, permutations: int, seed: int
) -> Float[np.ndarray, " component"]:
    """Permutation p of the studentised difference of presence between class and random clips, for each component.

    Whole groups are relabelled; exact where the groups of both kinds are exchangeable.

    Args:
        presences: of the clips of the design, in its order.
        design: class clips labelled true.
        permutations: how many.
        seed: of these.
    """
    labellings = np.concatenate([design.labels[None], *design.label_permutations(permutations, seed)])
    statistics = contrast(design, presences, labellings).statistic()
    return np.asarray([permutation_p(float(column[0]), column[1:]) for column in statistics.T])


def strong_clips(
    presences: Float[np.ndarray, " clip"],
    of_class: Bool[np.ndarray, " clip"],
    units: Int[np.ndarray, " clip"],
    among: Int[np.ndarray, " chosen"],
) -> StrongClips:
    """The third of the class clips and the third of the random clips with most of a component, against those with least.

    Within class and within random clips apart: the two sides then hold class clips in equal shares, and whatever else sets
    the class apart cancels. Where few clips have any of it, these are strong, and twice as many others stand against them.

    Args:
        presences: of all clips.
        of_class: whether each is a class clip.
        units: the source of each, which counts as a whole.
        among: clips to choose from.
    """
    chosen, strong = [], []
    for is_class in (True, False):
        stratum = among[of_class[among] == is_class]
        names, unit_of = np.unique(units[stratum], return_inverse=True)
        means = np.bincount(unit_of, presences[stratum]) / np.bincount(unit_of)
        order = np.argsort(-means, kind="stable")
        count = min(int(len(names) * _STRONG_SHARE), int((means > means.min()).sum()))
        is_strong = np.isin(unit_of, order[:count])
        is_weak = np.isin(unit_of, order[len(order) - 2 * count :])
        chosen.append(stratum[is_strong | is_weak])
        strong.append(is_strong[is_strong | is_weak])
    return StrongClips(clips=np.concatenate(chosen), strong=np.concatenate(strong))


def comparison_of(name: str, strong: StrongClips, clips: RecordedClips) -> Comparison | None:
    """Clips with a component against those without, with their rows; `None` where there are too few to compare."""
    labels = strong.strong
    design = clips.design(strong.clips, labels)
    enough = (
        labels.sum() >= MIN_CLIPS and design.n_concept_groups >= MIN_GROUPS and design.n_random_groups >= MIN_GROUPS
    )
    if not enough or design.smallest_p() == 1:
        return None
    return Comparison(
        concept=name,
        versus="random",
        negatives="as given",
        design=design,
        rows={"none": clips.rows[strong.clips]},
        warnings=(),
    )


def measured_effects(
    comparisons: Mapping[str, Comparison],
    layer: str,
    gram: Gram,
    class_groups: list[int],
    settings: TestSettings,
    advance: Advance = no_progress,
) -> dict[str, Measurement]:
    """Effect, interval and p of each component of a layer, as of any concept.

    Args:
        comparisons: by the component's name.
        layer: dotted module name.
        gram: K and C of all rows of the layer.
        class_groups: group of each gradient clip.
        settings: how to test.
        advance: told how many components were tested.
    """
    measurements = {}
    for name, comparison in comparisons.items():
        [(measurement, _)] = measure(comparison, {layer: gram}, class_groups, settings).values()
        measurements[name] = measurement
        advance(1)
    return measurements
