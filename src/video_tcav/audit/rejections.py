"""Rejected clips: a file with the names of clips whose masks a person has looked at and found wrong."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from video_tcav.core.checks import require
from video_tcav.core.errors import InputError
from video_tcav.core.text_files import parse_json, read_text
from video_tcav.media import VideoSource

_COLUMN = "clip"


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
        names = content.get("rejected") if isinstance(content, dict) else content
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(
                f'`reject` must be a JSON list of names of clips. Got {path}. Write, for example, ["run/001.mp4"].'
            )
        return frozenset(names)
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if path.suffix.lower() == ".csv":
        header = [cell.strip().lower() for cell in rows[0]] if rows else []
        require(_COLUMN in header, "reject", "have a column `clip`", header, "Name the column of the clips so.")
        return frozenset(row[header.index(_COLUMN)].strip() for row in rows[1:] if len(row) > header.index(_COLUMN))
    return frozenset(row[0].strip() for row in rows)


def is_rejected(source: VideoSource, names: frozenset[str]) -> bool:
    """Whether a clip is named: by its key, by its path, or by the last names of its path, such as `run/001.mp4`."""
    return any(name == source.key or _ends_with(source.path, name) for name in names)


def unknown_names(sources: Sequence[VideoSource], names: frozenset[str]) -> list[str]:
    """Names that no clip has: most likely misspelt, so that a clip would stay that should not."""
    return sorted(name for name in names if not any(is_rejected(source, frozenset({name})) for source in sources))


def _ends_with(path: Path, name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and path.parts[-len(parts) :] == parts
