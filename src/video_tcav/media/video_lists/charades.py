"""Charades: CSV of videos, each with its subject and a list of actions in seconds."""

import re
from typing import Any

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import numbered_lines, plain_name, read_text
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_CLASS = re.compile(r"(?P<code>c\d{3})\s+(?P<name>.+)")
_ACTION = re.compile(r"(?P<code>c\d{3})\s+(?P<start>[\d.]+)\s+(?P<end>[\d.]+)")


class Charades(VideoListFormat):
    """Source: Sigurdsson et al. 2016, Hollywood in Homes, arXiv:1604.01753."""

    name = "charades"
    help = "Charades `Charades_v1_train.csv`: names of actions from `Charades_v1_classes.txt` beside it"
    identifiers, labels, may_repeat = ("subject", "recording"), ("action", "scene"), True
    source = "prior.allenai.org/projects/charades"

    def detects(self, file: ListFile) -> bool:
        """A header with subject, script and actions."""
        return {"id", "subject", "scene", "actions"} <= file.columns

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """A clip for each action, or whole videos for scenes."""
        names, kind = _class_names(file), self.kind_of_labels(choice)
        sources = []
        for where, row in file.rows("id", "subject", "scene", "actions"):
            path, expected = videos.find_file(row["id"]), f"{row['id']}.mp4"
            identifiers = grouped({"subject": row["subject"], "recording": row["id"]})
            spans = (
                [{"label": plain_name(row["scene"]) or None}] if kind == "scene" else _actions(file, where, row, names)
            )
            sources += [
                file.source(where, videos.source, path=path, expected=expected, **span, **identifiers) for span in spans
            ]
        return sources


def _actions(file: ListFile, where: str, row: dict[str, str], names: dict[str, str]) -> list[dict[str, Any]]:
    """Actions such as `c092 11.90 21.20;c147 0.00 12.60`; a cell may be empty."""
    spans = []
    for text in filter(None, (cell.strip() for cell in row["actions"].split(";"))):
        match = _ACTION.fullmatch(text)
        if match is None:
            raise file.bad(where, "have actions like `c092 11.90 21.20`", text)
        start_s, end_s = (file.number(where, "time", match[time]) for time in ("start", "end"))
        spans.append({"label": names.get(match["code"], match["code"]), "start_s": start_s, "end_s": end_s})
    return spans


def _class_names(file: ListFile) -> dict[str, str]:
    path = file.beside("Charades_v1_classes.txt")
    if path is None:
        return {}
    matches = (_CLASS.fullmatch(line) for _, line in numbered_lines(read_text(path, error=SourceError)))
    return {match["code"]: plain_name(match["name"]) for match in matches if match}


CHARADES = Charades()
