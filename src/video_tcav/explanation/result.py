"""What an explanation is: one map of one clip, and all of them together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from video_tcav.media import Skipped, VideoSource

Part = Literal["whole", "static", "motion"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """One map of one clip.

    Attributes:
        source: the video.
        window: which clip of the video.
        method: how it was explained.
        concept: of a concept map, what concept; empty for other methods.
        layer: where the method looked; `input` for the pixels.
        target: the class.
        against: what else the target is made of, as `run_tcav` has it.
        value: of the target, in its own units.
        probability: of the class, in [0, 1]; NaN where the model's outputs are plain numbers.
        part: of the map: all of it, what survives freezing the clip, or what does not.
        motion_share: how much of the whole map does not survive freezing, in [0, 1]; NaN where that was not asked.
        deletion: area under the class's probability as the clip is taken away in the order of the map, in [0, 1]; NaN where
            that was not asked.
        deletion_elsewhere: the same for a map that is as smooth, but in another place: what `deletion` must be below.
        peak_s: when the map is at its largest, in seconds of the video.
        values: the map, signed, on the frames and pixels that the model took; `None` where it was handed on and not kept.
        seen: what part of the video's picture these pixels cover: top, left, bottom, right in pixels of the video.
        frame_indices: which frames of the video these frames are.
    """

    source: VideoSource
    window: int
    method: str
    concept: str
    layer: str
    target: str
    against: str
    value: float
    probability: float
    part: Part
    motion_share: float
    deletion: float
    deletion_elsewhere: float
    peak_s: float
    values: Float[Tensor, "time height width"] | None
    seen: tuple[float, float, float, float]
    frame_indices: tuple[int, ...]

    @property
    def answer(self) -> str:
        """The class and its probability, or the number that a regression gives."""
        amount = f"{self.value:.4g}" if math.isnan(self.probability) else f"{self.probability:.0%}"
        return f"{self.target} ({amount})"

    def facts(self) -> dict[str, Any]:
        """Everything but the map, as plain values."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("source", "values")}
        return {"path": self.source.key, **plain}


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """All maps, what could not be explained, and how they were made."""

    explanations: tuple[Explanation, ...]
    skipped: tuple[Skipped, ...]
    provenance: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """One row a map, without its values."""
        return pd.DataFrame([one.facts() for one in self.explanations])
