"""Clips of a bank: finding them, and reading their rows."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from video_tcav.concepts.bank.files import clip_path
from video_tcav.concepts.bank.records import (
    KINDS,
    VERDICTS,
    BankClip,
    ConceptCount,
    Kind,
    Origin,
    Verdict,
    concept_name,
)
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError, InputError
from video_tcav.core.sqlite import Database

Order = Literal["quality", "added", "given"]

_SELECT = (
    "SELECT clips.*, coalesce(concepts.name, '') AS concept FROM clips LEFT JOIN concepts ON concepts.id = concept_id"
)
_COUNTS = """
SELECT name, total(verdict = 'open') AS open, total(verdict = 'accepted') AS accepted,
    total(verdict = 'rejected') AS rejected, count(DISTINCT CASE WHEN verdict = 'accepted' THEN shared END) AS videos
FROM concepts LEFT JOIN clips ON concept_id = concepts.id GROUP BY concepts.id ORDER BY name COLLATE NOCASE, name
"""
_ORDERS = {"quality": "quality DESC, clips.id", "added": "clips.id", "given": "clips.id"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which clips; `None` leaves a question open.

    Attributes:
        concept: name of the concept, empty for clips without one.
        verdict: of the clip.
        label: what the detector called it.
        video: path or digest of the source video.
        kind: of the clip.
        ids: one of these clips.
    """

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
        ids = None if self.ids is None else ids_json(self.ids)
        parts: list[tuple[str, list[Any]]] = [
            ("coalesce(concepts.name, '') = ?", [self.concept]),
            ("verdict = ?", [self.verdict]),
            ("label = ?", [self.label]),
            ("? IN (video, video_digest)", [self.video]),
            ("kind = ?", [self.kind]),
            ("clips.id IN (SELECT value FROM json_each(?))", [ids]),
        ]
        asked = [(text, values) for text, values in parts if values != [None]]
        text = " AND ".join(text for text, _ in asked)
        return (f" WHERE {text}" if asked else ""), [value for _, values in asked for value in values]


def ids_json(ids: Sequence[int]) -> str:
    """Clip numbers as one parameter.

    Raises:
        InputError: if one is no whole number.
    """
    wrong = [one for one in ids if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one < 2**63]
    if wrong:
        raise InputError(f"`ids` must be numbers of clips. Got {str(wrong[0])[:80]!r}. Take them from `clips()`.")
    return json.dumps(list(ids))


def find_clips(
    database: Database, wanted: Filter, *, limit: int | None = None, offset: int = 0, order: Order = "quality"
) -> list[BankClip]:
    """The clips that a filter lets through."""
    one_of("order", order, get_args(Order))
    for name, value in (("limit", limit), ("offset", offset)):
        if value is not None and (not isinstance(value, int) or value < 0):
            raise InputError(f"`{name}` must be 0 or more. Got {value!r}. Give a whole number.")
    where, values = wanted.where()
    paged = f"{_SELECT}{where} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
    rows = database.read(paged, [*values, -1 if limit is None else limit, offset])
    found = [read_row(database.folder, row) for row in rows]
    if order == "given" and wanted.ids is not None:
        place = {one: number for number, one in enumerate(wanted.ids)}
        found.sort(key=lambda clip: place[clip.id])
    return found


def count_clips(database: Database, wanted: Filter) -> int:
    """How many clips a filter lets through."""
    where, values = wanted.where()
    joined = f"SELECT count(*) AS found FROM clips LEFT JOIN concepts ON concepts.id = concept_id{where}"
    return int(database.read(joined, values)[0]["found"])


def read_row(folder: Path, row: sqlite3.Row) -> BankClip:
    """The clip that a row describes.

    Raises:
        BankError: if it describes none: somebody has changed it.
    """
    try:
        return BankClip(
            id=int(row["id"]),
            path=clip_path(folder, str(row["digest"]), str(row["ending"])),
            digest=str(row["digest"]),
            concept=concept_name(row["concept"]) if row["concept"] else "",
            kind=one_of("kind", row["kind"], KINDS),
            verdict=one_of("verdict", row["verdict"], VERDICTS),
            origin=Origin.from_json(row["origin"]),
            tube=str(row["tube"]),
            quality=float(row["quality"]),
            frames=int(row["frames"]),
            width=int(row["width"]),
            height=int(row["height"]),
            fps=float(row["fps"]),
        )
    except BankError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BankError(
            f"`{folder}` must hold whole rows. Got clip {row['id']} with a row that cannot be read ({error}). "
            "Restore the database from a copy."
        ) from error


def count_concepts(database: Database) -> list[ConceptCount]:
    """How many clips each concept has, by name."""
    return [
        ConceptCount(
            name=str(row["name"]),
            open=int(row["open"]),
            accepted=int(row["accepted"]),
            rejected=int(row["rejected"]),
            videos=int(row["videos"]),
        )
        for row in database.read(_COUNTS)
    ]


def main_kind(clips: list[BankClip]) -> Kind | None:
    """The kind that a concept's name alone stands for: moving clips, or whatever there is."""
    there = {clip.kind for clip in clips}
    return next((kind for kind in KINDS if kind in there), None)


def groups_of(database: Database) -> dict[int, str]:
    """For each clip, what it shares with clips that are not independent of it.

    That is the path of the source video (one path for all copies of a video), or the group that a manifest named.
    """
    asked = """
        SELECT id, CASE WHEN shared = video_digest THEN min(video) OVER (PARTITION BY shared) ELSE shared END AS name
        FROM clips
    """
    return {int(row["id"]): str(row["name"]) for row in database.read(asked)}


def all_rows(database: Database) -> list[sqlite3.Row]:
    """The rows of all clips, unread, in the order in which they came."""
    return database.read(f"{_SELECT} ORDER BY clips.id")


def clip_by_key(database: Database, key: str) -> BankClip | None:
    """The clip of a key."""
    rows = database.read(f"{_SELECT} WHERE key = ?", [key])
    return read_row(database.folder, rows[0]) if rows else None
