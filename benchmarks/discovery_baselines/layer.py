"""Activations and gradients of a layer as grids of positions, passes with changed activations, and segments by k-means."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional as F

# Tokens of the transformers of the rendered world: time, height, width.
_GRID = (8, 4, 4)
_BATCH = 20
Grid = Float[Tensor, "clip time height width channel"]


def activations(model: nn.Module, layer: nn.Module, clips: Tensor) -> Grid:
    """The layer's output at its positions, of all clips."""
    batches: list[Tensor] = []
    with torch.no_grad():
        for batch in clips.split(_BATCH):
            _passed(model, layer, batch, lambda grid: batches.append(grid))
    return torch.cat(batches)


def gradients(model: nn.Module, layer: nn.Module, clips: Tensor, target: int) -> Grid:
    """Gradient of the target's logit by the layer's output at its positions."""
    batches = []
    for batch in clips.split(_BATCH):
        grids: list[Tensor] = []

        def keep(grid: Tensor, grids: list[Tensor] = grids) -> Tensor:
            grids.append(grid.detach().requires_grad_())
            return grids[0]

        logits = _passed(model, layer, batch, keep)
        batches.append(torch.autograd.grad(logits[:, target].sum(), grids[0])[0])
    return torch.cat(batches)


def logits_with(
    model: nn.Module, layer: nn.Module, clips: Tensor, change: Callable[[Grid], Grid]
) -> Float[Tensor, "clip class"]:
    """Logits where the layer's output is changed."""
    with torch.no_grad():
        return _passed(model, layer, clips, change)


def segments(
    features: Float[np.ndarray, "time height width channel"], count: int, *, compactness: float, seed: int
) -> Int[np.ndarray, "time height width"]:
    """Segments of one clip by k-means on features and positions: what SLIC does, without its search windows.

    Args:
        features: of each position; scaled here to a variance of one.
        count: of segments.
        compactness: how much positions count beside features.
        seed: of the first centres.

    Source:
        Achanta et al. 2012, SLIC superpixels compared to state-of-the-art superpixel methods.
    """
    shape = features.shape[:3]
    axes = np.meshgrid(*(np.linspace(0, 1, length) for length in shape), indexing="ij")
    spread = features.std() * np.sqrt(features.shape[3]) or 1.0
    values = np.concatenate([features / spread, compactness * np.stack(axes, axis=-1)], axis=-1).reshape(
        -1, features.shape[3] + 3
    )
    return KMeans(count, n_init=1, max_iter=20, random_state=seed).fit_predict(values).reshape(shape)


def pooled(
    features: Float[np.ndarray, "time height width channel"], labels: Int[np.ndarray, "time height width"], count: int
) -> Float[np.ndarray, "segment channel"]:
    """Mean features of each segment."""
    members = np.eye(count)[labels.ravel()]
    return members.T @ features.reshape(-1, features.shape[-1]) / np.maximum(members.sum(0), 1)[:, None]


def resized(grid: Float[Tensor, "clip time height width channel"], shape: tuple[int, int, int]) -> Grid:
    """The same on another grid, by averages or linearly."""
    return F.interpolate(grid.movedim(-1, 1), size=shape, mode="trilinear").movedim(1, -1)


def _passed(
    model: nn.Module, layer: nn.Module, clips: Tensor, look: Callable[[Tensor], Tensor | None]
) -> Float[Tensor, "clip class"]:
    """Logits of a pass in which `look` gets the layer's output as a grid, and may return another one."""

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        is_tokens = output.ndim == 3
        grid = output.unflatten(1, _GRID) if is_tokens else output.movedim(1, -1)
        changed = look(grid)
        if changed is None:
            return output
        return changed.flatten(1, 3) if is_tokens else changed.movedim(-1, 1)

    handle = layer.register_forward_hook(hook)
    try:
        return model(clips)
    finally:
        handle.remove()
