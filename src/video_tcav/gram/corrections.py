"""Corrections for many tests: Holm, Bonferroni, Benjamini–Hochberg, and Westfall and Young's step-down max-T."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from statsmodels.stats.multitest import multipletests

from video_tcav.gram.label_permutations import null_centre

Correction = Literal["holm", "bonferroni", "bh", "maxt", "none"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
_STATSMODELS_NAMES = {"holm": "holm", "bonferroni": "bonferroni", "bh": "fdr_bh"}


def adjust(
    p_values: Sequence[float],
    correction: Correction,
    *,
    observed: Sequence[float] | None = None,
    nulls: Sequence[Float[np.ndarray, " draw"]] | None = None,
) -> list[float]:
    """Adjust one family of p-values for its size.

    Args:
        p_values: of the family.
        correction: `holm`, `bonferroni`, `bh` (false discovery rate), `maxt` (Westfall and Young's step-down) or `none`.
        observed: the tests' statistics, for `maxt`.
        nulls: the statistics under permuted labels, for `maxt`; draw b of each comes from the same permutation.
    """
    if correction == "none" or not p_values:
        return list(p_values)
    if correction == "maxt":
        assert observed is not None and nulls is not None
        return max_t(observed, nulls)
    return np.asarray(multipletests(p_values, method=_STATSMODELS_NAMES[correction])[1]).tolist()


def adjust_finite(p_values: Sequence[float], correction: Correction) -> list[float]:
    """As `adjust`, over those p-values that are numbers; the others stay NaN."""
    adjusted = iter(adjust([p for p in p_values if not math.isnan(p)], correction))
    return [p if math.isnan(p) else next(adjusted) for p in p_values]


def max_t(observed: Sequence[float], nulls: Sequence[Float[np.ndarray, " draw"]]) -> list[float]:
    """Step-down max-T on statistics in units of their null's spread (Westfall and Young 1993, algorithm 4.1)."""
    centres = [null_centre(effect, null) for effect, null in zip(observed, nulls, strict=True)]
    spreads = [null.std() or 1.0 for null in nulls]
    sizes = np.abs([(e - c) / s for e, c, s in zip(observed, centres, spreads, strict=True)])
    drawn = np.abs([(null - c) / s for null, c, s in zip(nulls, centres, spreads, strict=True)])
    order = np.argsort(-sizes, kind="stable")
    # each effect is compared with the largest draw among itself and all smaller ones
    largest = np.maximum.accumulate(drawn[order[::-1]])[::-1]
    exceeded = (largest >= sizes[order, None] - 1e-9).sum(1)  # equal effects differ in rounding
    adjusted = np.empty(len(sizes))
    adjusted[order] = np.maximum.accumulate((1 + exceeded) / (drawn.shape[1] + 1))  # p rises as effects get smaller
    return adjusted.tolist()
