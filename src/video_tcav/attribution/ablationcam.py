"""Ablation-CAM: channels weighted by what the target loses without them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.channel_method import ChannelMethod, Channels, Seen
from video_tcav.attribution.method import Advance, Clips, batch_of
from video_tcav.attribution.perturbation import chunks, target_values
from video_tcav.models import LayerAxes, VideoModel, layer_tensor, replace_layer_tensor
from video_tcav.models.hooks import hooked
from video_tcav.models.targets import Target


def without_channels(
    axes: LayerAxes, activation: Float[Tensor, "row ..."], channels: Channels
) -> Float[Tensor, "row ..."]:
    """A layer's output with one channel set to zero at all positions of each clip; prefix tokens, which have none, stay.

    Args:
        axes: of the layer.
        activation: its raw output, which is not changed.
        channels: which one for each clip.
    """
    changed = axes.per_clip(activation).clone()
    view, names = changed, axes.dims
    if "token" in names:
        at = names.index("token")
        view = view.narrow(at, axes.prefix_tokens, view.shape[at] - axes.prefix_tokens)
    view = view.movedim(names.index("channel"), 1) if "channel" in names else view.unsqueeze(1)
    view[torch.arange(len(channels), device=view.device), channels] = 0
    return changed.reshape(activation.shape)


@dataclass(frozen=True, kw_only=True)
class AblationCAM(ChannelMethod):
    """Ablation-CAM (Desai and Ramaswamy 2020, doi:10.1109/WACV45572.2020.9093360).

    A channel's weight is `y - y_c`, the fall of the target without it. The paper divides by `y`, which is one
    number for the whole map, and which flips every sign where the target is negative, as log-odds often are.
    """

    name: ClassVar[str] = "ablationcam"

    def weights(
        self, model: VideoModel, seen: Seen, tried: Channels, target: Target, advance: Advance
    ) -> Float[Tensor, " channel"]:
        """One forward for each channel."""
        removed = tried

        def remove(_layer: str, output: Any) -> Any:
            return replace_layer_tensor(output, without_channels(seen.axes, layer_tensor(output), removed))

        def batches() -> Iterator[Clips]:
            nonlocal removed
            for run in chunks(len(tried), batch_of(model, seen.clip)):
                removed = tried[run.start : run.stop]
                yield seen.clip.repeat(len(run), 1, 1, 1, 1)
                advance(len(run) / len(tried))

        batch_of(model, seen.clip)  # found before the hook is there, which fits these batches alone
        with hooked(model, (seen.layer,), remove):
            without = target_values(model, batches(), target)
        return seen.value - without
