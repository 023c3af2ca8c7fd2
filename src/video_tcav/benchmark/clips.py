"""Rendered clips whose true cause is visible, by the rule of a model: for maps, and in sets for concepts."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from video_tcav.attribution.metrics.localisation import Mask
from video_tcav.benchmark.truth import true_cause
from video_tcav.core import random_streams
from video_tcav.rendered import Factors, Rule, render

Pixels = UInt8[Tensor, "clip time 3 height width"]
# For each visible cause so many clips are drawn: a racket is in every fourth clip, and in few of them hidden.
_SPARE = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class CauseClips:
    """Rendered clips with masks of the true cause.

    Attributes:
        factors: of each clip.
        labels: the class of each, by the rule.
        pixels: as they were rendered.
        cause: see `true_cause`.
    """

    factors: tuple[Factors, ...]
    labels: tuple[str, ...]
    pixels: Pixels
    cause: Mask

    def take(self, rows: Iterable[int]) -> Self:
        """Some of the clips."""
        numbers = list(rows)
        return type(self)(
            factors=tuple(self.factors[row] for row in numbers),
            labels=tuple(self.labels[row] for row in numbers),
            pixels=self.pixels[numbers],
            cause=self.cause[numbers],
        )

    def joined(self, other: Self) -> Self:
        """These clips, then others."""
        return type(self)(
            factors=self.factors + other.factors,
            labels=self.labels + other.labels,
            pixels=torch.cat([self.pixels, other.pixels]),
            cause=torch.cat([self.cause, other.cause]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ConceptClips:
    """Clips in which components are looked for, and other clips on which they are scored.

    Attributes:
        target: the class that is explained.
        class_clips: of that class.
        random_clips: of all other classes.
        new_clips: of both kinds, shuffled; a method is not told which is which.
        new_is_class: which of them are of the class.
    """

    target: str
    class_clips: CauseClips
    random_clips: CauseClips
    new_clips: CauseClips
    new_is_class: Bool[np.ndarray, " clip"]


def cause_clips(rule: Rule, count: int, *, seed: int) -> CauseClips:
    """Clips of all classes of a rule; those whose cause is nowhere to be seen, such as no object, are left out."""
    factors, labels = rule.sample(_SPARE * count, seed=seed)
    return _visible(rule, zip(factors, (rule.labels[label] for label in labels), strict=True), count)


def concept_clips(rule: Rule, *, find: tuple[int, int], score: tuple[int, int], seed: int) -> ConceptClips:
    """Sets of clips for the first class of a rule; none is in two of them.

    Args:
        rule: that gives the classes.
        find: how many clips of the class, and of other classes, components are looked for in.
        score: how many of each they are scored on.
        seed: of the clips and of their order.
    """
    class_count, random_count = find[0] + score[0], find[1] + score[1]
    target, *_ = rule.labels
    # Classes come in equal shares, so that this many clips hold enough of one class.
    factors, labels = rule.sample(_SPARE * max(class_count, random_count) * len(rule.labels), seed=seed)
    labelled = [(clip, rule.labels[label]) for clip, label in zip(factors, labels, strict=True)]
    of_class = _visible(rule, (pair for pair in labelled if pair[1] == target), class_count)
    of_others = _rendered(rule, [pair for pair in labelled if pair[1] != target][:random_count])
    held_out = of_class.take(range(find[0], class_count)).joined(of_others.take(range(find[1], random_count)))
    order = np.random.default_rng([seed, random_streams.BENCHMARK_ORDER]).permutation(sum(score))
    return ConceptClips(
        target=target,
        class_clips=of_class.take(range(find[0])),
        random_clips=of_others.take(range(find[1])),
        new_clips=held_out.take(order.tolist()),
        new_is_class=order < score[0],
    )


def _visible(rule: Rule, labelled: Iterable[tuple[Factors, str]], count: int) -> CauseClips:
    """The first clips whose cause is visible; rendered one after the other, as few are needed of many."""
    clips = (_rendered(rule, [pair]) for pair in labelled)
    visible = list(islice((clip for clip in clips if clip.cause.any()), count))
    return CauseClips(
        factors=tuple(chain.from_iterable(clip.factors for clip in visible)),
        labels=tuple(chain.from_iterable(clip.labels for clip in visible)),
        pixels=torch.cat([clip.pixels for clip in visible]),
        cause=torch.cat([clip.cause for clip in visible]),
    )


def _rendered(rule: Rule, labelled: list[tuple[Factors, str]]) -> CauseClips:
    clips = [render(factors) for factors, _ in labelled]
    return CauseClips(
        factors=tuple(factors for factors, _ in labelled),
        labels=tuple(label for _, label in labelled),
        pixels=torch.stack([clip.clip for clip in clips]),
        cause=torch.stack([true_cause(rule, clip) for clip in clips]),
    )
