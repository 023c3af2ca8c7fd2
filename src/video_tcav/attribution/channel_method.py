"""What methods share that try one channel of a layer after the other, with no gradient."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, Found, Method, Positions, mapped_axes, read_layers
from video_tcav.core.checks import require
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.targets import Target

Channels = Int[Tensor, " channel"]


@dataclass(frozen=True, kw_only=True)
class Seen:
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
class ChannelMethod(Method):
    """A method that weights each channel by what the target does when the channel is tried.

    Attributes:
        layers: dotted module names; the deepest of the model's stages if not given.
        channels: how many channels are tried at each layer, those that vary most over the clip's positions; all if not
            given. Each one costs a forward pass of every clip.
    """

    layers: tuple[str, ...] | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        require(
            self.channels is None or self.channels >= 1,
            "channels",
            "be at least 1",
            self.channels,
            "Leave it out to try all.",
        )

    @abstractmethod
    def weights(
        self, model: VideoModel, seen: Seen, tried: Channels, target: Target, advance: Advance
    ) -> Float[Tensor, " channel"]:
        """A weight for each channel that is tried; the steps told to `advance` add up to one."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One clip after the other, and one layer after the other."""
        axes = mapped_axes(model, self.layers, clips)
        maps: dict[str, list[Map]] = {name: [] for name in axes}
        values: list[Tensor] = []
        for clip in clips.split(1):
            logits, activations = read_layers(model, axes, clip)
            values.append(target(logits))
            for name, positions in activations.items():
                seen = Seen(clip=clip, layer=name, axes=axes[name], positions=positions, value=values[-1])
                tried = most_varied(positions, self.channels)
                weights = self.weights(model, seen, tried, target, lambda step: advance(step / len(axes)))
                maps[name].append((positions[..., tried] * weights).sum(-1))
        return Found(layers={name: torch.cat(parts) for name, parts in maps.items()}, target=torch.cat(values))


def most_varied(positions: Positions, count: int | None) -> Channels:
    """The channels of one clip with the largest variance over its positions, in their own order; all if `count` is `None`."""
    channels = positions.shape[-1]
    if count is None or count >= channels:
        return torch.arange(channels, device=positions.device)
    varies = positions.flatten(0, 3).var(0, correction=0)
    return varies.topk(count).indices.sort().values
