"""3D-ACE-like discovery: supervoxels of pixels, clustered by a layer's features, ranked by TCAV scores."""

from typing import Any

import numpy as np
from benchmarks.discovery_baselines.layer import activations, gradients, pooled, resized, segments
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

COMPONENTS = 10
_SUPERVOXELS = 15  # of a clip
_COMPACTNESS = 0.5
_SHAPE = (8, 16, 16)  # on which supervoxels are made: time, height, width


def ace(
    *, model: nn.Module, class_clips: Tensor, random_clips: Tensor, new_clips: Tensor, target: int, layer: nn.Module,
    seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Clusters of supervoxels of the class, ordered by the share of class clips whose target rises along their CAV.

    Features are pooled where a supervoxel is; the papers pass each alone through the network, on a grey ground.

    Source:
        Ghorbani et al. 2019, Towards Automatic Concept-based Explanations, arXiv:1902.03129; Ji et al. 2023, Spatial-Temporal
        Concept based Explanation of 3D ConvNets, CVPR.
    """
    _, features = _supervoxels(model, layer, class_clips, seed)
    clusters = KMeans(COMPONENTS, n_init=4, random_state=seed).fit(features)
    _, random_features = _supervoxels(model, layer, random_clips, seed)
    slopes = gradients(model, layer, class_clips, target).mean((1, 2, 3)).numpy()
    cavs = [_cav(features[clusters.labels_ == number], random_features) for number in range(COMPONENTS)]
    # The score alone ties at 1 for several: then the larger mean slope goes first.
    ranks = [((slopes @ cav > 0).mean(), (slopes @ cav).mean()) for cav in cavs]
    new_labels, new_features = _supervoxels(model, layer, new_clips, seed)
    concepts = clusters.predict(new_features).reshape(len(new_clips), _SUPERVOXELS)
    maps = np.stack([clip_concepts[clip] for clip_concepts, clip in zip(concepts, new_labels, strict=True)])
    order = sorted(range(COMPONENTS), key=lambda number: ranks[number], reverse=True)
    return [{"map": (maps == number).astype(np.float32), "direction": cavs[number]} for number in order]


def _supervoxels(model: nn.Module, layer: nn.Module, clips: Tensor, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Supervoxels of each clip by its colours, and their features, clip by clip."""
    pixels = resized(clips.movedim(1, -1), _SHAPE).numpy()
    grid = resized(activations(model, layer, clips), _SHAPE).numpy()
    labels = np.stack([segments(clip, _SUPERVOXELS, compactness=_COMPACTNESS, seed=seed) for clip in pixels])
    features = [pooled(clip, each, _SUPERVOXELS) for clip, each in zip(grid, labels, strict=True)]
    return labels, np.concatenate(features)


def _cav(features: np.ndarray, random_features: np.ndarray) -> np.ndarray:
    """Unit normal of a logistic regression between a cluster and supervoxels of random clips."""
    rows = np.concatenate([features, random_features])
    is_concept = np.arange(len(rows)) < len(features)
    scale = rows.std() or 1.0
    weights = LogisticRegression(class_weight="balanced", max_iter=1000).fit(rows / scale, is_concept).coef_[0]
    return weights / np.linalg.norm(weights)
