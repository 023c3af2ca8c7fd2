"""Embeddings of clips, and the nearest clips by cosine."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from video_tcav.concepts.bank.clips import ids_json, versions_of
from video_tcav.core.errors import BankError, InputError
from video_tcav.core.sqlite import Database

THUMBNAILS = "thumbnails"
"""The space of vectors that need no model."""

_STORED = np.dtype("<f4")  # little-endian whatever the machine: a bank may be copied to another


def set_embeddings(database: Database, space: str, vectors: Mapping[int, np.ndarray]) -> None:
    """Store one vector a clip in a space; see `ConceptBank.set_embeddings`."""
    ids = ids_json(vectors)
    rows = [(clip, space, _packed(vector)) for clip, vector in vectors.items()]
    with database.transaction() as change:
        stored = change.execute("SELECT vector FROM embeddings WHERE space = ? LIMIT 1", [space]).fetchone()
        sizes = {len(vector) for _, _, vector in rows} | ({len(stored["vector"])} if stored else set())
        if len(sizes) > 1:
            lengths = ", ".join(str(size // _STORED.itemsize) for size in sorted(sizes))
            raise InputError(
                f"`vectors` must be of one length in a space. Got {lengths}. Use another name for the space."
            )
        existing = change.execute("SELECT id FROM clips WHERE id IN (SELECT value FROM json_each(?))", [ids])
        missing = sorted(set(vectors) - {row["id"] for row in existing})
        if missing:
            raise BankError(
                f"`vectors` must be for clips of the bank. Got clip {missing[0]}, which is none. Leave it out."
            )
        change.executemany("INSERT OR REPLACE INTO embeddings (clip_id, space, vector) VALUES (?, ?, ?)", rows)


def read_embeddings(database: Database, space: str | None) -> tuple[list[int], Float[np.ndarray, "clip feature"]]:
    """Clips and their vectors in a space; in the latest if no space is named."""
    if space is None:
        latest = database.read("SELECT space FROM embeddings ORDER BY rowid DESC LIMIT 1")
        space = str(latest[0]["space"]) if latest else ""
    rows = database.read("SELECT clip_id, vector FROM embeddings WHERE space = ? ORDER BY clip_id", [space])
    if not rows:
        return [], np.zeros((0, 0), np.float32)
    try:
        vectors = np.stack([np.frombuffer(row["vector"], _STORED) for row in rows])
    except (ValueError, TypeError) as error:
        raise BankError(
            f"`{database.folder}` must hold vectors of one length. Got others in {space!r} ({error}). Embed again."
        ) from error
    return [int(row["clip_id"]) for row in rows], vectors


def embedded_clips(database: Database, space: str | None = None) -> set[int]:
    """Clips that have a vector in a space, or in any."""
    rows = database.read("SELECT DISTINCT clip_id FROM embeddings WHERE ? IS NULL OR space = ?", [space, space])
    return {int(row["clip_id"]) for row in rows}


def comparable_clips(database: Database, ids: Sequence[int]) -> set[int]:
    """Those of the clips that have a vector, or another version of their tube has."""
    rows = database.read(
        "SELECT clips.id FROM clips WHERE clips.id IN (SELECT value FROM json_each(?)) AND EXISTS (SELECT 1 FROM clips AS "
        "version JOIN embeddings ON embeddings.clip_id = version.id WHERE version.video_digest = clips.video_digest AND "
        "version.tube = clips.tube AND version.concept_id IS clips.concept_id)",
        [ids_json(ids)],
    )
    return {int(row["id"]) for row in rows}


def common_vectors(database: Database, ids: Sequence[int]) -> Float[np.ndarray, "clip feature"] | None:
    """Vectors of clips, or of other versions of their tubes, in one space that has all of them; `None` if there is none.

    It is the latest space of a model, and that of thumbnails only where there is none.
    """
    rows = database.read(
        "SELECT clips.id, space, vector FROM clips JOIN clips AS version ON version.video_digest = clips.video_digest AND "
        "version.tube = clips.tube AND version.concept_id IS clips.concept_id JOIN embeddings ON clip_id = version.id "
        "WHERE clips.id IN (SELECT value FROM json_each(?)) ORDER BY space != ?, embeddings.rowid",
        [ids_json(ids), THUMBNAILS],
    )
    spaces: dict[str, dict[int, bytes]] = {}
    for row in rows:  # the latest vector of a space, and the latest space, come last
        vectors = spaces.pop(str(row["space"]), {})
        vectors[int(row["id"])] = row["vector"]
        spaces[str(row["space"])] = vectors
    for vectors in reversed(spaces.values()):
        if len(vectors) == len(set(ids)):
            return np.stack([np.frombuffer(vectors[id], _STORED) for id in ids])
    return None


def similar_clips(database: Database, clip: int, count: int | None) -> list[int]:
    """The clips most like one, nearest first by cosine.

    They are compared in the latest space of a model that the clip, or another version of its tube, is in; in that of
    thumbnails only where there is none.
    """
    versions = versions_of(database, [clip])
    spaces = database.read(
        "SELECT clip_id, space FROM embeddings WHERE clip_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY space = ?, clip_id = ? DESC, rowid DESC LIMIT 1",
        [ids_json(versions), THUMBNAILS, clip],
    )
    if not spaces:
        raise BankError(
            f"`id` must be a clip with an embedding. Got {clip}. Embed the bank's clips: with a model by "
            "`video-tcav propose --embed`, without in the studio."
        )
    ids, vectors = read_embeddings(database, str(spaces[0]["space"]))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.where(lengths > 0, lengths, 1)  # a vector of zeros is like nothing: cosine 0
    cosines = directions @ directions[ids.index(int(spaces[0]["clip_id"]))]
    nearest = np.argsort(-cosines, kind="stable")  # equal cosines: oldest first
    return [ids[row] for row in nearest if ids[row] not in versions][: None if count is None else max(0, count)]


def _packed(vector: np.ndarray) -> bytes:
    flat = np.asarray(vector, np.float64)
    if flat.ndim != 1 or flat.size == 0 or not np.isfinite(flat).all():
        raise InputError(
            f"`vectors` must be rows of finite numbers. Got shape {flat.shape}. Check the model that embeds."
        )
    return flat.astype(_STORED).tobytes()
