"""The null distribution of an effect under label permutations, and p-values from it."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram

Key = TypeVar("Key")


def permutation_null(
    cav: str | CavFitter,
    grams: Mapping[Key, Gram],
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Advance = no_progress,
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """The effect under permuted labels, for several layers and twins that share their permutations.

    Args:
        cav: how CAVs are learned.
        grams: K and C of the comparison's clips, rows as in its design.
        design: labels and groups of the clips.
        permutations: how many.
        seed: of the permutations.
        advance: told how many permutations of one layer or twin were done.
    """
    fitter = cav_fitter(cav)
    chunks: dict[Key, list[np.ndarray]] = {key: [] for key in grams}
    for labels in design.label_permutations(permutations, seed):
        labelling = Labelling(labels=labels)
        for key, gram in grams.items():
            # a CAV that depends on labels alone, such as the difference of the means, is shared through `labelling`
            chunks[key].append(fitter.effects(gram, labelling))
            advance(len(labels))
    return {key: np.concatenate(effects) for key, effects in chunks.items()}


def permutation_p(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """Two-sided `(1 + #{|T_b − c| ≥ |T − c|}) / (B + 1)`: never 0 (Phipson and Smyth 2010, arXiv:1603.05766).

    The centre c is the mean of all B + 1 effects, the observed one among them, so that the test stays exact. It is near 0
    unless groups hold concept and random clips in unequal shares.
    """
    centre = null_centre(effect, null)
    observed, drawn = abs(effect - centre), np.abs(null - centre)
    tolerance = 1e-9 * max(observed, float(drawn.max(initial=0)))  # equal effects differ in rounding
    return float((1 + (drawn >= observed - tolerance).sum()) / (len(null) + 1))


def null_centre(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """Mean of the effect and of those under permuted labels together."""
    return float((null.sum() + effect) / (len(null) + 1))


def z_score(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """The effect in standard deviations of the permutation null; 0 where the null does not vary."""
    spread = float(null.std())
    return (effect - float(null.mean())) / spread if spread > 0 else 0.0
