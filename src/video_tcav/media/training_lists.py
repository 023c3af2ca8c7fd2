"""Training lists: `path label` of mmaction2, SlowFast and VideoMAE, `folder frames label` of TSN and TSM."""

import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from video_tcav.core.errors import MediaError, SourceError
from video_tcav.core.text_files import numbered_lines, plain_name, read_text, visible
from video_tcav.media.files import IMAGE_SUFFIXES, TAR_SUFFIX, VIDEO_SUFFIXES, VideoSource, images_in, is_tar, kind_of
from video_tcav.media.frame_archive import archived_frames
from video_tcav.media.manifest import listed_path, refuse_repeats, split_cells
from video_tcav.media.timeline import FRAME_FOLDER_FPS

TRAINING_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".list", ".lst"})

_ENDINGS = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES | IMAGE_SUFFIXES | {TAR_SUFFIX}))
_FILE_END = re.compile(rf"\.(?:{_ENDINGS})(?=[\s,;]|$)", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_UCF101_GROUP = re.compile(r"v_(?P<group>.+_g\d+)_c\d+")
_FORMS = "`path label` or `folder frames label`"


@dataclass(frozen=True, kw_only=True)
class TrainingLine:
    """A line of a list: a file or a folder of frames, and the cells behind it."""

    number: int
    name: str
    is_file: bool
    cells: tuple[str, ...]


def is_training_line(line: str) -> bool:
    """Whether a list's first line names a file with a usual ending, or a folder with numbers behind it."""
    parsed = _parse_line(1, line)
    return parsed.is_file or bool(parsed.name and parsed.cells)


def read_training_list(path: Path, root: Path) -> list[VideoSource]:
    """Sources of a training list, in its order; a number is a label as it stands.

    Args:
        path: the list. Names may hold spaces, and may be in quotes.
        root: folder to which paths are relative; where they do not fit, a file below it whose path ends like that counts.

    Raises:
        SourceError: if a line has another form, several labels, or more frames than its folder, or names a path twice.
    """
    files = _FilesBelow(root)
    lines = numbered_lines(read_text(path, error=SourceError))
    sources = {f"line {number}": _source(path, _parse_line(number, line), files) for number, line in lines}
    # by path: a list of classes that names a video twice gives it two labels
    refuse_repeats(path, [(line, source.path) for line, source in sources.items()])
    return list(sources.values())


class _FilesBelow:
    """Files and folders below a folder, found by the end of their path; listed when first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path | None:
        """The path of that name below the folder, or that ends like it; refuses several of these."""
        path = listed_path(self.root, name)
        if path.exists():
            return path
        if Path(name).is_absolute():
            return None
        names = Path(name.replace("\\", "/")).parts
        matches = [path for path in self._listed().get(names[-1], []) if path.parts[-len(names) :] == names]
        if len(matches) > 1:
            raise SourceError(
                f"`root` must hold each listed file once. Got {matches[0]} and {matches[1]} for {name}. "
                "Give the folder that the list's paths start from."
            )
        return matches[0] if matches else None

    def _listed(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for folder, folders, names in os.walk(self.root):
                for name in (*folders, *names):
                    self._by_name.setdefault(name, []).append(Path(folder, name))
        return self._by_name


def _parse_line(number: int, line: str) -> TrainingLine:
    if line.startswith('"') and '"' in line[1:]:
        name, _, cells = line[1:].partition('"')
        return TrainingLine(number=number, name=name, is_file=bool(_FILE_END.search(name)), cells=_cells(cells))
    ends = [match.end() for match in _FILE_END.finditer(line)]
    if ends:
        return TrainingLine(number=number, name=line[: ends[-1]], is_file=True, cells=_cells(line[ends[-1] :]))
    words = [visible(word) for word in re.split(r"[\s,;]+", line)]
    cells = tuple(takewhile(_NUMBER.fullmatch, reversed(words[1:])))[::-1]
    name = line
    for word in reversed(cells):
        name = name.rstrip(" ,;\t").removesuffix(word)
    return TrainingLine(number=number, name=name.rstrip(" ,;\t"), is_file=False, cells=cells)


def _cells(text: str) -> tuple[str, ...]:
    """Cells behind a path: numbers with any separator, or a name of words after a comma, semicolon or tab."""
    words = text.replace(",", " ").replace(";", " ").split()
    if all(_NUMBER.fullmatch(word) for word in words):
        return tuple(words)
    separator = visible(text)[:1]
    if separator not in (",", ";"):
        return (plain_name(text),) if "\t" in text[:2] and "\t" not in text.strip() else tuple(words)
    return tuple(plain_name(cell) for cell in split_cells(visible(text)[1:], separator))


def _source(path: Path, line: TrainingLine, files: _FilesBelow) -> VideoSource:
    where = f"`{path}`, line {line.number},"
    path_on_disk = files.find(line.name)
    if not line.is_file:
        return _frames_source(where, line, files, path_on_disk)
    if len(line.cells) > 1:
        raise SourceError(
            f"{where} must give one label. Got {' '.join(line.cells)} behind {line.name}. Several labels are not read: "
            "write a manifest with the label that counts."
        )
    path = path_on_disk or files.root / line.name
    label = line.cells[0] if line.cells else None
    return VideoSource(path=path, kind=kind_of(path) or "video", label=_label(label), group=ucf101_group(path))


def _frames_source(where: str, line: TrainingLine, files: _FilesBelow, folder: Path | None) -> VideoSource:
    """A folder of frames; `folder 12 3` is 12 frames of class 3, but for a folder that is named `folder 12`."""
    name, cells = line.name, line.cells
    if not cells:
        raise SourceError(f"{where} must read like {_FORMS}. Got {name!r}. Correct it.")
    if folder is None and len(cells) > 1 and (spaced := files.find(f"{name} {cells[0]}")) is not None:
        name, cells, folder = f"{name} {cells[0]}", cells[1:], spaced
    if len(cells) > 2 or (len(cells) == 2 and not _NUMBER.fullmatch(cells[0])):
        raise SourceError(
            f"{where} must read like {_FORMS}. Got {' '.join(cells)} behind {name}. Several labels, or a first frame, are not "
            "read: write a manifest."
        )
    listed = int(cells[0]) if len(cells) == 2 else None
    folder = folder or files.find(f"{name}{TAR_SUFFIX}")
    count = None if folder is None else _frame_count(folder)
    if listed is not None and (listed < 1 or (count is not None and count < listed)):
        raise SourceError(
            f"{where} must list frames that are there. Got {listed} of {name}, which has {count}. Correct the list."
        )
    return VideoSource(
        path=folder or files.root / name,
        kind="frames",
        label=_label(cells[len(cells) - 1]),
        # a list may name fewer frames than the folder has
        end_s=listed / FRAME_FOLDER_FPS if listed and count is not None and listed < count else None,
        group=ucf101_group(Path(name)),
    )


def _frame_count(path: Path) -> int | None:
    """Frames of a folder or tar; `None` for another file, and for a tar that the decoder will report."""
    if not is_tar(path):
        return len(images_in(path)) if path.is_dir() else None
    try:
        return len(archived_frames(path))
    except MediaError:
        return None


def _label(text: str | None) -> str | None:
    return str(int(text)) if text and _NUMBER.fullmatch(text) else text or None


def ucf101_group(path: Path) -> str | None:
    """Group of a clip that is named as in UCF101, such as `v_Archery_g01_c03.avi`; `None` for any other."""
    match = _UCF101_GROUP.fullmatch(path.stem)
    return match["group"] if match else None
