"""Lists that training code reads: `path label` of mmaction2, SlowFast and VideoMAE, `folder frames label` of TSN and TSM."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import numbered_lines, plain_name, read_text, visible
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, VideoSource, images_in, kind_of
from video_tcav.media.manifest import listed_path, split_cells

TRAINING_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".list", ".lst"})

_ENDINGS = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES | IMAGE_SUFFIXES))
_FILE_END = re.compile(rf"\.(?:{_ENDINGS})(?=[\s,;]|$)", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_UCF101_GROUP = re.compile(r"v_(?P<group>.+_g\d+)_c\d+")
_FRAMES_PER_SECOND = 25  # of a folder of frames, which keeps no times
_FORMS = "`path label` or `folder frames label`"


@dataclass(frozen=True, kw_only=True)
class TrainingLine:
    """A line of a list: a file or a folder of frames, and what stands behind it."""

    number: int
    name: str
    is_file: bool
    rest: tuple[str, ...]


def is_training_line(line: str) -> bool:
    """Whether a list's first line names a file with a usual ending, or a folder with numbers behind it."""
    parsed = _parse_line(1, line)
    return parsed.is_file or bool(parsed.name and parsed.rest)


def read_training_list(path: Path, root: Path) -> list[VideoSource]:
    """Sources of a training list, in its order; a number is a label as it stands.

    Args:
        path: the list. Names may hold spaces, and may be in quotes.
        root: folder to which paths are relative; where they do not fit, a file below it whose path ends like that counts.

    Raises:
        SourceError: if a line has another form, several labels, or more frames than its folder, or names a path twice.
    """
    files, sources, first_line = _FilesBelow(root), [], dict[Path, int]()
    for number, line in numbered_lines(read_text(path, error=SourceError)):
        source = _source(path, _parse_line(number, line), files)
        earlier = first_line.setdefault(source.path, number)
        if earlier != number:
            raise SourceError(
                f"`{path}` must have each source once. Got line {number} with the same path as line {earlier}. Delete one."
            )
        sources.append(source)
    return sources


class _FilesBelow:
    """Files and folders below a folder, found by the end of their path; listed when first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path | None:
        """The path of that name below the folder.

        Raises:
            SourceError: if several paths end like the name.
        """
        path = listed_path(self.root, name)
        if path.exists():
            return path
        if Path(name).is_absolute():
            return None
        parts = Path(name.replace("\\", "/")).parts
        matches = [path for path in self._listed().get(parts[-1], []) if path.parts[-len(parts) :] == parts]
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
        name, _, rest = line[1:].partition('"')
        return TrainingLine(number=number, name=name, is_file=bool(_FILE_END.search(name)), rest=_cells(rest))
    ends = [match.end() for match in _FILE_END.finditer(line)]
    if ends:
        return TrainingLine(number=number, name=line[: ends[-1]], is_file=True, rest=_cells(line[ends[-1] :]))
    words = [visible(word) for word in re.split(r"[\s,;]+", line)]
    count = 0
    while count < len(words) - 1 and _NUMBER.fullmatch(words[-1 - count]):
        count += 1
    name = line
    for word in reversed(words[len(words) - count :]):
        name = name.rstrip(" ,;\t").removesuffix(word)
    return TrainingLine(
        number=number, name=name.rstrip(" ,;\t"), is_file=False, rest=tuple(words[len(words) - count :])
    )


def _cells(rest: str) -> tuple[str, ...]:
    """What stands behind a path: numbers parted by anything, or a name of words behind a comma, semicolon or tab."""
    words = rest.replace(",", " ").replace(";", " ").split()
    if all(_NUMBER.fullmatch(word) for word in words):
        return tuple(words)
    separator = visible(rest)[:1]
    if separator not in (",", ";"):
        return (plain_name(rest),) if "\t" in rest[:2] and "\t" not in rest.strip() else tuple(words)
    return tuple(plain_name(cell) for cell in split_cells(visible(rest)[1:], separator))


def _source(path: Path, line: TrainingLine, files: _FilesBelow) -> VideoSource:
    where = f"`{path}`, line {line.number},"
    found = files.find(line.name)
    if line.is_file:
        if len(line.rest) > 1:
            raise SourceError(
                f"{where} must give one label. Got {' '.join(line.rest)} behind {line.name}. Several labels are not read: "
                "write a manifest with the label that counts."
            )
        kind = kind_of(found or Path(line.name)) or "video"
        label = line.rest[0] if line.rest else None
        return VideoSource(
            path=found or files.root / line.name, kind=kind, label=_label(label), group=_group(line.name)
        )
    if not line.rest:
        raise SourceError(f"{where} must read like {_FORMS}. Got {line.name!r}. Correct it.")
    return _frames_source(where, line, files, found)


def _frames_source(where: str, line: TrainingLine, files: _FilesBelow, found: Path | None) -> VideoSource:
    """A folder of frames; `folder 12 3` is 12 frames of class 3, but for a folder that is named `folder 12`."""
    name, rest = line.name, line.rest
    if found is None and len(rest) > 1 and (spaced := files.find(f"{name} {rest[0]}")) is not None:
        name, rest, found = f"{name} {rest[0]}", rest[1:], spaced
    if len(rest) > 2 or (len(rest) == 2 and not _NUMBER.fullmatch(rest[0])):
        raise SourceError(
            f"{where} must read like {_FORMS}. Got {' '.join(rest)} behind {name}. Several labels, or a first frame, are not "
            "read: write a manifest."
        )
    listed = int(rest[0]) if len(rest) == 2 else None
    count = len(images_in(found)) if found is not None and found.is_dir() else None
    if listed is not None and (listed < 1 or (count is not None and count < listed)):
        raise SourceError(
            f"{where} must list frames that are there. Got {listed} of {name}, which has {count}. Correct the list."
        )
    part = listed is not None and count is not None and listed < count
    return VideoSource(
        path=found or files.root / name,
        kind="frames",
        label=_label(rest[len(rest) - 1]),
        end_s=listed / _FRAMES_PER_SECOND if part and listed else None,
        group=_group(name),
    )


def _label(text: str | None) -> str | None:
    return str(int(text)) if text and _NUMBER.fullmatch(text) else text or None


def _group(name: str) -> str | None:
    """Group of a clip of UCF101, whose names tell it; of any other `None`."""
    match = _UCF101_GROUP.fullmatch(Path(name).stem)
    return match["group"] if match else None
