"""Diving48: JSON with the frames of each dive, and its vocabulary."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from video_tcav.core.errors import MediaError, SourceError
from video_tcav.core.text_files import parse_json, plain_name, read_text
from video_tcav.media.container import open_media, picture_stream
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.timeline import read_timeline
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_CLIP_NUMBER = re.compile(r"(?P<video>.+)_\d{5}")


class Diving48(VideoListFormat):
    """Source: Li et al. 2018, RESOUND, doi:10.1007/978-3-030-01231-1_32; frames count from 0, and `end_frame` is not included."""

    name, help = "diving48", "Diving48 `Diving48_V2_train.json`: names of classes from `Diving48_vocab.json` beside it"
    identifiers = ("video",)
    source = "www.svcl.ucsd.edu/projects/resound/dataset.html"

    def detects(self, file: ListFile) -> bool:
        """A JSON list of objects with `vid_name`."""
        first = file.content[0] if isinstance(file.content, list) and file.content else None
        return isinstance(first, dict) and "vid_name" in first

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Dives that were cut from one competition video, `ID_00001`, `ID_00002`, are of one group."""
        if not isinstance(file.content, list):
            raise SourceError(f"`{file.path}` must be a JSON list of dives. Got another value. Use the published file.")
        classes = _vocabulary(file)
        entries = enumerate(cast(Iterable[Any], file.content), start=1)
        return [_dive(file, f"entry {number},", entry, videos, classes) for number, entry in entries]


def _dive(file: ListFile, where: str, entry: Any, videos: VideoFolder, classes: dict[int, str]) -> VideoSource:
    try:
        name, label = str(entry["vid_name"]), entry["label"]
        frames = [entry["start_frame"], entry["end_frame"]]
    except (KeyError, TypeError) as error:
        raise file.bad(where, "have vid_name, label, start_frame and end_frame", entry) from error
    number = file.whole_number(where, "label", label)
    start, end = (file.whole_number(where, "frame", frame) for frame in frames)
    if end <= start:
        raise file.bad(where, "end after its start_frame", frames)
    cut = _CLIP_NUMBER.fullmatch(name)
    path = videos.find(name)
    return videos.source(
        path,
        f"{name}.mp4",
        label=classes.get(number, str(number)),
        **({} if path is None else _seconds(path, start, end)),
        **grouped({"video": cut["video"] if cut else name}),
    )


def _seconds(path: Path, start: int, end: int) -> dict[str, float]:
    """Times of frames; none where they are all of the video, as in the published files, or the video cannot be read."""
    try:
        if start == 0 and kind_of(path) == "video" and 0 < _frame_count(path) <= end:
            return {}
        times_s = read_timeline(VideoSource(path=path, kind=kind_of(path) or "video")).timestamps_s
    except MediaError:  # the decoder reports it when the clip is wanted
        return {}
    if start >= len(times_s):
        return {"start_s": float(times_s[-1]) + 1}  # behind the end, which is reported like any such segment
    from_start = {"start_s": float(times_s[start])} if start else {}
    return from_start | ({"end_s": float(times_s[end])} if end < len(times_s) else {})


def _frame_count(path: Path) -> int:
    """Frames by the header of a file, which is read in a millisecond; 0 where it does not tell."""
    with open_media(path) as container:
        return picture_stream(container, path).frames


def _vocabulary(file: ListFile) -> dict[int, str]:
    """Names of classes such as `Back 15som 05Twis FREE`, by number; none without the vocabulary."""
    path = file.beside("Diving48_vocab.json")
    if path is None:
        return {}
    content = parse_json(read_text(path, error=SourceError), f"`{path}`", error=SourceError)
    if not isinstance(content, list):
        raise SourceError(f"`{path}` must be a JSON list of classes. Got another value. Use the published file.")
    entries: list[Any] = list(cast(Iterable[Any], content))
    words = [entry if isinstance(entry, list) else [entry] for entry in entries]
    return {number: plain_name(" ".join(str(word) for word in entry)) for number, entry in enumerate(words)}


DIVING48 = Diving48()
