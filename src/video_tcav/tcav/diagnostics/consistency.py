"""Consistency of a concept across layers: do they rank the same clips high?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.presences import held_out_projections
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.products import pearson, uncentred

REFERENCE_DRAWS = 20


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """How far two layers agree on which clips show more of a concept.

    Attributes:
        key: which CAV.
        other_layer: the layer it is compared with.
        correlation: of the clips' projections on the CAVs of both layers, within concept and within random clips, pooled.
        concept_correlation: the same among concept clips alone.
        random_correlation: the same among random clips alone.
        reference: `correlation` for CAVs of permuted labels, on average: how alike the layers are whatever the concept.
        n_concept_clips: concept clips.
        n_random_clips: random clips.
    """

    key: CavKey
    other_layer: str
    correlation: float
    concept_correlation: float
    random_correlation: float
    reference: float
    n_concept_clips: int
    n_random_clips: int


def consistency(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: str | CavFitter, seed: int
) -> tuple[Consistency, ...]:
    """Whether a concept ranks the same clips high at each pair of layers.

    Each clip is projected on a CAV that was learned without its group. Any two layers that tell concept from random clips
    agree on that difference, so the correlation over all clips would be near one even if they told them apart by different
    things. Therefore both kinds are centred first, and what is left is how clips of one kind differ: a layer that reads
    "racket" as round things and one that reads it as arm movements then disagree. Layers that are alike correlate whatever
    the concept is, which is what the reference shows. Two caveats: projections on noisy CAVs correlate less than the
    concepts behind them, so low values say little where `split_half` is low; and where all clips of a kind show the
    concept to the same degree, nothing is left to agree on.

    Args:
        comparisons: any comparisons; their twins are not looked at.
        grams: by layer.
        cav: how CAVs are learned.
        seed: of folds and label permutations, as in the CAV gate.

    Returns:
        One row a comparison and pair of layers; NaN where a layer does not tell clips of a kind apart.

    Source:
        Nicolson et al. 2024, arXiv:2404.03713, ask whether a concept's CAVs at different layers are consistent. They push
        perturbations through the network for it; here held-out projections are compared, which needs no further pass.
    """
    rows = []
    for comparison in comparisons:
        labels = comparison.design.labels
        experiments = [(labels, comparison.design.folds(seed)), *_permuted(comparison.design, seed)]
        # the same permuted experiments at every layer, so that their projections can be correlated
        projections = {
            layer: [held_out_projections(cav, gram.kernel, *experiment) for experiment in experiments]
            for layer, gram in comparison.grams(grams).items()
        }
        for layer, other_layer in combinations(grams, 2):
            pairs = list(zip(projections[layer], projections[other_layer], strict=True))
            correlation, *reference = [
                float(uncentred(centre_kinds(first, drawn), centre_kinds(second, drawn)))
                for (first, second), (drawn, _folds) in zip(pairs, experiments, strict=True)
            ]
            first, second = pairs[0]  # of the observed labels
            rows.append(
                Consistency(
                    key=comparison.key(layer),
                    other_layer=other_layer,
                    correlation=correlation,
                    concept_correlation=float(pearson(first[labels], second[labels])),
                    random_correlation=float(pearson(first[~labels], second[~labels])),
                    reference=float(np.mean(reference)),
                    n_concept_clips=int(labels.sum()),
                    n_random_clips=int((~labels).sum()),
                )
            )
    return tuple(rows)


def _permuted(design: Design, seed: int) -> Iterator[tuple[Bool[np.ndarray, " row"], Int[np.ndarray, " row"]]]:
    for chunk in design.permuted_experiments(REFERENCE_DRAWS, seed):
        yield from zip(chunk.labels, chunk.folds, strict=True)


def centre_kinds(values: Float[np.ndarray, " row"], labels: Bool[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Values less the average of their own kind."""
    return values - np.where(labels, values[labels].mean(), values[~labels].mean())
