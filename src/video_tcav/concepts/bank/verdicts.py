"""A person's verdicts and notes: each reviewer's own, what stands of them, and how a disagreement is settled."""

import sqlite3
from collections.abc import Sequence

from video_tcav.concepts.bank.changes import Step, agree, remember, write_reviews
from video_tcav.concepts.bank.clips import ids_json
from video_tcav.concepts.bank.records import VERDICTS, Review, Verdict, note_text, reviewer_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Database

STATE = (
    "SELECT clips.id, coalesce(concepts.name, '') AS concept, clips.verdict, settled_by, coalesce(own.verdict, 'open') AS said, "
    "coalesce(own.note, '') AS note, coalesce(unnamed.verdict, 'open') AS unnamed FROM clips "
    "LEFT JOIN concepts ON concepts.id = concept_id "
    "LEFT JOIN reviews AS own ON own.clip_id = clips.id AND own.reviewer = ? "
    "LEFT JOIN reviews AS unnamed ON unnamed.clip_id = clips.id AND unnamed.reviewer = '' "
)


class Verdicts:
    """The part of `ConceptBank` that clips are judged with; each change is one step of undo.

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
                unnamed = _unnamed_reviews(change, ids_of(before))
                reviews += unnamed
                write_reviews(change, [(clip, who, "open", note) for clip, who, _, note in unnamed])
            settled = {} if blind else _settlements(before)
            _set_settled(change, [(None, None, clip) for clip in settled])
            agree(change, ids_of(before))
            words = f"{clips_in_words(ids_of(before))} {'left open' if verdict == 'open' else verdict}"
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
                agree(change, ids_of(before))
                words = (
                    f"{clips_in_words(ids_of(before))} {'left unsettled' if by is None else f'settled as {verdict}'}"
                )
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


def states(change: sqlite3.Connection, ids: Sequence[int], reviewer: str = "") -> list[sqlite3.Row]:
    """Concept and verdicts of clips, all of which must be in the bank."""
    query = f"{STATE} WHERE clips.id IN (SELECT value FROM json_each(?))"
    current = change.execute(query, [reviewer, ids_json(ids)]).fetchall()
    missing = sorted(set(ids) - {row["id"] for row in current})
    if missing:
        raise BankError(f"`ids` must be clips of the bank. Got {missing[0]}, which is none. Load the list again.")
    return current


def clips_in_words(ids: Sequence[int]) -> str:
    """How many clips, or which one."""
    return f"clip {ids[0]}" if len(ids) == 1 else f"{len(ids)} clips"


def ids_of(rows: Sequence[sqlite3.Row]) -> list[int]:
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
