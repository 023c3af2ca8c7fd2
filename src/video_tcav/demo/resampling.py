"""Single draws of an experiment from a recording: some clips are called a concept, others random, and a test is made.

Everything goes through the functions that `video-tcav test` itself uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.stats import binomtest

from video_tcav.core.errors import InputError
from video_tcav.gram.cavs import CavKind
from video_tcav.gram.design import Design
from video_tcav.gram.effects import effects
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance import (
    Inner,
    inner_of,
    permutation_null,
    permutation_p,
    random_set_effects,
    random_set_ttest,
)
from video_tcav.gram.thresholds import LEVEL

Rows = Int[np.ndarray, " row"]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Which clips of the pool stand for the concept, and which for random clips."""

    concept: Rows
    random: Rows

    @property
    def rows(self) -> Rows:
        return np.concatenate([self.concept, self.random])

    def design(self) -> Design:
        """Each clip is independent of every other: all come from different renderings."""
        count = len(self.concept) + len(self.random)
        return Design(
            labels=np.arange(count) < len(self.concept),
            units=np.arange(count),
            groups=np.arange(count),
            n_units=count,
            n_groups_total=count,
        )


def draw_clips(concept: Rows, random: Rows, n_concept: int, n_random: int, generator: np.random.Generator) -> Drawn:
    """Draw clips of a concept and clips without it, without replacement.

    Raises:
        InputError: if there are not as many.
    """
    _check_enough(n_concept, n_random, len(concept), len(random))
    return Drawn(
        concept=generator.choice(concept, n_concept, replace=False),
        random=generator.choice(random, n_random, replace=False),
    )


def draw_nothing(pool: int, n_concept: int, n_random: int, generator: np.random.Generator) -> Drawn:
    """Draw both sides from the same clips, each clip once at most: a concept that means nothing.

    Raises:
        InputError: if there are not as many.
    """
    _check_enough(n_concept, n_random, pool - n_random, pool - n_concept)
    order = generator.permutation(pool)
    return Drawn(concept=order[:n_concept], random=order[n_concept : n_concept + n_random])


def _check_enough(n_concept: int, n_random: int, concept: int, random: int) -> None:
    if concept < n_concept or random < n_random:
        raise InputError(
            f"`pool_clips` must give {n_concept} concept and {n_random} random clips. Got {max(0, concept)} and"
            f" {max(0, random)}. Raise it."
        )


def seed_of(generator: np.random.Generator) -> int:
    """A seed for one draw's relabellings."""
    return int(generator.integers(2**31))


def permutation_test(
    kind: CavKind, grams: Mapping[str, Gram], drawn: Drawn, *, permutations: int, seed: int
) -> dict[str, float]:
    """The permutation p of each layer."""
    inner = {layer: inner_of(gram, drawn.rows) for layer, gram in grams.items()}
    design = drawn.design()
    nulls = permutation_null(kind, inner, design, permutations=permutations, seed=seed, advance=lambda _: None)
    return {layer: permutation_p(_effect(kind, one, design), nulls[layer]) for layer, one in inner.items()}


def difference_test(
    kind: CavKind, gram: Gram, drawn: Drawn, twin_rows: Rows, *, permutations: int, seed: int
) -> tuple[float, float]:
    """A motion or order effect and its permutation p: the same relabellings for clips and twins."""
    inner = {"own": inner_of(gram, drawn.rows), "twin": inner_of(gram, twin_rows)}
    design = drawn.design()
    nulls = permutation_null(kind, inner, design, permutations=permutations, seed=seed, advance=lambda _: None)
    effect = _effect(kind, inner["own"], design) - _effect(kind, inner["twin"], design)
    return effect, permutation_p(effect, nulls["own"] - nulls["twin"])


def paper_ttest(kind: CavKind, grams: Mapping[str, Gram], drawn: Drawn, *, sets: int, seed: int) -> dict[str, float]:
    """The p of the source paper's t-test over random sets, for each layer."""
    found, labels = {}, drawn.design().labels
    for layer, gram in grams.items():
        inner = inner_of(gram, drawn.rows)
        concept = random_set_effects(kind, inner, labels, sets=sets, seed=seed)
        random = random_set_effects(kind, inner, labels, sets=sets, seed=seed, against_random=True)
        found[layer] = random_set_ttest(concept, random)[1]
    return found


def _effect(kind: CavKind, inner: Inner, design: Design) -> float:
    return float(effects(kind, inner.kernel, inner.cross.mean(0), design.labels[None])[0])


def rejection_rate(p_values: Sequence[float]) -> float:
    """Fraction of p-values at or below the level."""
    return float(np.mean(np.asarray(p_values) <= LEVEL))


def wilson_interval(rate: float, draws: int) -> tuple[float, float]:
    """The 95 % interval of a fraction of draws."""
    interval = binomtest(round(rate * draws), draws).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
