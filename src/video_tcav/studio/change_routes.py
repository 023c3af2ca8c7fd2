"""Routes that change the bank: verdicts, notes, concepts, undo. Every change is in the bank before the answer leaves."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

import video_tcav.proposals as proposals  # its names load when used: the page must not wait for torch
from video_tcav.studio.clip_lookup import check_ids, check_known
from video_tcav.studio.payloads import bank_payload, tile_payloads
from video_tcav.studio.requests import Copy, Judge, Move, NewConcept, Note, Nothing, Rename, Split
from video_tcav.studio.session import Session

_MOST_TILES = 500  # that an answer describes; the page asks for the others


def add_changes(app: FastAPI, session: Session) -> None:
    """Add the routes that change the bank."""
    _add_verdicts(app, session)
    _add_concepts(app, session)

    @app.post("/api/undo")
    def undo(_body: Nothing) -> dict[str, Any]:
        undone = session.bank.undo(reviewer=session.reviewer)
        return done(session, f"Undone: {undone}." if undone else "There is nothing to undo.", undone=undone is not None)

    @app.post("/api/reveal")
    def reveal(_body: Nothing) -> dict[str, Any]:
        session.blind = False
        return done(session, "The blind pass is over: you see what others decided.")


def _add_verdicts(app: FastAPI, session: Session) -> None:
    bank, reviewer = session.bank, session.reviewer

    @app.post("/api/verdict")
    def judge(body: Judge) -> dict[str, Any]:
        ids = _versions(session, body.ids, alone=body.alone)
        if body.settle and not session.blind:
            bank.settle(ids, body.verdict, reviewer=reviewer)
        else:
            bank.set_verdict(ids, body.verdict, reviewer=reviewer, blind=session.blind)
        word = {"open": "Opened again", "accepted": "Accepted", "rejected": "Rejected"}[body.verdict]
        word = f"Settled: {word.lower()}" if body.settle else word
        return done(session, f"{word}: {_clips(body.ids, ids)}.", ids=ids)

    @app.post("/api/note")
    def note(body: Note) -> dict[str, Any]:
        check_ids(bank, [body.id])
        bank.set_note(body.id, body.text, reviewer=reviewer)
        return done(session, "Note written." if body.text.strip() else "Note removed.", ids=[body.id])


def _add_concepts(app: FastAPI, session: Session) -> None:
    bank, reviewer = session.bank, session.reviewer

    @app.post("/api/move")
    def move(body: Move) -> dict[str, Any]:
        ids = _versions(session, body.ids, alone=body.alone)
        bank.move(ids, body.concept, reviewer=reviewer)
        where = f"to {body.concept}" if body.concept else "out of its concept"
        return done(session, f"Moved {where}: {_clips(body.ids, ids)}.", ids=ids)

    @app.post("/api/copy")
    def copy(body: Copy) -> dict[str, Any]:
        copies = bank.copy(_versions(session, body.ids, alone=False), body.concept, reviewer=reviewer)
        if not copies:
            return done(session, f"{body.concept} has {_clips(body.ids, body.ids)} already.")
        added = [clip.id for clip in session.clips(ids=copies, tubes=True, limit=_MOST_TILES)]
        return done(
            session, f"Also put into {body.concept}: {_clips(body.ids, body.ids)}, to be judged there.", added=added
        )

    @app.post("/api/concepts")
    def add_concept(body: NewConcept) -> dict[str, Any]:
        bank.add_concept(body.name, reviewer=reviewer)
        return done(session, f"New concept: {body.name}.")

    @app.post("/api/concepts/rename")
    def rename(body: Rename) -> dict[str, Any]:
        names = [count.name for count in bank.concepts()]
        check_known("concept", body.name, names)
        bank.rename_concept(body.name, body.new, reviewer=reviewer)
        merged = len(bank.concepts()) < len(names)
        return done(
            session, f"Merged {body.name} into {body.new}." if merged else f"Renamed {body.name} to {body.new}."
        )

    @app.post("/api/concepts/split")
    def split(body: Split) -> dict[str, Any]:
        check_known("concept", body.name, [count.name for count in bank.concepts()])
        halves = proposals.split_concept(bank, body.name, reviewer=reviewer)
        words = f"Split {body.name}: {_clips(range(halves.tubes), ())} moved to {halves.concept}, {halves.left} stayed."
        return done(session, words, ids=halves.moved, concept=halves.concept)


def done(session: Session, message: str, *, ids: Sequence[int] = (), **more: Any) -> dict[str, Any]:
    """The answer to a change: what was done, the bank as it is now, and the clips that are different."""
    clips = tile_payloads(session, session.clips(ids=list(ids))) if 0 < len(ids) <= _MOST_TILES else []
    return {"said": message, "bank": bank_payload(session), "clips": clips, **more}


def _versions(session: Session, ids: Sequence[int], *, alone: bool) -> list[int]:
    check_ids(session.bank, ids)
    return list(dict.fromkeys(ids)) if alone else session.bank.versions(ids)


def _clips(ids: Sequence[int], versions: Sequence[int]) -> str:
    count, others = len(set(ids)), len(set(versions) - set(ids))
    clips = "1 clip" if count == 1 else f"{count} clips"
    return f"{clips} and {others} other version{'' if others == 1 else 's'}" if others else clips
