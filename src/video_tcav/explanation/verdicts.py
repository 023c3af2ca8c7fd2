"""What maps are worth over several videos: paired differences in deletion, with t intervals, in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from video_tcav.explanation.result import NOTICEABLE, ExplanationFacts
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.wording import interval, signed

# An interval over two videos is some thirteen standard errors wide to either side, and decides nothing.
_LEAST_VIDEOS = 3


@dataclass(frozen=True, kw_only=True)
class MapComparison:
    """By how much the deletion of maps is below that of an opponent, on the same clips.

    Attributes:
        videos: how many videos, or groups of them, were compared.
        gain: the average difference; above zero, the maps are better. NaN without any video.
        low: lower end of its 95 % interval over videos (Student's t); NaN for fewer than three videos.
        high: the upper end.
    """

    videos: int
    gain: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        """Whether the maps are shown to be better than the opponent; for fewer than three videos, by a noticeable amount."""
        return self.gain >= NOTICEABLE if math.isnan(self.low) else self.low > 0

    @property
    def is_no_better(self) -> bool:
        """Whether they are no better, for all that was measured; what lies between is undecided."""
        return self.gain < NOTICEABLE if math.isnan(self.low) else self.gain <= 0

    @property
    def amount(self) -> str:
        """The gain with its interval, where there is one."""
        amount = signed(self.gain).removeprefix("+")
        return amount if math.isnan(self.low) else f"{amount} {interval(self.low, self.high)}"


@dataclass(frozen=True, kw_only=True)
class MapVerdict:
    """The maps of one method at one layer, beside the same maps elsewhere and beside the method's maps of other videos.

    Attributes:
        method: name of the attribution method.
        concept: of concept maps, what concept; empty for other methods.
        layer: where the method looked.
        elsewhere: the maps beside the same maps in another place.
        other_clips: the maps beside the method's maps of other videos; of no video where there was one alone.
    """

    method: str
    concept: str
    layer: str
    elsewhere: MapComparison
    other_clips: MapComparison

    @property
    def is_better(self) -> bool:
        """Whether the maps are better than either opponent, or than the first alone where there is no second."""
        return self.elsewhere.is_better and (self.other_clips.is_better or not self.other_clips.videos)

    @property
    def sentence(self) -> str:
        """What was measured, and what it means for those who look at the picture."""
        name = f"{self.method} {self.concept}".rstrip()
        videos = f"{self.elsewhere.videos} video{'' if self.elsewhere.videos == 1 else 's'}"
        measured = f"deletion is lower than for the same map elsewhere by {self.elsewhere.amount}"
        if self.other_clips.videos:
            measured += f", than for maps of other videos by {self.other_clips.amount}"
        return f"{name} at {self.layer}, {videos}: {measured}. {self._meaning()}"

    def _meaning(self) -> str:
        if not self.elsewhere.is_better:
            return f"The map is {_verdict(self.elsewhere)} than the same map elsewhere: do not read the picture."
        if not self.other_clips.videos:
            return (
                "There is no other video whose map could stand beside it, so that it may show what this method shows of any"
                " clip: explain several videos at once."
            )
        if not self.other_clips.is_better:
            return (
                f"The map is {_verdict(self.other_clips)} than the map of another video: it shows where the class usually is,"
                " or what the method shows of any clip, not what counts in this one."
            )
        return "The map is better than either."


def map_verdicts(explanations: Sequence[ExplanationFacts]) -> tuple[MapVerdict, ...]:
    """What the maps of each method and layer are worth over all videos; none where deletion was not measured.

    Clips of one video, or of one group of videos, are averaged first: they are not independent.

    Args:
        explanations: of one run.
    """
    maps: dict[tuple[str, str, str], list[ExplanationFacts]] = {}
    for explanation in explanations:
        if explanation.part == "whole" and math.isfinite(explanation.deletion):
            maps.setdefault((explanation.method, explanation.concept, explanation.layer), []).append(explanation)
    verdicts = []
    for (method, concept, layer), of_layer in maps.items():
        gains = pd.DataFrame(
            {
                "elsewhere": [explanation.deletion_elsewhere - explanation.deletion for explanation in of_layer],
                "other_clips": [explanation.deletion_other_clips - explanation.deletion for explanation in of_layer],
            }
        )
        groups = [explanation.source.group or str(explanation.source.path) for explanation in of_layer]
        videos = gains.groupby(groups, sort=False).mean()
        elsewhere, other_clips = (paired_comparison(videos[name].to_numpy()) for name in gains)
        verdicts.append(
            MapVerdict(method=method, concept=concept, layer=layer, elsewhere=elsewhere, other_clips=other_clips)
        )
    return tuple(verdicts)


def paired_comparison(gains: np.ndarray) -> MapComparison:
    """The mean of differences with its t interval; NaN among them are left out."""
    gains = gains[np.isfinite(gains)]
    if not len(gains):
        return MapComparison(videos=0, gain=math.nan, low=math.nan, high=math.nan)
    gain = float(gains.mean())
    half_width = math.nan
    if len(gains) >= _LEAST_VIDEOS:
        error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
        half_width = float(stats.t.ppf(1 - LEVEL / 2, len(gains) - 1)) * error
    return MapComparison(videos=len(gains), gain=gain, low=gain - half_width, high=gain + half_width)


def _verdict(comparison: MapComparison) -> str:
    return "no better" if comparison.is_no_better else "not shown to be better"
