"""Shares of clips that come in groups: intervals and one-sided tests after Korn and Graubard (1998)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class GroupedShare:
    """A share of clips, known as well as from so many independent ones.

    Attributes:
        share: of all clips; NaN where there is none to know.
        effective_clips: how many independent clips would know it as well; a fraction.
        groups: how many groups there are.
    """

    share: float = math.nan
    effective_clips: float = math.nan
    groups: int = 0

    @classmethod
    def of(cls, clips: Bool[np.ndarray, " clip"], groups: Sequence[int]) -> Self:
        """From whether each clip counts, and its group."""
        share = float(clips.mean())
        numbers, group_of = np.unique(np.asarray(groups), return_inverse=True)
        count = len(numbers)
        # linearised variance of a ratio: what each group adds to the share, less what it would by its size
        residuals = np.bincount(group_of, weights=clips - share, minlength=count) / len(clips)
        variance = float((residuals**2).sum()) * count / max(1, count - 1)
        if variance == 0:  # all clips or none, or every group alike: the groups are what is known to be independent
            return cls(share=share, effective_clips=float(count), groups=count)
        effective = min(float(len(clips)), share * (1 - share) / variance)
        return cls(share=share, effective_clips=effective, groups=count)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the exact interval of Clopper and Pearson (1934) for so many clips; never of no width."""
        tail, yes, no = (1 - level) / 2, self._yes, self.effective_clips - self._yes
        low = float(stats.beta.ppf(tail, yes, no + 1)) if yes > 0 else 0.0
        high = float(stats.beta.isf(tail, yes + 1, no)) if no > 0 else 1.0
        return (low, high) if math.isfinite(self.share) else (math.nan, math.nan)

    def score_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of Wilson's (1927) interval for so many clips, with Student's quantile for so many groups; never of no width.

        It covers as often as it says, on average over shares, where the exact one covers more often, and a bootstrap of groups
        less often near 0 and 1.
        """
        if not math.isfinite(self.share) or self.groups < 2:
            return math.nan, math.nan
        reach = float(stats.t.isf((1 - level) / 2, self.groups - 1)) ** 2 / self.effective_clips
        middle = (self.share + reach / 2) / (1 + reach)
        half = math.sqrt(reach * (self.share * (1 - self.share) + reach / 4)) / (1 + reach)
        # rounding would leave a share of 0 or 1 outside
        return min(max(middle - half, 0.0), self.share), max(min(middle + half, 1.0), self.share)

    def score_p(self, share: float) -> tuple[float, float]:
        """One-sided p of a true share of `share` or more, and of one of `share` or less: 2.5 % at the ends of `score_interval`.

        The first is small where the share is shown to be smaller, the second where it is shown to be larger; both are NaN where
        there is no interval.
        """
        if not math.isfinite(self.share) or self.groups < 2:
            return math.nan, math.nan
        # the spread is that under the tested share, which makes Wilson's interval its inversion
        distance = (self.share - share) / math.sqrt(share * (1 - share) / self.effective_clips)
        return float(stats.t.cdf(distance, self.groups - 1)), float(stats.t.sf(distance, self.groups - 1))

    def below_p(self, share: float) -> float:
        """One-sided p of a true share of `share` or more: small where it is shown to be smaller."""
        no = self.effective_clips - self._yes
        return float(stats.beta.sf(share, self._yes + 1, no)) if no > 0 else 1.0

    def above_p(self, share: float) -> float:
        """One-sided p of a true share of `share` or less: small where it is shown to be larger."""
        no = self.effective_clips - self._yes
        return float(stats.beta.cdf(share, self._yes, no + 1)) if self._yes > 0 else 1.0

    @property
    def _yes(self) -> float:
        return self.share * self.effective_clips


UNKNOWN_SHARE = GroupedShare()
"""Where a share means nothing."""
