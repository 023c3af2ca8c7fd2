"""What a person decides: verdicts, moves, names; each one step of undo, kept with the bank. A machine's sorting is none."""

import json
import sqlite3
from collections.abc import Sequence

from video_tcav.concepts.bank.clips import ids_json
from video_tcav.concepts.bank.insertion import concept_id
from video_tcav.concepts.bank.records import VERDICTS, Verdict, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Database

_STATE = (
    "SELECT clips.id, coalesce(concepts.name, '') AS concept, verdict FROM clips "
    "LEFT JOIN concepts ON concepts.id = concept_id"
)
State = list[tuple[int, str, str]]  # clip, concept and verdict


def set_verdict(database: Database, ids: Sequence[int], verdict: Verdict) -> None:
    """Judge clips."""
    one_of("verdict", verdict, VERDICTS)
    with database.transaction() as change:
        other = [one for one in states(change, ids) if one[2] != verdict]
        if other:
            update(change, [(clip, concept, verdict) for clip, concept, _ in other])
            remember(change, f"{clips_in_words(other)} {'left open' if verdict == 'open' else verdict}", other)


def move(database: Database, ids: Sequence[int], concept: str) -> None:
    """Put clips into a concept, which is made if it is new; an empty name takes them out of theirs."""
    name = concept_name(concept) if concept else ""
    with database.transaction() as change:
        other = [one for one in states(change, ids) if one[1] != name]
        if other:
            added = [name] if name and not has_concept(change, name) else []
            update(change, [(clip, name, verdict) for clip, _, verdict in other])
            words = (
                f"{clips_in_words(other)} moved to {name}"
                if name
                else f"{clips_in_words(other)} taken out of the concept"
            )
            remember(change, words, other, added=added)


def sort_open(database: Database, ids: Sequence[int], concept: str, *, expected: str) -> list[int]:
    """Put clips into a concept that a machine made up; those that a person has judged or moved meanwhile stay.

    It is no step of undo: that takes back what people did.

    Args:
        database: of the bank.
        ids: the clips.
        concept: where to; made if it is new and gets any clip.
        expected: the concept that they are in if nobody has moved them.

    Returns:
        The clips that were moved.
    """
    name = concept_name(concept)
    with database.transaction() as change:
        untouched = [one for one in states(change, ids) if one[1] == expected and one[2] == "open"]
        update(change, [(clip, name, verdict) for clip, _, verdict in untouched])
        return [clip for clip, _, _ in untouched]


def rename(database: Database, name: str, new: str) -> None:
    """Give a concept another name; into one that there is, its clips join that one's."""
    new = concept_name(new)
    with database.transaction() as change:
        if not has_concept(change, name):
            raise _no_concept(change, database, name)
        if name == new:
            return
        joined = has_concept(change, new)
        before = _read(change.execute(f"{_STATE} WHERE concepts.name = ?", [name]))
        concept_id(change, new)
        update(change, [(clip, new, verdict) for clip, _, verdict in before])
        change.execute("DELETE FROM concepts WHERE name = ?", [name])
        words = f"concept {name} joined with {new}" if joined else f"concept {name} renamed to {new}"
        remember(change, words, before, added=[] if joined else [new], removed=[name])


def add_concept(database: Database, name: str) -> None:
    """Make an empty concept; one that is there stays as it is."""
    name = concept_name(name)
    with database.transaction() as change:
        if not has_concept(change, name):
            concept_id(change, name)
            remember(change, f"concept {name} added", [], added=[name])


def undo(database: Database) -> str | None:
    """Take the last change back, whoever made it; its words, or `None` if there is none."""
    with database.transaction() as change:
        row = change.execute("SELECT * FROM changes ORDER BY id DESC LIMIT 1").fetchone()
        if row is None:
            return None
        try:
            before = json.loads(row["before"])
            update(change, [(int(clip), str(concept), str(verdict)) for clip, concept, verdict in before["clips"]])
            for name in before["removed"]:
                concept_id(change, name)
            for name in before["added"]:
                _remove_if_empty(change, name)
        except (ValueError, TypeError, KeyError) as error:
            raise BankError(
                f"`{database.folder}` must hold whole rows. Got change {row['id']}, which cannot be read ({error}). "
                "Restore the database from a copy."
            ) from error
        change.execute("DELETE FROM changes WHERE id = ?", [row["id"]])
        return str(row["words"])


def remember(
    change: sqlite3.Connection, words: str, before: State, *, added: Sequence[str] = (), removed: Sequence[str] = ()
) -> None:
    """Note what `undo` needs: how the clips were, and which concepts came and went."""
    content = json.dumps({"clips": before, "added": list(added), "removed": list(removed)}, ensure_ascii=False)
    change.execute("INSERT INTO changes (words, before) VALUES (?, ?)", [words, content])


def states(change: sqlite3.Connection, ids: Sequence[int]) -> State:
    """How clips are.

    Raises:
        BankError: if one is no clip of the bank.
    """
    found = _read(change.execute(f"{_STATE} WHERE clips.id IN (SELECT value FROM json_each(?))", [ids_json(ids)]))
    missing = sorted(set(ids) - {clip for clip, _, _ in found})
    if missing:
        raise BankError(f"`ids` must be clips of the bank. Got {missing[0]}, which is none. Load the list again.")
    return found


def _read(rows: sqlite3.Cursor) -> State:
    return [(int(row["id"]), str(row["concept"]), str(row["verdict"])) for row in rows]


def update(change: sqlite3.Connection, state: State) -> None:
    """Make clips be so."""
    numbers = {concept: concept_id(change, concept) for _, concept, _ in state}
    rows = [(numbers[concept], verdict, clip) for clip, concept, verdict in state]
    change.executemany("UPDATE clips SET concept_id = ?, verdict = ? WHERE id = ?", rows)


def has_concept(change: sqlite3.Connection, name: str) -> bool:
    """Whether there is a concept of that name."""
    return change.execute("SELECT 1 FROM concepts WHERE name = ?", [name]).fetchone() is not None


def _remove_if_empty(change: sqlite3.Connection, name: str) -> None:
    change.execute(
        "DELETE FROM concepts WHERE name = ? AND NOT EXISTS (SELECT 1 FROM clips WHERE concept_id = concepts.id)",
        [name],
    )


def _no_concept(change: sqlite3.Connection, database: Database, name: str) -> BankError:
    names = [row["name"] for row in change.execute("SELECT name FROM concepts ORDER BY name LIMIT 10")]
    there = f"Choose one of: {', '.join(names)}." if names else "It has none yet."
    return BankError(f"`concept` must be one of the bank {database.folder}. Got {name[:80]!r}. {there}")


def clips_in_words(state: State) -> str:
    """How many clips, or which one."""
    return f"clip {state[0][0]}" if len(state) == 1 else f"{len(state)} clips"
