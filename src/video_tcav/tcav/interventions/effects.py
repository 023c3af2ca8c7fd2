"""Effects of operations along one concept's CAV, with what was drawn around them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float

from video_tcav.gram.grouped_share import UNKNOWN_SHARE, GroupedShare
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.resampling import BootstrapT, Resamples, percentile_interval
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.interventions.operations import STEP, Point
from video_tcav.tcav.interventions.rerun import Reruns

Sides = tuple[tuple[float, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class OperationAlong:
    """One operation along many CAVs.

    Attributes:
        effects: the mean over class clips, of each CAV.
        changed: share of the class clips whose first class changes; none where that means nothing.
    """

    effects: Float[np.ndarray, " draw"]
    changed: Float[np.ndarray, " draw"]

    @classmethod
    def joined(cls, batches: "Sequence[OperationAlong]") -> "OperationAlong":
        """Several, one behind the other."""
        return cls(
            effects=np.concatenate([batch.effects for batch in batches]),
            changed=np.concatenate([batch.changed for batch in batches]),
        )


NO_CAVS = OperationAlong(effects=np.zeros(0), changed=np.zeros(0))
"""Along none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OperationDraws:
    """One operation along one CAV.

    Attributes:
        resamples: its effect at each class clip, and in bootstrap draws of the groups.
        sides: how the variance divides, see `BootstrapT.of`.
        class_groups: independent groups of class clips.
        null: effects along CAVs of permuted labels.
        manifold: effects along random combinations of the leading principal components, with the concept's distance.
        changed: share of the class clips whose first class changes; NaN where that means nothing.
        null_changed: the same along CAVs of permuted labels.
        far: share of the edited activations that are far from all recorded ones.
        reruns: what the network says of each class clip at every point of the operation, and unedited, by the point with
            weight 1; none for differences.
    """

    resamples: Resamples
    sides: Sides
    class_groups: int
    null: Float[np.ndarray, " draw"]
    manifold: Float[np.ndarray, " draw"]
    changed: GroupedShare = UNKNOWN_SHARE
    null_changed: Float[np.ndarray, " draw"] = field(default_factory=lambda: np.zeros(0))
    far: float = math.nan
    reruns: Mapping[Point, Reruns] = field(default_factory=dict)

    @cached_property
    def bootstrap_t(self) -> BootstrapT:
        return BootstrapT.of(self.resamples, self.sides, self.class_groups)

    @property
    def effect(self) -> float:
        return self.resamples.effect

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: expected to hold the effect of other clips of the same kind."""
        return self.bootstrap_t.interval()

    @property
    def p_value(self) -> float:
        """Two-sided, against CAVs of permuted labels; NaN without these."""
        return permutation_p(self.effect, self.null) if self.null.size else math.nan

    @property
    def manifold_size(self) -> float:
        """95 % of the directions of the manifold have a smaller effect; NaN without these."""
        return float(np.quantile(np.abs(self.manifold), 0.95)) if self.manifold.size else math.nan

    @property
    def changed_p(self) -> float:
        """One-sided p: how often a CAV of permuted labels changes the first class of as many clips; NaN without these."""
        if not self.null_changed.size:
            return math.nan
        # shares of the same clips: a millionth is below any difference of two
        return float((1 + (self.null_changed >= self.changed.share - 1e-6).sum()) / (len(self.null_changed) + 1))

    def minus(self, twin: "OperationDraws", sides: Sides) -> "OperationDraws":
        """The difference to the same operation along the twin's CAV."""
        both = self.null.size == twin.null.size
        return OperationDraws(
            resamples=self.resamples.minus(twin.resamples),
            sides=sides,
            class_groups=self.class_groups,
            null=self.null - twin.null if both else np.zeros(0),
            manifold=np.zeros(0),
        )

    def columns(self, operation: str) -> dict[str, float]:
        """The numbers of a `ConceptResult`."""
        low, high = self.interval
        numbers = {operation: self.effect, f"{operation}_low": low, f"{operation}_high": high}
        return numbers if operation == STEP.name else {**numbers, f"{operation}_p": self.p_value}


@dataclass(frozen=True, kw_only=True)
class InterventionEffect:
    """An operation in numbers: a row of the table of interventions.

    Attributes:
        concept: whose CAV.
        versus: what it was learned against.
        twin: as in `ConceptResult`.
        layer: dotted module name.
        operation: `step`, `clamp`, `remove`, `restore` or `dose`; in an `InterventionResult` also `slope`, the effect of
            first order.
        multiple: of d, for doses; NaN for others.
        effect: in target units; for `restore` a share of what the twin lost.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        p_value: against CAVs of permuted labels; NaN where none were made.
        null_low: 2.5 % of the effects along these are lower; NaN likewise.
        null_high: 2.5 % are higher.
        manifold: 95 % of random directions of the data's own principal components move the target by less.
        standard_error: of the effect.
        freedom: degrees of freedom of that.
        p_t: two-sided t of the effect over its standard error: would other clips show it, too?
        changed: share of class clips whose first class changes; as all below but `far`, NaN for other operations than `remove`.
        changed_low: lower end of its 95 % interval, by groups of class clips.
        changed_high: upper end.
        changed_clips: how many independent clips would know the share as well.
        changed_null: mean share along CAVs of permuted labels.
        changed_p: how often one of these changes the first class of as many clips, one-sided.
        far: share of edited activations that are far from all recorded ones.
    """

    concept: str
    versus: str
    twin: str
    layer: str
    operation: str
    multiple: float
    effect: float
    effect_low: float
    effect_high: float
    p_value: float
    null_low: float
    null_high: float
    manifold: float
    standard_error: float
    freedom: float
    p_t: float
    changed: float
    changed_low: float
    changed_high: float
    changed_clips: float
    changed_null: float
    changed_p: float
    far: float

    @classmethod
    def of(cls, key: CavKey, operation: str, draws: OperationDraws, multiple: float = math.nan) -> "InterventionEffect":
        """From what was drawn."""
        low, high = draws.interval
        changed_low, changed_high = draws.changed.interval()
        null_low, null_high = percentile_interval(draws.null) if draws.null.size else (math.nan, math.nan)
        return cls(
            **asdict(key),
            operation=operation,
            multiple=multiple,
            effect=draws.effect,
            effect_low=low,
            effect_high=high,
            p_value=draws.p_value,
            null_low=null_low,
            null_high=null_high,
            manifold=draws.manifold_size,
            standard_error=draws.bootstrap_t.error,
            freedom=draws.bootstrap_t.freedom,
            p_t=draws.bootstrap_t.p_value,
            changed=draws.changed.share,
            changed_low=changed_low,
            changed_high=changed_high,
            changed_clips=draws.changed.effective_clips,
            changed_null=float(draws.null_changed.mean()) if draws.null_changed.size else math.nan,
            changed_p=draws.changed_p,
            far=draws.far,
        )


def effects_frame(effects: Sequence[InterventionEffect]) -> pd.DataFrame:
    """One row an operation; the columns are there where none was made."""
    return pd.DataFrame([asdict(effect) for effect in effects], columns=[f.name for f in fields(InterventionEffect)])
