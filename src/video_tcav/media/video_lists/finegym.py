"""FineGym: lists of elements by identifier (Gym99, Gym288), and the JSON of events and their actions in seconds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import numbered_lines, parse_json, plain_name, read_text
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_EVENT = r"(?P<video>.{11})_(?P<event>E_\d{6}_\d{6})"
_LINE = re.compile(rf"(?P<name>{_EVENT}(?:_(?P<action>A_\d{{4}}_\d{{4}}))?)\s+(?P<label>\d{{1,4}})")
_EVENT_ID = re.compile(r"E_\d{6}_\d{6}")
_CATEGORY = re.compile(r"Clabel:\s*(?P<number>\d{1,4})\s*;.*;\s*(?P<name>[^;]+)")
_TIMES = "finegym_annotation_info*.json"


class FineGym(VideoListFormat):
    """Source: Shao et al. 2020, arXiv:2004.06704; times of an action count from the start of its event."""

    name = "finegym"
    help = "FineGym `gym99_train_element.txt`, `gym288_….txt`, or the annotation `.json`, whose clips are events"
    identifiers, may_repeat = ("video", "event"), True
    source = "sdolivia.github.io/FineGym; mmaction2, tools/data/gym"

    def detects(self, file: ListFile) -> bool:
        """Lines such as `0LtLS9wROrk_E_002407_002435_A_0003_0005 9`, or JSON of videos with events."""
        if file.suffix == ".txt":
            return bool(_LINE.fullmatch(file.first_line))
        if not isinstance(file.content, dict) or not file.content:
            return False
        first = next(iter(file.content.values()))
        return isinstance(first, dict) and bool(first) and all(_EVENT_ID.fullmatch(str(name)) for name in first)

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Trimmed actions, or events or whole videos, of which the segment in the JSON beside the list is taken."""
        return _events(file, videos) if file.suffix == ".json" else list(_elements(file, videos))


def _elements(file: ListFile, videos: VideoFolder) -> Iterator[VideoSource]:
    names, times = _class_names(file), _Times(file)
    for where, match in file.matches(_LINE, "0LtLS9wROrk_E_002407_002435_A_0003_0005 9"):
        label = names.get(int(match["label"]), str(int(match["label"])))
        identifiers = grouped({"video": match["video"], "event": f"{match['video']}_{match['event']}"})
        path, start_s, end_s = videos.find(match["name"]), None, None
        if path is None:
            path = videos.find_file(f"{match['video']}_{match['event']}")
            whole = path is None and videos.find_file(match["video"])
            if whole or (path is not None and match["action"]):
                start_s, end_s = times.segment(where, match, in_event=not whole)
            path = path or whole or None
        yield file.source(
            where,
            videos.source,
            path=path,
            expected=f"{match['name']}.mp4",
            label=label,
            start_s=start_s,
            end_s=end_s,
            **identifiers,
        )


class _Times:
    """Seconds of events and actions, from the annotation file beside a list; read when a video is not trimmed."""

    def __init__(self, file: ListFile) -> None:
        self._file, self._path = file, file.beside(_TIMES, "annotation.json")
        self._content: Any = None

    def segment(self, where: str, match: re.Match[str], *, in_event: bool) -> tuple[float, float]:
        """Start and end of an element in the file of its event, or in the whole video."""
        if self._path is None:
            raise SourceError(
                f"`{self._file.path}` must have {_TIMES} beside it, as its videos are not trimmed. Got none. "
                "Put the published file there."
            )
        if self._content is None:
            self._content = parse_json(read_text(self._path, error=SourceError), f"`{self._path}`", error=SourceError)
        try:
            event = self._content[match["video"]][match["event"]]
            shift_s, event_end_s = (float(time) for time in event["timestamps"][0])
            if not match["action"]:
                return shift_s, event_end_s
            spans = event["segments"][match["action"]]["timestamps"]
            # a vault has several stages in one action, which follow each other
            start_s, end_s = float(spans[0][0]), float(spans[-1][1])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise self._file.bad(where, f"have times in {self._path}", match["name"]) from error
        shift_s = 0.0 if in_event else shift_s
        return shift_s + start_s, shift_s + end_s


def _class_names(file: ListFile) -> dict[int, str]:
    """Names of `gym99_categories.txt` beside `gym99_train_element.txt`; none without it."""
    path = file.beside(f"{file.path.name.split('_')[0]}_categories*.txt")
    if path is None:
        return {}
    lines = (_CATEGORY.fullmatch(line) for _, line in numbered_lines(read_text(path, error=SourceError)))
    return {int(match["number"]): plain_name(match["name"]) for match in lines if match}


def _events(file: ListFile, videos: VideoFolder) -> list[VideoSource]:
    if not isinstance(file.content, dict):
        raise SourceError(f"`{file.path}` must be a JSON object of videos. Got another value. Use the published file.")
    return [
        _event(file, f"video {video}, event {name},", (video, str(name)), event, videos)
        for video, events in file.content.items()
        for name, event in _items(file, video, events)
    ]


def _items(file: ListFile, video: str, events: Any) -> Any:
    if not isinstance(events, dict):
        raise file.bad(f"video {video},", "be an object of events", events)
    return events.items()


def _event(file: ListFile, where: str, names: tuple[str, str], event: Any, videos: VideoFolder) -> VideoSource:
    """An event, labelled by its number."""
    video, name = names
    try:
        label = str(event["event"])
        start, end = event["timestamps"][0]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise file.bad(where, "have an `event` and `timestamps`", event) from error
    identifiers = grouped({"video": video, "event": f"{video}_{name}"})
    path: Path | None = videos.find(f"{video}_{name}")
    span: dict[str, Any] = {}
    if path is None and (path := videos.find_file(video)) is not None:
        span = {"start_s": file.number(where, "start", start), "end_s": file.number(where, "end", end)}
    expected = f"{video}_{name}.mp4"
    return file.source(where, videos.source, path=path, expected=expected, label=label, **span, **identifiers)


FINEGYM = FineGym()
