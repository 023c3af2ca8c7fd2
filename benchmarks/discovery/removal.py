"""A component taken out of a layer where it is: what clips that have it lose of the target, which no slope is needed for."""

import numpy as np
import torch
from benchmarks.discovery.worlds import DiscoveryWorld
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import LayerGrid
from video_tcav.models import parse_target
from video_tcav.rendered.training import normalised

_MOST_CLIPS = 24
"""Clips with most of a component: one pass each, and another without it."""


def lost_without(world: DiscoveryWorld, layer: LayerDiscovery, column: int) -> float:
    """Mean of what the target loses when a component's share of the layer's activation is taken out, position by position.

    Of clips that have it and did not find it. A shift along the CAV, as slopes and steps are, is the same everywhere.
    """
    strong = layer.strong[layer.names[column]]
    chosen = [int(clip) for clip in strong.clips[strong.strong]][:_MOST_CLIPS]
    components = layer.components
    codes = np.concatenate(list(components.maps(layer.store, layer.clips.rows[chosen])))[..., column]
    shares = torch.from_numpy((codes[..., None] * components.directions[column] * components.scale).astype(np.float32))
    target = parse_target(world.model, world.target, "log_odds")
    inputs = normalised(torch.stack([world.rendered[clip].clip for clip in chosen]))

    def without(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return output - as_output(shares, components.grid, output)

    with torch.no_grad():
        plain = target(world.model.logits(inputs))
        handle = world.model.layer(layer.layer).register_forward_hook(without)
        try:
            edited = target(world.model.logits(inputs))
        finally:
            handle.remove()
    return float((plain - edited).mean())


def as_output(shares: Float[Tensor, "clip time height width channel"], grid: LayerGrid, output: Tensor) -> Tensor:
    """Shares on the grid in the layout of the layer's own output: feature maps, or tokens in the order of time, height, width."""
    for dim, factor in enumerate(grid.factors, start=1):
        shares = shares.repeat_interleave(factor, dim)
    return shares.flatten(1, 3) if output.ndim == 3 else shares.movedim(-1, 1)
