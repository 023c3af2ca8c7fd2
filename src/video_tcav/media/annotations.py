"""Annotation files of Kinetics, UCF101, HMDB51 and Something-Something V2, and lists of training code."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, cast

from video_tcav.core.checks import require
from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import numbered_lines, parse_json, plain_name, read_text
from video_tcav.media.files import VIDEO_SUFFIXES, VideoSource, media_files
from video_tcav.media.manifest import any_exists, first_line, read_table, refuse_repeats
from video_tcav.media.training_lists import TRAINING_SUFFIXES, is_training_line, read_training_list, ucf101_group

AnnotationFormat = Literal["kinetics", "ucf101", "hmdb51", "ssv2", "training"]

_UCF101_LINE = re.compile(r"(?P<file>\S+/(?P<stem>v_[^/\s]+)\.\w+)(?:\s+\d+)?")
_HMDB51_NAME = re.compile(r"(?P<label>.+)_test_split\d")
_HMDB51_LINE = re.compile(r"(?P<file>.+\.\w+)\s+(?P<split>[012])")
_HMDB51_SPLITS = {"train": ("1",), "test": ("2",), None: ("1", "2")}


def detect_annotations(path: Path) -> AnnotationFormat | None:
    """Format of a published annotation file, by name and content; `None` if it is none of them."""
    suffix = path.suffix.lower()
    if suffix not in TRAINING_SUFFIXES | {".json"}:
        return None
    line = first_line(read_text(path, error=SourceError))
    if suffix == ".json":
        return "ssv2" if line.startswith("[") else None
    if suffix == ".csv" and "youtube_id" in line:
        return "kinetics"
    if suffix == ".txt" and _HMDB51_NAME.fullmatch(path.stem) and _HMDB51_LINE.fullmatch(line):
        return "hmdb51"
    if suffix == ".txt" and _UCF101_LINE.fullmatch(line):
        return "ucf101"
    return "training" if is_training_line(line) else None


def read_annotations(
    path: str | Path,
    *,
    root: Path | None = None,
    format: Literal["auto", "kinetics", "ucf101", "hmdb51", "ssv2", "training"] = "auto",
    split: str | None = None,
) -> list[VideoSource]:
    """Sources of a published annotation file, in its order.

    A listed file that is not on disk becomes a source with the path where it was expected, so that the decoder reports it.

    Args:
        path: the annotation file.
        root: folder with the videos, searched with its subfolders; by default that of the annotation file.
        format: `auto` detects it by name and content.
        split: Kinetics: a value of its `split` column. HMDB51: `train` or `test`, both by default. The others have a file for
            each split.

    Raises:
        SourceError: if the file cannot be read, is malformed, or none of its videos is under `root`.
        InputError: if there is no such split.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"`{path}` must be an annotation file. Got no such file. Check the path.")
    detected = detect_annotations(path) if format == "auto" else format
    if detected is None:
        raise SourceError(
            f"`{path}` must be an annotation file of Kinetics, UCF101, HMDB51 or Something-Something V2, or a training list. "
            "Got another content. Name its `format`, or write a manifest with a column `path`."
        )
    fixed = split is not None and detected in ("ucf101", "ssv2", "training")
    require(not fixed, "split", f"be left out for {detected}", split, "Choose the file of that split instead.")
    folder = path.parent if root is None else Path(root)
    if not folder.is_dir():
        raise SourceError(f"`root` must be a folder with videos. Got {folder}. Check the path.")
    if detected == "training":
        sources = read_training_list(path, folder)
    else:
        read = {"kinetics": _kinetics, "ucf101": _ucf101, "hmdb51": _hmdb51, "ssv2": _ssv2}[detected]
        sources = read(path, _VideoFolder(folder), split)
    refuse_repeats(path, [(f"entry {number}", source) for number, source in enumerate(sources, start=1)])
    if not any_exists(sources):
        raise SourceError(
            f"`{path}` must list videos that exist. Got {len(sources)} listed, none is under {folder}. "
            "Give the folder with the videos as `root`."
        )
    return sources


class _VideoFolder:
    """The videos below a folder, found by their name without ending."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_stem: dict[str, list[Path]] = {}
        for path in media_files(root):
            if path.suffix.lower() in VIDEO_SUFFIXES:
                self._by_stem.setdefault(path.stem, []).append(path)

    def find(self, stem: str, label: str | None = None) -> Path | None:
        """The video of that name; of several, one in a folder that is named like the label."""
        folders = {label, label.replace(" ", "_")} if label else set()
        return min(self._by_stem.get(stem, []), key=lambda path: path.parent.name not in folders, default=None)


def _kinetics(path: Path, videos: _VideoFolder, split: str | None) -> list[VideoSource]:
    table = read_table(path)
    missing = {"youtube_id", "time_start", "time_end"} - set(table.columns)
    if missing:
        names = ", ".join(sorted(missing))
        raise SourceError(f"`{path}` must have Kinetics' columns. Got none named {names}. Use the published file.")
    if split is not None:
        splits = sorted(set(table["split"])) if "split" in table.columns else []
        require(split in splits, "split", f"be one that {path} has: {', '.join(splits)}", split, "Choose one.")
        table = table[table["split"] == split]
    rows = enumerate(table.to_dict("records"), start=1)
    return [_kinetics_source(path, number, row, videos) for number, row in rows]


def _kinetics_source(path: Path, number: int, row: dict, videos: _VideoFolder) -> VideoSource:
    label, youtube_id = plain_name(row.get("label", "")) or None, row["youtube_id"]
    try:
        start_s, end_s = float(row["time_start"]), float(row["time_end"])
        trimmed = f"{youtube_id}_{int(start_s):06d}_{int(end_s):06d}"
        clip = videos.find(trimmed, label)
        if clip is None and (video := videos.find(youtube_id, label)) is not None:
            return VideoSource(path=video, kind="video", label=label, start_s=start_s, end_s=end_s, group=youtube_id)
    except (ValueError, OverflowError) as error:  # no number, infinity, or (an InputError) an end before its start
        raise SourceError(
            f"`{path}`, row {number} after the header, must have seconds in time_start and time_end. "
            f"Got {row['time_start']!r} and {row['time_end']!r}. Correct the row."
        ) from error
    expected = videos.root / (label or "") / f"{trimmed}.mp4"
    return VideoSource(path=clip or expected, kind="video", label=label, group=youtube_id)


def _ucf101(path: Path, videos: _VideoFolder, split: str | None) -> list[VideoSource]:
    sources = []
    for match in _matched_lines(path, _UCF101_LINE, "Class/v_Class_g01_c01.avi 1"):
        file = Path(match["file"])
        label = file.parent.name
        video = videos.find(match["stem"], label) or videos.root / file
        sources.append(VideoSource(path=video, kind="video", label=label, group=ucf101_group(file)))
    return sources


def _hmdb51(path: Path, videos: _VideoFolder, split: str | None) -> list[VideoSource]:
    name = _HMDB51_NAME.fullmatch(path.stem)
    if name is None:
        raise SourceError(f"`{path}` must be named like brush_hair_test_split1.txt. Got {path.name}. Keep its name.")
    is_split = split in _HMDB51_SPLITS
    require(is_split, "split", "be train or test for hmdb51", split, "Choose one, or leave it out.")
    label = name["label"]
    sources = []
    for match in _matched_lines(path, _HMDB51_LINE, "name.avi 1"):
        if match["split"] in _HMDB51_SPLITS[split]:
            stem = Path(match["file"]).stem
            source_video, _, codes = stem.rpartition(f"_{label}_")  # codes of view, motion and clip number
            video = videos.find(stem, label) or videos.root / label / match["file"]
            group = source_video if codes and source_video else None
            sources.append(VideoSource(path=video, kind="video", label=label, group=group))
    return sources


def _ssv2(path: Path, videos: _VideoFolder, split: str | None) -> list[VideoSource]:
    entries = parse_json(read_text(path, error=SourceError), f"`{path}`", error=SourceError)
    if not isinstance(entries, list):
        raise SourceError(f"`{path}` must be a JSON list of objects. Got another value. Use the published file.")
    sources = []
    for number, entry in enumerate(cast(Iterable[object], entries), start=1):
        if not isinstance(entry, dict) or "id" not in entry:
            raise SourceError(f"`{path}`, entry {number}, must be an object with an `id`. Got {entry!r}. Correct it.")
        template = entry.get("template") or entry.get("label")
        # templates mark their placeholders, as in "Putting [something] on [something]"
        label = plain_name(re.sub(r"[\[\]]", "", str(template))) if template else None
        video_id = plain_name(str(entry["id"]))
        video = videos.find(video_id) or videos.root / f"{video_id}.webm"
        sources.append(VideoSource(path=video, kind="video", label=label))
    return sources


def _matched_lines(path: Path, pattern: re.Pattern[str], example: str) -> Iterable[re.Match[str]]:
    for number, line in numbered_lines(read_text(path, error=SourceError)):
        match = pattern.fullmatch(line)
        if match is None:
            raise SourceError(f"`{path}`, line {number}, must read like `{example}`. Got {line!r}. Correct it.")
        yield match
