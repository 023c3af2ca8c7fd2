"""How much a concept still lacks for a test."""

from dataclasses import dataclass

from video_tcav.concepts.bank import ConceptCount
from video_tcav.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Need:
    """How many accepted clips, from how many videos, make a concept ready for a test.

    The default is a rule of thumb: the noise of an effect falls with the root of the number of independent clips, and
    clips of one video are not independent. 20 clips of 10 videos show an effect of about the size of its spread.
    Ask for more where a small effect matters.

    Attributes:
        clips: accepted clips of a concept.
        videos: different source videos among them.
    """

    clips: int = 20
    videos: int = 10

    def __post_init__(self) -> None:
        for name, value in (("clips", self.clips), ("videos", self.videos)):
            if value < 1:
                raise InputError(f"`{name}` must be 1 or more. Got {value}. 20 clips from 10 videos are usual.")

    def missing(self, count: ConceptCount) -> tuple[int, int]:
        """How many more accepted clips a concept needs, and how many more videos among them; a new video is a clip too."""
        videos = max(0, self.videos - count.videos)
        return max(0, self.clips - count.accepted, videos), videos
