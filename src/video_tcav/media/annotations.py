"""Reading published lists of videos: their format detected by content, their videos found below a folder."""

import re
from pathlib import Path

from video_tcav.core.checks import require
from video_tcav.core.errors import SourceError
from video_tcav.media.files import VideoSource
from video_tcav.media.manifest import any_exists, refuse_repeats
from video_tcav.media.training_lists import TRAINING_SUFFIXES
from video_tcav.media.video_lists.list_format import LIST_FORMATS, ListChoice, ListFile, VideoListFormat
from video_tcav.media.video_lists.video_folder import VideoFolder

_LIST_SUFFIXES = TRAINING_SUFFIXES | {".json"}
# data sets are published with lists in a folder of their own, beside one with the videos
_LIST_FOLDER = re.compile(r".*(?:annotations?|labels?|splits?|lists?)", re.IGNORECASE)


def detected_format(file: ListFile) -> VideoListFormat | None:
    """Format of a published list, by name and content; `None` if it is none of them."""
    if file.suffix not in _LIST_SUFFIXES:
        return None
    formats = sorted(map(LIST_FORMATS.resolve, LIST_FORMATS.names()), key=lambda each: each.is_general)
    return next((each for each in formats if each.detects(file)), None)


def read_annotations(
    path: str | Path,
    *,
    root: Path | None = None,
    format: str = "auto",
    split: str | None = None,
    labels: str | None = None,
) -> list[VideoSource]:
    """Sources of a published list of videos, in its order.

    A listed file that is not on disk becomes a source with the path where it was expected, so that the decoder reports it.

    Args:
        path: the list.
        root: folder with the videos, searched with its subfolders; by default that of the list, and the one above it where the
            list lies in a folder for lists, such as `annotations`.
        format: name of a format; `auto` detects it by name and content.
        split: name of a split, where one file holds several (Kinetics, ActivityNet, EchoNet; HMDB51: `train` or `test`); all by
            default.
        labels: which labels, where a format has several kinds: `noun` of EPIC-Kitchens; its first kind by default.

    Raises:
        SourceError: if the file cannot be read, is malformed, or none of its videos is found.
        InputError: if there is no such format, split or kind of labels.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"`{path}` must be an annotation file. Got no such file. Check the path.")
    file = ListFile(path)
    chosen = detected_format(file) if format == "auto" else LIST_FORMATS.resolve(format)
    if chosen is None:
        raise SourceError(
            f"`{path}` must be an annotation file of Kinetics, UCF101, HMDB51, Something-Something V2 or another known data "
            f"set, or a training list. Got another content. Name its `format`, one of {', '.join(LIST_FORMATS.names())}, or "
            "write a manifest with a column `path`."
        )
    return read_list(file, chosen, ListChoice(split=split, labels=labels), root)


def read_list(
    file: ListFile, chosen: VideoListFormat, choice: ListChoice, root: Path | None = None
) -> list[VideoSource]:
    """Sources of a list of a known format; see `read_annotations`."""
    path, folders = file.path, _folders(file.path, root)
    _check_choice(chosen, choice)
    sources: list[VideoSource] = []
    for folder in folders:
        sources = chosen.read(file, VideoFolder(folder), choice)
        if any_exists(sources):
            break
    else:
        listed = " or ".join(str(folder) for folder in folders)
        raise SourceError(
            f"`{path}` must list videos that exist. Got {len(sources)} listed, none is under {listed}. "
            "Give the folder with the videos as `root`."
        )
    if chosen.may_repeat:
        return list(dict.fromkeys(sources))
    refuse_repeats(path, [(f"entry {number}", source) for number, source in enumerate(sources, start=1)])
    return sources


def _check_choice(chosen: VideoListFormat, choice: ListChoice) -> None:
    split, labels = choice.split, choice.labels
    has_split = split is None or chosen.has_splits
    require(has_split, "split", f"be left out for {chosen.name}", split, "Choose the file of that split instead.")
    kinds = ", ".join(chosen.labels)
    rule = f"be one of {kinds} for {chosen.name}" if kinds else f"be left out for {chosen.name}, which has one kind"
    require(labels is None or labels in chosen.labels, "labels", rule, labels, "Choose one, or leave it out.")


def _folders(path: Path, root: Path | None) -> list[Path]:
    """Folders to look for videos in, one after the other."""
    if root is None:
        folder = path.parent
        return [folder, folder.absolute().parent] if _LIST_FOLDER.fullmatch(folder.absolute().name) else [folder]
    if not Path(root).is_dir():
        raise SourceError(f"`root` must be a folder with videos. Got {root}. Check the path.")
    return [Path(root)]
