"""Fast paths: optimisations of a model's passes, each checked against the plain model, and undone after each pass."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.models.hooks import untouched
from video_tcav.models.video_model import VideoModel
from video_tcav.recording.fast.fused_attention import fused_attention, takes_fused_attention
from video_tcav.recording.fast.memory_format import channels_last, takes_channels_last
from video_tcav.recording.fast.precision import Precision, in_precision


@dataclass(frozen=True, kw_only=True)
class FastPaths:
    """Optimisations whose logits were checked against the plain model.

    Attributes:
        channels_last: see `memory_format`.
        fused_attention: see `fused_attention`.
    """

    channels_last: bool = False
    fused_attention: bool = False


def choose_fast_paths(
    model: VideoModel, inputs: Float[Tensor, "one ..."], plain: Float[Tensor, "one class"] | None = None
) -> FastPaths:
    """What this model takes; a few passes of one clip.

    Args:
        model: the model.
        inputs: one prepared clip, with the clip axis in front.
        plain: its logits, if they are known.
    """
    if plain is None:
        with untouched(model.module), torch.no_grad():
            plain = model.logits(inputs)
    return FastPaths(
        channels_last=takes_channels_last(model, inputs, plain),
        fused_attention=takes_fused_attention(model, inputs, plain),
    )


class OptimisedPass:
    """Passes batches of clips with the fast paths that were chosen.

    Args:
        model: the model.
        paths: from `choose_fast_paths`.
        precision: of the products.
    """

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
