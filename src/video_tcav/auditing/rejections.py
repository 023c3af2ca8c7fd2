"""Rejected clips: a file with the names of clips whose masks a person has looked at and found wrong."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.checks import require
from video_tcav.core.errors import InputError
from video_tcav.core.files import write_json
from video_tcav.core.text_files import parse_json, read_text
from video_tcav.media import VideoSource

_COLUMN = "clip"


@dataclass(frozen=True, kw_only=True)
class MaskVerdicts:
    """What a person decided about the masks of clips, by the clips' names.

    Attributes:
        rejected: clips that an audit leaves out.
        accepted: clips that were looked at, and stay.
    """

    rejected: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()


def read_verdicts(path: Path) -> MaskVerdicts:
    """The verdicts of a JSON file that `write_verdicts` wrote, or a list of rejected names; none where there is no file.

    Raises:
        InputError: if the file is no JSON file, cannot be read, or is of another form.
    """
    require(path.suffix.lower() == ".json", "file", "be a JSON file", str(path), "Name it, for example, rejected.json.")
    if not path.exists():
        return MaskVerdicts()
    content = parse_json(read_text(path), f"`{path}`")
    accepted = content.get("accepted", []) if isinstance(content, dict) else []
    return MaskVerdicts(rejected=read_rejections(path), accepted=_names(accepted, path))


def write_verdicts(path: Path, verdicts: MaskVerdicts) -> None:
    """Write verdicts so that `read_rejections` reads the rejected; the file is whole at any time.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_json(path, {"rejected": sorted(verdicts.rejected), "accepted": sorted(verdicts.accepted)})


def read_rejections(path: str | Path) -> frozenset[str]:
    """Names of rejected clips.

    Args:
        path: a JSON list of names, or an object with such a list as `rejected`; a CSV file with a column `clip`; or a text with
            one name a line.

    Raises:
        InputError: if the file cannot be read, or is of another form.
    """
    path = Path(path)
    text = read_text(path)
    if path.suffix.lower() == ".json":
        content = parse_json(text, f"`{path}`")
        return _names(content.get("rejected") if isinstance(content, dict) else content, path)
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if path.suffix.lower() == ".csv":
        header = [cell.strip().lower() for cell in rows[0]] if rows else []
        require(_COLUMN in header, "reject", "have a column `clip`", header, "Name the column of the clips so.")
        return frozenset(row[header.index(_COLUMN)].strip() for row in rows[1:] if len(row) > header.index(_COLUMN))
    return frozenset(row[0].strip() for row in rows)


def is_rejected(source: VideoSource, names: frozenset[str]) -> bool:
    """Whether a clip is named: by its key, by its path, or by the last names of its path, such as `run/001.mp4`."""
    return any(name == source.key or _ends_with(source.path, name) for name in names)


def rejected_keys(sources: Sequence[VideoSource], names: frozenset[str]) -> frozenset[str]:
    """Keys of the clips that are named; a name that is the whole key of a clip means that clip alone."""
    keys = {source.key for source in sources}
    others = names - keys
    return frozenset(
        source.key for source in sources if source.key in names or (others and is_rejected(source, others))
    )


def unknown_names(sources: Sequence[VideoSource], names: frozenset[str]) -> list[str]:
    """Names that no clip has: most likely misspelt, so that a clip would stay that should not."""
    return sorted(name for name in names if not any(is_rejected(source, frozenset({name})) for source in sources))


def _names(names: object, path: Path) -> frozenset[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f'`reject` must be a JSON list of names of clips. Got {path}. Write, for example, ["run/001.mp4"].'
        )
    return frozenset(names)


def _ends_with(path: Path, name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and path.parts[-len(parts) :] == parts
