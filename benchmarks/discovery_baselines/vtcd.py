"""VTCD-like discovery: tubelets of a layer's features, clustered over clips, ranked by random masking (CRIS)."""

from typing import Any

import numpy as np
import torch
from benchmarks.discovery_baselines.layer import activations, logits_with, pooled, segments
from sklearn.cluster import KMeans
from torch import Tensor, nn

COMPONENTS = 10
_TUBELETS = 12  # of a clip, as in the paper
_COMPACTNESS = 0.1
_MASKED_CLIPS, _MASKS = 16, 48


def vtcd(
    *, model: nn.Module, class_clips: Tensor, random_clips: Tensor, new_clips: Tensor, target: int, layer: nn.Module,
    seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Clusters of tubelets of the class, ordered by how much the class falls where they are masked in random company.

    K-means in place of convex NMF; tubelets of new clips go to the nearest centre. The layer's output is masked, as keys of
    attention do not exist in all networks.

    Source:
        Kowal et al. 2024, Understanding Video Transformers via Universal Concept Discovery, arXiv:2401.10831.
    """
    grid = activations(model, layer, class_clips).numpy()
    labels = [segments(clip, _TUBELETS, compactness=_COMPACTNESS, seed=seed) for clip in grid]
    tubelets = np.concatenate([pooled(clip, each, _TUBELETS) for clip, each in zip(grid, labels, strict=True)])
    clusters = KMeans(COMPONENTS, n_init=4, random_state=seed).fit(tubelets)
    concepts = np.stack([_concepts(clusters, clip, each) for clip, each in zip(grid, labels, strict=True)])
    importance = _importance(model, layer, class_clips, concepts, target, np.random.default_rng(seed))
    new_grid = activations(model, layer, new_clips).numpy()
    new_labels = [segments(clip, _TUBELETS, compactness=_COMPACTNESS, seed=seed) for clip in new_grid]
    new_concepts = np.stack([_concepts(clusters, clip, each) for clip, each in zip(new_grid, new_labels, strict=True)])
    return [
        {"map": (new_concepts == number).astype(np.float32), "direction": clusters.cluster_centers_[number]}
        for number in importance.argsort()[::-1]
    ]


def _concepts(clusters: KMeans, clip: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cluster of each position of a clip: that of its tubelet."""
    return clusters.predict(pooled(clip, labels, _TUBELETS))[labels]


def _importance(
    model: nn.Module,
    layer: nn.Module,
    clips: Tensor,
    concepts: np.ndarray,
    target: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Mean logit where a concept stays, minus where it is masked, over random sets of masked concepts."""
    clips, concepts = clips[:_MASKED_CLIPS], concepts[:_MASKED_CLIPS]
    stays = generator.random((_MASKS, COMPONENTS)) < 0.5
    stays[:2] = [[True], [False]]  # no concept is without a mean on either side
    logits = []
    for mask in stays:
        keep = torch.from_numpy(mask[concepts]).float()[..., None]
        logits.append(logits_with(model, layer, clips, lambda grid, keep=keep: grid * keep)[:, target].mean())
    values = torch.stack(logits).numpy()
    return np.array([values[column].mean() - values[~column].mean() for column in stays.T])
