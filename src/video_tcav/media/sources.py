"""Finding videos: files, folders, globs, manifests and annotation files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from video_tcav.core.errors import SourceError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.media.annotations import detected_format, read_list
from video_tcav.media.files import (
    VideoSource,
    files_below,
    images_in,
    is_broken_sequence,
    is_media,
    kind_of,
    media_files,
    named_source,
    sources_of_files,
)
from video_tcav.media.manifest import MANIFEST_SUFFIXES, read_manifest
from video_tcav.media.selections import Selection, parse_selection
from video_tcav.media.video_lists.list_format import LIST_FORMATS, ListChoice, ListFile

_KINDS = "videos (mp4, avi, webm, mkv, mov, gif …), images (jpg, png …) and folders of numbered frames"
_WILDCARDS = frozenset("*?[")
_OF_WINDOWS = frozenset({"thumbs.db", "desktop.ini"})  # which Windows puts into folders of pictures
_MOST_ENDINGS = 5  # in a message
_LONGEST_PATH = 200  # characters, in a message


def find_videos(path: str | Path) -> list[VideoSource]:
    """All videos of a path, in a fixed order.

    Args:
        path: a video or image file, a folder (searched with its subfolders; each video is labelled by its folder), a glob
            (`**` too), a manifest (.csv, .tsv, .parquet), or a published list. `::LABEL` behind it keeps the sources with
            that label; `::KIND=LABEL` those by another kind of labels of a list, such as `::noun=knife`; `::KIND<NUMBER` (`<=`,
            `>`, `>=`; `label` for any list) those whose label is such a number. Before these, `::split=NAME` chooses a split,
            and `::format=NAME` a format.

    Raises:
        SourceError: if nothing is there, nothing in it is a video, or no source has the label.
        InputError: if a list has no such split, or there is no such format.
    """
    try:
        return _selected(parse_selection(str(path)))
    except VideoTcavError:
        raise
    except (OSError, RuntimeError) as error:  # a name too long, a folder that may not be entered, an unknown `~user`
        raise SourceError(
            f"`{str(path)[:_LONGEST_PATH]}` must be a file, folder or glob. Got: {reason_of(error)[:_LONGEST_PATH]}. "
            "Check spelling and permissions."
        ) from error


def _selected(selection: Selection) -> list[VideoSource]:
    path = Path(selection.path).expanduser()
    if not path.is_file() or kind_of(path) is not None:
        if selection.split or selection.format:
            raise SourceError(
                f"`{selection.path}` must be a list for a split or format. Got another path. Name the list."
            )
        return selection.choose(_find(path, selection.path))
    file = ListFile(path)
    chosen = detected_format(file) if selection.format is None else LIST_FORMATS.resolve(selection.format)
    if chosen is not None:
        labels = selection.kind_of_labels(chosen.labels)
        sources = read_list(file, chosen, ListChoice(split=selection.split, labels=labels))
        return selection.choose(sources, chosen.labels)
    if selection.split is not None:
        raise SourceError(
            f"`{path}` must be a published list for a split. Got another content. Write its format before: "
            f"::format=NAME, of {', '.join(LIST_FORMATS.names())}."
        )
    return selection.choose(_find(path, selection.path))


def _find(path: Path, text: str) -> list[VideoSource]:
    if path.is_dir():
        return _not_empty(sources_of_files(media_files(path)) or _of_lists(files_below(path)), f"the folder {text}")
    if path.is_file():
        return _from_file(path)
    if _WILDCARDS & set(text):
        return _not_empty(sources_of_files(_glob(path)) or _of_lists(_matches(path)), f"the files that match {text}")
    near = next(parent for parent in path.absolute().parents if parent.exists())
    raise SourceError(f"`{text}` must be a file, folder or glob. Got no such path; {near} exists. Check the spelling.")


def _from_file(path: Path) -> list[VideoSource]:
    kind = kind_of(path)
    if kind is not None:
        return [named_source(path, path.absolute().parent.name)]
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return read_manifest(path)
    raise SourceError(
        f"`{path}` must be a video, an image, a manifest (.csv, .tsv, .parquet) or an annotation file. "
        f"Got the ending {path.suffix or 'none'}. Give one of these, or a folder; a list whose format is not "
        f"detected is read as {path.name}::format=NAME."
    )


def _of_lists(files: Iterable[Path]) -> list[VideoSource]:
    """Sources of lists that stand for a video each, such as `video01-phase.txt`, `video02-phase.txt`, …."""
    sources = []
    for path in sorted(files):
        file = ListFile(path)
        if file.suffix == ".txt" and path.is_file() and (chosen := detected_format(file)) and chosen.is_per_video:
            sources += read_list(file, chosen, ListChoice())
    return sources


def _glob(pattern: Path) -> set[Path]:
    files: set[Path] = set()
    for match in _matches(pattern):
        files.update(media_files(match) if match.is_dir() else [match] if kind_of(match) else [])
    return files


def _matches(pattern: Path) -> Iterator[Path]:
    """Files and folders that match, hidden ones left out."""
    first = next(index for index, name in enumerate(pattern.parts) if _WILDCARDS & set(name))
    base = Path(*pattern.parts[:first])
    for match in base.glob("/".join(pattern.parts[first:])) if base.is_dir() else ():
        if not any(name.startswith(".") for name in match.relative_to(base).parts):
            yield match


def _not_empty(sources: list[VideoSource], origin: str) -> list[VideoSource]:
    if not sources:
        raise SourceError(f"`path` must lead to a video. Got none in {origin}. Looked for {_KINDS}; check the path.")
    return sources


def left_out_note(path: str | Path) -> str | None:
    """A line on the files of a folder or glob that `find_videos` leaves out: how many, and of which endings.

    Hidden files, and those that Windows adds, are not counted. `None` where there is none, or `path` is a file.
    """
    text = parse_selection(str(path)).path
    folder = Path(text).expanduser()
    if folder.is_dir():
        matches = [folder]
    elif not folder.is_file() and _WILDCARDS & set(text):
        matches = list(_matches(folder))
    else:
        return None
    below = {file for match in matches for file in (files_below(match) if match.is_dir() else [match])}
    files = [file for file in sorted(below) if not is_media(file) and file.name.lower() not in _OF_WINDOWS]
    if not files or len(files) == len(below):  # without any video, they are lists that were read
        return None
    endings = Counter(file.suffix.lower() or "without ending" for file in files).most_common()
    listed = ", ".join(f"{count} {ending}" for ending, count in endings[:_MOST_ENDINGS])
    more = f" and {len(endings) - _MOST_ENDINGS} other endings" if len(endings) > _MOST_ENDINGS else ""
    counted = f"1 file of {text} was" if len(files) == 1 else f"{len(files)} files of {text} were"
    return f"{counted} left out: {listed}{more}; only videos and pictures of known endings are read."


def numbered_stills_note(path: str | Path) -> str | None:
    """A line on the folders whose pictures are named like frames of a video but read as stills; `None` where there is none."""
    folder = Path(parse_selection(str(path)).path).expanduser()
    if not folder.is_dir():
        return None
    parents = dict.fromkeys(file.parent for file in media_files(folder))
    broken = [parent for parent in parents if is_broken_sequence(images_in(parent))]
    if not broken:
        return None
    more = f" and of {len(broken) - 1} more folders" if len(broken) > 1 else ""
    return (
        f"The numbered pictures of {broken[0]}{more} are read as stills, not as frames of one video: their numbers have gaps, "
        "other widths, fewer than three digits, or several endings."
    )
