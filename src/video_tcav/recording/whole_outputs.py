"""Whole outputs of layers for class clips and their twins: what interventions start from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from video_tcav.recording.batch_runner import native_name
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.rows import RowStore


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeOutputs:
    """Outputs of some layers as the network has them, in no feature space.

    Attributes:
        rows: one row a clip, by the name of `native_name`.
        clips: row of each clip.
        answers: what the model says of each clip, in the order of the rows.
    """

    rows: dict[str, RowStore]
    clips: dict[ClipId, int] = field(default_factory=dict)
    answers: list[ClassAnswer] = field(default_factory=list)

    def of(self, layer: str, clips: Sequence[ClipId]) -> Float[Tensor, "clip value"]:
        """Outputs of some clips at a layer, one row each."""
        rows = self.rows[native_name(layer)]
        return rows.take([self.clips[clip] for clip in clips])

    def targets(self, clips: Sequence[ClipId]) -> list[float]:
        """Values of the target of some clips."""
        return [self.answers[self.clips[clip]].target for clip in clips]
