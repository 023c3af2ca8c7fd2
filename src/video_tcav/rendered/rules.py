"""Labelling rules: the factor that decides the class, so that a model trained by a rule has a known cause."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from video_tcav.core import random_streams
from video_tcav.core.checks import require
from video_tcav.core.errors import InputError
from video_tcav.rendered.factors import ORDERED, POSES, Factor, Factors, sample_factors

USUAL_SCENE = {
    "playing tennis": "court",
    "playing football": "lawn",
    "working out": "gym",
    "crossing the street": "street",
    "dancing": "noise",
}
# What the activities of the world look like where nothing was swapped.
USUAL_MOTION = {
    "playing tennis": "swing",
    "playing football": "kick",
    "working out": "jack",
    "crossing the street": "walk",
    "dancing": "wave",
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A class for each value of one factor; the other factors are drawn independently.

    Attributes:
        name: of the rule.
        cause: the factor that decides.
        classes: the value of that factor for each class, by the class's name.
        companion: a factor that is correlated with the class, as a shortcut would be, and its value for each class.
        correlation: how often the companion has that value; otherwise it is drawn at random. In [0, 1].
    """

    name: str
    cause: Factor
    classes: Mapping[str, str]
    companion: tuple[Factor, Mapping[str, str]] | None = None
    correlation: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes."""
        return tuple(self.classes)

    def sample(self, count: int, *, seed: int, stream: int = 0) -> tuple[list[Factors], list[int]]:
        """Sample clips of all classes in equal shares, with the class of each; see `sample_factors` for `stream`."""
        # Another stream than that of the factors: labels do not depend on them.
        generator = np.random.default_rng([seed, random_streams.RENDERED_CLASSES + stream])
        chosen = [int(label) for label in generator.permutation(np.arange(count) % len(self.labels))]
        drawn = sample_factors(count, seed=seed, stream=stream, motion=self.motions())
        clips = []
        for clip, label in zip(drawn, chosen, strict=True):
            name = self.labels[label]
            changed = clip.with_factor(self.cause, self.classes[name])
            if self.companion is not None and generator.random() < self.correlation:
                factor, values = self.companion
                changed = changed.with_factor(factor, values[name])
            clips.append(changed)
        return clips, chosen

    def motions(self) -> tuple[str, ...]:
        """Motions of its clips: those of its classes, or all that move and do not differ in order alone."""
        if self.cause == "motion":
            return tuple(self.classes.values())
        return POSES


def rule_of(name: str, *, correlation: float = 0.9) -> Rule:
    """The rule of that name.

    Args:
        name: `motion`, `scene`, `object`, `order`, or `mixed`: by motion, with the usual scene in
            a fraction `correlation` of clips.
        correlation: of the rule `mixed`.

    Raises:
        InputError: for another name, or a correlation outside [0, 1].
    """
    require(0 <= correlation <= 1, "correlation", "be in [0, 1]", correlation, "0.9 is usual.")
    if name == "mixed":
        return Rule(
            name=name,
            cause="motion",
            classes=USUAL_MOTION,
            companion=("scene", USUAL_SCENE),
            correlation=correlation,
        )
    if name not in RULES:
        raise InputError(f"`rule` must be one of {', '.join(RULES)} or mixed. Got {name!r}. Choose one.")
    return RULES[name]


# The rules whose models come with the package.
RULES: dict[str, Rule] = {
    "motion": Rule(
        name="motion",
        cause="motion",
        classes={**USUAL_MOTION, "running": "run", "throwing": "throw", "standing still": "still"},
    ),
    "scene": Rule(name="scene", cause="scene", classes=USUAL_SCENE),
    "object": Rule(
        name="object",
        cause="object",
        classes={"playing tennis": "racket", "playing catch": "ball", "carrying a box": "box", "empty-handed": "none"},
    ),
    "order": Rule(name="order", cause="motion", classes={"sitting down": ORDERED[0], "standing up": ORDERED[1]}),
}
