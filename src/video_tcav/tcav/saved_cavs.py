"""Saved CAVs: unit vectors in activation space that can score clips which their run has never seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.effects import fit_cavs
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.recording.feature_spaces import Space
from video_tcav.recording.inner_products import combine_rows
from video_tcav.recording.recording import Recording
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison

Coefficients = Float[np.ndarray, "cav row"]
Vectors = Float[Tensor, "cav feature"]


@dataclass(frozen=True, kw_only=True)
class SavedCav:
    """One CAV and what is needed to read it.

    Attributes:
        concept: its name.
        versus: what it was learned against.
        layer: dotted module name.
        space: feature space.
        vector: unit vector, pointing towards the concept.
        concept_mean: where the average concept clip projects on it.
        random_mean: where the average random clip does.
        weights_digest: of the model that it belongs to.
        auc: within folds, along CAVs of the other folds; NaN in files of version 0.1, which hold an accuracy.
    """

    concept: str
    versus: str
    layer: str
    space: Space
    vector: Float[Tensor, " feature"]
    concept_mean: float
    random_mean: float
    weights_digest: str
    auc: float


def cav_coefficients(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], cav: str | CavFitter
) -> dict[str, Coefficients]:
    """By layer, the coefficients of each comparison's unit CAV over all recorded rows, and last those of the mean row."""
    coefficients = {}
    for layer, gram in grams.items():
        alphas = np.zeros((len(comparisons) + 1, len(gram.kernel)))
        # one row more than CAVs: the mean of all clips, which is where Gram space has its origin
        alphas[-1] = 1 / len(gram.kernel)
        for index, comparison in enumerate(comparisons):
            rows = comparison.rows["none"]
            kernel = gram.of_rows(rows).kernel
            alphas[index, rows] = unit_coefficients(kernel, fit_cavs(cav, kernel, comparison.design.labels[None]))[0]
        coefficients[layer] = alphas
    return coefficients


def combined_rows(recording: Recording, coefficients: Mapping[str, Coefficients]) -> dict[str, Vectors]:
    """From coefficients back to vectors in activation space, by layer; rows must have been kept whole."""
    vectors = {}
    for layer, alphas in coefficients.items():
        rows = recording.whole_rows(layer)
        vectors[layer] = combine_rows(rows, range(rows.rows), alphas)
    return vectors


def cavs_of(
    recording: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    coefficients: Mapping[str, Coefficients],
    vectors: Mapping[str, Vectors],
    auc: Mapping[CavKey, float],
) -> list[SavedCav]:
    """The CAV of each comparison at each layer (not those of the twins).

    Args:
        recording: of the clips.
        comparisons: which clips stand for a concept, which for its negatives.
        grams: of each layer.
        coefficients: see `cav_coefficients`.
        vectors: what they stand for, by layer.
        auc: of each CAV.
    """
    return [
        cav
        for layer, gram in grams.items()
        for cav in _cavs_at(recording, comparisons, layer, gram, coefficients[layer], vectors[layer], auc)
    ]


def _cavs_at(
    recording: Recording,
    comparisons: Sequence[Comparison],
    layer: str,
    gram: Gram,
    coefficients: Coefficients,
    vectors: Vectors,
    auc: Mapping[CavKey, float],
) -> Iterator[SavedCav]:
    # Gram space measures from the mean row; clips that are scored later project from the origin
    offsets = (vectors[:-1].double() @ vectors[-1].double()).tolist()
    for index, comparison in enumerate(comparisons):
        labels = comparison.design.labels
        projected = (coefficients[index : index + 1] @ gram.kernel)[0, comparison.rows["none"]] + offsets[index]
        yield SavedCav(
            concept=comparison.concept,
            versus=comparison.versus,
            layer=layer,
            space=recording.settings.space,
            vector=vectors[index].contiguous(),
            concept_mean=float(projected[labels].mean()),
            random_mean=float(projected[~labels].mean()),
            weights_digest=recording.model.weights_digest,
            auc=auc[comparison.key(layer)],
        )
