"""Explanations: one map of one clip with its figures, and all of them together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import MapSum
from video_tcav.core.displays import draw, html_table
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.media import Skipped, VideoSource
from video_tcav.tcav.wording import signed, units

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Part = Literal["whole", "static", "motion"]
DELETION_FIGURES = ("deletion", "deletion_elsewhere", "deletion_other_clips")
# Two moves of one map differ in deletion by about as much: a smaller difference says nothing of a single clip.
NOTICEABLE = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplanationFacts:
    """One map of one clip in figures: a row of the table.

    Attributes:
        source: the video.
        window: which clip of the video.
        method: name of the attribution method.
        concept: of a concept map, what concept; empty for other methods.
        layer: where the method looked; `input` for the pixels.
        target: the class.
        against: the target's kind, as in `run_tcav`.
        value: of the target, in its own units.
        probability: of the class, in [0, 1]; NaN where the model's outputs are plain numbers.
        part: of the map: all of it, what survives freezing the clip, or what does not.
        motion_share: how much of the whole map does not survive freezing, in [0, 1]; NaN where the map was not split.
        deletion: area under the class's probability as the clip is removed in the order of the map, in [0, 1]; NaN where it
            was not measured.
        deletion_elsewhere: the same for a map that is as smooth, but in another place: what `deletion` must be below.
        deletion_other_clips: the same for the method's maps of other videos, which `deletion` must be below, too; NaN where
            there were none.
        peak_s: when the map is at its largest, in seconds of the video.
        clamp: of a `concept-clamp` map, what having the concept, rather than not, does to this clip, in units of the target:
            what the map adds up to. NaN for other methods.
        clamp_unplaced: how much of that lies in class tokens, which are not on the map.
        clamp_gap: how far the map is from adding up to it, as a share.
    """

    # The order of the fields is that of columns and JSON keys.
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
    deletion_other_clips: float
    peak_s: float
    clamp: float = math.nan
    clamp_unplaced: float = math.nan
    clamp_gap: float = math.nan

    @property
    def map_name(self) -> str:
        """The method, and the concept that it maps, if any."""
        return f"{self.method} {self.concept}".rstrip()

    @property
    def sum_sentence(self) -> str:
        """What the map adds up to, and what that means; empty where the method knows no sum."""
        if math.isnan(self.clamp):
            return ""
        meaning = f"what having {self.concept} does to this clip's {units(self.against)} of {self.target}"
        tokens = f"; {signed(self.clamp_unplaced)} of it in class tokens, off the map" if self.clamp_unplaced else ""
        return f"Adds up to {signed(self.clamp)}: {meaning}{tokens}." + (f" {self.caution}" if self.caution else "")

    @property
    def caution(self) -> str:
        """That the map misses its sum by more than 1 %; empty where it does not."""
        if not self.clamp_gap > MapSum.MOST_GAP:  # NaN where there is no sum
            return ""
        return f"The map misses that sum by {self.clamp_gap:.0%}: trust its place more than its amounts."

    @property
    def answer(self) -> str:
        """The class and its probability, or the number that a regression gives."""
        amount = f"{self.value:.4g}" if math.isnan(self.probability) else f"{self.probability:.0%}"
        return f"{self.target} ({amount})"

    @property
    def deletions(self) -> tuple[float, float, float]:
        """Deletion by the map, elsewhere, and by maps of other clips."""
        return self.deletion, self.deletion_elsewhere, self.deletion_other_clips

    @property
    def no_better_than(self) -> tuple[str, ...]:
        """The opponents, `elsewhere` and `other clips`, that this map's deletion is not noticeably below."""
        opponents = {"elsewhere": self.deletion_elsewhere, "other clips": self.deletion_other_clips}
        return tuple(name for name, area in opponents.items() if area - self.deletion < NOTICEABLE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation(ExplanationFacts):
    """One map of one clip, with its figures (see `ExplanationFacts`) and where it lies in the video.

    Attributes:
        values: the map, signed, on the frames and pixels that the model took; `None` where it went to `each` alone.
        seen: what part of the video's picture these pixels cover: top, left, bottom, right in pixels of the video.
        frame_indices: which frames of the video these frames are.
    """

    values: Float[Tensor, "time height width"] | None = field(repr=False)
    seen: tuple[float, float, float, float]
    frame_indices: tuple[int, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the map, as plain values."""
        names = [each.name for each in fields(self) if each.name not in ("source", "values")]
        return {"path": self.source.key, **{name: getattr(self, name) for name in names}}

    def show(self, *, signed: bool = False) -> "Figure":
        """Frames of the clip, the same frames with the heat, and each moment's share of it, as a matplotlib figure.

        Args:
            signed: whether to show what lowers the class, too; maps of concepts always do.

        Raises:
            InputError: if the map was not kept.
            MediaError: if the video cannot be decoded any more.
        """
        return draw("explanation_figure", self, signed=signed)

    def _repr_html_(self) -> str:
        return _html([self])


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanations(ItemSequence[Explanation]):
    """All maps, what could not be explained, and how they were made: a sequence of `Explanation`."""

    FIELD: ClassVar[str] = "explanations"

    explanations: tuple[Explanation, ...]
    skipped: tuple[Skipped, ...]
    provenance: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """One row a map, without its values."""
        return pd.DataFrame([explanation.facts() for explanation in self.explanations])

    def __repr__(self) -> str:
        videos = len({explanation.source.path for explanation in self})
        return f"<Explanations: {len(self)} maps of {videos} videos, {len(self.skipped)} files skipped>"

    def _repr_html_(self) -> str:
        return _html(self)


def _html(explanations: Sequence[Explanation]) -> str:
    """A table with one row a map, and where its picture is."""
    measures = ("deletion", "elsewhere", "other clips")
    rows = [
        (
            explanation.source.path.name,
            explanation.answer,
            explanation.map_name,
            explanation.layer,
            f"{explanation.peak_s:.2f} s",
            *("–" if math.isnan(area) else f"{area:.2f}" for area in explanation.deletions),
        )
        for explanation in explanations
    ]
    table = html_table(("video", "class", "map", "layer", "peak", *measures), rows, numbers=("peak", *measures))
    return f"{table}<p>Draw a map with its method <code>show()</code>.</p>"
