"""A component of a layer's activations, with what was found and what other clips confirmed: one row of a discovery."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

ComponentKind = Literal["appearance", "motion", "order", "unclear"]
"""What carries a component: single pictures, that they move, in which order they come; or noise decides."""
COMPONENT_KINDS: tuple[ComponentKind, ...] = get_args(ComponentKind)
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
        effect: first-order change of the target from the average clip without it to the average clip with it.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        effect_p: two-sided; what the run's significance test says of any concept.
        cav_auc: how often its CAV puts a clip with it above one without, neither of which it has seen.
        p_value: the larger of `presence_p` and `effect_p`.
        p_adjusted: for all components of all layers.
        confirmed: whether `p_adjusted` is at most the level, the effect has the sign of the difference of presence, and the
            component is stable.
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


def component_name(layer: str, number: int) -> str:
    """The name that a component has until a person gives it another one."""
    return f"component-{number}@{layer}"
