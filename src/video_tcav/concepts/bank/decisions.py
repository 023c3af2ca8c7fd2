"""A person's decisions: verdicts, notes, moves and names, each one step of undo that is stored with the bank."""

import hashlib
import sqlite3
from collections.abc import Sequence

from video_tcav.concepts.bank.changes import Step, agree, remember, take_back, write_reviews
from video_tcav.concepts.bank.clips import choice_of_concepts, ids_json
from video_tcav.concepts.bank.files import clip_path
from video_tcav.concepts.bank.insertion import concept_id, remove_unnamed
from video_tcav.concepts.bank.records import VERDICTS, Review, Verdict, concept_name, note_text, reviewer_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError
from video_tcav.core.limits import excerpt
from video_tcav.core.sqlite import Database

_STATE = (
    "SELECT clips.id, coalesce(concepts.name, '') AS concept, clips.verdict, settled_by, coalesce(own.verdict, 'open') AS said, "
    "coalesce(own.note, '') AS note, coalesce(unnamed.verdict, 'open') AS unnamed FROM clips "
    "LEFT JOIN concepts ON concepts.id = concept_id "
    "LEFT JOIN reviews AS own ON own.clip_id = clips.id AND own.reviewer = ? "
    "LEFT JOIN reviews AS unnamed ON unnamed.clip_id = clips.id AND unnamed.reviewer = '' "
)


class Decisions:
    """The part of `ConceptBank` that a person decides with; each change is one step of undo.

    The verdict of a clip is what all reviewers agree on who judged it, or what somebody settled; it is open where they
    disagree. `reviewer` names who decides; without a name it is nobody in particular.
    """

    database: Database

    def set_verdict(self, ids: Sequence[int], verdict: Verdict, *, reviewer: str = "", blind: bool = False) -> None:
        """Judge clips; one step of undo, or none where the reviewer had judged all of them so already.

        Args:
            ids: the clips.
            verdict: what the reviewer decides; `open` takes the reviewer's earlier verdict away.
            reviewer: who decides. A verdict without a name yields to one with a name: somebody takes it over.
            blind: whether the reviewer did not see the verdicts of others; then one without a name stays.

        Raises:
            BankError: if one is no clip of the bank; then none is judged.
        """
        one_of("verdict", verdict, VERDICTS)
        reviewer = reviewer_name(reviewer)
        with self.database.transaction() as change:
            takes_over = bool(reviewer) and not blind
            before = [
                row
                for row in states(change, ids, reviewer)
                if row["said"] != verdict
                or (row["settled_by"] is not None and not blind)
                or (takes_over and row["unnamed"] not in ("open", verdict))
            ]
            if not before:
                return
            reviews = [_own_review(row, reviewer) for row in before]
            write_reviews(change, [(clip, who, verdict, note) for clip, who, _, note in reviews])
            if takes_over:
                unnamed = _unnamed_reviews(change, _ids(before))
                reviews += unnamed
                write_reviews(change, [(clip, who, "open", note) for clip, who, _, note in unnamed])
            settled = {} if blind else _settlements(before)
            _set_settled(change, [(None, None, clip) for clip in settled])
            agree(change, _ids(before))
            words = f"{clips_in_words(_ids(before))} {'left open' if verdict == 'open' else verdict}"
            remember(change, Step(words=words, reviewer=reviewer, clips=settled, reviews=reviews))

    def settle(self, ids: Sequence[int], verdict: Verdict, *, reviewer: str = "") -> None:
        """Decide clips that reviewers disagree on, whose own verdicts stay; one step of undo. `open` leaves it undecided.

        Raises:
            BankError: if one is no clip of the bank; then none is settled.
        """
        one_of("verdict", verdict, VERDICTS)
        reviewer = reviewer_name(reviewer)
        by = None if verdict == "open" else reviewer
        with self.database.transaction() as change:
            rows = states(change, ids, reviewer)
            before = [row for row in rows if (row["settled_by"], row["verdict"]) != (by, verdict)]
            if before:
                _set_settled(change, [(by, verdict, row["id"]) for row in before])
                agree(change, _ids(before))
                words = f"{clips_in_words(_ids(before))} {'left unsettled' if by is None else f'settled as {verdict}'}"
                remember(change, Step(words=words, reviewer=reviewer, clips=_settlements(before, every=True)))

    def set_note(self, id: int, text: str, *, reviewer: str = "") -> None:
        """Write a reviewer's note about a clip, in place of an earlier one; an empty text removes it. One step of undo.

        Raises:
            InputError: if the note is too long.
            BankError: if there is no such clip.
        """
        text, reviewer = note_text(text), reviewer_name(reviewer)
        with self.database.transaction() as change:
            [row] = states(change, [id], reviewer)
            before = _own_review(row, reviewer)
            if before[3] != text:
                write_reviews(change, [(*before[:3], text)])
                remember(change, Step(words=f"note of clip {id} changed", reviewer=reviewer, reviews=[before]))

    def reviews(self, ids: Sequence[int]) -> list[Review]:
        """What reviewers said about clips: verdicts and notes, by clip and name."""
        rows = self.database.read(
            "SELECT * FROM reviews WHERE clip_id IN (SELECT value FROM json_each(?)) ORDER BY clip_id, reviewer",
            [ids_json(ids)],
        )
        return [
            Review(clip=row["clip_id"], reviewer=row["reviewer"], verdict=row["verdict"], note=row["note"])
            for row in rows
        ]

    def reviewers(self) -> dict[str, int]:
        """How many clips each reviewer has judged; verdicts without a name are those of ""."""
        rows = self.database.read(
            "SELECT reviewer, count(*) AS count FROM reviews WHERE verdict != 'open' GROUP BY reviewer ORDER BY reviewer"
        )
        return {str(row["reviewer"]): int(row["count"]) for row in rows}

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
                words = f"{clips_in_words(_ids(before))} {done}"
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
            untouched = [row for row in states(change, ids) if row["concept"] == expected and row["verdict"] == "open"]
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
                choice = choice_of_concepts(names, str(name))
                raise BankError(
                    f"`concept` must be one of the bank {self.database.folder}. Got {excerpt(name)}. {choice}"
                )
            if name == new:
                return
            joined = has_concept(change, new)  # then `undo` must not remove it
            before = change.execute(f"{_STATE} WHERE concepts.name = ?", [reviewer, name]).fetchall()
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


def states(change: sqlite3.Connection, ids: Sequence[int], reviewer: str = "") -> list[sqlite3.Row]:
    """Concept and verdicts of clips, all of which must be in the bank."""
    query = f"{_STATE} WHERE clips.id IN (SELECT value FROM json_each(?))"
    current = change.execute(query, [reviewer, ids_json(ids)]).fetchall()
    missing = sorted(set(ids) - {row["id"] for row in current})
    if missing:
        raise BankError(f"`ids` must be clips of the bank. Got {missing[0]}, which is none. Load the list again.")
    return current


def has_concept(change: sqlite3.Connection, name: str) -> bool:
    """Whether there is a concept of that name."""
    return change.execute("SELECT 1 FROM concepts WHERE name = ?", [name]).fetchone() is not None


def clips_in_words(ids: Sequence[int]) -> str:
    """How many clips, or which one."""
    return f"clip {ids[0]}" if len(ids) == 1 else f"{len(ids)} clips"


def _ids(rows: Sequence[sqlite3.Row]) -> list[int]:
    return [int(row["id"]) for row in rows]


def _own_review(row: sqlite3.Row, reviewer: str) -> tuple[int, str, str, str]:
    return int(row["id"]), reviewer, str(row["said"]), str(row["note"])


def _unnamed_reviews(change: sqlite3.Connection, ids: Sequence[int]) -> list[tuple[int, str, str, str]]:
    query = "SELECT * FROM reviews WHERE reviewer = '' AND verdict != 'open' AND clip_id IN (SELECT value FROM json_each(?))"
    return [(row["clip_id"], "", row["verdict"], row["note"]) for row in change.execute(query, [ids_json(ids)])]


def _settlements(rows: Sequence[sqlite3.Row], *, every: bool = False) -> dict[int, dict[str, object]]:
    """What was settled before, by clip, of those that were settled, or of every clip."""
    settled = [row for row in rows if every or row["settled_by"] is not None]
    return {int(row["id"]): {"settled_by": row["settled_by"], "verdict": row["verdict"]} for row in settled}


def _set_settled(change: sqlite3.Connection, rows: Sequence[tuple[str | None, str | None, int]]) -> None:
    change.executemany("UPDATE clips SET settled_by = ?, verdict = coalesce(?, verdict) WHERE id = ?", rows)


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
