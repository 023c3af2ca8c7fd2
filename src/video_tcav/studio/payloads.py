"""JSON payloads of the studio: a bank, a clip as a tile, a clip in detail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from video_tcav.concepts.bank import VERDICTS, BankClip, ConceptCount, Kind, Review
from video_tcav.core.escaping import well_formed
from video_tcav.media.files import kind_of
from video_tcav.studio.sample_size import Need
from video_tcav.studio.session import Session, video_key

KINDS: Mapping[Kind, str] = {
    "moving": "follows the tube",
    "still": "one sharp frame",
    "focus": "surroundings greyed",
    "scene": "tube greyed",
}


def bank_payload(session: Session) -> dict[str, Any]:
    """Concepts with their counts and needs, who reviews, and what can be filtered by; each tube counts once."""
    bank, need = session.bank, session.need
    verdicts = {verdict: session.count(verdict=verdict, tubes=True) for verdict in VERDICTS}
    return {
        "name": bank.folder.resolve().name,
        "folder": str(bank.folder.resolve()),
        "reviewer": session.reviewer,
        "blind": session.blind,
        "ranks_by": "" if session.rank is None else session.rank.encoder,
        "reviewers": 0 if session.blind else len(bank.reviewers()),
        "disputed": 0 if session.blind else bank.count(disputed=True, tubes=True),
        "need": {"clips": need.clips, "videos": need.videos, "goal": need.goal},
        "concepts": [_concept_payload(count, need) for count in session.concepts() if count.name],
        "unsorted": session.count(concept="", tubes=True),
        "total": sum(verdicts.values()),
        "verdicts": verdicts,
        "labels": bank.labels(),
        "videos": bank.videos(),
        "kinds": [kind for kind in KINDS if bank.count(kind=kind)],
    }


def _concept_payload(count: ConceptCount, need: Need) -> dict[str, Any]:
    clips, videos = need.missing(count)
    words = {"need_short": need.short(count), "need_words": need.words(count)}
    return asdict(count) | {"clips_needed": clips, "videos_needed": videos} | words


def tile_payloads(session: Session, clips: Sequence[BankClip]) -> list[dict[str, Any]]:
    """Tiles of the wall: clips with what reviewers said about them; in a blind pass with what this reviewer said alone."""
    ids = [clip.id for clip in clips]
    reviews: dict[int, list[Review]] = {id: [] for id in ids}
    for review in session.bank.reviews(ids):
        if not session.blind or review.reviewer == session.reviewer:
            reviews[review.clip].append(review)
    comparable = session.bank.comparable(ids)
    return [
        clip_payload(clip) | _reviews_payload(session, clip, reviews[clip.id]) | {"comparable": clip.id in comparable}
        for clip in clips
    ]


def _reviews_payload(session: Session, clip: BankClip, reviews: Sequence[Review]) -> dict[str, Any]:
    verdicts = {review.verdict for review in reviews if review.verdict != "open"}
    settled_by = None if session.blind else clip.settled_by
    return {
        "reviews": [asdict(review) for review in reviews],
        "note": next((review.note for review in reviews if review.reviewer == session.reviewer), ""),
        "settled_by": settled_by,
        "disputed": settled_by is None and len(verdicts) > 1,
    }


def clip_payload(clip: BankClip) -> dict[str, Any]:
    """What the bank holds about a clip, as far as a tile shows it."""
    origin = clip.origin
    suffix = clip.path.suffix.lower()
    route = "clips" if suffix in PLAYS or suffix in PICTURES else "encoded"
    return {
        "id": clip.id,
        "url": f"/{route}/{clip.id}?v={clip.digest[:16]}",  # the digest: a browser may keep a file, but not another bank's
        "concept": clip.concept,
        "kind": clip.kind,
        "verdict": clip.verdict,
        "moves": suffix not in PICTURES and kind_of(clip.path) == "video",
        "label": well_formed(origin.label),
        "score": origin.score,
        "video": well_formed(Path(origin.video).name),
        "video_key": video_key(Path(origin.video)),
        "start_s": origin.start_s,
        "end_s": origin.end_s,
    }


PLAYS: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}
PICTURES: Mapping[str, str] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
}


def detail_payload(session: Session, clip: BankClip) -> dict[str, Any]:
    """Everything that the bank holds about a clip, and the other versions of its tube."""
    origin = clip.origin
    versions = session.clips(ids=session.bank.versions([clip.id]), order="added")
    elsewhere = [
        twin.concept or "no concept"
        for twin in session.clips(video=origin.video_digest, kind=clip.kind)
        if twin.digest == clip.digest and twin.id != clip.id
    ]
    return tile_payloads(session, [clip])[0] | {
        **{name: getattr(clip, name) for name in ("tube", "quality", "frames", "width", "height", "fps")},
        "versions": tile_payloads(session, versions),
        "elsewhere": elsewhere,
        "source": well_formed(origin.video),
        "times_s": list(origin.times_s),
        "boxes": [list(box) for box in origin.boxes],
        "proposer": {well_formed(str(name)): well_formed(_plain(value)) for name, value in origin.proposer.items()},
        "kind_words": KINDS[clip.kind],
    }


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(item) for item in value)
    return str(value)
