"""Channels-last memory for convolutions on a CPU: the same numbers from a quarter to a half faster, the model untouched.

Only the memory order of the input changes; convolutions hand it on. Weights stay as they are.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.models.hooks import untouched
from video_tcav.models.video_model import VideoModel
from video_tcav.recording.fast.agreement import agree

_TOLERANCE = 1e-4  # of the largest logit; another order of sums changes some 1e-6


def channels_last(
    inputs: Float[Tensor, "clip channel time height width"],
) -> Float[Tensor, "clip channel time height width"]:
    """The same values, with the channels of a place side by side in memory."""
    return inputs.contiguous(memory_format=torch.channels_last_3d)


def takes_channels_last(model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"]) -> bool:
    """Whether the model may be given channels-last inputs: 3-D convolutions on a CPU that answer as they would otherwise.

    Networks that `view` an activation as if it were channels-first raise; they are left to their own order. For the
    arguments see `choose_fast_paths`.
    """
    convolves = any(isinstance(module, nn.Conv3d) for module in model.module.modules())
    if not convolves or model.clip_spec.layout != "channels_first" or inputs.device.type != "cpu":
        return False
    two = torch.cat([inputs, inputs])  # with one clip alone a convolution may not see the difference
    with untouched(model.module), torch.no_grad():
        try:
            logits = model.logits(channels_last(two))
        except RuntimeError:
            return False
    return agree(logits, plain, _TOLERANCE)
