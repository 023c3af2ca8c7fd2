"""Banks and stores that may not be written to can be read, with all that was committed."""

import shutil
import sqlite3
from contextlib import closing

import pytest
import torch

import video_tcav as vt
from tests.mounts import read_only, small_disk
from tests.unit.concepts.bank_samples import add_clip, sample_frames, sample_origin
from video_tcav.concepts import ConceptBank
from video_tcav.concepts.bank import bank_sources
from video_tcav.core.errors import OutputError
from video_tcav.recording.cache import RowKind

KIND = RowKind(model="m", model_digest="d", space="flatten", role="activation")


@pytest.fixture
def folder(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        bank.set_verdict([add_clip(bank, number).id for number in range(3)], "accepted")
    return tmp_path / "bank"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_read_only_bank_is_listed_tested_with_and_exported(folder, tmp_path):
    with read_only(folder), ConceptBank.open(folder) as bank:
        assert [(one.name, one.accepted) for one in bank.concepts()] == [("racket", 3)]
        assert len(bank_sources(f"{folder}::racket") or ()) == 3
        bank.export(tmp_path / "out")
        assert bank.check() == []
        for change in (lambda: bank.set_verdict([1], "rejected"), lambda: add_clip(bank, 9), bank.undo):
            with pytest.raises(OutputError, match="must be writable. Got: .*[Rr]ead-?only"):
                change()
    assert len(list((tmp_path / "out" / "racket").iterdir())) == 3


@pytest.mark.parametrize("index", [True, False], ids=["with the index of its log", "without"])
def test_changes_that_are_in_the_log_alone_are_read(folder, tmp_path, index):
    """As a killed process leaves them, or a copy of a bank at work."""
    with closing(sqlite3.connect(folder / "bank.sqlite")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO concepts (name) VALUES ('late')")
        connection.commit()
        shutil.copytree(folder, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert (copy / "bank.sqlite-wal").stat().st_size
    if not index:
        (copy / "bank.sqlite-shm").unlink()
    before = contents(copy)
    with read_only(copy), ConceptBank.open(copy) as bank:
        assert [one.name for one in bank.concepts()] == ["late", "racket"]
        with pytest.raises(OutputError, match="must be writable"):
            bank.add_concept("new")
    assert contents(copy) == before


def test_a_read_only_store_is_read_and_says_so(tmp_path):
    rows, keys = {"a": torch.arange(6.0).reshape(3, 2)}, [bytes([number]) * 32 for number in range(3)]
    with vt.ActivationStore.open(tmp_path / "store") as store:
        store.add(KIND, keys, rows)
    before = contents(tmp_path / "store")
    with read_only(tmp_path / "store"), vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.read_only
        assert len(store.find(KIND, keys, ["a"])) == 3
        assert store.add(KIND, [b"n" * 32], {"a": torch.ones(1, 2)}) == {}
        assert store.verify() == ()
        assert store.info().clips == 3
    assert contents(tmp_path / "store") == before


@pytest.mark.parametrize("size", ["64k", "128k", "192k", "256k"])
def test_a_bank_on_a_full_disk_is_whole(tmp_path, size):
    with small_disk(tmp_path / "disk", size) as disk:
        with pytest.raises(OutputError, match="must be|No space"), ConceptBank.open(disk / "bank", create=True) as bank:
            for number in range(200):
                frames = sample_frames(number, side=64)
                bank.add(frames, fps=25, concept="a", kind="moving", origin=sample_origin(number), tube=f"t{number}")
        if (disk / "bank" / "bank.sqlite").exists():
            shutil.copytree(disk / "bank", tmp_path / "copy")
            with ConceptBank.open(tmp_path / "copy") as bank:
                assert bank.check() == []
                assert all(clip.path.is_file() for clip in bank.clips())
