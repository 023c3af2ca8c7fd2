"""Clips, filters and files that requests name, or one line that says why there is no such thing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import FileResponse

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.core.wording import p_equals
from video_tcav.studio.requests import ClipFilters
from video_tcav.studio.security import Refusal, excerpt
from video_tcav.studio.session import Session


def clip_of(bank: ConceptBank, id: int) -> BankClip:
    """A clip of the bank."""
    check_ids(bank, [id])
    return bank.clip(id)


def clip_in_bank(bank: ConceptBank, id: int) -> BankClip:
    """A clip whose file is one of the bank's."""
    clip = clip_of(bank, id)
    if not clip.path.resolve().is_relative_to(bank.folder.resolve()):
        raise Refusal(403, f"The file of clip {id} is no clip of the bank. Run `video-tcav bank check`.")
    return clip


def check_ids(bank: ConceptBank, ids: Sequence[int]) -> None:
    """Refuse numbers of clips that are not there."""
    existing, wanted = bank.count(ids=ids), len(set(ids))
    if existing < wanted:
        text = f"There is no clip {ids[0]}." if wanted == 1 else f"Only {existing} of {wanted} clips are there."
        raise Refusal(404, f"{text} Reload the page.")


def check_filters(session: Session, query: ClipFilters) -> None:
    """Refuse names that the bank does not have, and what a blind pass hides."""
    bank = session.bank
    if query.concept:
        check_known("concept", query.concept, [count.name for count in bank.concepts()])
    if query.label:
        check_known("label", query.label, bank.labels())
    if query.video:
        check_known("video", query.video, bank.videos())
    if query.disputed and session.blind:
        raise Refusal(403, "Disagreements are shown after the blind pass: end it first.")


def check_known(noun: str, value: str, names: Sequence[str]) -> None:
    """Refuse a name that is none of these."""
    if value not in names:
        raise Refusal(404, f"There is no {noun} {excerpt(value)} in this bank. It may have got another name.")


def similar_clips(session: Session, query: ClipFilters, id: int) -> list[BankClip]:
    """The clip itself and all that can be compared with it, the most alike first or last, as far as they pass the filters."""
    check_ids(session.bank, [id])
    ids = session.bank.similar(id, count=None)
    if query.sort == "unlike":
        ids.reverse()
    filters: dict[str, Any] = query.filters() | {"ids": [id, *ids]}
    return session.clips(**filters, order="given")


def clips_by_words(session: Session, query: ClipFilters, words: str) -> tuple[list[BankClip], str]:
    """Clips that pass the filters by how much their tubes are like some words, and a line on what that means."""
    if session.rank is None:
        raise Refusal(
            400, "Clips can be ranked by words where the studio has an encoder: start it with --text-encoder."
        )
    scores = session.rank.scores(words)
    if not scores.by_tube:
        raise Refusal(409, "The clips have no embeddings yet. Type the words again.")
    sign = 1 if query.sort == "unlike" else -1
    clips = [clip for clip in session.clips(**query.filters()) if clip.tube in scores.by_tube]
    clips.sort(key=lambda clip: sign * scores.by_tube[clip.tube])
    among = f"p {p_equals(scores.p_value)} among {scores.words:,} other words"
    meaning = (
        "some clips of this bank stand out for it" if scores.stands_out else "nothing in this bank stands out for it"
    )
    return clips, f"“{scores.text}” by {session.rank.encoder}: {meaning} ({among}). Something always comes first."


def send_file(path: Path, kind: str, headers: dict[str, str]) -> Response:
    """A file, whole or in part."""
    if not path.is_file():
        raise Refusal(404, f"The file {path.name} is missing. Run `video-tcav bank check`.")
    return FileResponse(path, media_type=kind, headers=headers)
