"""Agreement of the logits of an optimised pass with those of the plain one."""

from jaxtyping import Float
from torch import Tensor


def agree(logits: Float[Tensor, "clip class"], plain: Float[Tensor, "one class"], tolerance: float) -> bool:
    """Whether logits differ by at most so much of the largest; false where there is a NaN."""
    return bool(((logits - plain).abs() <= tolerance * plain.abs().max()).all())
