"""Queries of a bank's clips: filters, rows read as records, counts, independent groups."""

import difflib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from video_tcav.concepts.bank.files import clip_path
from video_tcav.concepts.bank.records import KINDS, VERDICTS, BankClip, ConceptCount, Kind, Origin, Verdict
from video_tcav.core.checks import one_of, require
from video_tcav.core.errors import BankError, InputError
from video_tcav.core.limits import shortened
from video_tcav.core.sqlite import Database

Order = Literal["quality", "added", "given"]

_SELECT = (
    "SELECT clips.*, coalesce(concepts.name, '') AS concept FROM clips LEFT JOIN concepts ON concepts.id = concept_id"
)
# total() gives 0 for a concept without clips, where sum() gives NULL
_COUNTS = """
SELECT name, total(verdict = 'open') AS open, total(verdict = 'accepted') AS accepted,
    total(verdict = 'rejected') AS rejected, count(DISTINCT CASE WHEN verdict = 'accepted' THEN shared END) AS videos
FROM concepts LEFT JOIN clips ON concept_id = concepts.id GROUP BY concepts.id ORDER BY name COLLATE NOCASE, name
"""
_PLAIN_COLUMNS: dict[str, Any] = {  # the type of each: SQLite keeps any value in any column
    **dict.fromkeys(("digest", "tube"), str),
    **dict.fromkeys(("id", "frames", "width", "height"), int),
    **dict.fromkeys(("quality", "fps"), float),
}
_ORDERS = {"quality": "quality DESC, clips.id", "added": "clips.id", "given": "clips.id"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions on clips; `None` sets none. See `ConceptBank.clips`."""

    concept: str | None = None
    verdict: Verdict | None = None
    label: str | None = None
    video: str | None = None
    kind: Kind | None = None
    ids: Sequence[int] | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The condition in SQL, and its parameters."""
        if self.verdict is not None:
            one_of("verdict", self.verdict, VERDICTS)
        if self.kind is not None:
            one_of("kind", self.kind, KINDS)
        conditions = {
            "coalesce(concepts.name, '') = ?": self.concept,
            "verdict = ?": self.verdict,
            "label = ?": self.label,
            "? IN (video, video_digest)": self.video,
            "kind = ?": self.kind,
            # one parameter for any number of clips: SQLite bounds the parameters of a query
            "clips.id IN (SELECT value FROM json_each(?))": None if self.ids is None else ids_json(self.ids),
        }
        used = {text: value for text, value in conditions.items() if value is not None}
        return (f" WHERE {' AND '.join(used)}" if used else ""), list(used.values())


def ids_json(ids: Iterable[int]) -> str:
    """Clip numbers as one parameter; refuses what is no whole number."""
    # a bool is an int for Python, and SQLite's integers have 63 bits and a sign
    wrong = [id for id in ids if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id < 2**63]
    if wrong:
        raise InputError(f"`ids` must be numbers of clips. Got {str(wrong[0])[:80]!r}. Take them from `clips()`.")
    return json.dumps(list(ids))


def find_clips(
    database: Database, wanted: Filter, *, limit: int | None = None, offset: int = 0, order: Order = "quality"
) -> list[BankClip]:
    """The clips that a filter lets through."""
    one_of("order", order, get_args(Order))
    for name, value in (("limit", 0 if limit is None else limit), ("offset", offset)):
        require(isinstance(value, int) and value >= 0, name, "be 0 or more", value, "Give a whole number.")
    where, values = wanted.where()
    paged = f"{_SELECT}{where} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
    rows = database.read(paged, [*values, -1 if limit is None else limit, offset])  # LIMIT -1: no limit
    clips = [read_row(database.folder, row) for row in rows]
    if order == "given" and wanted.ids is not None:
        position = {id: number for number, id in enumerate(wanted.ids)}
        clips.sort(key=lambda clip: position[clip.id])
    return clips


def read_row(folder: Path, row: sqlite3.Row) -> BankClip:
    """The clip that a row describes; a `BankError` if it describes none, since somebody has changed it."""
    try:
        return BankClip(
            path=clip_path(folder, str(row["digest"]), str(row["ending"])),
            concept=row["concept"],
            kind=row["kind"],
            verdict=row["verdict"],
            origin=Origin.from_json(row["origin"]),
            **{name: convert(row[name]) for name, convert in _PLAIN_COLUMNS.items()},
        )
    except BankError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise BankError(
            f"`{folder}` must hold whole rows. Got clip {row['id']} with a row that cannot be read ({error}). "
            "Restore the database from a copy."
        ) from error


def count_concepts(database: Database) -> list[ConceptCount]:
    """How many clips each concept has, by name."""
    return [
        ConceptCount(name=str(row["name"]), **{key: int(row[key]) for key in (*VERDICTS, "videos")})
        for row in database.read(_COUNTS)
    ]


def choice_of_concepts(names: Sequence[str], near: str = "") -> str:
    """What to choose instead of a concept that is not there: the most similar first, since mostly it was misspelled."""
    ranked = sorted(names, key=lambda name: -difflib.SequenceMatcher(None, name.lower(), near.lower()).ratio())
    return f"Choose one of: {shortened(ranked, 10)}." if ranked else "The bank has no concept yet."


def main_kind(clips: list[BankClip]) -> Kind | None:
    """The kind that a concept's name alone stands for: moving clips, or else the first kind of which there are any."""
    existing = {clip.kind for clip in clips}
    return next((kind for kind in KINDS if kind in existing), None)


def groups_of(database: Database) -> dict[int, str]:
    """The exchangeability group of each clip: the path of its source video, or the group that a manifest named.

    Copies of a video have one digest; the first of their paths in the alphabet names the group.
    """
    query = """
        SELECT id, CASE WHEN shared = video_digest THEN min(video) OVER (PARTITION BY shared) ELSE shared END AS name
        FROM clips
    """
    return {int(row["id"]): str(row["name"]) for row in database.read(query)}


def all_rows(database: Database) -> list[sqlite3.Row]:
    """The rows of all clips, unread, in the order in which they came."""
    return database.read(f"{_SELECT} ORDER BY clips.id")


def clip_by_key(database: Database, key: str) -> BankClip | None:
    """The clip of a key."""
    rows = database.read(f"{_SELECT} WHERE key = ?", [key])
    return read_row(database.folder, rows[0]) if rows else None
