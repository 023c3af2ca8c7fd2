"""Adding clips to a bank: the file first, then the row; the same proposal twice is one clip."""

import hashlib
import json
import math
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.concepts.bank.clips import clip_by_key
from video_tcav.concepts.bank.files import clip_path, copy_synced, settle, staged
from video_tcav.concepts.bank.records import (
    KINDS,
    VERDICTS,
    BankClip,
    Kind,
    Origin,
    Verdict,
    check_origin,
    concept_name,
)
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.files import sync
from video_tcav.core.sqlite import Database, plain
from video_tcav.media import file_digest, probe_video, write_picture, write_video
from video_tcav.media.files import kind_of


@dataclass(frozen=True, kw_only=True)
class NewClip:
    """A clip that is to become a row.

    Attributes:
        key: equal for the same proposal.
        concept: as a bank keeps its name; empty if none.
        kind: of the clip.
        verdict: of the clip.
        origin: of the clip.
        tube: of the clip.
        quality: of the clip.
        frames: how many.
        width: of the file, in pixels.
        height: of the file, in pixels.
        fps: of the file.
    """

    key: str
    concept: str
    kind: Kind
    verdict: Verdict
    origin: Origin
    tube: str
    quality: float
    frames: int
    width: int
    height: int
    fps: float


def add_clip(
    database: Database,
    frames: UInt8[Tensor, "time 3 height width"],
    *,
    fps: float,
    concept: str,
    kind: Kind,
    origin: Origin,
    tube: str,
    quality: float,
    verdict: Verdict,
) -> BankClip:
    """Encode frames into the bank; the same proposal twice is one clip."""
    _check_frames(frames, kind)
    height, width = frames.shape[-2:]
    even = 0 if kind == "still" else 1  # video codecs halve colour, so `write_video` makes sides even
    new = new_clip(
        concept=concept,
        kind=kind,
        verdict=verdict,
        origin=origin,
        tube=tube,
        quality=quality,
        frames=len(frames),
        width=width + width % 2 * even,
        height=height + height % 2 * even,
        fps=fps,
    )
    known = clip_by_key(database, new.key)
    if known:
        return known
    ending = ".png" if kind == "still" else ".mp4"
    with staged(database.folder, ending) as path:
        if kind == "still":
            write_picture(path, frames[0])
        else:
            write_video(path, frames, fps=fps)
        sync(path)
        return store(database, path, new)


def add_file(
    database: Database,
    path: Path,
    *,
    concept: str,
    kind: Kind | None,
    verdict: Verdict,
    origin: Origin | None,
    group: str | None = None,
) -> BankClip:
    """Copy a file into the bank as it is; the same file for the same concept twice is one clip."""
    ending = path.suffix.lower()
    found = kind_of(path)
    if found not in ("video", "still"):
        raise InputError(f"`path` must be a video or an image. Got {path}. Import folders with `bank import`.")
    kind = kind or ("still" if found == "still" else "moving")
    one_of("kind", kind, ("still",) if found == "still" else KINDS)
    with staged(database.folder, ending) as copy:
        info = probe_video(path)
        copy_synced(path, copy)
        digest = file_digest(copy)
        start_s = float(info.timestamps_s[0])
        span_s = (start_s, start_s + info.duration_s)
        given = origin or imported_origin(path, digest, info.timestamps_s, span_s, group)
        new = new_clip(
            concept=concept,
            kind=kind,
            verdict=verdict,
            origin=given,
            tube=digest,
            quality=0.0,
            frames=info.frame_count,
            width=info.width,
            height=info.height,
            fps=info.fps,
        )
        return clip_by_key(database, new.key) or store(database, copy, new)


def imported_origin(
    path: Path, digest: str, times_s: Float[np.ndarray, " time"], span_s: tuple[float, float], group: str | None
) -> Origin:
    """Where a clip comes from that a person brought: the file itself."""
    return Origin(
        video=str(path.absolute()),
        video_digest=digest,
        start_s=span_s[0],
        end_s=span_s[1],
        times_s=tuple(times_s.tolist()),
        boxes=(),
        label="",
        score=1.0,
        proposer={"name": "import", **({"group": group} if group else {})},
    )


def new_clip(
    *,
    concept: str,
    kind: Kind,
    verdict: Verdict,
    origin: Origin,
    tube: str,
    quality: float,
    frames: int,
    width: int,
    height: int,
    fps: float,
) -> NewClip:
    """A clip to be stored, checked.

    Raises:
        InputError: if a value is not possible.
    """
    name = concept_name(concept) if concept else ""
    one_of("kind", kind, KINDS)
    one_of("verdict", verdict, VERDICTS)
    check_origin(origin, frames)
    if not math.isfinite(quality):
        raise InputError(f"`quality` must be a number. Got {quality}. Give 0 where it is not known.")
    if not 0 < fps < math.inf:
        raise InputError(f"`fps` must be positive. Got {fps}. 25 is usual.")
    return NewClip(
        key=_key(origin, kind, name),
        concept=name,
        kind=kind,
        verdict=verdict,
        origin=origin,
        tube=tube,
        quality=float(quality),
        frames=frames,
        width=width,
        height=height,
        fps=float(fps),
    )


def store(database: Database, file: Path, new: NewClip) -> BankClip:
    """Give a synced file its name and its row, both in one transaction, so that nobody sees one without the other."""
    digest = file_digest(file)
    path = clip_path(database.folder, digest, file.suffix)
    try:
        with database.transaction() as change:
            if not change.execute("SELECT 1 FROM clips WHERE key = ?", [new.key]).fetchall():
                settle(file, path)
                _insert(change, digest, path.suffix, new)
    except VideoTcavError:  # a full disk: the row is not there, so the file must not be
        remove_unnamed(database, path)
        raise
    known = clip_by_key(database, new.key)
    assert known is not None
    return known


def remove_unnamed(database: Database, path: Path) -> bool:
    """Remove a file if no row names it; whether it was removed."""
    with database.transaction() as change:  # nobody can name it meanwhile
        if change.execute("SELECT 1 FROM clips WHERE digest || ending = ?", [path.name]).fetchall():
            return False
        path.unlink(missing_ok=True)
        return True


def concept_id(change: sqlite3.Connection, name: str) -> int | None:
    """The number of a concept, made if there is none of that name; `None` for no concept."""
    if not name:
        return None
    change.execute("INSERT INTO concepts (name) VALUES (?) ON CONFLICT DO NOTHING", [name])
    return int(change.execute("SELECT id FROM concepts WHERE name = ?", [name]).fetchone()["id"])


def shared_by(origin: Origin) -> str:
    """What clips share that are not independent of each other: a group that was given, else the content of the video."""
    return str(origin.proposer.get("group") or origin.video_digest)


def _insert(change: sqlite3.Connection, digest: str, ending: str, new: NewClip) -> None:
    values = {
        "key": new.key,
        "digest": digest,
        "ending": ending,
        "concept_id": concept_id(change, new.concept),
        "kind": new.kind,
        "verdict": new.verdict,
        "tube": new.tube,
        "quality": new.quality,
        "frames": new.frames,
        "width": new.width,
        "height": new.height,
        "fps": new.fps,
        "video": new.origin.video,
        "video_digest": new.origin.video_digest,
        "shared": shared_by(new.origin),
        "label": new.origin.label,
        "origin": new.origin.to_json(),
    }
    marks = ", ".join("?" * len(values))
    change.execute(f"INSERT INTO clips ({', '.join(values)}) VALUES ({marks})", [plain(one) for one in values.values()])


def _key(origin: Origin, kind: str, concept: str) -> str:
    """Equal for the same cut of the same video for the same concept, whoever proposed it and wherever the video lies."""
    cut = json.loads(origin.to_json())
    what = [cut[name] for name in ("video_digest", "start_s", "end_s", "times_s", "boxes", "label")]
    return hashlib.sha256(json.dumps([*what, kind, concept]).encode()).hexdigest()


def _check_frames(frames: Tensor, kind: str) -> None:
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        found = f"{str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
        raise InputError(f"`frames` must be uint8 of shape (time, 3, height, width). Got {found}. Convert them.")
    if kind == "still" and len(frames) != 1:
        raise InputError(f"`frames` must be one picture for a still. Got {len(frames)}. Choose the sharpest.")
