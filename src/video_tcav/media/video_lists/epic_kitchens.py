"""EPIC-Kitchens-100: CSV of narrated actions with verb and noun classes, in videos or extracted frames."""

from pathlib import Path
from typing import Any

from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.timeline import FRAME_FOLDER_FPS
from video_tcav.media.video_lists.list_format import (
    ListChoice,
    ListFile,
    VideoListFormat,
    grouped,
    seconds_of,
)
from video_tcav.media.video_lists.video_folder import VideoFolder

_COLUMNS = ("narration_id", "participant_id", "video_id", "start_timestamp", "stop_timestamp")


class EpicKitchens(VideoListFormat):
    """Source: Damen et al. 2022, Rescaling Egocentric Vision, doi:10.1007/s11263-021-01531-2."""

    name = "epic-kitchens"
    help = (
        "EPIC-Kitchens-100 `EPIC_100_train.csv`: names of classes from `EPIC_100_verb_classes.csv`, `…noun…` beside it"
    )
    # a participant has one kitchen, or two in the extension: the recordings of one are not independent
    identifiers, labels, may_repeat = ("participant", "recording"), ("verb", "noun", "action", "narration"), True
    source = "github.com/epic-kitchens/epic-kitchens-100-annotations"

    def detects(self, file: ListFile) -> bool:
        """A header with narrations, participants and times."""
        return set(_COLUMNS) <= file.columns

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are `P01_01.MP4`, or folders or tars of `frame_0000000001.jpg`, whose frames are counted instead of seconds."""
        kind = self.kind_of_labels(choice)
        names = {each: _class_names(file, each) for each in ("verb", "noun")}
        sources = []
        for where, row in file.rows(*_COLUMNS):
            path = videos.find_frames(row["video_id"])
            fields = {"label": _label(row, kind, names), **_segment(file, where, row, path)}
            fields |= grouped({"participant": row["participant_id"], "recording": row["video_id"]})
            expected = f"{row['participant_id']}/videos/{row['video_id']}.MP4"
            sources.append(file.source(where, videos.source, path=path, expected=expected, **fields))
        return sources


def _segment(file: ListFile, where: str, row: dict[str, str], path: Path | None) -> dict[str, Any]:
    if path is not None and kind_of(path) == "frames":
        # numbered from 1, and the last is included
        start = file.whole_number(where, "start_frame", row.get("start_frame", ""))
        stop = file.whole_number(where, "stop_frame", row.get("stop_frame", ""))
        return {"start_s": max(start - 1, 0) / FRAME_FOLDER_FPS, "end_s": stop / FRAME_FOLDER_FPS}
    times = [row["start_timestamp"], row["stop_timestamp"]]
    try:
        start_s, end_s = (seconds_of(time) for time in times)
    except (TypeError, ValueError) as error:
        raise file.bad(where, "have times such as 00:01:02.345", times) from error
    return {"start_s": start_s, "end_s": end_s}


def _label(row: dict[str, str], kind: str, names: dict[str, dict[str, str]]) -> str | None:
    """Label of a row; none for the test set, whose classes are not published."""
    if kind == "narration":
        return plain_name(row.get("narration", "")) or None
    classes = [row.get(f"{each}_class", "") for each in (("verb", "noun") if kind == "action" else (kind,))]
    if not all(classes):
        return None
    kinds = ("verb", "noun") if kind == "action" else (kind,)
    return " ".join(names[each].get(number, number) for each, number in zip(kinds, classes, strict=True))


def _class_names(file: ListFile, kind: str) -> dict[str, str]:
    """Names of classes by number; without the published table numbers stay, as a row has only one word of its class."""
    path = file.beside(f"EPIC_100_{kind}_classes*.csv")
    if path is None:
        return {}
    return {row["id"]: plain_name(row["key"]) for _, row in ListFile(path).rows("id", "key")}


EPIC_KITCHENS = EpicKitchens()
