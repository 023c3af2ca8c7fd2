"""A person's decisions about concepts: clips moved and copied, names, and undo; each change is stored with the bank."""

import hashlib
import sqlite3
from collections.abc import Sequence

from video_tcav.concepts.bank.changes import Step, remember, take_back
from video_tcav.concepts.bank.clips import unknown_concept
from video_tcav.concepts.bank.files import clip_path
from video_tcav.concepts.bank.insertion import concept_id, remove_unnamed
from video_tcav.concepts.bank.records import concept_name, reviewer_name
from video_tcav.concepts.bank.verdicts import STATE, Verdicts, clips_in_words, ids_of, states


class Decisions(Verdicts):
    """The part of `ConceptBank` that a person decides with; each change is one step of undo."""

    def move(self, ids: Sequence[int], concept: str, *, reviewer: str = "") -> None:
        """Put clips into a concept, made where it is new; an empty name takes them out. One step of undo.

        Raises:
            InputError: if the name is not possible.
            BankError: if one is no clip of the bank; then none is moved.
        """
        name = concept_name(concept) if concept else ""
        with self.database.transaction() as change:
            before = [row for row in states(change, ids) if row["concept"] != name]
            if before:
                added = [name] if name and not has_concept(change, name) else []
                _set_concept(change, before, name)
                done = f"moved to {name}" if name else "taken out of the concept"
                words = f"{clips_in_words(ids_of(before))} {done}"
                remember(change, Step(words=words, reviewer=reviewer, clips=_concepts(before), added=added))

    def copy(self, ids: Sequence[int], concept: str, *, reviewer: str = "") -> list[int]:
        """Put clips into a further concept; the bank judges them there for themselves. One step of undo.

        Returns:
            The new clips, open, which share their files with the old; none for a clip that the concept has already.

        Raises:
            InputError: if the name is not possible.
            BankError: if one is no clip of the bank; then none is copied.
        """
        name = concept_name(concept)
        with self.database.transaction() as change:
            states(change, ids)
            added = [] if has_concept(change, name) else [name]
            number = concept_id(change, name)
            copies = [copy for id in dict.fromkeys(ids) if (copy := _copy_row(change, id, name, number)) is not None]
            if copies:
                words = f"{clips_in_words(list(dict.fromkeys(ids)))} also put into {name}"
                remember(change, Step(words=words, reviewer=reviewer, created=copies, added=added))
            elif added:
                change.execute("DELETE FROM concepts WHERE id = ?", [number])
        return copies

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
            judged = {row["clip_id"] for row in change.execute("SELECT clip_id FROM reviews WHERE verdict != 'open'")}
            untouched = [row for row in states(change, ids) if row["concept"] == expected and row["id"] not in judged]
            if untouched:
                _set_concept(change, untouched, name)
            return [row["id"] for row in untouched]

    def rename_concept(self, name: str, new: str, *, reviewer: str = "") -> None:
        """Give a concept another name; if there is a concept of that name, the two are joined. One step of undo.

        Raises:
            InputError: if the new name is not possible.
            BankError: if there is no such concept.
        """
        new = concept_name(new)
        with self.database.transaction() as change:
            row = change.execute("SELECT number FROM concepts WHERE name = ?", [name]).fetchone()
            if row is None:
                names = [row["name"] for row in change.execute("SELECT name FROM concepts ORDER BY name")]
                raise unknown_concept(self.database.folder, names, str(name))
            if name == new:
                return
            joined = has_concept(change, new)  # then `undo` must not remove it
            before = change.execute(f"{STATE} WHERE concepts.name = ?", [reviewer, name]).fetchall()
            if joined:
                _set_concept(change, before, new)
                change.execute("DELETE FROM concepts WHERE name = ?", [name])
            else:
                change.execute("UPDATE concepts SET name = ? WHERE name = ?", [new, name])
            words = f"concept {name} joined with {new}" if joined else f"concept {name} renamed to {new}"
            step = Step(
                words=words,
                reviewer=reviewer,
                clips=_concepts(before),
                added=[] if joined else [new],
                removed={name: int(row["number"])},
            )
            remember(change, step)

    def add_concept(self, name: str, *, reviewer: str = "") -> None:
        """Make an empty concept; one step of undo, or none where it exists.

        Raises:
            InputError: if the name is not possible.
        """
        name = concept_name(name)
        with self.database.transaction() as change:
            if not has_concept(change, name):
                concept_id(change, name)
                remember(change, Step(words=f"concept {name} added", reviewer=reviewer, added=[name]))

    def remember_added(self, ids: Sequence[int], *, concept: str = "", reviewer: str = "") -> None:
        """Make clips that a person has just added, and their concept if it is named and then empty, one step of undo."""
        words = f"{clips_in_words(ids)} added"
        with self.database.transaction() as change:
            states(change, ids)
            step = Step(words=words, reviewer=reviewer_name(reviewer), created=ids, added=[concept] if concept else [])
            remember(change, step)

    def undo(self, *, reviewer: str = "") -> str | None:
        """Take back the reviewer's last change, of whatever process and day.

        Returns:
            What was taken back, in words; `None` if nothing is left.
        """
        with self.database.transaction() as change:
            words, files = take_back(change, self.database.folder, reviewer_name(reviewer))
        for name in files:  # of clips that are cut otherwise now, or gone
            digest, dot, ending = name.partition(".")
            remove_unnamed(self.database, clip_path(self.database.folder, digest, dot + ending))
        return words


def has_concept(change: sqlite3.Connection, name: str) -> bool:
    """Whether there is a concept of that name."""
    return change.execute("SELECT 1 FROM concepts WHERE name = ?", [name]).fetchone() is not None


def _concepts(rows: Sequence[sqlite3.Row]) -> dict[int, dict[str, object]]:
    return {int(row["id"]): {"concept": str(row["concept"])} for row in rows}


def _set_concept(change: sqlite3.Connection, rows: Sequence[sqlite3.Row], name: str) -> None:
    number = concept_id(change, name)
    change.executemany("UPDATE clips SET concept_id = ? WHERE id = ?", [(number, row["id"]) for row in rows])


def _copy_row(change: sqlite3.Connection, id: int, name: str, number: int | None) -> int | None:
    """A row for the same file in another concept; `None` if the concept has it."""
    row = dict(change.execute("SELECT * FROM clips WHERE id = ?", [id]).fetchone())
    same = "SELECT 1 FROM clips WHERE digest = ? AND kind = ? AND concept_id = ?"
    if change.execute(same, [row["digest"], row["kind"], number]).fetchone():
        return None
    del row["id"]
    row |= {"concept_id": number, "verdict": "open", "settled_by": None}
    key = hashlib.sha256(f"{row['key']} also {name}".encode()).hexdigest()
    while change.execute("SELECT 1 FROM clips WHERE key = ?", [key]).fetchone():  # copied before, and moved since
        key = hashlib.sha256(key.encode()).hexdigest()
    row["key"] = key
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    return change.execute(f"INSERT INTO clips ({columns}) VALUES ({marks})", list(row.values())).lastrowid
