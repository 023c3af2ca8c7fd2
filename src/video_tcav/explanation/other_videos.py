"""Maps of other videos beside those of each video, in a stream: a window of videos that slides along the list."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from video_tcav.attribution.attribution_map import Map
from video_tcav.core.errors import VideoTcavError
from video_tcav.explanation.clips import LayerMap
from video_tcav.media import VideoSource

# Videos whose maps wait in memory at most. Segments of one file often follow each other, and are no other videos.
_LONGEST_WAIT = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoMaps:
    """All maps of a video, and the errors of clips and methods that gave none.

    Attributes:
        source: the video.
        outcomes: in the order of windows, methods and layers.
        maps: those of them that are maps.
    """

    source: VideoSource
    outcomes: tuple[LayerMap | VideoTcavError, ...]
    maps: tuple[LayerMap, ...] = field(init=False)

    def __post_init__(self) -> None:
        maps = tuple(outcome for outcome in self.outcomes if isinstance(outcome, LayerMap))
        object.__setattr__(self, "maps", maps)

    @property
    def group(self) -> str:
        """The file or the group that was given: what is filmed in one piece may look the same at the same place."""
        return self.source.group or str(self.source.path)


def with_other_videos(videos: Iterable[VideoMaps], count: int) -> Iterator[tuple[VideoMaps, list[VideoMaps]]]:
    """Each video, in order, with `count` videos of other groups that have maps, if there are so many near it.

    Following ones come first, so that a video waits for these. The last videos have preceding ones instead.
    """
    preceding: dict[str, VideoMaps] = {}  # by group, the latest last
    waiting: deque[VideoMaps] = deque()

    def next_video() -> tuple[VideoMaps, list[VideoMaps]]:
        video = waiting.popleft()
        near_videos = [near for near in (*waiting, *reversed(preceding.values())) if near.maps]
        neighbours = [near for near in near_videos if near.group != video.group][:count]
        if video.maps:
            preceding.pop(video.group, None)
            preceding[video.group] = video
            # One more than are needed: the video's own group may be among them.
            for group in list(preceding)[: -(count + 1)]:
                del preceding[group]
        return video, neighbours

    def is_served() -> bool:
        following = [later for later in islice(waiting, 1, None) if later.maps]
        serving = sum(later.group != waiting[0].group for later in following)
        return serving >= count or len(following) >= _LONGEST_WAIT

    for video in videos:
        waiting.append(video)
        while waiting and is_served():
            yield next_video()
    while waiting:
        yield next_video()


def counterparts(layer_map: LayerMap, neighbours: Sequence[VideoMaps]) -> list[Map]:
    """One map of each other video by the same method at the same layer; of the same window, where there is one."""
    maps = []
    for video in neighbours:
        alike = [
            candidate
            for candidate in video.maps
            if (candidate.method_number, candidate.layer) == (layer_map.method_number, layer_map.layer)
        ]
        alike.sort(key=lambda candidate: candidate.clip.window != layer_map.clip.window)
        maps += [candidate.components["whole"] for candidate in alike[:1]]
    return maps
