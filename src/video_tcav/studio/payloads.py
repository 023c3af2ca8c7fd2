"""JSON payloads of the studio: a bank, a clip as a tile, a clip in detail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
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


def bank_payload(bank: ConceptBank, need: Need) -> dict[str, Any]:
    """Concepts with their counts and needs, and what can be filtered by."""
    return {
        "name": bank.folder.resolve().name,
        "folder": str(bank.folder.resolve()),
        "need": {"clips": need.clips, "videos": need.videos, "goal": need.goal},
        "concepts": [_concept_payload(count, need) for count in bank.concepts() if count.name],
        "unsorted": bank.count(concept=""),
        "total": bank.count(),
        "verdicts": {verdict: bank.count(verdict=verdict) for verdict in ("open", "accepted", "rejected")},
        "labels": bank.labels(),
        "videos": bank.videos(),
        "kinds": [kind for kind in KINDS if bank.count(kind=kind)],
    }


def _concept_payload(count: ConceptCount, need: Need) -> dict[str, Any]:
    clips, videos = need.missing(count)
    return asdict(count) | {"clips_needed": clips, "videos_needed": videos, "need_words": need.words(count)}


def clip_payload(clip: BankClip) -> dict[str, Any]:
    """A tile of the wall."""
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


def detail_payload(clip: BankClip) -> dict[str, Any]:
    """Everything that the bank holds about a clip."""
    origin = clip.origin
    return clip_payload(clip) | {
        **{name: getattr(clip, name) for name in ("tube", "quality", "frames", "width", "height", "fps")},
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
