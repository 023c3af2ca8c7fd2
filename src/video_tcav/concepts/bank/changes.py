"""Steps of undo: what a change replaced, stored with the bank as values by column, and put back."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from video_tcav.concepts.bank.clips import ids_json
from video_tcav.concepts.bank.insertion import concept_id
from video_tcav.core.errors import BankError
from video_tcav.core.limits import parse_json

# of table `clips`; what a database names beyond is refused: it would become SQL
_COLUMNS = frozenset(
    {"verdict", "settled_by", "digest", "ending", "frames", "width", "height", "fps", "quality", "origin"}
)
# What stands is what all reviewers who judged the clip agree on; it is open where they do not, or nobody has judged.
_AGREED = """
UPDATE clips SET verdict = coalesce((SELECT iif(min(verdict) = max(verdict), min(verdict), 'open')
    FROM reviews WHERE clip_id = clips.id AND verdict != 'open'), 'open')
WHERE settled_by IS NULL AND id IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a change replaced.

    Attributes:
        words: what the change did.
        reviewer: who made it; `undo` takes back a reviewer's own changes only.
        clips: values of columns before, by clip; `concept` is a name.
        reviews: clip, reviewer, verdict and note before.
        created: clips that the change added.
        added: concepts that the change added.
        removed: concepts that the change removed, with their numbers.
    """

    words: str
    reviewer: str
    clips: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    reviews: Sequence[tuple[int, str, str, str]] = ()
    created: Sequence[int] = ()
    added: Sequence[str] = ()
    removed: Mapping[str, int] = field(default_factory=dict)


def remember(change: sqlite3.Connection, step: Step) -> None:
    """Write a step of undo."""
    content = {
        "clips": list(step.clips.items()),
        "reviews": list(step.reviews),
        "created": list(step.created),
        "added": list(step.added),
        "removed": list(step.removed),
        "numbers": dict(step.removed),
    }
    change.execute(
        "INSERT INTO changes (words, before, reviewer) VALUES (?, ?, ?)",
        [step.words, json.dumps(content, ensure_ascii=False), step.reviewer],
    )


def take_back(change: sqlite3.Connection, folder: Path, reviewer: str) -> tuple[str | None, list[str]]:
    """Undo the reviewer's last change: its words, and the files that it had named, which may be of no more use."""
    row = change.execute("SELECT * FROM changes WHERE reviewer = ? ORDER BY id DESC LIMIT 1", [reviewer]).fetchone()
    if row is None:
        return None, []
    try:
        before = parse_json(row["before"])  # may be damaged, as everything that was on disk
        clips = {int(clip): dict(values) for clip, values in before["clips"]}
        reviews = [(int(clip), str(who), str(said), str(note)) for clip, who, said, note in before["reviews"]]
        created = [int(clip) for clip in before.get("created", ())]
        recut = [clip for clip, values in clips.items() if "digest" in values]
        files = _files(change, [*created, *recut])
        _delete_clips(change, created)
        for name in before["removed"]:
            concept_id(change, str(name))
        _restore(change, clips, reviews)
        for name in before["added"]:
            _remove_if_empty(change, str(name))
        # last, and where it is free: a concept that was renamed had this number until now
        numbers = [(int(number), str(name)) for name, number in before.get("numbers", {}).items()]
        change.executemany("UPDATE OR IGNORE concepts SET number = ? WHERE name = ?", numbers)
    except (ValueError, TypeError, KeyError) as error:
        raise BankError(
            f"`{folder}` must hold whole rows. Got change {row['id']}, which cannot be read ({error}). "
            "Restore the database from a copy."
        ) from error
    change.execute("DELETE FROM changes WHERE id = ?", [row["id"]])
    return str(row["words"]), files


def agree(change: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Set the verdict that stands, of clips that nobody has settled."""
    change.execute(_AGREED, [ids_json(ids)])


def write_reviews(change: sqlite3.Connection, reviews: Iterable[tuple[int, str, str, str]]) -> None:
    """Set what reviewers said; nothing at all is no row."""
    rows = list(reviews)
    change.executemany(
        "INSERT OR REPLACE INTO reviews (clip_id, reviewer, verdict, note) VALUES (?, ?, ?, ?)",
        [row for row in rows if row[2:] != ("open", "")],
    )
    silent = [row[:2] for row in rows if row[2:] == ("open", "")]
    change.executemany("DELETE FROM reviews WHERE clip_id = ? AND reviewer = ?", silent)


def _restore(
    change: sqlite3.Connection, clips: Mapping[int, Mapping[str, Any]], reviews: Sequence[tuple[int, str, str, str]]
) -> None:
    for clip, values in clips.items():
        columns = dict(values)
        if "concept" in columns:
            number = concept_id(change, str(columns.pop("concept")))
            change.execute("UPDATE clips SET concept_id = ? WHERE id = ?", [number, clip])
        if unknown := set(columns) - _COLUMNS:
            raise ValueError(f"column {min(unknown)!r}")
        for column, value in columns.items():
            change.execute(f"UPDATE clips SET {column} = ? WHERE id = ?", [value, clip])
    write_reviews(change, reviews)
    agree(change, {*clips, *(clip for clip, *_ in reviews)})


def _files(change: sqlite3.Connection, ids: Sequence[int]) -> list[str]:
    rows = change.execute(
        "SELECT DISTINCT digest || ending AS name FROM clips WHERE id IN (SELECT value FROM json_each(?))",
        [ids_json(ids)],
    )
    return [str(row["name"]) for row in rows]


def _delete_clips(change: sqlite3.Connection, ids: Sequence[int]) -> None:
    for table, column in (("embeddings", "clip_id"), ("reviews", "clip_id"), ("clips", "id")):
        change.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", [ids_json(ids)])


def _remove_if_empty(change: sqlite3.Connection, name: str) -> None:
    # Another process may have put clips into it since, which stay where they are.
    change.execute(
        "DELETE FROM concepts WHERE name = ? AND NOT EXISTS (SELECT 1 FROM clips WHERE concept_id = concepts.id)",
        [name],
    )
