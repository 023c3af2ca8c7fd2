"""Schema of a bank's SQLite file."""

from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Format

FILE_NAME = "bank.sqlite"
VERSION = 1

# AUTOINCREMENT: numbers of clips only grow, even if rows were deleted by hand; imports and steps of undo rely on it.
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE concepts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,  -- the same proposal has the same key, wherever a person has moved it
    digest TEXT NOT NULL,
    ending TEXT NOT NULL,
    concept_id INTEGER REFERENCES concepts (id),
    kind TEXT NOT NULL CHECK (kind IN ('moving', 'still', 'focus', 'scene')),
    verdict TEXT NOT NULL CHECK (verdict IN ('open', 'accepted', 'rejected')),
    tube TEXT NOT NULL,
    quality REAL NOT NULL,
    frames INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    fps REAL NOT NULL,
    video TEXT NOT NULL,
    video_digest TEXT NOT NULL,
    shared TEXT NOT NULL,  -- equal for clips that are not independent of each other
    label TEXT NOT NULL,
    origin TEXT NOT NULL
);
CREATE INDEX clips_by_concept ON clips (concept_id, verdict);
CREATE INDEX clips_by_tube ON clips (video_digest, tube, kind);
CREATE INDEX clips_by_digest ON clips (digest);
CREATE TABLE embeddings (
    clip_id INTEGER NOT NULL REFERENCES clips (id),
    space TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (clip_id, space)
);
CREATE TABLE changes (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT NOT NULL, before TEXT NOT NULL);
"""


FORMAT = Format(
    argument="bank",
    description="a concept bank",
    file_name=FILE_NAME,
    schema=_SCHEMA,
    version=VERSION,
    error=BankError,
    if_missing="Check the path, or make a bank with `video-tcav propose` or `video-tcav bank import`.",
    if_damaged="Restore it from a copy, or begin a new bank.",
)
