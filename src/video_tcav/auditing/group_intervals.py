"""Intervals by groups of clips: shares by Wilson's interval, means and ratios by a bootstrap of groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.gram.agreement import GroupedClips, spread_around
from video_tcav.gram.grouped_share import GroupedShare
from video_tcav.gram.resampling import percentile_interval

_TAIL = 0.025


class Estimate(NamedTuple):
    """A number with its 95 % interval; NaN where there is too little to know."""

    value: float
    low: float
    high: float


def interval_columns(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Columns of results: `accuracy`, `accuracy_low` and `accuracy_high` of an estimate that is called `accuracy`."""
    ends = ("", "_low", "_high")
    return {
        f"{name}{end}": float(number)
        for name, estimate in estimates.items()
        for end, number in zip(ends, estimate, strict=True)
    }


UNKNOWN = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupIntervals:
    """Estimates over some clips that come in groups.

    Attributes:
        clips: with the weights of each draw.
    """

    clips: GroupedClips

    @classmethod
    def draw(cls, group_of: Int[np.ndarray, " clip"], draws: int, seed: int) -> "GroupIntervals":
        """For clips of these groups."""
        return cls(clips=GroupedClips.draw(group_of, draws, seed, stream=random_streams.AUDIT_BOOTSTRAP))

    @property
    def groups(self) -> int:
        return self.clips.groups

    def subset(self, chosen: Bool[np.ndarray, " clip"]) -> "GroupIntervals":
        """Over some of the clips, in the same draws."""
        return GroupIntervals(clips=self.clips.subset(chosen))

    def share(self, counts: Bool[np.ndarray, " clip"]) -> Estimate:
        """Share of clips that count."""
        if not len(counts):
            return UNKNOWN
        # Wilson's score: a bootstrap of 12 right ones of 12 would have no width at all
        share = GroupedShare.of(counts, self.clips.group_of.tolist())
        return Estimate(share.share, *share.score_interval())

    def mean(self, values: Float[np.ndarray, " clip"]) -> Estimate:
        """Mean of a number of each clip."""
        # the weights of a draw add up to 1, so that a mean is the ratio to ones
        return self.ratio(values, np.ones(len(values)))

    def lost_share(self, before: Bool[np.ndarray, " clip"], after: Bool[np.ndarray, " clip"]) -> Estimate:
        """How much smaller a share is after something than before; a share itself where clips change one way alone."""
        # clips that change one way alone have no pairs that cancel: their share has an exact interval, a difference has none
        gone, gained = before & ~after, after & ~before
        if gone.any() and not gained.any():
            return self.share(gone)
        if gained.any() and not gone.any():
            value, low, high = self.share(gained)
            return Estimate(-value, -high, -low)
        value, low, high = self.mean(before.astype(float) - after)
        if self.groups > 1 and len(before) and not gone.any():
            # no clip changes: the share of groups that may still do, either way, as none of so many did
            # the largest share p of changing groups with (1 - p)^n >= 2.5 %: what n groups without a change leave possible
            unseen = 1 - _TAIL ** (1 / self.groups)
            low, high = -unseen, unseen
        return Estimate(value, low, high)

    def lost_share_p(
        self, before: Bool[np.ndarray, " clip"], after: Bool[np.ndarray, " clip"], bound: float
    ) -> tuple[float, float]:
        """One-sided p of a lost share of `bound` or more, and of one of `bound` or less: 2.5 % at the ends of `lost_share`.

        The first is small where less is shown to be lost, the second where more is; both are NaN where there is no interval.

        Args:
            before: whether each clip counts before.
            after: and after.
            bound: above 0 and below 1.
        """
        if self.groups < 2 or not len(before):
            return np.nan, np.nan
        gone, gained = before & ~after, after & ~before
        if not gone.any():  # the chance that none of so many groups would show such a loss
            return (1 - bound) ** self.groups, 1.0
        if not gained.any():
            return GroupedShare.of(gone, self.clips.group_of.tolist()).score_p(bound)
        draws = self._expanded_draws(before.astype(float) - after, np.ones(len(before)))[1]
        # the draw that was made counts as well, so that no p is 0
        chances = [(1 + int(beyond.sum())) / (1 + len(draws)) for beyond in (draws >= bound, draws <= bound)]
        return chances[0], chances[1]

    def ratio(self, values: Float[np.ndarray, " clip"], wholes: Float[np.ndarray, " clip"]) -> Estimate:
        """Mean of a number by the mean of another, both of each clip."""
        if not len(values):
            return UNKNOWN
        if self.groups < 2:
            return Estimate(float(values.mean() / wholes.mean()), np.nan, np.nan)
        value, draws = self._expanded_draws(values, wholes)
        return Estimate(value, *percentile_interval(draws))

    def _expanded_draws(
        self, values: Float[np.ndarray, " clip"], wholes: Float[np.ndarray, " clip"]
    ) -> tuple[float, Float[np.ndarray, " draw"]]:
        """A ratio of means, and its draws."""
        value = float(values.mean() / wholes.mean())
        # numerator and denominator of the same draw: they vary together, and their ratio varies less than either
        means = self.clips.means(np.stack([values, wholes], axis=1))
        draws = spread_around(value, means[:, 0] / means[:, 1], self.groups)
        # percentiles as wide as Student's for so few groups (Hesterberg 2015)
        return value, value + (draws - value) * float(stats.t.isf(_TAIL, self.groups - 1) / stats.norm.isf(_TAIL))
