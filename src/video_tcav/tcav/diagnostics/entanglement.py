"""Whether two concepts have the same CAV, and how much of that is due to their shared random clips."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.cavs import CavKind, fit_cavs
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.products import central_range, cosines

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
class _Pseudo:
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
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: CavKind, seed: int
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
    versus_random = [one for one in comparisons if one.versus == "random"]
    found = []
    for one, other in combinations(versus_random, 2):
        shared = np.intersect1d(one.design.groups[~one.design.labels], other.design.groups[~other.design.labels])
        pseudo = _pseudo(one, other, shared, seed) if len(shared) >= MIN_SHARED_GROUPS else None
        for layer, gram in grams.items():
            own, others = (_scattered(cav, gram, each) for each in (one, other))
            cosine = float(cosines(gram.kernel, own, others)[0])
            drawn = None if pseudo is None else _pseudo_cosines(cav, gram, *pseudo)
            low, high = (math.nan, math.nan) if drawn is None else central_range(drawn, REFERENCE_LEVEL)
            found.append(
                Entanglement(
                    concept=one.concept,
                    other_concept=other.concept,
                    layer=layer,
                    cosine=cosine,
                    reference=math.nan if drawn is None else float(drawn.mean()),
                    reference_low=low,
                    reference_high=high,
                    n_shared_groups=len(shared),
                )
            )
    return tuple(found)


def _scattered(kind: CavKind, gram: Gram, comparison: Comparison) -> Float[np.ndarray, "1 row"]:
    """The CAV's coefficients over all rows of the run."""
    rows = comparison.rows["none"]
    alphas = np.zeros((1, len(gram.kernel)))
    alphas[:, rows] = fit_cavs(kind, kernel_of(gram.kernel, rows), comparison.design.labels[None])
    return alphas


def pseudo_sizes(concept: int, other: int, pool: int, shared: int) -> tuple[int, int]:
    """How many shared groups play each concept: both and the rest of the pool in the real proportions, one at least left."""
    scale = pool / (pool + concept + other)
    sizes = [max(1, round(concept * scale)), max(1, round(other * scale))]
    while sum(sizes) > shared - 1:
        sizes[sizes.index(max(sizes))] -= 1
    return sizes[0], sizes[1]


def _pseudo(
    one: Comparison, other: Comparison, shared: Int[np.ndarray, " group"], seed: int
) -> tuple[_Pseudo, _Pseudo]:
    pool = min(len(np.unique(each.design.groups[~each.design.labels])) for each in (one, other))
    first, second = pseudo_sizes(one.design.n_concept_groups, other.design.n_concept_groups, pool, len(shared))
    ranks = np.random.default_rng([seed, 11]).random((REFERENCE_DRAWS, len(shared))).argsort(1).argsort(1)
    ours, theirs = ranks < first, (ranks >= first) & (ranks < first + second)
    return _playing(one, shared, ours, theirs), _playing(other, shared, theirs, ours)


def _playing(
    comparison: Comparison,
    shared: Int[np.ndarray, " group"],
    own: Bool[np.ndarray, "draw group"],
    others: Bool[np.ndarray, "draw group"],
) -> _Pseudo:
    random = ~comparison.design.labels
    groups = comparison.design.groups[random]
    at = np.searchsorted(shared, groups).clip(max=len(shared) - 1)
    inside = shared[at] == groups
    return _Pseudo(
        rows=comparison.rows["none"][random],
        labels=own[:, at] & inside,
        weights=1.0 - (others[:, at] & inside),
    )


def _pseudo_cosines(kind: CavKind, gram: Gram, one: _Pseudo, other: _Pseudo) -> Float[np.ndarray, " draw"]:
    rows = np.union1d(one.rows, other.rows)
    kernel = kernel_of(gram.kernel, rows)
    both = []
    for each in (one, other):
        alphas = np.zeros((len(each.labels), len(rows)))
        own = kernel_of(gram.kernel, each.rows)
        alphas[:, np.searchsorted(rows, each.rows)] = fit_cavs(kind, own, each.labels, each.weights)
        both.append(alphas)
    return cosines(kernel, *both)
