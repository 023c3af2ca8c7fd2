"""What is behind the numbers of a run: effects at each class clip, and all draws."""

from dataclasses import dataclass

import pandas as pd

from video_tcav.recording.clip_id import ClipId
from video_tcav.tcav.diagnostics import Diagnostics
from video_tcav.tcav.measure import Measured


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What a run knows beside its results.

    Attributes:
        measured: each result with its draws, in the order of the results; p-values are those before correction.
        class_clips: the class clips, in the order of each result's `by_clip`.
        n_class_groups: how many independent groups they come from.
        diagnostics: how far its CAVs can be trusted.
    """

    measured: tuple[Measured, ...]
    class_clips: tuple[ClipId, ...]
    n_class_groups: int
    diagnostics: Diagnostics

    def clip_frame(self) -> pd.DataFrame:
        """Effect of each concept at each class clip: one row a result and clip."""
        rows = [
            {
                "target": one.result.target,
                "concept": one.result.concept,
                "versus": one.result.versus,
                "twin": one.result.twin,
                "layer": one.result.layer,
                "clip": clip.source,
                "window": clip.window,
                "effect": float(effect),
            }
            for one in self.measured
            for clip, effect in zip(self.class_clips, one.by_clip, strict=True)
        ]
        return pd.DataFrame(rows)
