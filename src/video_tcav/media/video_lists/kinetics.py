"""Kinetics-400, -600 and -700: CSV with the seconds of each clip, or JSON by YouTube identifier."""

from collections.abc import Iterator
from typing import Any

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import (
    ListChoice,
    ListFile,
    VideoListFormat,
    checked_split,
    grouped,
)
from video_tcav.media.video_lists.video_folder import VideoFolder


class Kinetics(VideoListFormat):
    """Source: Kay et al. 2017, arXiv:1705.06950; Carreira et al. 2019 (700 classes), arXiv:1907.06987."""

    name, help = "kinetics", "Kinetics `.csv` or `.json`: trimmed files (`ID_000010_000020.mp4`) or whole ones"
    identifiers, has_splits = ("video",), True
    source = "deepmind.com/research/open-source/kinetics; arXiv:1705.06950"

    def detects(self, file: ListFile) -> bool:
        """A header with `youtube_id`, or JSON whose videos have `annotations` with one `segment`."""
        if file.suffix == ".csv":
            return "youtube_id" in file.first_line
        if not isinstance(file.content, dict) or not file.content:
            return False
        first = next(iter(file.content.values()))
        return isinstance(first, dict) and isinstance(first.get("annotations"), dict)

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """A trimmed file is taken whole, of a whole one the segment."""
        rows = list(_json_rows(file) if file.suffix == ".json" else _csv_rows(file))
        checked_split(file, (row["split"] for _, row in rows if row.get("split")), choice.split)
        chosen = [(where, row) for where, row in rows if choice.split is None or row.get("split") == choice.split]
        return [_source(file, where, row, videos) for where, row in chosen]


def _csv_rows(file: ListFile) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from file.rows("youtube_id", "time_start", "time_end")


def _json_rows(file: ListFile) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(file.content, dict):
        raise SourceError(f"`{file.path}` must be a JSON object of videos. Got another value. Use the published file.")
    for youtube_id, facts in file.content.items():
        where = f"video {youtube_id},"
        try:
            annotation = facts["annotations"]
            time_start, time_end = annotation["segment"]
            label = str(annotation.get("label", ""))
            row = {"youtube_id": youtube_id, "label": label, "split": str(facts.get("subset", ""))}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise file.bad(where, "have `annotations` with `label` and `segment`", facts) from error
        yield where, {**row, "time_start": time_start, "time_end": time_end}


def _source(file: ListFile, where: str, row: dict[str, Any], videos: VideoFolder) -> VideoSource:
    label, youtube_id = plain_name(row.get("label", "")) or None, row["youtube_id"]
    fields = {"label": label, **grouped({"video": youtube_id})}
    try:
        start_s, end_s = float(row["time_start"]), float(row["time_end"])
        # the name that the published download scripts give: both seconds with six digits
        trimmed = f"{youtube_id}_{int(start_s):06d}_{int(end_s):06d}"
        clip = videos.find(trimmed, label)
        if clip is None and (video := videos.find_file(youtube_id, label)) is not None:
            return videos.source(video, "", start_s=start_s, end_s=end_s, **fields)
    except (
        TypeError,
        ValueError,
        OverflowError,
    ) as error:  # no number, infinity, or (an InputError) an end before its start
        raise SourceError(
            f"`{file.path}`, {where} must have seconds in time_start and time_end. "
            f"Got {row['time_start']!r} and {row['time_end']!r}. Correct the row."
        ) from error
    expected = f"{label or ''}/{trimmed}.mp4".lstrip("/")
    return videos.source(clip, expected, **fields)


KINETICS = Kinetics()
