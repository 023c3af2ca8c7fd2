"""Fast paths: optimisations of a model's passes, each checked against the plain model, and undone after each pass.

Channels-last memory makes convolutions on a CPU a quarter to a half faster: only the memory order of the input changes, which
convolutions hand on. Window attention is fused, see `fused_attention`.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.models.hooks import untouched
from video_tcav.models.video_model import VideoModel
from video_tcav.recording.fast.fused_attention import fused_attention, takes_fused_attention
from video_tcav.recording.fast.precision import Precision, agree, in_precision

_TOLERANCE = 1e-4  # of the largest logit; another order of sums changes some 1e-6


@dataclass(frozen=True, kw_only=True)
class FastPaths:
    """Optimisations whose logits were checked against the plain model."""

    channels_last: bool = False
    fused_attention: bool = False


def choose_fast_paths(
    model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"] | None = None
) -> FastPaths:
    """What this model takes, by a few passes of one prepared clip (with the clip axis in front); `plain` are its logits."""
    if plain is None:
        with untouched(model.module), torch.no_grad():
            plain = model.logits(inputs)
    return FastPaths(
        channels_last=_takes_channels_last(model, inputs, plain),
        fused_attention=takes_fused_attention(model, inputs, plain),
    )


def channels_last(
    inputs: Float[Tensor, "clip channel time height width"],
) -> Float[Tensor, "clip channel time height width"]:
    """The same values, with the channels of a position side by side in memory."""
    return inputs.contiguous(memory_format=torch.channels_last_3d)


def _takes_channels_last(
    model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"]
) -> bool:
    """Whether 3-D convolutions on a CPU answer as they would otherwise.

    Networks that `view` an activation as if it were channels-first raise; they are left to their own order.
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


class OptimisedPass:
    """Passes batches of clips with the fast paths that were chosen, products in one precision."""

    def __init__(self, model: VideoModel, paths: FastPaths, *, precision: Precision = "float32") -> None:
        self._model, self.paths = model, paths
        self._precision: Precision = precision

    def batch(self, inputs: Sequence[Float[Tensor, "..."]]) -> Float[Tensor, "clip ..."]:
        """Prepared clips as one batch on the model's device, in the order in memory that the model likes."""
        stacked = torch.stack(list(inputs))
        if self._model.device.type == "cuda":  # from pinned memory the copy goes on beside the previous pass
            return stacked.pin_memory().to(self._model.device, non_blocking=True)
        stacked = stacked.to(self._model.device)
        return channels_last(stacked) if self.paths.channels_last else stacked

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, the model takes its fast paths; outside, it is as it came."""
        with ExitStack() as stack:
            if self.paths.fused_attention:
                stack.enter_context(fused_attention(self._model.module))
            stack.enter_context(in_precision(self._precision, self._model.device))
            yield
