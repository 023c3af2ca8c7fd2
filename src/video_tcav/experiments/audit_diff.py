"""Changes of audited shares between two runs: paired by clip where both saw the same clips, else as of independent ones."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy import stats

from video_tcav.auditing.group_intervals import Estimate, GroupIntervals
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.versions import SWAP
from video_tcav.core.wording import percent
from video_tcav.gram.grouped_share import GroupedShare
from video_tcav.gram.thresholds import LEVEL

SAYS_SCENE = "swap: says the scene's class"


@dataclass(frozen=True, kw_only=True)
class ChangedShare:
    """A share of audited clips that both runs measured, over all classes.

    Attributes:
        model: in the second run.
        share: `VERSION: right`, the share of clips of a version that the model is right about, or that of swaps of which it says
            the scene's class (SBErr).
        before: in the first run.
        after: in the second.
        change: after less before.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: of no change, where clips are paired: a sign test over groups, exact and two-sided; NaN otherwise.
        is_paired: whether both runs saw the same clips, so that they are compared clip by clip.
    """

    model: str
    share: str
    before: float
    after: float
    change: float
    low: float
    high: float
    p_value: float
    is_paired: bool

    @property
    def is_changed(self) -> bool:
        """Whether a change is shown at 5 %: by the sign test, or by an interval of independent shares that leaves 0 out."""
        # a single clip that changes makes an interval of paired shares without 0
        return self.p_value <= LEVEL if self.is_paired else self.low > 0 or self.high < 0

    def text(self) -> str:
        """`swap: right 12 % → 80 % (change 52 % to 81 %)`."""
        ends = "" if math.isnan(self.low) else f" (change {percent(self.low)} to {percent(self.high)})"
        return f"{self.share} {percent(self.before)} → {percent(self.after)}{ends}"


def changed_shares(
    before: Mapping[str, AuditResult], after: Mapping[str, AuditResult], *, bootstraps: int, seed: int
) -> tuple[ChangedShare, ...]:
    """Every share that both runs measured of a model.

    Args:
        before: audits of the first run, by the name of the model in the second.
        after: of the second.
        bootstraps: resamples of the groups.
        seed: of these.
    """
    changes = []
    for model in (model for model in after if model in before):
        first, second = before[model], after[model]
        # By content: runs render their clips into folders of their own.
        is_paired = _digests(first) == _digests(second)
        earlier, later = dict(_shares(first)), dict(_shares(second))
        for name in (name for name in earlier if name in later):
            (counts, groups), (later_counts, later_groups) = earlier[name], later[name]
            is_pair = is_paired and np.array_equal(groups, later_groups)
            old, new = (_share(*each) for each in (earlier[name], later[name]))
            if is_pair:  # a version may be missing of other clips in each run, by who lent a scene to whom
                lost = GroupIntervals.draw(groups, bootstraps, seed).lost_share(counts, later_counts)
                low, high = -lost.high, -lost.low
                p_value = _sign_test(counts, later_counts, groups)
            else:
                p_value = math.nan
                low, high = _independent(old, new)
            changes.append(
                ChangedShare(
                    model=model,
                    share=name,
                    before=old.value,
                    after=new.value,
                    change=new.value - old.value,
                    low=low,
                    high=high,
                    p_value=p_value,
                    is_paired=is_pair,
                )
            )
    return tuple(changes)


def _shares(result: AuditResult) -> Iterator[tuple[str, tuple[Bool[np.ndarray, " clip"], Int[np.ndarray, " clip"]]]]:
    """Name of each share, whether each clip counts, and its group."""
    for name in (row.version for row in result if row.label is None and row.n_clips):
        version = result.answers.versions[name]
        groups = result.answers.groups[version.passed]
        yield f"{name}: right", (version.right[version.passed], groups)
        if name == SWAP.name:
            yield SAYS_SCENE, (version.says_lender[version.passed], groups)


def _share(counts: Bool[np.ndarray, " clip"], groups: Int[np.ndarray, " clip"]) -> Estimate:
    share = GroupedShare.of(counts, groups.tolist())
    return Estimate(share.share, *share.score_interval())


def _sign_test(
    before: Bool[np.ndarray, " clip"], after: Bool[np.ndarray, " clip"], groups: Int[np.ndarray, " clip"]
) -> float:
    """Two-sided p of as many groups that gain as that lose (McNemar's exact test, where each clip is a group)."""
    net = np.bincount(groups, weights=after.astype(float) - before)
    gained, lost = int((net > 0).sum()), int((net < 0).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def _independent(before: Estimate, after: Estimate) -> tuple[float, float]:
    """Interval of the difference of two independent shares from the interval of each (Newcombe 1998, method 10)."""
    change = after.value - before.value
    low = change - math.hypot(after.value - after.low, before.high - before.value)
    return low, change + math.hypot(after.high - after.value, before.value - before.low)


def _digests(result: AuditResult) -> list[str | None]:
    """Of the clips that were used, in their order: their names may be those of another folder."""
    digests = result.provenance["clips"]
    return [digests.get(clip.clip) for clip in result.answers.clips]
