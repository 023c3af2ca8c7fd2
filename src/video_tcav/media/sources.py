"""Finding videos: files, folders, globs, manifests and annotation files."""

import difflib
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from video_tcav.core.errors import SourceError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.core.limits import finite, shortened
from video_tcav.media.annotations import detect_annotations, read_annotations
from video_tcav.media.files import (
    VideoSource,
    files_below,
    images_in,
    is_broken_sequence,
    is_media,
    kind_of,
    media_files,
    sources_of_files,
)
from video_tcav.media.manifest import MANIFEST_SUFFIXES, read_manifest

_KINDS = "videos (mp4, avi, webm, mkv, mov, gif …), images (jpg, png …) and folders of numbered frames"
_WILDCARDS = frozenset("*?[")
_OF_WINDOWS = frozenset({"thumbs.db", "desktop.ini"})  # which Windows puts into folders of pictures
_SPLIT = "split="
_QUALIFIED = re.compile(r"(?P<kind>[A-Za-z_]\w*)\s*(?P<sign><=|>=|<|>|=)(?P<value>.*)")
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MOST_ENDINGS = 5  # in a message
_MOST_LABELS = 10
_LONGEST_PATH = 200  # characters, in a message


def find_videos(path: str | Path) -> list[VideoSource]:
    """All videos of a path, in a fixed order.

    Args:
        path: a video or image file, a folder (searched with its subfolders; each video is labelled by its folder), a glob
            (`**` too), a manifest (.csv, .tsv, .parquet), or a published annotation file. `::LABEL` behind it keeps the
            sources with that label; `::KIND=LABEL` those by another kind of labels, such as `::noun=knife`; `::KIND<NUMBER`
            (`<=`, `>`, `>=`) those whose label is such a number; `::split=NAME` those of a split, before another `::`.

    Raises:
        SourceError: if nothing is there, nothing in it is a video, or no source has the label.
        InputError: if a list has no such split.
    """
    try:
        text, label = _split_label(str(path))
        text, split = _split_off_split(text)
        if label is not None and split is None and label.startswith(_SPLIT):
            label, split = None, label.removeprefix(_SPLIT)
        if split is not None or (label is not None and _QUALIFIED.fullmatch(label)):
            return _qualified(Path(text).expanduser(), text, label, split)
        sources = _find(Path(text).expanduser(), text)
    except VideoTcavError:
        raise
    except (OSError, RuntimeError) as error:  # a name too long, a folder that may not be entered, an unknown `~user`
        raise SourceError(
            f"`{str(path)[:_LONGEST_PATH]}` must be a file, folder or glob. Got: {reason_of(error)[:_LONGEST_PATH]}. "
            "Check spelling and permissions."
        ) from error
    return sources if label is None else _with_label(sources, label, text)


def _split_label(text: str) -> tuple[str, str | None]:
    head, mark, label = text.rpartition("::")
    if not mark or not head or Path(text).expanduser().exists():
        return text, None
    return head, label


def _split_off_split(text: str) -> tuple[str, str | None]:
    """Path and split of `PATH::split=NAME`."""
    head, label = _split_label(text)
    is_split = label is not None and label.startswith(_SPLIT)
    return (head, label.removeprefix(_SPLIT)) if label is not None and is_split else (text, None)


def _qualified(path: Path, text: str, label: str | None, split: str | None) -> list[VideoSource]:
    """Sources of a list by a split, and by a kind of labels or the size of a number."""
    match = _QUALIFIED.fullmatch(label) if label is not None else None
    chosen = detect_annotations(path) if path.is_file() else None
    if match is None or (chosen is None and match["sign"] == "="):
        sources = _find(path, text) if split is None else read_annotations(path, split=split)
        return sources if label is None else _with_label(sources, label, text)
    kind, sign, value = match["kind"].strip(), match["sign"], match["value"].strip()
    if chosen is not None and sign == "=" and kind not in chosen.labels:  # a label with such a sign
        return _with_label(read_annotations(path, split=split), label or "", text)
    is_default = kind == "label"  # of any list
    labels = None if is_default else kind
    sources = _find(path, text) if chosen is None else read_annotations(path, split=split, labels=labels)
    if chosen is None and not is_default:
        raise SourceError(f"`{text}` must be a list with numbers as {kind}. Got none. Write ::label{sign}{value}.")
    if sign == "=":
        return _with_label(sources, value, text) if value else sources
    return _of_size(sources, sign, value, f"{text}::{label}")


def _of_size(sources: list[VideoSource], sign: str, value: str, text: str) -> list[VideoSource]:
    """Sources whose label is a number on one side of a bound."""
    try:
        bound = finite(value)
        numbers = [finite(source.label or "") for source in sources]
    except ValueError as error:
        raise SourceError(f"`{text}` must compare numbers. Got a label or bound that is none: {error}.") from error
    compare = _COMPARISONS[sign]
    chosen = [source for source, number in zip(sources, numbers, strict=True) if compare(number, bound)]
    if not chosen:
        span = f"{min(numbers):g} to {max(numbers):g}"
        raise SourceError(
            f"`{text}` must hold for a video at least. Got {len(numbers)} numbers, {span}. Change the bound."
        )
    return chosen


def _find(path: Path, text: str) -> list[VideoSource]:
    if path.is_dir():
        sources = sources_of_files(media_files(path)) or _of_lists(files_below(path))
        return _not_empty(sources, f"the folder {text}")
    if path.is_file():
        return _from_file(path)
    if _WILDCARDS & set(text):
        sources = sources_of_files(_glob(path)) or _of_lists(_matches(path))
        return _not_empty(sources, f"the files that match {text}")
    near = next(parent for parent in path.absolute().parents if parent.exists())
    raise SourceError(f"`{text}` must be a file, folder or glob. Got no such path; {near} exists. Check the spelling.")


def _from_file(path: Path) -> list[VideoSource]:
    kind = kind_of(path)
    if kind is not None:
        return [VideoSource(path=path, kind=kind, label=path.absolute().parent.name)]
    if detect_annotations(path) is not None:
        return read_annotations(path)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return read_manifest(path)
    raise SourceError(
        f"`{path}` must be a video, an image, a manifest (.csv, .tsv, .parquet) or an annotation file. "
        f"Got the ending {path.suffix or 'none'}. Give one of these, or a folder."
    )


def _of_lists(files: Iterable[Path]) -> list[VideoSource]:
    """Sources of lists that stand for a video each, such as `video01-phase.txt`, `video02-phase.txt`, …."""
    texts = (file for file in sorted(files) if file.suffix.lower() == ".txt" and file.is_file())
    lists = [file for file in texts if (chosen := detect_annotations(file)) is not None and chosen.is_per_video]
    return [source for file in lists for source in read_annotations(file)]


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


def _with_label(sources: list[VideoSource], label: str, text: str) -> list[VideoSource]:
    labelled = [source for source in sources if source.label == label]
    if labelled:
        return labelled
    labels = sorted({source.label for source in sources if source.label is not None})
    if not labels:
        raise SourceError(f"`{text}` must have labels for ::{label}. Got none. Add a column `label`, or leave it out.")
    labels.sort(key=lambda other_label: -difflib.SequenceMatcher(None, other_label.lower(), label.lower()).ratio())
    listed = shortened(labels, _MOST_LABELS)
    raise SourceError(f"`{text}` must have the label after `::`. Got {label!r}. Choose one of: {listed}.")


def left_out_note(path: str | Path) -> str | None:
    """A line on the files of a folder or glob that `find_videos` leaves out: how many, and of which endings.

    Hidden files, and those that Windows adds, are not counted. `None` where there is none, or `path` is a file.
    """
    text, _ = _split_label(str(path))
    folder = Path(text).expanduser()
    if folder.is_dir():
        matches = [folder]
    elif not folder.is_file() and _WILDCARDS & set(text):
        matches = list(_matches(folder))
    else:
        return None
    below = {file for match in matches for file in (files_below(match) if match.is_dir() else [match])}
    files = [file for file in sorted(below) if not is_media(file) and file.name.lower() not in _OF_WINDOWS]
    if not files:
        return None
    endings = Counter(file.suffix.lower() or "without ending" for file in files).most_common()
    listed = ", ".join(f"{count} {ending}" for ending, count in endings[:_MOST_ENDINGS])
    more = f" and {len(endings) - _MOST_ENDINGS} other endings" if len(endings) > _MOST_ENDINGS else ""
    counted = f"1 file of {text} was" if len(files) == 1 else f"{len(files)} files of {text} were"
    return f"{counted} left out: {listed}{more}; only videos and pictures of known endings are read."


def numbered_stills_note(path: str | Path) -> str | None:
    """A line on the folders whose pictures are named like frames of a video but read as stills; `None` where there is none."""
    folder = Path(_split_label(str(path))[0]).expanduser()
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
