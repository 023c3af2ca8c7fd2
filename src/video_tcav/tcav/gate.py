"""The CAV gate: does the layer encode the concept at all? Cross-validated accuracy with its own permutation p."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.tcav.cavs import CavKind, fit_cavs
from video_tcav.tcav.design import Design
from video_tcav.tcav.kernel import Kernel

GATE_PERMUTATIONS = 999
GATE_LEVEL = 0.05


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
        return self.accuracy > 0.5 and self.p_value <= GATE_LEVEL


def cav_gate(
    kind: CavKind,
    kernel: Kernel,
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Callable[[int], None] = lambda _draws: None,
) -> CavGate:
    """Cross-validated accuracy of the CAV, and its permutation p (never 0)."""
    own = cross_validated_accuracy(kind, kernel, design.labels[None], design.folds(seed)[None])[0]
    reached = 0
    for chunk in design.relabellings(permutations, seed):
        drawn = cross_validated_accuracy(kind, kernel, chunk.labels, chunk.folds)
        reached += int((drawn >= own - 1e-12).sum())
        advance(len(drawn))
    return CavGate(accuracy=float(own), p_value=(1 + reached) / (permutations + 1))


def cross_validated_accuracy(
    kind: CavKind,
    kernel: Kernel,
    labels: Bool[np.ndarray, "draw row"],
    folds: Int[np.ndarray, "draw row"],
) -> Float[np.ndarray, " draw"]:
    """Balanced accuracy of the CAV with the threshold half-way between the means, over held-out folds.

    A clip exactly on the threshold counts half, and so do the clips of a fold whose training part lacks one kind.
    """
    credit = np.full(labels.shape, 0.5)
    for fold in np.unique(folds):
        held_out = folds == fold
        both = (labels & ~held_out).any(1) & (~labels & ~held_out).any(1)
        draws = np.flatnonzero(both & held_out.any(1))
        if draws.size:
            found = _credit(kind, kernel, labels[draws], ~held_out[draws])
            credit[draws] = np.where(held_out[draws], found, credit[draws])
    positive = (credit * labels).sum(1) / labels.sum(1)
    negative = (credit * ~labels).sum(1) / (~labels).sum(1)
    return (positive + negative) / 2


def _credit(
    kind: CavKind,
    kernel: Kernel,
    labels: Bool[np.ndarray, "draw row"],
    training: Bool[np.ndarray, "draw row"],
) -> Float[np.ndarray, "draw row"]:
    weights = training.astype(float)
    alphas = fit_cavs(kind, kernel, labels, weights)
    projections = alphas @ kernel
    positive, negative = weights * labels, weights * ~labels
    threshold = (projections * positive).sum(1) / positive.sum(1) + (projections * negative).sum(1) / negative.sum(1)
    side = np.sign(projections - threshold[:, None] / 2)
    return (1 + np.where(labels, side, -side)) / 2
