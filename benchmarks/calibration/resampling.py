"""Draws for a calibration: clips of a concept against clips without it, and the permutation test of twin differences."""

import numpy as np

from video_tcav.demo.false_alarms import Drawn, Rows, check_enough, effect_of
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_null, permutation_p


def draw_clips(concept: Rows, random: Rows, n_concept: int, n_random: int, generator: np.random.Generator) -> Drawn:
    """Draw clips of a concept and clips without it, without replacement.

    Raises:
        InputError: if there are not as many.
    """
    check_enough(n_concept, n_random, len(concept), len(random))
    return Drawn(
        concept=generator.choice(concept, n_concept, replace=False),
        random=generator.choice(random, n_random, replace=False),
    )


def difference_test(
    kind: str, gram: Gram, drawn: Drawn, twin_rows: Rows, *, permutations: int, seed: int
) -> tuple[float, float]:
    """A motion or order effect and its permutation p: clips and twins share each permutation of the labels."""
    clips, twins = gram.of_rows(drawn.rows), gram.of_rows(twin_rows)
    design = drawn.design()
    grams = {"clips": clips, "twins": twins}
    nulls = permutation_null(kind, grams, design, permutations=permutations, seed=seed)
    effect = effect_of(kind, clips, design) - effect_of(kind, twins, design)
    return effect, permutation_p(effect, nulls["clips"] - nulls["twins"])
