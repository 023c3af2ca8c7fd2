"""Interventional effects: one factor of rendered clips is set to each of its values, all others fixed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.world import World
from jaxtyping import Float

from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.rendered.factors import FACTORS
from video_tcav.rendered.training import rendered_logits

Advance = Callable[[int], None]
_NIL_Z = 1.96  # of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """The effect of one value of one factor on one class.

    Attributes:
        target: the class.
        factor: which factor is set.
        value: to what.
        effect: change of the log-odds of the class from the average of the factor's other values to this one, over clips
            of the class.
        error: its standard error over clips.
    """

    target: str
    factor: str
    value: str
    effect: float
    error: float

    @property
    def nil(self) -> bool:
        """Whether its 95 % interval holds zero."""
        return abs(self.effect) <= _NIL_Z * self.error


def interventional_effects(
    model: VideoModel, world: World, *, clips: int, advance: Advance = lambda _: None
) -> list[Intervention]:
    """Set each factor of clips of each class to each value of the pool and measure how the log-odds of the class change.

    Args:
        model: the model.
        world: its pool and class clips.
        clips: how many clips of each class are changed.
        advance: called with the number of clips that were passed.
    """
    effects = []
    for label, target in enumerate(world.targets):
        base = world.class_clips[label][:clips]
        for factor in FACTORS:
            values = [value for name, value in world.values() if name == factor]
            changed = [clip.with_factor(factor, value) for value in values for clip in base]
            logits = rendered_logits(model, changed, advance=advance)
            odds = parse_target(model, target, "log_odds")(logits).reshape(len(values), len(base)).double().numpy()
            effects += [_effect(target, factor, value, odds, row) for row, value in enumerate(values)]
    return effects


def _effect(target: str, factor: str, value: str, odds: Float[np.ndarray, "value clip"], row: int) -> Intervention:
    """One value against the average of the others, as a concept stands against clips without it."""
    change = odds[row] - np.delete(odds, row, axis=0).mean(0)
    return Intervention(
        target=target,
        factor=factor,
        value=value,
        effect=float(change.mean()),
        error=float(change.std(ddof=1) / np.sqrt(len(change))),
    )
