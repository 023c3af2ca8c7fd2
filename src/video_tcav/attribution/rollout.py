"""Attention rollout of transformers, each layer's attention weighted by its gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, mapped_axes
from video_tcav.core.errors import MethodError
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.attention import attention_weights
from video_tcav.models.hooks import check_finite, hooked
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.targets import Target

Relevance = Float[Tensor, "clip token"]


@dataclass(frozen=True, kw_only=True)
class AttentionRollout(Method):
    """Gradient-weighted attention rollout, for joint attention over space and time.

    How much the target reads of each token behind `layers` is the size of its gradient there: a class token alone where
    the head reads it alone, all tokens where they are averaged. From there relevance is followed back through the attention
    of that layer and all before it.

    Attributes:
        layers: one layer that gives tokens; the deepest of the model's stages if not given.
    """

    name: ClassVar[str] = "rollout"
    help: ClassVar[str] = "Attention of all layers, weighted by its gradients; joint attention over space and time only"
    source: ClassVar[str] = "Chefer et al. 2021, arXiv:2103.15679"
    layers: tuple[str, ...] | None = None

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward and one backward a clip: written-out attention takes much memory."""
        ((layer, axes), *more) = mapped_axes(model, self.layers, clips).items()
        if more or "token" not in axes.dims or "channel" not in axes.dims:
            raise MethodError(
                f"`rollout` must start at one layer of tokens. Got {', '.join([layer, *(name for name, _ in more)])} of"
                f" {model.name}. Choose a block of a transformer, or another method, such as gradcam."
            )
        maps, values = [], []
        for clip in clips.split(1):
            weights, (layer_gradient, *gradients), value = _record_attention(model, layer, axes, clip, target)
            relevance = attention_rollout(weights, gradients, read_shares(axes, layer_gradient))
            # One number a token, laid out as the layer's output with a single channel, is what `positions` reads.
            as_layer = relevance.unsqueeze(axes.dims.index("channel"))
            maps.append(axes.positions(as_layer)[..., 0])
            values.append(value)
            advance(1)
        return LayerMaps(layers={layer: torch.cat(maps)}, target=torch.cat(values))


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
        Non-negative numbers: what attention brought from each token to where the target reads.

    Source:
        Chefer et al. 2021, arXiv:2103.15679, equations 5 and 6. They start from the class token alone; here `read` says
        where the target reads, so that models that average their tokens are served as well.
    """
    relevance = read
    for weight, gradient in zip(reversed(weights), reversed(gradients), strict=True):
        flow = (weight * gradient).clamp(min=0).mean(1)  # equation 5: the mean over heads
        # Equation 6. The first term is the residual connection, which carries relevance along at its own token.
        relevance = relevance + (relevance[:, None] @ flow)[:, 0]
    # What no attention moved is left out: where all tokens are averaged it is the same everywhere.
    return relevance - read


def _record_attention(
    model: VideoModel, layer: str, axes: LayerAxes, clips: Clips, target: Target
) -> tuple[list[Tensor], Sequence[Tensor], Float[Tensor, " clip"]]:
    """Attention up to a layer; the target's gradients by that layer's output and by each of these; and the target."""
    assert axes.grid is not None
    tokens = axes.prefix_tokens + prod(axes.grid)
    weights: list[Tensor] = []
    misfits: set[tuple[int, ...]] = set()
    layer_outputs: list[Tensor] = []

    def keep(weight: Tensor) -> None:
        if layer_outputs:
            return  # attention behind the layer
        fits = weight.shape[0] == len(clips) and weight.shape[2:] == (tokens, tokens)
        weights.append(weight) if fits else misfits.add(tuple(weight.shape[2:]))

    def stop(_name: str, output: Any) -> None:
        layer_outputs.append(layer_tensor(output))

    inputs = clips.detach().requires_grad_()  # parameters are frozen: the graph starts at the clip
    with torch.enable_grad(), attention_weights(keep), hooked(model, (layer,), stop):
        values = target(check_finite(model.logits(inputs), "the logits"))
    if misfits or not weights:
        shapes = " and ".join(f"{query} × {key}" for query, key in sorted(misfits)) or "none"
        raise MethodError(
            f"`rollout` must meet attention among all {tokens} tokens up to {layer}. Got {shapes} in {model.name}:"
            " attention there is divided, windowed, pooled or absent. Use another method, such as gradcam or hirescam."
        )
    # Weights that the target does not depend on get zeros, not an error: a head may read the class token alone.
    gradients = torch.autograd.grad(values.sum(), [layer_outputs[0], *weights], materialize_grads=True)
    return [weight.detach() for weight in weights], gradients, values.detach()


def read_shares(axes: LayerAxes, gradient: Tensor) -> Relevance:
    """How much of each token the target reads: the length of its gradient there, in shares of the clip's sum."""
    tokens = axes.per_clip(gradient).permute(0, axes.dims.index("token"), axes.dims.index("channel"))
    length = tokens.norm(dim=-1)
    return length / length.sum(1, keepdim=True).clamp(min=torch.finfo(length.dtype).tiny)
