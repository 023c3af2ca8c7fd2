"""The CAV gate: does the layer encode the concept at all? Cross-validated accuracy with its own permutation p."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.cavs import CavKind, fit_cavs, label_contrast
from video_tcav.gram.design import Design
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.thresholds import LEVEL

GATE_PERMUTATIONS = 999
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
    kind: CavKind,
    kernels: Mapping[Key, Kernel],
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Callable[[int], None] = lambda _draws: None,
) -> dict[Key, CavGate]:
    """Cross-validated accuracy of the CAV and its permutation p (never 0), at layers and twins that share relabellings."""
    own = cross_validated_accuracies(kind, kernels, design.labels[None], design.folds(seed)[None])
    reached = dict.fromkeys(kernels, 0)
    for chunk in design.relabelled_experiments(permutations, seed):
        drawn = cross_validated_accuracies(kind, kernels, chunk.labels, chunk.folds)
        for key in kernels:
            reached[key] += int((drawn[key] >= own[key] - 1e-12).sum())
            advance(len(drawn[key]))
    return {
        key: CavGate(accuracy=float(own[key][0]), p_value=(1 + reached[key]) / (permutations + 1)) for key in kernels
    }


def cross_validated_accuracies(
    kind: CavKind,
    kernels: Mapping[Key, Kernel],
    labels: Bool[np.ndarray, "draw row"],
    folds: Int[np.ndarray, "draw row"],
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """Balanced accuracy of the CAV with the threshold half-way between the means, over held-out folds.

    A clip exactly on the threshold counts half, and so do the clips of a fold whose training part lacks one kind.
    """
    counts = {True: labels.sum(1), False: (~labels).sum(1)}
    right = {key: {concept: count / 2 for concept, count in counts.items()} for key in kernels}
    for fold in np.unique(folds):
        held_out = folds == fold
        both = (labels & ~held_out).any(1) & (~labels & ~held_out).any(1)
        draws = np.flatnonzero(both & held_out.any(1))
        if not draws.size:
            continue
        training, mine = (~held_out[draws]).astype(float), labels[draws]
        tested = {True: held_out[draws] & mine, False: held_out[draws] & ~mine}
        contrast = label_contrast(mine, training)
        for key, kernel in kernels.items():
            alphas = contrast if kind == "mean" else fit_cavs(kind, kernel, mine, training)
            projections = alphas @ kernel
            threshold = np.einsum("dr,dr->d", projections, np.abs(contrast)) / 2  # half-way between both means
            side = np.sign(projections - threshold[:, None])
            for concept, rows in tested.items():
                gained = np.einsum("dr,dr->d", side, rows) / 2  # sums of halves are exact
                right[key][concept][draws] += gained if concept else -gained
    return {key: (found[True] / counts[True] + found[False] / counts[False]) / 2 for key, found in right.items()}
