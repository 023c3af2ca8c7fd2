"""Schema of a bank's SQLite file."""

from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Format

FILE_NAME = "bank.sqlite"

# AUTOINCREMENT: numbers of clips only grow, even if rows were deleted by hand; imports and steps of undo rely on it.
_VERSION_1 = """
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
# Reviewers, stable numbers of concepts, notes. Verdicts of version 1 get an empty reviewer. The steps of undo of version 1
# hold (clip, concept, verdict) before the change; now values are named, so that a step may hold any column.
_VERSION_2 = """
CREATE TABLE reviews (
    clip_id INTEGER NOT NULL REFERENCES clips (id),
    reviewer TEXT NOT NULL,  -- empty where nobody gave a name
    verdict TEXT NOT NULL CHECK (verdict IN ('open', 'accepted', 'rejected')),
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (clip_id, reviewer)
) WITHOUT ROWID;
INSERT INTO reviews (clip_id, reviewer, verdict) SELECT id, '', verdict FROM clips WHERE verdict != 'open';
ALTER TABLE clips ADD COLUMN settled_by TEXT;
ALTER TABLE concepts ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE concepts SET number = (SELECT count(*) FROM concepts AS earlier WHERE earlier.id <= concepts.id);
CREATE UNIQUE INDEX concepts_by_number ON concepts (number);
ALTER TABLE changes ADD COLUMN reviewer TEXT NOT NULL DEFAULT '';
UPDATE changes SET before = json_object(
    'clips', (SELECT json_group_array(
            json_array(json_extract(value, '$[0]'), json_object('concept', json_extract(value, '$[1]'))))
        FROM json_each(before, '$.clips')),
    'reviews', (SELECT json_group_array(json_array(json_extract(value, '$[0]'), '', json_extract(value, '$[2]'), ''))
        FROM json_each(before, '$.clips')),
    'added', json(json_extract(before, '$.added')), 'removed', json(json_extract(before, '$.removed')))
WHERE json_valid(before)
"""


FORMAT = Format(
    argument="bank",
    description="a concept bank",
    file_name=FILE_NAME,
    schema=_VERSION_1,
    upgrades=[_VERSION_2],
    error=BankError,
    if_missing="Check the path, or make a bank with `video-tcav propose` or `video-tcav bank import`.",
    if_damaged="Restore it from a copy, or begin a new bank.",
)
