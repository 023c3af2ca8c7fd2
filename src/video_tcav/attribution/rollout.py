"""Attention rollout for transformers, each layer's attention weighted by its gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.method import Advance, Clips, Found, Method, mapped_axes
from video_tcav.core.errors import MethodError
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.attention import attention_weights
from video_tcav.models.hooks import check_finite, hooked
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.targets import Target

Relevance = Float[Tensor, "clip token"]


def attention_rollout(
    weights: Sequence[Float[Tensor, "clip head token token"]],
    gradients: Sequence[Float[Tensor, "clip head token token"]],
    read: Relevance,
) -> Relevance:
    """How much each token of the input matters, through all attention layers.

    Args:
        weights: attention of each layer, the first layer first.
        gradients: of the target by them.
        read: how much the target reads of each token behind the last layer.

    Returns:
        Non-negative numbers: what attention brought from each token to where the target reads. Relevance that stays at its
        own token is carried along, as residual connections do, and what never moved is left out at the end: where all
        tokens are averaged it is the same everywhere.

    Source:
        Chefer et al. 2021, arXiv:2103.15679, equations 5 and 6. They start from the class token alone; here `read` says
        where the target reads, so that models that average their tokens are served as well.
    """
    relevance = read
    for weight, gradient in zip(reversed(weights), reversed(gradients), strict=True):
        flow = (weight * gradient).clamp(min=0).mean(1)
        relevance = relevance + (relevance[:, None] @ flow)[:, 0]
    return relevance - read


@dataclass(frozen=True, kw_only=True)
class AttentionRollout(Method):
    """Gradient-weighted attention rollout (Chefer et al. 2021, arXiv:2103.15679), for joint attention over space and time.

    How much the target reads of each token behind `layers` is the size of its gradient there: a class token alone where
    the head reads it alone, all tokens where they are averaged. From there relevance is followed back through the attention
    of that layer and all before it.

    Attributes:
        layers: one layer that gives tokens; the deepest of the model's stages if not given.
    """

    name: ClassVar[str] = "rollout"
    layers: tuple[str, ...] | None = None

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One forward and one backward a clip: written-out attention takes much memory."""
        ((layer, axes), *more) = mapped_axes(model, self.layers, clips).items()
        if more or "token" not in axes.dims or "channel" not in axes.dims:
            raise MethodError(
                f"`rollout` must start at one layer of tokens. Got {', '.join([layer, *(name for name, _ in more)])} of"
                f" {model.name}. Choose a block of a transformer, or another method, such as gradcam."
            )
        maps, values = [], []
        for clip in clips.split(1):
            seen = _watch(model, layer, axes, clip, target)
            relevance = attention_rollout(seen.weights, seen.weight_gradients, read_of(axes, seen.gradient))
            maps.append(axes.positions(_as_layer(axes, relevance))[..., 0])
            values.append(seen.target)
            advance(1)
        return Found(layers={layer: torch.cat(maps)}, target=torch.cat(values))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What one pass showed: the target's gradient behind the layer, and attention up to there with its gradients."""

    gradient: Tensor
    weights: list[Tensor]
    weight_gradients: list[Tensor]
    target: Float[Tensor, " clip"]


def _watch(model: VideoModel, layer: str, axes: LayerAxes, clips: Clips, target: Target) -> _Seen:
    assert axes.grid is not None
    tokens = axes.prefix_tokens + prod(axes.grid)
    weights: list[Tensor] = []
    others: set[tuple[int, ...]] = set()
    behind: list[Tensor] = []

    def keep(weight: Tensor) -> None:
        if behind:
            return
        fits = weight.shape[0] == len(clips) and weight.shape[2:] == (tokens, tokens)
        weights.append(weight) if fits else others.add(tuple(weight.shape[2:]))

    def stop(_name: str, output: Any) -> None:
        behind.append(layer_tensor(output))

    inputs = clips.detach().requires_grad_()  # so that everything is part of the graph
    with torch.enable_grad(), attention_weights(keep), hooked(model, (layer,), stop):
        values = target(check_finite(model.logits(inputs), "the logits"))
    if others or not weights:
        found = " and ".join(f"{query} × {key}" for query, key in sorted(others)) or "none"
        raise MethodError(
            f"`rollout` must meet attention among all {tokens} tokens up to {layer}. Got {found} in {model.name}:"
            " attention there is divided, windowed, pooled or absent. Use another method, such as gradcam or hirescam."
        )
    grads = torch.autograd.grad(values.sum(), [behind[0], *weights], materialize_grads=True)
    return _Seen(
        gradient=grads[0],
        weights=[weight.detach() for weight in weights],
        weight_gradients=list(grads[1:]),
        target=values.detach(),
    )


def read_of(axes: LayerAxes, gradient: Tensor) -> Relevance:
    """How much of each token the target reads: the length of its gradient there, in shares of the clip's sum."""
    split = axes.per_clip(gradient).permute(0, axes.dims.index("token"), axes.dims.index("channel"))
    length = split.norm(dim=-1)
    return length / length.sum(1, keepdim=True).clamp(min=torch.finfo(length.dtype).tiny)


def _as_layer(axes: LayerAxes, relevance: Relevance) -> Tensor:
    """One number a token, laid out as the layer's output with one channel."""
    return relevance.unsqueeze(axes.dims.index("channel"))
