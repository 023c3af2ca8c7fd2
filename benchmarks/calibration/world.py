"""Clips of the rendered world that one model is measured on: a pool, clips of each class, and clips for `random` gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from video_tcav.core import random_streams
from video_tcav.models import VideoModel
from video_tcav.rendered import Factors, Rule, sample_factors
from video_tcav.rendered.factors import FACTORS, balanced_pool

# Seeds that a world has for itself: of its pool, of the clips of `random` gradients, of each class.
_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class World:
    """Clips for one model.

    Attributes:
        name: of the model.
        rule: how it was trained.
        targets: the classes that are explained.
        layers: of the model, the deepest last.
        pool: clips of which concept and random clips are taken.
        class_clips: clips of each class.
    """

    name: str
    rule: Rule
    targets: tuple[str, ...]
    layers: tuple[str, ...]
    pool: tuple[Factors, ...]
    class_clips: tuple[tuple[Factors, ...], ...]

    @property
    def deepest(self) -> str:
        return self.layers[-1]

    def rows(self, factor: str, value: str) -> Int[np.ndarray, " row"]:
        """The clips of the pool that have a factor at a value."""
        return np.array([i for i, clip in enumerate(self.pool) if getattr(clip, factor) == value])

    def values(self) -> list[tuple[str, str]]:
        """Every factor with each of its values in the pool."""
        return [
            (factor, value)
            for factor, values in FACTORS.items()
            for value in values
            if any(getattr(clip, factor) == value for clip in self.pool)
        ]


def sample_world(
    model: VideoModel,
    rule: Rule,
    *,
    pool_clips: int,
    class_clips: int,
    seed: int,
    targets: Sequence[str] | None = None,
    correlation: float = 0.0,
) -> World:
    """A pool and clips of each class.

    Args:
        model: the model.
        rule: how it was trained; decides which motions the pool shows.
        pool_clips: at least so many clips in the pool; every combination of factors equally often.
        class_clips: of each class.
        seed: of all clips.
        targets: the classes to explain; all if not given.
        correlation: share of the pool's clips whose object and scene follow their motion.
    """
    pool = balanced_pool(rule.motions(), pool_clips, seed=_SEEDS * seed)
    names = tuple(targets or rule.labels)
    return World(
        name=model.name,
        rule=rule,
        targets=names,
        layers=tuple(model.default_layers),
        pool=tuple(_confounded(pool, rule, correlation, seed)),
        class_clips=tuple(_class_clips(rule, name, class_clips, seed) for name in names),
    )


def random_clips(rule: Rule, count: int, *, seed: int) -> list[Factors]:
    """Clips of any class that are not in the pool."""
    return sample_factors(count, seed=_SEEDS * seed + 1, motion=rule.motions())


def _confounded(pool: Sequence[Factors], rule: Rule, correlation: float, seed: int) -> list[Factors]:
    """The pool with one motion, object and scene at a time going together, each with the next of the other lists."""
    generator = np.random.default_rng([seed, random_streams.REAL_CONCEPTS])
    follows = generator.random(len(pool)) < correlation
    clips = []
    for clip, changed in zip(pool, follows, strict=True):
        number = rule.motions().index(clip.motion)
        for factor in ("object", "scene"):
            if changed:
                clip = clip.with_factor(factor, FACTORS[factor][number % len(FACTORS[factor])])
        clips.append(clip)
    return clips


def _class_clips(rule: Rule, name: str, count: int, seed: int) -> tuple[Factors, ...]:
    drawn = sample_factors(count, seed=_SEEDS * seed + 2 + rule.labels.index(name), motion=rule.motions())
    return tuple(clip.with_factor(rule.cause, rule.classes[name]) for clip in drawn)
