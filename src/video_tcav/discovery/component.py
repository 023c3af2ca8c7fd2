"""A component of a layer's activations, with what was found and what other clips confirmed: one row of a discovery."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

ComponentKind = Literal["appearance", "motion", "order", "unclear"]
"""What carries a component: single pictures, that they move, in which order they come; or noise decides."""
COMPONENT_KINDS: tuple[ComponentKind, ...] = get_args(ComponentKind)
EffectTest = Literal["slope", "removal"]
"""What shows that a component moves the target: a shift of all positions along its CAV, or taking it out where it is."""
REMOVAL_SHARE = 0.1
"""Of the level, for removal; the rest is for the slope, whose p is never below one over the number of permutations."""
LEAST_STABILITY = 0.7
"""Mean cosine with the components of other fits below which a component is called unstable."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One component of one layer, found in one half of the groups and tested in the other.

    Attributes:
        name: such as `component-3@stages.2`, or what a person calls it.
        layer: dotted module name.
        number: within the layer, from 1; 1 carries most of the activation.
        kind: by twins of the clips in which it is strong.
        freezing: share of its presence that stays in frozen clips; 1 where a single picture is enough.
        freezing_low: lower end of the 95 % interval over groups.
        freezing_high: upper end.
        reversal: share that stays in reversed clips.
        reversal_low: lower end.
        reversal_high: upper end.
        shuffling: share that stays in shuffled clips.
        shuffling_low: lower end.
        shuffling_high: upper end.
        stability: mean cosine with the matching components of fits to halves of the groups and with another seed.
        presence_class: mean presence in the class clips of the half that confirms, in standard deviations of random clips.
        presence_random: likewise in its random clips.
        presence_auc: how often a class clip has more of it than a random clip.
        presence_p: permutation p of the difference of the means.
        effect: first-order change of the target from the average clip without it to the average clip with it: the slope.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        effect_p: two-sided; what the run's significance test says of any concept.
        cav_auc: how often its CAV puts a clip with it above one without, neither of which it has seen.
        removed: what clips with most of it lose of the target, on average, when it is taken out of the layer where it is; NaN
            where its presence rules it out already, or the layer's output cannot be replaced.
        removed_low: lower end of its 95 % interval.
        removed_high: upper end.
        removed_elsewhere: what they lose when as much is taken out at other positions and moments.
        removed_p: two-sided p of a loss that is more than that elsewhere.
        p_value: the larger of `presence_p` and the p of the effect: the smaller of `effect_p` / 0.9 and `removed_p` / 0.1
            (weighted Bonferroni), of which one against the sign of the difference of presence counts as 1; `effect_p` alone where
            nothing was taken out.
        p_adjusted: for all components of all layers.
        confirmed: whether `p_adjusted` is at most the level, the test of the effect that decides has the sign of the difference
            of presence, and the component is stable.
        confirmed_by: that test; empty where it is not confirmed.
        step: change of the target by a whole step along its CAV, run through the rest of the network; NaN where none was made,
            as for components that are not confirmed.
        step_low: lower end of its 95 % interval.
        step_high: upper end.
        clamp: target with the coordinate of clips with it, less with that of clips without it; NaN likewise.
        clamp_low: lower end.
        clamp_high: upper end.
        n_strong_clips: clips of the half that confirms which count as having it.
        n_clips: clips of that half.
        n_groups: independent groups of them.
        n_tubes: regions followed over frames that were cut into a bank.
    """

    name: str
    layer: str
    number: int
    kind: ComponentKind
    freezing: float
    freezing_low: float
    freezing_high: float
    reversal: float
    reversal_low: float
    reversal_high: float
    shuffling: float
    shuffling_low: float
    shuffling_high: float
    stability: float
    presence_class: float
    presence_random: float
    presence_auc: float
    presence_p: float
    effect: float
    effect_low: float
    effect_high: float
    effect_p: float
    cav_auc: float
    p_value: float
    p_adjusted: float
    confirmed: bool
    confirmed_by: EffectTest | Literal[""] = ""
    removed: float = math.nan
    removed_low: float = math.nan
    removed_high: float = math.nan
    removed_elsewhere: float = math.nan
    removed_p: float = math.nan
    step: float = math.nan
    step_low: float = math.nan
    step_high: float = math.nan
    clamp: float = math.nan
    clamp_low: float = math.nan
    clamp_high: float = math.nan
    n_strong_clips: int
    n_clips: int
    n_groups: int
    n_tubes: int = 0

    @property
    def is_stable(self) -> bool:
        """Whether other fits give the same component."""
        return self.stability >= LEAST_STABILITY

    @property
    def is_more_in_class(self) -> bool:
        """Whether class clips have more of it than random clips."""
        return self.presence_class > self.presence_random

    @property
    def effect_tests(self) -> dict[EffectTest, float]:
        """The p of each test of the effect that was made, over its share of the level where both were.

        A test whose sign is not that of the difference of presence has 1.
        """
        if math.isnan(self.removed):
            return {"slope": self._signed_p(self.effect, self.effect_p)}
        return {
            "slope": self._signed_p(self.effect, self.effect_p / (1 - REMOVAL_SHARE)),
            "removal": self._signed_p(self.removed, self.removed_p / REMOVAL_SHARE),
        }

    def _signed_p(self, moves: float, p_value: float) -> float:
        return min(1.0, p_value) if (moves > 0) == self.is_more_in_class else 1.0

    @property
    def moving_p(self) -> float:
        """That having it moves the target in the sign of presence: the smaller p of both tests (weighted Bonferroni)."""
        return min(self.effect_tests.values())

    @property
    def raises(self) -> bool:
        """Whether having it raises the target: by the test that confirmed it, else by its slope."""
        return (self.removed if self.confirmed_by == "removal" else self.effect) > 0

    @property
    def size(self) -> float:
        """What confirmed ones are sorted by: what clips lose or gain without it; its slope where it was not taken out."""
        return abs(self.effect if math.isnan(self.removed) else self.removed)


def component_name(layer: str, number: int) -> str:
    """The name that a component has until a person gives it another one."""
    return f"component-{number}@{layer}"
