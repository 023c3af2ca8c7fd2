"""Entanglement of concepts: cosines between their CAVs, beside those that shared random clips alone would give."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core import random_streams
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.effects import fit_cavs
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.gram.resampling import percentile_interval
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.products import cosines

REFERENCE_DRAWS = 200
REFERENCE_LEVEL = 0.95
MIN_SHARED_GROUPS = 3
"""One group for each of two pseudo-concepts, and one that is left as their negatives."""


@dataclass(frozen=True, kw_only=True)
class Entanglement:
    """How alike the CAVs of two concepts are at one layer.

    Attributes:
        concept: name of one concept.
        other_concept: name of the other.
        layer: dotted module name.
        cosine: between their CAVs; 0 where one has no direction.
        reference: average cosine of two pseudo-concepts, drawn from the random clips that both concepts share.
        reference_low: lower end of the central 95 % of these cosines.
        reference_high: upper end.
        n_shared_groups: groups among the random clips of both; the reference is NaN below 3.
    """

    concept: str
    other_concept: str
    layer: str
    cosine: float
    reference: float
    reference_low: float
    reference_high: float
    n_shared_groups: int


@dataclass(frozen=True, kw_only=True)
class _PseudoConcept:
    """A concept's part in pseudo-experiments: some of its random clips play the concept, others are left out.

    Attributes:
        rows: recorded rows of its random clips.
        labels: which of them play the concept.
        weights: 0 where a clip plays the other concept.
    """

    rows: Int[np.ndarray, " row"]
    labels: Bool[np.ndarray, "draw row"]
    weights: Float[np.ndarray, "draw row"]


def entanglement(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: str | CavFitter, seed: int
) -> tuple[Entanglement, ...]:
    """Cosines between the CAVs of each pair of concepts, beside those of unrelated pseudo-concepts.

    CAVs that point away from the same random clips have a positive cosine even if the concepts have nothing in common.
    How large it is shows in pseudo-concepts: two disjoint draws of groups from the shared random clips, each compared
    with the random clips that are left. Their sizes are scaled down alike, so that concept and random clips stand in
    about the same proportion as in the real comparisons, on which the cosine of unrelated concepts depends. A cosine
    above the reference means that the concepts are entangled: they occur together in the clips, are the same to the
    model, or both differ from the random clips in a further way (other cameras, other compression).

    Args:
        comparisons: those against random clips are used, others are left out.
        grams: by layer.
        cav: how CAVs are learned.
        seed: of the pseudo-concepts.

    Returns:
        One row a pair of concepts and layer.

    Source:
        Nicolson et al. 2024, arXiv:2404.03713, for cosines between CAVs as a sign of entanglement; the reference is ours.
    """
    versus_random = [comparison for comparison in comparisons if comparison.versus == "random"]
    rows = []
    for pair in combinations(versus_random, 2):
        random_groups = [comparison.design.groups[~comparison.design.labels] for comparison in pair]
        shared = np.intersect1d(random_groups[0], random_groups[1])
        pseudo = _pseudo_pair(*pair, shared, seed) if len(shared) >= MIN_SHARED_GROUPS else None
        for layer, gram in grams.items():
            alphas = [_run_coefficients(cav, gram, comparison) for comparison in pair]
            reference = low = high = math.nan
            if pseudo is not None:
                drawn = _pseudo_cosines(cav, gram, pseudo)
                reference, (low, high) = float(drawn.mean()), percentile_interval(drawn, REFERENCE_LEVEL)
            rows.append(
                Entanglement(
                    concept=pair[0].concept,
                    other_concept=pair[1].concept,
                    layer=layer,
                    cosine=float(cosines(gram.kernel, *alphas)[0]),
                    reference=reference,
                    reference_low=low,
                    reference_high=high,
                    n_shared_groups=len(shared),
                )
            )
    return tuple(rows)


def _run_coefficients(cav: str | CavFitter, gram: Gram, comparison: Comparison) -> Float[np.ndarray, "1 row"]:
    """The CAV's coefficients over all rows of the run."""
    rows = comparison.rows["none"]
    # zero on clips of other comparisons, so that two CAVs meet over the same rows
    alphas = np.zeros((1, len(gram.kernel)))
    alphas[:, rows] = fit_cavs(cav, kernel_of(gram.kernel, rows), comparison.design.labels[None])
    return alphas


def pseudo_sizes(concept: int, second_concept: int, pool: int, shared: int) -> tuple[int, int]:
    """How many shared groups play each concept: both and the rest of the pool in the real proportions, one at least left."""
    # concept, other concept and their negatives must all come out of the pool
    scale = pool / (pool + concept + second_concept)
    sizes = [max(1, round(concept * scale)), max(1, round(second_concept * scale))]
    # one shared group at least must be left as their common negatives
    while sum(sizes) > shared - 1:
        sizes[sizes.index(max(sizes))] -= 1
    return sizes[0], sizes[1]


def _pseudo_pair(
    first: Comparison, second: Comparison, shared: Int[np.ndarray, " group"], seed: int
) -> tuple[_PseudoConcept, _PseudoConcept]:
    """Two disjoint draws from the shared random groups, each as the concept of one comparison."""
    pool = min(len(np.unique(each.design.groups[~each.design.labels])) for each in (first, second))
    n_first, n_second = pseudo_sizes(first.design.n_concept_groups, second.design.n_concept_groups, pool, len(shared))
    generator = np.random.default_rng([seed, random_streams.PSEUDO_CONCEPTS])
    # ranks of uniform numbers: the first so many are one draw without replacement, the next so many a disjoint one
    ranks = generator.random((REFERENCE_DRAWS, len(shared))).argsort(1).argsort(1)
    in_first, in_second = ranks < n_first, (ranks >= n_first) & (ranks < n_first + n_second)
    return (
        _pseudo_concept(first, shared, in_first, in_second),
        _pseudo_concept(second, shared, in_second, in_first),
    )


def _pseudo_concept(
    comparison: Comparison,
    shared: Int[np.ndarray, " group"],
    concept: Bool[np.ndarray, "draw group"],
    left_out: Bool[np.ndarray, "draw group"],
) -> _PseudoConcept:
    random = ~comparison.design.labels
    groups = comparison.design.groups[random]
    # the place of each row's group among the shared ones; rows of other groups get any, and are masked
    position = np.searchsorted(shared, groups).clip(max=len(shared) - 1)
    is_shared = shared[position] == groups
    return _PseudoConcept(
        rows=comparison.rows["none"][random],
        labels=concept[:, position] & is_shared,
        weights=1.0 - (left_out[:, position] & is_shared),
    )


def _pseudo_cosines(
    cav: str | CavFitter, gram: Gram, pair: tuple[_PseudoConcept, _PseudoConcept]
) -> Float[np.ndarray, " draw"]:
    # coefficients of both over the rows of both, so that one kernel gives the cosine
    rows = np.union1d(pair[0].rows, pair[1].rows)
    coefficients = []
    for pseudo in pair:
        alphas = np.zeros((len(pseudo.labels), len(rows)))
        kernel = kernel_of(gram.kernel, pseudo.rows)
        alphas[:, np.searchsorted(rows, pseudo.rows)] = fit_cavs(cav, kernel, pseudo.labels, pseudo.weights)
        coefficients.append(alphas)
    return cosines(kernel_of(gram.kernel, rows), *coefficients)
