"""Gradient-free CAMs that score a layer's channels one by one: Score-CAM and Ablation-CAM."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.method import (
    Advance,
    Clips,
    LayerMaps,
    Method,
    Positions,
    batch_size,
    clip_shape,
    mapped_axes,
    read_layers,
    spacings_of,
)
from video_tcav.attribution.perturbation import Baseline, Keep, baseline_clips, masked_values, target_values
from video_tcav.core.checks import at_least
from video_tcav.models import LayerAxes, VideoModel, layer_tensor, replace_layer_tensor
from video_tcav.models.hooks import hooked
from video_tcav.models.targets import Target

Channels = Int[Tensor, " channel"]
Weights = Float[Tensor, " channel"]


@dataclass(frozen=True, kw_only=True)
class LayerActivation:
    """One clip at one layer.

    Attributes:
        clip: with the clip axis in front.
        layer: dotted module name.
        axes: of its output.
        positions: its activation.
        value: the target.
    """

    clip: Clips
    layer: str
    axes: LayerAxes
    positions: Positions
    value: Float[Tensor, " clip"]


@dataclass(frozen=True, kw_only=True)
class ChannelCAM(Method):
    """Base class of CAMs that weight each channel by what the target does in a forward pass of its own.

    Attributes:
        layers: dotted module names; the deepest of the model's stages if not given.
        channels: how many channels are scored at each layer, those that vary most over the clip's positions; all if not
            given. Each one costs a forward pass of every clip.
    """

    layers: tuple[str, ...] | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels is not None:
            at_least("channels", self.channels, 1, cure="Leave it out to try all.")

    @abstractmethod
    def weights(
        self, model: VideoModel, activation: LayerActivation, channels: Channels, target: Target, advance: Advance
    ) -> Weights:
        """A weight for each of the channels; the steps of `advance` add up to one."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """Clip by clip, and layer by layer: the batches are taken up by channels."""
        axes = mapped_axes(model, self.layers, clips)
        maps: dict[str, list[Map]] = {name: [] for name in axes}
        values: list[Tensor] = []
        for clip in clips.split(1):
            logits, activations = read_layers(model, axes, clip)
            values.append(target(logits))
            for name, positions in activations.items():
                activation = LayerActivation(
                    clip=clip, layer=name, axes=axes[name], positions=positions, value=values[-1]
                )
                channels = most_varied(positions, self.channels)
                weights = self.weights(model, activation, channels, target, lambda step: advance(step / len(axes)))
                maps[name].append((positions[..., channels] * weights).sum(-1))
        return LayerMaps(
            layers={name: torch.cat(clip_maps) for name, clip_maps in maps.items()}, target=torch.cat(values)
        )


def most_varied(positions: Positions, count: int | None) -> Channels:
    """The channels of one clip with the largest variance over its positions, in their own order; all if `count` is `None`."""
    channels = positions.shape[-1]
    if count is None or count >= channels:
        return torch.arange(channels, device=positions.device)
    variances = positions.flatten(0, 3).var(0, correction=0)
    return variances.topk(count).indices.sort().values


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(ChannelCAM):
    """Score-CAM: channels weighted by the target of the clip seen through them, each a mask over space and time.

    Attributes:
        layers: see `ChannelCAM`.
        channels: see `ChannelCAM`.
        baseline: what the clip shows where a channel is low.
    """

    name: ClassVar[str] = "scorecam"
    help: ClassVar[str] = "Channels weighted by the target of the clip masked by them"
    source: ClassVar[str] = "Wang et al. 2020, arXiv:1910.01279"
    baseline: Baseline = "grey"

    def weights(
        self, model: VideoModel, activation: LayerActivation, channels: Channels, target: Target, advance: Advance
    ) -> Weights:
        """Softmax over the channels of the target behind each mask."""
        clip = activation.clip
        masks = channel_masks(activation.positions[..., channels])
        shape, spacings = clip_shape(model, clip), spacings_of(model, [activation.layer], clip)[activation.layer]
        values = masked_values(
            model,
            clip,
            baseline_clips(model, clip, self.baseline),
            lambda batch: to_clip(masks[batch.start : batch.stop], shape, spacings),
            len(channels),
            target,
            advance,
        )
        # A softmax ignores what is subtracted from all values: the paper's target of a baseline clip, or the clip's own.
        return torch.softmax(values - activation.value, 0)


def channel_masks(positions: Positions) -> Keep:
    """Each channel of one clip as a mask: 0 where it is lowest, 1 where it is highest; a flat channel masks everything.

    Source:
        Wang et al. 2020, arXiv:1910.01279, algorithm 1, with the scaling before the enlarging rather than behind it.
    """
    channels = positions[0].movedim(-1, 0)
    # Each channel is scaled by itself: those that fire weakly would otherwise hide nearly everything.
    lowest, highest = channels.amin((1, 2, 3), keepdim=True), channels.amax((1, 2, 3), keepdim=True)
    spread = highest - lowest
    return (channels - lowest) / torch.where(spread > 0, spread, torch.ones_like(spread))


@dataclass(frozen=True, kw_only=True)
class AblationCAM(ChannelCAM):
    """Ablation-CAM: channels weighted by the fall of the target, `y - y_c`, when they are set to zero.

    The paper divides by `y`, which is one number for the whole map, and which flips every sign where the target is negative,
    as log-odds often are.
    """

    name: ClassVar[str] = "ablationcam"
    help: ClassVar[str] = "Channels weighted by the fall of the target without them"
    source: ClassVar[str] = "Desai and Ramaswamy 2020, doi:10.1109/WACV45572.2020.9093360"

    def weights(
        self, model: VideoModel, activation: LayerActivation, channels: Channels, target: Target, advance: Advance
    ) -> Weights:
        """One forward for each channel."""
        falls = []
        for batch in channels.split(batch_size(model, activation.clip)):
            with hooked(model, (activation.layer,), partial(_ablate, activation.axes, batch)):
                clips = activation.clip.repeat(len(batch), 1, 1, 1, 1)
                falls.append(activation.value - target_values(model, [clips], target))
            advance(len(batch) / len(channels))
        return torch.cat(falls)


def _ablate(axes: LayerAxes, channels: Channels, _layer: str, output: Any) -> Any:
    return replace_layer_tensor(output, ablated(axes, layer_tensor(output), channels))


def ablated(axes: LayerAxes, activation: Float[Tensor, "row ..."], channels: Channels) -> Float[Tensor, "row ..."]:
    """A copy of a layer's raw output with one channel of each clip set to zero at all positions, but not at prefix tokens."""
    changed = axes.per_clip(activation).clone()
    view, names = changed, axes.dims  # writing into the view writes into the copy, whatever the layer's layout
    if "token" in names:
        # Class tokens have no position, so that no map could show what the target loses with them.
        dim = names.index("token")
        view = view.narrow(dim, axes.prefix_tokens, view.shape[dim] - axes.prefix_tokens)
    view = view.movedim(names.index("channel"), 1) if "channel" in names else view.unsqueeze(1)
    view[torch.arange(len(channels), device=view.device), channels] = 0
    return changed.reshape(activation.shape)
