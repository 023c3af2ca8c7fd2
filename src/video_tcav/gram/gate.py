"""Representation test (the CAV gate): cross-validated accuracy of a CAV, with its own permutation p-value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.thresholds import LEVEL

GATE_PERMUTATIONS = 999
"""At most: each fits a CAV for every fold, and a p-value of 0.05 is told apart well enough."""
Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class CavGate:
    """How well the CAV tells concept clips from random clips that it has not seen.

    Attributes:
        accuracy: balanced, cross-validated with groups kept whole, in [0, 1]; 0.5 is chance.
        p_value: one-sided permutation p of it.
    """

    accuracy: float
    p_value: float

    @property
    def represented(self) -> bool:
        """Whether the layer encodes the concept: better than chance at the 5 % level."""
        return self.accuracy > 0.5 and self.p_value <= LEVEL


def cav_gates(
    cav: str | CavFitter,
    kernels: Mapping[Key, Kernel],
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Advance = no_progress,
) -> dict[Key, CavGate]:
    """Cross-validated accuracy of the CAV and its permutation p (never 0), at layers and twins that share permutations.

    Args:
        cav: how CAVs are learned.
        kernels: K of the comparison's clips at several layers and twins, rows as in its design.
        design: labels and groups of the clips.
        permutations: how many.
        seed: of folds and permutations.
        advance: told how many permutations of one layer or twin were done.
    """
    observed = cross_validated_accuracies(cav, kernels, design.labels[None], design.folds(seed)[None])
    as_high = dict.fromkeys(kernels, 0)
    for chunk in design.permuted_experiments(permutations, seed):
        permuted = cross_validated_accuracies(cav, kernels, chunk.labels, chunk.folds)
        for key in kernels:
            # shares of clips, each a ratio of small numbers: 1e-12 is rounding
            as_high[key] += int((permuted[key] >= observed[key] - 1e-12).sum())
            advance(len(permuted[key]))
    return {
        key: CavGate(accuracy=float(observed[key][0]), p_value=(1 + as_high[key]) / (permutations + 1))
        for key in kernels
    }


def cross_validated_accuracies(
    cav: str | CavFitter,
    kernels: Mapping[Key, Kernel],
    labels: Bool[np.ndarray, "draw row"],
    folds: Int[np.ndarray, "draw row"],
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """Balanced accuracy of the CAV with the threshold half-way between the means, over held-out folds.

    A clip exactly on the threshold counts half, and so do the clips of a fold whose training clips lack one kind.
    """
    fitter = cav_fitter(cav)
    counts = {True: labels.sum(1), False: (~labels).sum(1)}
    # each clip starts with half a point; a right answer adds the other half, a wrong one takes it
    correct = {key: {concept: count / 2 for concept, count in counts.items()} for key in kernels}
    for fold in np.unique(folds):
        test_rows = folds == fold
        # a draw whose training clips are all of one kind has no CAV; its clips keep their half points
        trainable = (labels & ~test_rows).any(1) & (~labels & ~test_rows).any(1)
        draws = np.flatnonzero(trainable & test_rows.any(1))
        if not draws.size:
            continue
        training = Labelling(labels=labels[draws], weights=(~test_rows[draws]).astype(float))
        tested = {True: test_rows[draws] & training.labels, False: test_rows[draws] & ~training.labels}
        for key, kernel in kernels.items():
            projections = fitter.fit(kernel, training) @ kernel
            # Σ |contrast| · projection is the sum of both means
            threshold = np.einsum("dr,dr->d", projections, np.abs(training.contrast)) / 2
            side = np.sign(projections - threshold[:, None])
            for concept, rows in tested.items():
                points = np.einsum("dr,dr->d", side, rows) / 2  # sums of halves are exact
                correct[key][concept][draws] += points if concept else -points
    return {key: (hits[True] / counts[True] + hits[False] / counts[False]) / 2 for key, hits in correct.items()}
