"""What the page is told about a bank and its clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.concepts.bank import BankClip, ConceptBank, ConceptCount, Kind
from video_tcav.core.escaping import well_formed
from video_tcav.media.files import kind_of
from video_tcav.studio.sample_size import Need

KINDS: Mapping[Kind, str] = {
    "moving": "follows the tube",
    "still": "one sharp frame",
    "focus": "surroundings greyed",
    "scene": "tube greyed",
}


def bank_facts(bank: ConceptBank, need: Need) -> dict[str, Any]:
    """Concepts with their counts and needs, and what can be filtered by."""
    counts = bank.concepts()
    return {
        "name": bank.folder.resolve().name,
        "folder": str(bank.folder.resolve()),
        "need": {"clips": need.clips, "videos": need.videos, "goal": need.goal},
        "concepts": [_concept_facts(one, need) for one in counts if one.name],
        "unsorted": bank.count(concept=""),
        "total": bank.count(),
        "verdicts": {verdict: bank.count(verdict=verdict) for verdict in ("open", "accepted", "rejected")},
        "labels": bank.labels(),
        "videos": bank.videos(),
        "kinds": [kind for kind in KINDS if bank.count(kind=kind)],
    }


def _concept_facts(count: ConceptCount, need: Need) -> dict[str, Any]:
    clips, videos = need.missing(count)
    return {
        "name": count.name,
        "open": count.open,
        "accepted": count.accepted,
        "rejected": count.rejected,
        "videos": count.videos,
        "clips_needed": clips,
        "videos_needed": videos,
        "need_words": need.words(count),
    }


def clip_facts(clip: BankClip) -> dict[str, Any]:
    """What a tile of the wall shows."""
    origin = clip.origin
    ending = clip.path.suffix.lower()
    where = "clips" if ending in PLAYS or ending in PICTURES else "encoded"
    return {
        "id": clip.id,
        "url": f"/{where}/{clip.id}?v={clip.digest[:16]}",  # the digest: a browser may keep a file, but not another bank's
        "concept": clip.concept,
        "kind": clip.kind,
        "verdict": clip.verdict,
        "moves": ending not in PICTURES and kind_of(clip.path) == "video",
        "label": sendable(origin.label),
        "score": origin.score,
        "video": sendable(Path(origin.video).name),
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


def detail_facts(clip: BankClip) -> dict[str, Any]:
    """Everything that the bank knows of a clip."""
    origin = clip.origin
    return clip_facts(clip) | {
        "tube": clip.tube,
        "quality": clip.quality,
        "frames": clip.frames,
        "width": clip.width,
        "height": clip.height,
        "fps": clip.fps,
        "source": sendable(origin.video),
        "times_s": list(origin.times_s),
        "boxes": [list(box) for box in origin.boxes],
        "proposer": {sendable(str(name)): sendable(_plain(value)) for name, value in origin.proposer.items()},
        "kind_words": KINDS[clip.kind],
    }


def sendable(text: str) -> str:
    """Text that can be sent: of a file name that is no UTF-8, the odd bytes are written out."""
    return well_formed(text)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(one) for one in value)
    return str(value)
