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
from video_tcav.core.limits import excerpt, shortened
from video_tcav.core.sqlite import Database

Order = Literal["quality", "added", "given", "confident", "unsure"]

_SELECT = "SELECT clips.*, verdict AS judged, coalesce(concepts.name, '') AS concept"
_FROM = " FROM clips LEFT JOIN concepts ON concepts.id = concept_id"
# one reviewer's verdicts in place of those that stand
_SELECT_REVIEWER = "SELECT clips.*, coalesce(own.verdict, 'open') AS judged, coalesce(concepts.name, '') AS concept"
_FROM_REVIEWER = f"{_FROM} LEFT JOIN reviews AS own ON own.clip_id = clips.id AND own.reviewer = ?"
# The best version of each tube in its concept: moving, else still, and so on. The texts give a kind's place in this order.
_BEST_VERSION = """(clips.kind = 'moving' OR NOT EXISTS (
    SELECT 1 FROM clips AS version WHERE version.video_digest = clips.video_digest AND version.tube = clips.tube
    AND version.concept_id IS clips.concept_id
    AND instr('moving still focus scene', version.kind) < instr('moving still focus scene', clips.kind)))"""
_DISPUTED = """(settled_by IS NULL AND clips.id IN (
    SELECT clip_id FROM reviews WHERE verdict != 'open' GROUP BY clip_id HAVING min(verdict) != max(verdict)))"""
_PLAIN_COLUMNS: dict[str, Any] = {  # the type of each: SQLite keeps any value in any column
    **dict.fromkeys(("digest", "tube"), str),
    **dict.fromkeys(("id", "frames", "width", "height"), int),
    **dict.fromkeys(("quality", "fps"), float),
}
_SCORE = "coalesce(json_extract(iif(json_valid(origin), origin, '{}'), '$.score'), 0)"
_ORDERS = {
    "quality": "quality DESC, clips.id",
    "added": "clips.id",
    "given": "clips.id",
    "confident": f"{_SCORE} DESC, quality DESC, clips.id",
    "unsure": f"{_SCORE}, quality DESC, clips.id",
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions on clips; `None` sets none. See `ConceptBank.clips`."""

    concept: str | None = None
    verdict: Verdict | None = None
    label: str | None = None
    video: str | None = None
    kind: Kind | None = None
    ids: Sequence[int] | None = None
    text: str | None = None
    tubes: bool = False
    disputed: bool = False
    reviewer: str | None = None

    def query(self) -> tuple[str, list[Any]]:
        """`FROM` and `WHERE` in SQL, and their parameters; the verdict column is that of `select`."""
        if self.verdict is not None:
            one_of("verdict", self.verdict, VERDICTS)
        if self.kind is not None:
            one_of("kind", self.kind, KINDS)
        judged = "clips.verdict" if self.reviewer is None else "coalesce(own.verdict, 'open')"
        conditions = {
            "coalesce(concepts.name, '') = ?": self.concept,
            f"{judged} = ?": self.verdict,
            "label = ?": self.label,
            "? IN (video, video_digest)": self.video,
            "kind = ?": self.kind,
            # one parameter for any number of clips: SQLite bounds the parameters of a query
            "clips.id IN (SELECT value FROM json_each(?))": None if self.ids is None else ids_json(self.ids),
        }
        used = {text: value for text, value in conditions.items() if value is not None}
        texts, values = list(used), list(used.values())
        if self.text:
            texts.append(
                "(instr(lower(coalesce(concepts.name, '') || char(10) || label || char(10) || video), ?) OR clips.id IN "
                "(SELECT clip_id FROM reviews WHERE instr(lower(note), ?) AND (? IS NULL OR reviewer = ?)))"
            )
            values += [self.text.lower(), self.text.lower(), self.reviewer, self.reviewer]
        texts += [_BEST_VERSION] * self.tubes + [_DISPUTED] * self.disputed
        where = f" WHERE {' AND '.join(texts)}" if texts else ""
        if self.reviewer is None:
            return _FROM + where, values
        return _FROM_REVIEWER + where, [self.reviewer, *values]

    @property
    def select(self) -> str:
        """The columns that `read_row` takes."""
        return _SELECT if self.reviewer is None else _SELECT_REVIEWER


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
    source, values = wanted.query()
    paged = f"{wanted.select}{source} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
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
            verdict=row["judged"],
            settled_by=row["settled_by"],
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


def count_clips(database: Database, wanted: Filter) -> int:
    """How many clips a filter lets through."""
    source, values = wanted.query()
    return int(database.read(f"SELECT count(*) AS count{source}", values)[0]["count"])


def count_concepts(database: Database, *, tubes: bool = False, reviewer: str | None = None) -> list[ConceptCount]:
    """How many clips each concept has, by name; see `ConceptBank.concepts`."""
    judged = "verdict" if reviewer is None else "coalesce(own.verdict, 'open')"
    source, values = Filter(tubes=tubes, reviewer=reviewer).query()
    # total() gives 0 for a concept without clips, where sum() gives NULL
    query = f"""
        SELECT concepts.name, concepts.number, total(judged = 'open') AS open, total(judged = 'accepted') AS accepted,
            total(judged = 'rejected') AS rejected, count(DISTINCT iif(judged = 'accepted', shared, NULL)) AS videos
        FROM concepts LEFT JOIN (SELECT concept_id, shared, {judged} AS judged{source}) AS counted
            ON counted.concept_id = concepts.id
        GROUP BY concepts.id ORDER BY concepts.name COLLATE NOCASE, concepts.name
    """
    return [
        ConceptCount(name=str(row["name"]), **{key: int(row[key]) for key in ("number", *VERDICTS, "videos")})
        for row in database.read(query, values)
    ]


def versions_of(database: Database, ids: Sequence[int]) -> list[int]:
    """The clips and all other versions of their tubes in the same concept."""
    query = """
        SELECT DISTINCT version.id FROM clips JOIN clips AS version ON version.video_digest = clips.video_digest
            AND version.tube = clips.tube AND version.concept_id IS clips.concept_id
        WHERE clips.id IN (SELECT value FROM json_each(?)) ORDER BY version.id
    """
    return [int(row["id"]) for row in database.read(query, [ids_json(ids)])]


def choice_of_concepts(names: Sequence[str], near: str = "") -> str:
    """What to choose instead of a concept that is not there: the most similar first, since mostly it was misspelled."""
    ranked = sorted(names, key=lambda name: -difflib.SequenceMatcher(None, name.lower(), near.lower()).ratio())
    return f"Choose one of: {shortened(ranked, 10)}." if ranked else "The bank has no concept yet."


def unknown_concept(folder: Path, names: Sequence[str], name: str) -> BankError:
    """That a bank has no concept of that name."""
    choice = choice_of_concepts(names, name)
    return BankError(f"`concept` must be one of the bank {folder}. Got {excerpt(name)}. {choice}")


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
    return database.read(f"{_SELECT}{_FROM} ORDER BY clips.id")


def clip_by_key(database: Database, key: str) -> BankClip | None:
    """The clip of a key."""
    rows = database.read(f"{_SELECT}{_FROM} WHERE key = ?", [key])
    return read_row(database.folder, rows[0]) if rows else None
