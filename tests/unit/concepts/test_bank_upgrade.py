"""Banks of version 1 open as they are: same clips, verdicts without a name, numbers in order of creation, undo."""

import os
import sqlite3
from contextlib import closing

import pytest

from tests.unit.concepts.bank_samples import add_clip, state
from video_tcav.concepts import ConceptBank, Review, as_sources
from video_tcav.concepts.bank.database import _VERSION_1
from video_tcav.core.errors import BankError, OutputError


def as_version_1(folder, *, steps=()):
    """Write a bank down as version 1 did: the same rows in the tables that there were."""
    path = folder / "bank.sqlite"
    with closing(sqlite3.connect(path)) as new, closing(sqlite3.connect(folder / "old.sqlite")) as old:
        old.executescript(f"{_VERSION_1}INSERT INTO meta VALUES ('version', '1');")
        for table in ("concepts", "clips", "embeddings"):
            names = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
            rows = new.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
            old.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
        old.executemany("INSERT INTO changes (words, before) VALUES (?, ?)", steps)
        old.execute("PRAGMA journal_mode = WAL")
        old.commit()
    (folder / "old.sqlite").replace(path)


@pytest.fixture
def folder(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        for number, concept in enumerate(("racket", "ball", "racket")):
            add_clip(bank, number, concept=concept)
        bank.set_verdict([1], "accepted")
        bank.move([3], "arm")
    steps = [
        ("clip 1 accepted", '{"clips": [[1, "racket", "open"]], "added": [], "removed": []}'),
        ("clip 3 moved to arm", '{"clips": [[3, "racket", "open"]], "added": ["arm"], "removed": []}'),
    ]
    as_version_1(tmp_path / "bank", steps=steps)
    return tmp_path / "bank"


def test_an_old_bank_opens_with_all_that_it_holds(folder):
    with ConceptBank.open(folder) as bank:
        assert state(bank) == (
            {1: ("racket", "accepted"), 2: ("ball", "open"), 3: ("arm", "open")},
            ["arm", "ball", "racket"],
        )
        assert bank.reviews([1, 2, 3]) == [Review(clip=1, reviewer="", verdict="accepted", note="")]
        assert {count.name: count.number for count in bank.concepts()} == {"racket": 1, "ball": 2, "arm": 3}
        assert bank.check() == []
        assert bank.undo() == "clip 3 moved to arm"
        assert bank.undo() == "clip 1 accepted"
        assert state(bank) == ({1: ("racket", "open"), 2: ("ball", "open"), 3: ("racket", "open")}, ["ball", "racket"])
        assert bank.undo() is None
    with closing(sqlite3.connect(folder / "bank.sqlite")) as raw:
        assert raw.execute("SELECT value FROM meta").fetchall() == [("2",)]


def test_a_new_bank_has_the_tables_of_an_upgraded_one(folder, tmp_path):
    ConceptBank.open(folder).close()
    ConceptBank.open(tmp_path / "new", create=True).close()
    schemas = []
    for path in (folder, tmp_path / "new"):
        with closing(sqlite3.connect(path / "bank.sqlite")) as raw:
            schemas.append(sorted(raw.execute("SELECT name, sql FROM sqlite_master").fetchall()))
    assert schemas[0] == schemas[1]


def test_an_old_bank_that_may_not_be_written_to_is_read_as_a_copy(folder, monkeypatch):
    before, access = (folder / "bank.sqlite").read_bytes(), os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: mode != os.W_OK and access(path, mode)
    )  # root may write anywhere
    with ConceptBank.open(folder) as bank:
        assert bank.clip(1).verdict == "accepted"
        with pytest.raises(OutputError, match="must be writable"):
            bank.set_verdict([1], "open")
    assert len(as_sources(f"{folder}::racket")) == 1
    assert (folder / "bank.sqlite").read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_bank(folder):
    with closing(sqlite3.connect(folder / "bank.sqlite")) as raw:
        raw.execute("ALTER TABLE clips ADD COLUMN settled_by TEXT")  # somebody has been here
        raw.commit()
    with pytest.raises(BankError, match="must be a concept bank. Got: duplicate column"):
        ConceptBank.open(folder)
    with closing(sqlite3.connect(folder / "bank.sqlite")) as raw:
        assert raw.execute("SELECT value FROM meta").fetchall() == [("1",)]
        assert raw.execute("SELECT name FROM sqlite_master WHERE name = 'reviews'").fetchall() == []
