"""Mixed precision: float32 passes, or products in bfloat16 where the hardware has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.video_model import VideoModel
from video_tcav.recording.settings import AskedPrecision

Precision = Literal["float32", "bfloat16"]
"""How passes are computed; `float32` leaves the model its own type."""
_TOLERANCE = 0.02  # of the largest difference; bfloat16 has 8 bits, so that a product is off by up to 0.4 %


def agree(logits: Float[Tensor, "clip class"], plain: Float[Tensor, "one class"], tolerance: float) -> bool:
    """Whether logits differ by at most so much of the largest; false where there is a NaN."""
    return bool(((logits - plain).abs() <= tolerance * plain.abs().max()).all())


def fast_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are in the hardware: AVX-512 BF16 or AMX of a processor, or those of a GPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch has no public name for them, and other versions may not have them at all
    checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return device.type == "cpu" and any(check() for check in checks if check)


def choose_precision(model: VideoModel, asked: AskedPrecision) -> Precision:
    """What `auto` means for this model, here: bfloat16 where it is in the hardware and the logits of a clip of noise agree.

    The choice depends on model and machine alone, never on the clock: the same run gives the same numbers again.

    Raises:
        InputError: for bfloat16 with a model that is not float32.
    """
    is_float32 = model.dtype == torch.float32
    if asked == "auto":
        return "bfloat16" if is_float32 and fast_bfloat16(model.device) and agrees_in_bfloat16(model) else "float32"
    if asked == "bfloat16" and not is_float32:
        raise InputError(
            f"`precision` must be float32 for a model of another type. Got bfloat16 for {model.dtype}. "
            "Leave it out: such a model passes its clips in its own type."
        )
    return asked


def agrees_in_bfloat16(model: VideoModel) -> bool:
    """Whether the differences between logits, on a clip of noise, stay within 2 % of the largest."""
    inputs = noise_clip(model)
    with untouched(model.module), torch.no_grad():
        exact = _differences(model.logits(inputs))
        with in_precision("bfloat16", model.device):
            rounded = _differences(model.logits(inputs))
    return agree(rounded, exact, _TOLERANCE)


def _differences(logits: Tensor) -> Tensor:
    """Logits from their mean: what all have in common changes neither a probability nor a log odds."""
    values = logits.float()
    return values - values.mean(1, keepdim=True) if values.shape[1] > 1 else values


@contextmanager
def in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Inside, products have that precision; weights, normalisation and sums keep their own."""
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        yield
