"""Sample size: accepted clips and videos that a concept still needs for a test of given effect size and power."""

import math
from dataclasses import dataclass
from functools import cached_property

import video_tcav as vt  # its names load when used: the page must not wait for the statistics
from video_tcav.concepts.bank import ConceptCount
from video_tcav.core.checks import at_least, between, require
from video_tcav.core.errors import InputError

FEWEST_CLIPS = 3  # with fewer a test is refused
_SMALLEST_EFFECT = 0.05  # standard deviations; needs some 3,000 videos


@dataclass(frozen=True, kw_only=True)
class Need:
    """How many accepted clips, from how many videos, a concept needs for a test that finds an effect of a given size.

    Clips of one video are not independent, so it is the videos that count: their number is that of
    `video_tcav.groups_needed` at a level of 5 %, for one test. Many layers or concepts in one run need more.

    Attributes:
        effect: size that a test shall find, in standard deviations of the model's responses to single videos.
        power: share of such tests that shall find it.
        random_videos: how many videos of random clips the test will have; `None` for as many as one likes.
        at_least: clips that a concept needs in any case.
    """

    effect: float = 1.0
    power: float = 0.8
    random_videos: int | None = None
    at_least: int = FEWEST_CLIPS

    def __post_init__(self) -> None:
        good = math.isfinite(self.effect) and self.effect >= _SMALLEST_EFFECT
        require(good, "effect", f"be at least {_SMALLEST_EFFECT}", self.effect, "1 is one standard deviation.")
        between("power", self.power, "0.8 is usual.", least=0.05)
        at_least("at_least", self.at_least, FEWEST_CLIPS, cure="A test needs them.")
        if self.random_videos is None:
            return
        try:
            _ = self.videos
        except InputError as error:
            raise InputError(
                f"`random_videos` must be enough for a test that can {self.goal}. Got {self.random_videos}. Take random clips "
                "of more videos, or look for a larger effect."
            ) from error

    @cached_property
    def videos(self) -> int:
        """Different source videos that a concept needs."""
        return vt.groups_needed(self.effect, power=self.power, negatives=self.random_videos)

    @property
    def clips(self) -> int:
        """Accepted clips that a concept needs."""
        return max(self.videos, self.at_least)

    @property
    def goal(self) -> str:
        """What the clips are enough for, in words."""
        size = f"{self.effect:g} standard deviation{'' if self.effect == 1 else 's'}"
        return f"find an effect of {size} in {100 * self.power:g} of 100 tests"

    def missing(self, count: ConceptCount) -> tuple[int, int]:
        """How many more accepted clips a concept needs, and how many more videos among them; a new video is a clip too."""
        videos = max(0, self.videos - count.videos)
        return max(0, self.clips - count.accepted, videos), videos

    def words(self, count: ConceptCount) -> str:
        """What a concept still needs, and for what, in words."""
        if not self.missing(count)[0]:
            return f"enough to {self.goal}"
        return f"{self.short(count)} to {self.goal}"

    def short(self, count: ConceptCount) -> str:
        """What a concept still needs, in words."""
        clips, videos = self.missing(count)
        if not clips:
            return "enough for a test"
        return f"needs {_counted(clips, 'more clip')}" + (f" from {_counted(videos, 'more video')}" if videos else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
