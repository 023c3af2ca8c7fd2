"""False alarms: how often a concept of random clips comes out as significant, by each significance test.

Everything goes through the functions that `video-tcav test` itself uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.stats import binomtest

from video_tcav.core import random_streams
from video_tcav.core.errors import InputError
from video_tcav.core.progress import progress_bar
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.arrays import make_design
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.concept_test import TestSettings, fit_concept
from video_tcav.gram.design import Design
from video_tcav.gram.effects import effects
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_null, permutation_p
from video_tcav.gram.resampling import random_set_effects
from video_tcav.gram.significance.random_set_ttest import random_set_ttest
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import rule_of, sample_factors
from video_tcav.rendered.factors import balanced_pool
from video_tcav.rendered.training import rendered_inputs

Rows = Int[np.ndarray, " row"]
# Numbers of clips: the pool is rounded up to whole designs; both sides of a test are drawn from it.
_POOL, _CLASS_CLIPS, _CONCEPT_CLIPS, _RANDOM_CLIPS, _RANDOM_SETS = 160, 20, 24, 100, 50
# A permutation test is exact with any number for which (B + 1) · 5 % is whole.
_PERMUTATIONS, _BOOTSTRAPS = 199, 200
# First seed of these clips, beyond any that a person gives for the other clips of the demo.
_FIRST_SEED = 10**4
_MEMORY_BYTES = 10**9  # the pool and class clips of the demo take 10 MB at the deepest stage


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rows of the pool that stand for the concept, and those for random clips."""

    concept: Rows
    random: Rows

    @property
    def rows(self) -> Rows:
        return np.concatenate([self.concept, self.random])

    def design(self) -> Design:
        """Each clip is independent of every other: all come from different renderings."""
        return make_design(np.arange(len(self.rows)) < len(self.concept))


def false_alarms(model: VideoModel, target: str, *, draws: int, seed: int, progress: bool) -> dict[str, float]:
    """Rejection rates of the paper's t-test, the plain permutation test and the default for concepts that are random clips.

    The model, which was trained by the rule `motion`, is tested at its deepest stage with the mean CAV.
    """
    layer = model.default_layers[-1]
    pool_gram = _record(model, layer, target, seed, progress)
    grams, pool = {layer: pool_gram}, pool_gram.cross.shape[1]
    generator = np.random.default_rng([seed, random_streams.DEMO_NULL_CONCEPTS])
    p_values: dict[str, list[float]] = {"ttest": [], "permutation": [], "studentised": []}
    for _ in range(draws):
        drawn = draw_nothing(pool, _CONCEPT_CLIPS, _RANDOM_CLIPS, generator)
        paper = paper_ttest("mean", grams, drawn, sets=_RANDOM_SETS, seed=seed_of(generator))
        p_values["ttest"].append(paper[layer])
        labels_seed = seed_of(generator)  # both permutation tests see the same labellings
        plain = permutation_test("mean", grams, drawn, permutations=_PERMUTATIONS, seed=labels_seed)
        p_values["permutation"].append(plain[layer])
        default = studentised_test("mean", grams, drawn, permutations=_PERMUTATIONS, seed=labels_seed)
        p_values["studentised"].append(default[layer])
    return {test: rejection_rate(values) for test, values in p_values.items()}


def _record(model: VideoModel, layer: str, target: str, seed: int, progress: bool) -> Gram:
    """Inner products of activations of pool clips with each other and with the class clips' gradients, at one layer."""
    rule, clip_seed = rule_of("motion"), 1000 * (_FIRST_SEED + seed)
    pool = balanced_pool(rule.motions(), _POOL, seed=clip_seed)
    # Only the cause is fixed: object and scene vary, as in the pool.
    class_clips = [
        clip.with_factor(rule.cause, rule.classes[target])
        for clip in sample_factors(_CLASS_CLIPS, seed=clip_seed + 2, motion=rule.motions())
    ]
    scalar = parse_target(model, target, "log_odds")
    with (
        scratch_folder() as spill,
        progress_bar("meaningless concepts (clips)", len(pool) + len(class_clips), visible=progress) as advance,
    ):
        space = SpillSpace(_MEMORY_BYTES, spill)
        activations, gradients = RowStore(space), RowStore(space)
        for inputs in rendered_inputs(pool):
            activations.append(record_activations(model, [layer], inputs, last=layer)[layer].flatten(1))
            advance(len(inputs))
        for inputs in rendered_inputs(class_clips):
            gradients.append(record_gradients(model, [layer], inputs, scalar).layers[layer].flatten(1))
            advance(len(inputs))
        return gram(activations, gradients, range(activations.rows), range(gradients.rows))


def draw_nothing(pool: int, n_concept: int, n_random: int, generator: np.random.Generator) -> Drawn:
    """Draw both sides from the same clips without replacement: a concept that means nothing; see `check_enough`."""
    check_enough(n_concept, n_random, pool - n_random, pool - n_concept)
    order = generator.permutation(pool)
    return Drawn(concept=order[:n_concept], random=order[n_concept : n_concept + n_random])


def check_enough(n_concept: int, n_random: int, concept: int, random: int) -> None:
    """Refuse to draw more clips than there are.

    Raises:
        InputError: if `concept` or `random`, the clips that there are, is too small.
    """
    if concept < n_concept or random < n_random:
        raise InputError(
            f"`pool_clips` must give {n_concept} concept and {n_random} random clips. Got {max(0, concept)} and"
            f" {max(0, random)}. Raise it."
        )


def seed_of(generator: np.random.Generator) -> int:
    """A seed for the label permutations of one draw."""
    return int(generator.integers(2**31))


def permutation_test(
    cav: str | CavFitter, grams: Mapping[str, Gram], drawn: Drawn, *, permutations: int, seed: int
) -> dict[str, float]:
    """The plain permutation p of each layer."""
    drawn_grams = {layer: layer_gram.of_rows(drawn.rows) for layer, layer_gram in grams.items()}
    design = drawn.design()
    nulls = permutation_null(cav, drawn_grams, design, permutations=permutations, seed=seed)
    return {
        layer: permutation_p(effect_of(cav, layer_gram, design), nulls[layer])
        for layer, layer_gram in drawn_grams.items()
    }


def studentised_test(
    cav: str | CavFitter,
    grams: Mapping[str, Gram],
    drawn: Drawn,
    *,
    permutations: int,
    seed: int,
    bootstraps: int = _BOOTSTRAPS,
) -> dict[str, float]:
    """The p of the default test for each layer: the larger one of its two."""
    # two random sets: the spread of the TCAV score is not looked at
    settings = TestSettings(
        cav=cav, permutations=permutations, bootstraps=bootstraps, random_sets=2, seed=seed, significance="studentised"
    )
    design, class_clips = drawn.design(), len(next(iter(grams.values())).cross)
    drawn_grams = {layer: layer_gram.of_rows(drawn.rows) for layer, layer_gram in grams.items()}
    fits = fit_concept(drawn_grams, design, range(class_clips), settings)
    return {layer: fit.statistics(design, settings.test).p_value for layer, fit in fits.items()}


def paper_ttest(
    cav: str | CavFitter, grams: Mapping[str, Gram], drawn: Drawn, *, sets: int, seed: int
) -> dict[str, float]:
    """The p of the source paper's t-test over random sets, for each layer."""
    p_values, labels = {}, drawn.design().labels
    for layer, layer_gram in grams.items():
        drawn_gram = layer_gram.of_rows(drawn.rows)
        concept = random_set_effects(cav, drawn_gram, labels, sets=sets, seed=seed)
        random = random_set_effects(cav, drawn_gram, labels, sets=sets, seed=seed, against_random=True)
        p_values[layer] = random_set_ttest(concept, random)[1]
    return p_values


def effect_of(cav: str | CavFitter, gram: Gram, design: Design) -> float:
    """The TCAV effect of a concept, averaged over the class clips."""
    return float(effects(cav, gram.kernel, gram.mean_cross, design.labels[None])[0])


def rejection_rate(p_values: Sequence[float]) -> float:
    """Fraction of p-values at or below the level."""
    return float(np.mean(np.asarray(p_values) <= LEVEL))


def wilson_interval(rate: float, draws: int) -> tuple[float, float]:
    """The 95 % interval of a fraction of draws (Wilson score)."""
    interval = binomtest(round(rate * draws), draws).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
