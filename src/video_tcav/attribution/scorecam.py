"""Score-CAM: channels weighted by the target of the clip seen through them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import to_clip
from video_tcav.attribution.channel_method import ChannelMethod, Channels, Seen
from video_tcav.attribution.method import Advance, Positions, clip_shape, spacings_of
from video_tcav.attribution.perturbation import Baseline, Keep, baseline_clips, check_baseline, masked_values
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


def channel_masks(positions: Positions) -> Keep:
    """Each channel's activation as a mask: 0 where it is lowest, 1 where it is highest; a flat channel shows nothing.

    Args:
        positions: of one clip.

    Source:
        Wang et al. 2020, arXiv:1910.01279, algorithm 1, with the scaling before the enlarging rather than behind it.
    """
    channels = positions[0].movedim(-1, 0)
    lowest, highest = channels.amin((1, 2, 3), keepdim=True), channels.amax((1, 2, 3), keepdim=True)
    spread = highest - lowest
    return (channels - lowest) / torch.where(spread > 0, spread, torch.ones_like(spread))


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(ChannelMethod):
    """Score-CAM (Wang et al. 2020, arXiv:1910.01279), each channel a mask over space and time.

    Attributes:
        layers: see `ChannelMethod`.
        channels: see `ChannelMethod`.
        baseline: what the clip shows where a channel is low.
    """

    name: ClassVar[str] = "scorecam"
    baseline: Baseline = "grey"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)

    def weights(
        self, model: VideoModel, seen: Seen, tried: Channels, target: Target, advance: Advance
    ) -> Float[Tensor, " channel"]:
        """Softmax over the channels of the target behind each mask; what it is compared with cancels."""
        masks = channel_masks(seen.positions[..., tried])
        shape, spacings = clip_shape(model, seen.clip), spacings_of(model, [seen.layer], seen.clip)[seen.layer]
        values = masked_values(
            model,
            seen.clip,
            baseline_clips(model, seen.clip, self.baseline),
            lambda run: to_clip(masks[run.start : run.stop], shape, spacings),
            len(tried),
            target,
            advance,
        )
        return torch.softmax(values - seen.value, 0)
