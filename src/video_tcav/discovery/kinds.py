"""Kinds of components by twins: what of a component's presence stays when clips are frozen, reversed or shuffled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.concepts import Twin
from video_tcav.core import random_streams
from video_tcav.discovery.component import ComponentKind
from video_tcav.gram.design import bootstrap_weights

_HALF = 0.5
"""A component whose presence stays to more than a half survives; where the interval holds a half, noise decides."""
_DRAWS = 400
_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Retained:
    """Share of the presence that stays in a twin, with its 95 % interval over groups; NaN where there are no twins."""

    share: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def stays(self) -> bool:
        """Whether more than a half surely stays."""
        return self.low > _HALF

    @property
    def goes(self) -> bool:
        """Whether less than a half surely stays."""
        return self.high < _HALF


NOT_MEASURED = Retained()


def retained(
    clips: Float[np.ndarray, " clip"],
    twins: Float[np.ndarray, " clip"],
    strong: Bool[np.ndarray, " clip"],
    groups: Int[np.ndarray, " clip"],
    seed: int,
) -> Retained:
    """How much further strong clips lie along a component's CAV than others, in a twin, as a share of what it is in the clips.

    A difference of differences: what freezing does to every clip cancels.

    Args:
        clips: coordinate of each clip along the CAV.
        twins: that of its twin.
        strong: which clips have the component.
        groups: of each.
        seed: of bootstrap draws of the groups.
    """
    if strong.all() or not strong.any():
        return NOT_MEASURED
    names, group_of = np.unique(groups, return_inverse=True)
    drawn = np.concatenate(list(bootstrap_weights(names, _DRAWS, seed, random_streams.GROUP_BOOTSTRAP)))
    weights = np.concatenate([np.ones((1, len(groups))), drawn[:, group_of]])
    differences = [_difference(values, weights, strong) for values in (clips, twins)]
    if not (differences[0] > 0).all():
        # in some resample the component itself is gone: no share of it can be told
        return NOT_MEASURED
    shares = differences[1] / differences[0]
    low, high = np.quantile(shares[1:], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Retained(share=float(shares[0]), low=float(low), high=float(high))


def _difference(
    values: Float[np.ndarray, " clip"], weights: Float[np.ndarray, "draw clip"], strong: Bool[np.ndarray, " clip"]
) -> Float[np.ndarray, " draw"]:
    sides = [weights * side for side in (strong, ~strong)]
    return np.subtract(*(side @ values / side.sum(1) for side in sides))


def kind_of(twins: Mapping[Twin, Retained]) -> ComponentKind:
    """Appearance stays in frozen clips; what goes when clips are reversed is order, and what goes when frozen alone motion.

    Reversed clips come first: what needs the order of frames goes when there is one frame, too.
    """
    frozen, reversed_ = (twins.get(twin, NOT_MEASURED) for twin in ("frozen", "reversed"))
    if reversed_.goes:
        return "order"
    if frozen.stays:
        return "appearance"
    if frozen.goes and (reversed_.stays or reversed_ == NOT_MEASURED):
        return "motion"
    return "unclear"
