"""Hall's correction of a t statistic for skewness, and its inverse (Hall 1992, On the removal of skewness by transformation)."""

import numpy as np
from jaxtyping import Float


def without_skewness(
    t: Float[np.ndarray, "*shape"], skewness: Float[np.ndarray, "*shape"] | float
) -> Float[np.ndarray, "*shape"]:
    """`t + γ/3 t² + γ²/27 t³ + γ/6`, with γ the skewness of the estimate: normal up to terms of 1/n, and rising with t."""
    return t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6


def with_skewness(value: float, skewness: float) -> float:
    """The t that `without_skewness` gives this value for."""
    if abs(skewness) < 1e-6:  # the limit; closer to zero the difference of the cube roots is rounding
        return value
    return float(3 / skewness * (np.cbrt(1 + skewness * (value - skewness / 6)) - 1))
