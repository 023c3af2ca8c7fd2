"""Cholec80: the phase of each frame, or the tools of each second, in a text file for each operation."""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.timeline import FRAME_FOLDER_FPS, frames_of
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_NAME = re.compile(r"(?P<video>video\d+)-(?P<kind>phase|tool)\.txt")
_FPS = 25.0  # of the published videos, in whose frames both files count
_EXAMPLES = {"phase": "`0<tab>Preparation`", "tool": "`25<tab>1<tab>0…`, a number for each tool"}
Run = tuple[int, int, str]
"""First frame, frame after the last, label."""


class Cholec80(VideoListFormat):
    """Source: Twinanda et al. 2017, EndoNet, arXiv:1602.03012."""

    name = "cholec80"
    help = "Cholec80 `video01-phase.txt`, `video01-tool.txt`, or a folder of them: a clip for each stretch of a phase or tool"
    identifiers, is_per_video = ("operation",), True
    source = "camma.unistra.fr/datasets"

    def detects(self, file: ListFile) -> bool:
        """The published name, and a header that begins with `Frame`."""
        return bool(_NAME.fullmatch(file.path.name)) and file.first_line.startswith("Frame")

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are `video01.mp4`, or folders of all frames of it."""
        name = _NAME.fullmatch(file.path.name)
        if name is None or not file.lines:
            raise file.bad("its name", "be like video01-phase.txt, with a header", file.path.name, "Keep its name.")
        rows = [(number, line.split("\t")) for number, line in file.lines]
        (_, header), *table = rows
        runs = list(_phases(file, table) if name["kind"] == "phase" else _tools(file, header, table))
        path = videos.find(name["video"])
        _check_frames(file, path, max((end for _, end, _ in runs), default=0))
        group = grouped({"operation": name["video"]})
        return [
            videos.source(path, f"{name['video']}.mp4", label=label, start_s=start / _FPS, end_s=end / _FPS, **group)
            for start, end, label in runs
        ]


def _frames_and_cells(
    file: ListFile, table: list[tuple[int, list[str]]], columns: int, kind: str
) -> Iterator[tuple[int, list[str]]]:
    """Frame and other cells of each row; frames must rise."""
    last = -1
    for number, (frame, *cells) in table:
        where = f"line {number},"
        if len(cells) != columns:
            raise file.bad(where, f"read like {_EXAMPLES[kind]}", "\t".join([frame, *cells]))
        index = file.whole_number(where, "frame", frame)
        if index <= last:
            raise file.bad(where, f"have a frame after {last}", frame)
        last = index
        yield index, cells


def _phases(file: ListFile, table: list[tuple[int, list[str]]]) -> Iterator[Run]:
    rows = [(frame, plain_name(cells[0])) for frame, cells in _frames_and_cells(file, table, 1, "phase")]
    for label, members in groupby(rows, key=lambda row: row[1]):
        frames = [frame for frame, _ in members]
        yield frames[0], frames[-1] + 1, label


def _tools(file: ListFile, header: list[str], table: list[tuple[int, list[str]]]) -> Iterator[Run]:
    names = [plain_name(name) for name in header[1:]]
    rows = list(_frames_and_cells(file, table, len(names), "tool"))
    for (number, _), (_, cells) in zip(table, rows, strict=True):
        if wrong := [cell for cell in cells if cell not in ("0", "1")]:
            raise file.bad(f"line {number},", "have 0 or 1 for each tool", wrong[0])
    step = round(_FPS)  # a row a second, which holds until the next
    for column, name in enumerate(names):
        for is_there, members in groupby(rows, key=lambda row, column=column: row[1][column] == "1"):
            frames = [frame for frame, _ in members]
            if is_there:
                # the last row counts for its whole second, as every row before it
                yield frames[0], frames[-1] + step, name


def _check_frames(file: ListFile, path: Path | None, last: int) -> None:
    """Refuse extracted frames that are fewer than the list counts, such as one a second: all times would be wrong."""
    if path is None or kind_of(path) != "frames" or FRAME_FOLDER_FPS != _FPS:
        return
    count = len(frames_of(path))
    if count < last - _FPS:
        raise file.bad(
            "its frames", f"all be in {path}", f"{count} of {last}", "Use the video, or extract every frame."
        )


CHOLEC80 = Cholec80()
