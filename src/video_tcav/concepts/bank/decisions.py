"""A person's decisions: verdicts, moves and names, each one step of undo that is stored with the bank."""

import json
import sqlite3
from collections.abc import Sequence

from video_tcav.concepts.bank.clips import choice_of_concepts, ids_json
from video_tcav.concepts.bank.insertion import concept_id
from video_tcav.concepts.bank.records import VERDICTS, Verdict, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError
from video_tcav.core.limits import excerpt, parse_json
from video_tcav.core.sqlite import Database

_STATE = (
    "SELECT clips.id, coalesce(concepts.name, '') AS concept, verdict FROM clips "
    "LEFT JOIN concepts ON concepts.id = concept_id"
)
State = list[tuple[int, str, str]]  # clip, concept and verdict


class Decisions:
    """The part of `ConceptBank` that a person decides with; each change is one step of undo."""

    database: Database

    def set_verdict(self, ids: Sequence[int], verdict: Verdict) -> None:
        """Judge clips; one step of undo, or none where all were judged so already.

        Raises:
            BankError: if one is no clip of the bank; then none is judged.
        """
        one_of("verdict", verdict, VERDICTS)
        with self.database.transaction() as change:
            before = [state for state in states(change, ids) if state[2] != verdict]
            if before:
                update(change, [(clip, concept, verdict) for clip, concept, _ in before])
                remember(change, f"{clips_in_words(before)} {'left open' if verdict == 'open' else verdict}", before)

    def move(self, ids: Sequence[int], concept: str) -> None:
        """Put clips into a concept, made where it is new; an empty name takes them out. One step of undo.

        Raises:
            InputError: if the name is not possible.
            BankError: if one is no clip of the bank; then none is moved.
        """
        name = concept_name(concept) if concept else ""
        with self.database.transaction() as change:
            before = [state for state in states(change, ids) if state[1] != name]
            if before:
                added = [name] if name and not has_concept(change, name) else []
                update(change, [(clip, name, verdict) for clip, _, verdict in before])
                done = f"moved to {name}" if name else "taken out of the concept"
                remember(change, f"{clips_in_words(before)} {done}", before, added=added)

    def sort_open(self, ids: Sequence[int], concept: str, *, expected: str) -> list[int]:
        """Assign unreviewed clips to an automatic concept; not undoable, since `undo` takes back what people did.

        Args:
            ids: the clips; those that a person has judged or moved meanwhile stay as they are.
            concept: where to; made if it is new and gets any clip.
            expected: the concept that they are in if nobody has moved them.

        Returns:
            The clips that were moved.
        """
        name = concept_name(concept)
        with self.database.transaction() as change:
            untouched = [state for state in states(change, ids) if state[1] == expected and state[2] == "open"]
            update(change, [(clip, name, verdict) for clip, _, verdict in untouched])
            return [clip for clip, _, _ in untouched]

    def rename_concept(self, name: str, new: str) -> None:
        """Give a concept another name; if there is a concept of that name, the two are joined. One step of undo.

        Raises:
            InputError: if the new name is not possible.
            BankError: if there is no such concept.
        """
        new = concept_name(new)
        with self.database.transaction() as change:
            if not has_concept(change, name):
                names = [row["name"] for row in change.execute("SELECT name FROM concepts ORDER BY name")]
                choice = choice_of_concepts(names, str(name))
                raise BankError(
                    f"`concept` must be one of the bank {self.database.folder}. Got {excerpt(name)}. {choice}"
                )
            if name == new:
                return
            joined = has_concept(change, new)  # then `undo` must not remove it
            before = _read(change.execute(f"{_STATE} WHERE concepts.name = ?", [name]))
            concept_id(change, new)
            update(change, [(clip, new, verdict) for clip, _, verdict in before])
            change.execute("DELETE FROM concepts WHERE name = ?", [name])
            words = f"concept {name} joined with {new}" if joined else f"concept {name} renamed to {new}"
            remember(change, words, before, added=[] if joined else [new], removed=[name])

    def add_concept(self, name: str) -> None:
        """Make an empty concept; one step of undo, or none where it exists.

        Raises:
            InputError: if the name is not possible.
        """
        name = concept_name(name)
        with self.database.transaction() as change:
            if not has_concept(change, name):
                concept_id(change, name)
                remember(change, f"concept {name} added", [], added=[name])

    def undo(self) -> str | None:
        """Take back the last verdict, move, name or new concept, of whatever process and day.

        Returns:
            What was taken back, in words; `None` if nothing is left.
        """
        with self.database.transaction() as change:
            row = change.execute("SELECT * FROM changes ORDER BY id DESC LIMIT 1").fetchone()
            if row is None:
                return None
            try:
                before = parse_json(row["before"])  # may be damaged, as everything that was on disk
                update(change, [(int(clip), str(concept), str(verdict)) for clip, concept, verdict in before["clips"]])
                for name in before["removed"]:
                    concept_id(change, name)
                for name in before["added"]:
                    _remove_if_empty(change, name)
            except (ValueError, TypeError, KeyError) as error:
                raise BankError(
                    f"`{self.database.folder}` must hold whole rows. Got change {row['id']}, which cannot be read ({error}). "
                    "Restore the database from a copy."
                ) from error
            change.execute("DELETE FROM changes WHERE id = ?", [row["id"]])
            return str(row["words"])


def remember(
    change: sqlite3.Connection, words: str, before: State, *, added: Sequence[str] = (), removed: Sequence[str] = ()
) -> None:
    """Write a step of undo: the clips' state before, and which concepts were added and removed."""
    content = json.dumps({"clips": before, "added": list(added), "removed": list(removed)}, ensure_ascii=False)
    change.execute("INSERT INTO changes (words, before) VALUES (?, ?)", [words, content])


def states(change: sqlite3.Connection, ids: Sequence[int]) -> State:
    """Concept and verdict of clips, all of which must be in the bank."""
    current = _read(change.execute(f"{_STATE} WHERE clips.id IN (SELECT value FROM json_each(?))", [ids_json(ids)]))
    missing = sorted(set(ids) - {clip for clip, _, _ in current})
    if missing:
        raise BankError(f"`ids` must be clips of the bank. Got {missing[0]}, which is none. Load the list again.")
    return current


def _read(rows: sqlite3.Cursor) -> State:
    return [(int(row["id"]), str(row["concept"]), str(row["verdict"])) for row in rows]


def update(change: sqlite3.Connection, state: State) -> None:
    """Set concept and verdict of clips."""
    numbers = {concept: concept_id(change, concept) for _, concept, _ in state}
    rows = [(numbers[concept], verdict, clip) for clip, concept, verdict in state]
    change.executemany("UPDATE clips SET concept_id = ?, verdict = ? WHERE id = ?", rows)


def has_concept(change: sqlite3.Connection, name: str) -> bool:
    """Whether there is a concept of that name."""
    return change.execute("SELECT 1 FROM concepts WHERE name = ?", [name]).fetchone() is not None


def _remove_if_empty(change: sqlite3.Connection, name: str) -> None:
    # Another process may have put clips into it since, which stay where they are.
    change.execute(
        "DELETE FROM concepts WHERE name = ? AND NOT EXISTS (SELECT 1 FROM clips WHERE concept_id = concepts.id)",
        [name],
    )


def clips_in_words(state: State) -> str:
    """How many clips, or which one."""
    return f"clip {state[0][0]}" if len(state) == 1 else f"{len(state)} clips"
