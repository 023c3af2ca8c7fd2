"""Adding clips to a bank: the file first, then the row; the same proposal twice is one clip."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.concepts.bank.clips import clip_by_key
from video_tcav.concepts.bank.files import clip_path, copy_synced, settle, staged
from video_tcav.concepts.bank.records import KINDS, BankClip, Kind, NewClip, Origin, Verdict
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.files import sync
from video_tcav.core.sqlite import Database, plain
from video_tcav.media import file_digest, probe_video, write_picture, write_video
from video_tcav.media.files import kind_of

# the smallest number that is free: keys 1 to 9 stay in use when concepts are joined
_INSERT_CONCEPT = """
INSERT INTO concepts (name, number) SELECT ?, min(number) FROM
    (SELECT 1 AS number UNION SELECT number + 1 FROM concepts) WHERE number NOT IN (SELECT number FROM concepts)
ON CONFLICT (name) DO NOTHING
"""


def file_shape(frames: UInt8[Tensor, "time 3 height width"], kind: Kind) -> dict[str, int]:
    """Frames, width and height of the file that `add_clip` encodes; refuses frames that are no clip of that kind."""
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        text = f"{str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
        raise InputError(f"`frames` must be uint8 of shape (time, 3, height, width). Got {text}. Convert them.")
    if kind == "still" and len(frames) != 1:
        raise InputError(f"`frames` must be one picture for a still. Got {len(frames)}. Choose the sharpest.")
    height, width = frames.shape[-2:]
    even = 0 if kind == "still" else 1  # video codecs halve colour, so `write_video` makes sides even
    return {"frames": len(frames), "width": width + width % 2 * even, "height": height + height % 2 * even}


def add_clip(
    database: Database, frames: UInt8[Tensor, "time 3 height width"], clip: NewClip, *, reviewer: str = ""
) -> BankClip:
    """Encode frames into the bank; the same proposal twice is one clip."""
    key = _key(clip)
    if existing := clip_by_key(database, key):
        return existing
    with encoded(database, frames, clip.kind, clip.fps) as path:
        return store(database, path, clip, key, reviewer)


@contextmanager
def encoded(database: Database, frames: UInt8[Tensor, "time 3 height width"], kind: Kind, fps: float) -> Iterator[Path]:
    """Frames as a synced file that has no name in the bank yet."""
    with staged(database.folder, ".png" if kind == "still" else ".mp4") as path:
        if kind == "still":
            write_picture(path, frames[0])
        else:
            write_video(path, frames, fps=fps)
        sync(path)
        yield path


def add_file(
    database: Database,
    path: Path,
    *,
    concept: str,
    kind: Kind | None,
    verdict: Verdict,
    origin: Origin | None = None,
    group: str | None = None,
) -> BankClip:
    """Copy a file into the bank as it is; the same file for the same concept twice is one clip."""
    medium = kind_of(path)
    if medium not in ("video", "still"):
        raise InputError(f"`path` must be a video or an image. Got {path}. Import folders with `bank import`.")
    kind = kind or ("still" if medium == "still" else "moving")
    one_of("kind", kind, ("still",) if medium == "still" else KINDS)
    with staged(database.folder, path.suffix.lower()) as copy:
        info = probe_video(path)
        copy_synced(path, copy)  # and then the digest of the copy: the file itself may change meanwhile
        digest = file_digest(copy)
        start_s = float(info.timestamps_s[0])
        span_s = (start_s, start_s + info.duration_s)
        clip = NewClip(
            concept=concept,
            kind=kind,
            verdict=verdict,
            origin=origin or imported_origin(path, digest, info.timestamps_s, span_s, group),
            tube=digest,
            quality=0.0,
            frames=info.frame_count,
            width=info.width,
            height=info.height,
            fps=info.fps,
        )
        key = _key(clip)
        return clip_by_key(database, key) or store(database, copy, clip, key)


def imported_origin(
    path: Path, digest: str, times_s: Float[np.ndarray, " time"], span_s: tuple[float, float], group: str | None
) -> Origin:
    """The origin of a clip that a person brought: the file itself."""
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


def store(database: Database, file: Path, clip: NewClip, key: str, reviewer: str = "") -> BankClip:
    """Give a synced file its name and its row, both in one transaction, so that nobody sees one without the other."""
    digest = file_digest(file)
    path = clip_path(database.folder, digest, file.suffix)
    try:
        with database.transaction() as change:
            # Another process may have added it while this one encoded.
            if not change.execute("SELECT 1 FROM clips WHERE key = ?", [key]).fetchall():
                # The file first: a process that is killed here leaves a file without a row, which `repair` removes.
                settle(file, path)
                _insert(change, digest, path.suffix, clip, key, reviewer)
    except VideoTcavError:  # a full disk: the row is not there, so the file must not be
        remove_unnamed(database, path)
        raise
    stored = clip_by_key(database, key)
    assert stored is not None
    return stored


def remove_unnamed(database: Database, path: Path) -> bool:
    """Remove a file if neither a row nor a step of undo names it; whether it was removed."""
    used = "SELECT 1 FROM clips WHERE digest || ending = ? UNION SELECT 1 FROM changes WHERE instr(before, ?)"
    with database.transaction() as change:  # nobody can name it meanwhile
        if change.execute(used, [path.name, path.stem]).fetchall():
            return False
        path.unlink(missing_ok=True)
        return True


def concept_id(change: sqlite3.Connection, name: str) -> int | None:
    """The number of a concept, made if there is none of that name; `None` for no concept."""
    if not name:
        return None
    change.execute(_INSERT_CONCEPT, [name])
    return int(change.execute("SELECT id FROM concepts WHERE name = ?", [name]).fetchone()["id"])


def _insert(change: sqlite3.Connection, digest: str, ending: str, clip: NewClip, key: str, reviewer: str) -> None:
    origin = clip.origin
    values = {
        "key": key,
        "digest": digest,
        "ending": ending,
        "concept_id": concept_id(change, clip.concept),
        "quality": float(clip.quality),  # SQLite takes no numbers of NumPy
        "fps": float(clip.fps),
        **{name: getattr(clip, name) for name in ("kind", "verdict", "tube", "frames", "width", "height")},
        **{name: getattr(origin, name) for name in ("video", "video_digest", "label")},
        # Clips are not independent of each other that share a group (of a manifest), or else the source video.
        "shared": str(origin.proposer.get("group") or origin.video_digest),
        "origin": origin.to_json(),
    }
    marks = ", ".join("?" * len(values))
    columns = ", ".join(values)
    inserted = change.execute(
        f"INSERT INTO clips ({columns}) VALUES ({marks})", [plain(value) for value in values.values()]
    )
    if clip.verdict != "open":
        change.execute(
            "INSERT INTO reviews (clip_id, reviewer, verdict) VALUES (?, ?, ?)",
            [inserted.lastrowid, reviewer, clip.verdict],
        )


def _key(clip: NewClip) -> str:
    """Equal for the same cut of the same video for the same concept, whoever proposed it and wherever the video lies."""
    # through JSON, so that numbers of Python and of NumPy give one key; not the path nor the proposer's version
    origin = json.loads(clip.origin.to_json())
    cut = [origin[name] for name in ("video_digest", "start_s", "end_s", "times_s", "boxes", "label")]
    return hashlib.sha256(json.dumps([*cut, clip.kind, clip.concept]).encode()).hexdigest()
