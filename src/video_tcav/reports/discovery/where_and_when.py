"""Where and when clips have a component: shares of its presence in thirds of picture and clip, and its compactness."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from video_tcav.tcav.wording import percent

Thirds = tuple[float, float, float]

_MOSTLY = 0.5
"""Share from which a third of the picture or of the clip, which has 0.33 of what is spread evenly, is named."""
_ACROSS = ("on the left", "in the middle across", "on the right")
_DOWN = ("at the top", "at middle height", "at the bottom")
_ALONG = ("in the first third of the clip", "in the middle third of the clip", "in the last third of the clip")


@dataclass(frozen=True, kw_only=True)
class WhereAndWhen:
    """Of a component in its typical clips, each of which counts the same.

    Attributes:
        compactness: share of all positions of a clip that have half of its presence; 0.5 where it is spread evenly.
        across: shares in the left, middle and right third of the picture.
        down: shares in the upper, middle and lower third.
        along: shares in the first, middle and last third of the clip.
        moments: share at each moment of the layer's grid.
    """

    compactness: float
    across: Thirds
    down: Thirds
    along: Thirds
    moments: tuple[float, ...]

    @property
    def where(self) -> str:
        """In words."""
        sides = [
            f"{words[int(np.argmax(shares))]} ({percent(max(shares))})"
            for words, shares in ((_DOWN, self.down), (_ACROSS, self.across))
            if max(shares) >= _MOSTLY
        ]
        compact = f"Half of it lies in {percent(self.compactness)} of picture and time"
        return f"{compact}, mostly {' and '.join(sides)}." if sides else f"{compact}, at no fixed side of the picture."

    @property
    def when(self) -> str:
        """In words."""
        if len(self.moments) == 1:
            return "The layer has one moment alone."
        if max(self.along) < _MOSTLY:
            return "At no particular time."
        return f"Mostly {_ALONG[int(np.argmax(self.along))]} ({percent(max(self.along))})."


def where_and_when(maps: Sequence[Float[np.ndarray, "time height width"]]) -> WhereAndWhen | None:
    """Where some clips have a component; `None` if none of them has any of it anywhere.

    Args:
        maps: of the clips, on the layer's grid; what is negative is none.
    """
    presences = [np.maximum(values.astype(float), 0) for values in maps]
    shares = [values / values.sum() for values in presences if values.sum() > 0]
    if not shares:
        return None
    mean = np.mean(shares, axis=0)
    return WhereAndWhen(
        compactness=float(np.mean([_compactness(values) for values in shares])),
        across=_thirds(mean.sum((0, 1))),
        down=_thirds(mean.sum((0, 2))),
        along=_thirds(mean.sum((1, 2))),
        moments=tuple(mean.sum((1, 2)).tolist()),
    )


def _compactness(shares: Float[np.ndarray, "time height width"]) -> float:
    """The smallest share of positions that holds half of what there is; a position may count in part."""
    largest_first = np.sort(shares.ravel())[::-1]
    held = np.concatenate([[0.0], np.cumsum(largest_first)])
    return float(np.interp(0.5, held, np.arange(len(held)))) / shares.size


def _thirds(shares: Float[np.ndarray, " position"]) -> Thirds:
    """Shares of an axis in its thirds; a position that lies in two thirds counts in both, by how far it reaches."""
    edges = np.linspace(0, 1, len(shares) + 1)
    held = np.concatenate([[0.0], np.cumsum(shares)])
    first, second = np.interp([1 / 3, 2 / 3], edges, held).tolist()
    return first, second - first, float(held[-1]) - second
