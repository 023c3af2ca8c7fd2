"""What a store makes of killed processes, two at once, full disks, damage, and rows that somebody tampered with."""

import os
import random
import resource
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from shutil import copytree

import pytest
import torch

import video_tcav as vt
from tests.conftest import ROOT
from tests.unit.recording.store_runs import load, run
from video_tcav.core.errors import OutputError, StoreError, VideoTcavError
from video_tcav.recording.cache import blocks
from video_tcav.recording.cache.row_index import About
from video_tcav.recording.workers.processes import Processes
from video_tcav.tcav.run import _opened

pytestmark = pytest.mark.usefixtures("one_thread")
ABOUT = About(model="m", model_digest="d", space="flatten", role="activation")
SLEEP_S = 0.02


class Runs:
    """Talks to the process of `store_runs`."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process, self._rest, self.said = process, b"", []

    def start(self, *tasks: tuple[Path, Path | str, Path]) -> list[int]:
        text = ";".join(f"{out} {store} {count} {SLEEP_S}" for out, store, count in tasks)
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()
        self.said = []
        self._wait_for("pid ", len(tasks))
        return [int(line.split()[1]) for line in self.said if line.startswith("pid ")]

    def end(self, count: int = 1) -> set[str]:
        self._wait_for("dead ", count)
        return {line for line in self.said if line.startswith("dead ")}

    def _wait_for(self, prefix: str, count: int) -> None:
        while sum(line.startswith(prefix) for line in self.said) < count:
            assert select.select([self._process.stdout], [], [], 120)[0], "the runs say nothing"
            *lines, self._rest = (self._rest + self._process.stdout.read1()).split(b"\n")
            self.said += [line.decode() for line in lines]


@pytest.fixture(scope="module")
def runs(shapes, shapes_weights, shapes_clips):
    command = [
        sys.executable,
        "-m",
        "tests.unit.recording.store_runs",
        shapes.__file__,
        str(shapes_weights),
        str(shapes_clips),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Runs(process)
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def table(out: Path) -> bytes:
    return (out / "results.parquet").read_bytes()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.fixture(scope="module")
def undisturbed(runs, tmp_path_factory) -> tuple[bytes, int]:
    """The table of a run without a store, and how many batches it passed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    runs.start((folder / "out", "-", folder / "count"))
    assert runs.end() == {"dead 0"}
    return table(folder / "out"), size(folder / "count")


@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_any_moment_and_run_again_gives_the_same_bytes(runs, undisturbed, tmp_path, seed):
    expected, batches = undisturbed
    chance = random.Random(seed)
    (pid,) = runs.start((tmp_path / "out", tmp_path / "store", tmp_path / "count"))
    wanted = chance.randint(1, batches)
    while size(tmp_path / "count") < wanted and not any(line.startswith("dead") for line in runs.said):
        time.sleep(0.001)
    time.sleep(chance.random() * SLEEP_S * 1.5)
    with suppress(ProcessLookupError):  # it may be through
        os.kill(pid, signal.SIGKILL)
    runs.end()
    with vt.ActivationStore.open(tmp_path / "store", read_only=True) as store:
        finished = store.info().blocks
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.verify() == ()
        assert store.info().blocks >= finished  # the log of a killed process counts as well
        finished = store.info().blocks
    assert finished >= wanted - 3  # one is being passed, two may wait to be written
    runs.start((tmp_path / "out", tmp_path / "store", tmp_path / "again"))
    assert runs.end() == {"dead 0"}
    assert table(tmp_path / "out") == expected
    assert size(tmp_path / "again") == batches - finished
    assert [path.name for path in (tmp_path / "store").rglob("*.tmp")] == []


def test_two_processes_at_once_are_both_right(runs, undisturbed, tmp_path):
    expected, batches = undisturbed
    runs.start(*[(tmp_path / f"out{i}", tmp_path / "store", tmp_path / f"count{i}") for i in range(2)])
    assert runs.end(2) == {"dead 0"}
    assert table(tmp_path / "out0") == table(tmp_path / "out1") == expected
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.verify() == ()
        assert store.info().blocks <= batches + 3  # the first one counts
    assert [path.name for path in (tmp_path / "store").rglob("*.tmp")] == []


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return load(shapes.__file__, shapes_weights)


SMALL = {"twins": []}


@pytest.fixture(scope="module")
def full(model, shapes_clips, one_thread, tmp_path_factory):
    """A store that holds what the small run needs, and the table of that run."""
    folder = tmp_path_factory.mktemp("store") / "full"
    return folder, run(model, shapes_clips, folder, **SMALL).to_frame()


@pytest.mark.parametrize("part", ["length", "header", "first tensor", "last byte", "cut", "empty", "missing", "longer"])
def test_a_damaged_block_is_named_dropped_and_computed_again(model, shapes_clips, full, tmp_path, part):
    folder, expected = full
    copytree(folder, tmp_path / "store")
    victim = sorted((tmp_path / "store" / "blocks").iterdir())[2]
    damage(victim, part)
    with vt.ActivationStore.open(tmp_path / "store") as store:
        [problem] = store.verify()
        assert problem.path == victim
        assert store.verify() == (problem,)  # looking changes nothing
    found = run(model, shapes_clips, tmp_path / "store", **SMALL)
    assert found.to_frame().equals(expected)
    assert [victim.name in warning for warning in found.warnings].count(True) == 1
    again = run(model, shapes_clips, tmp_path / "store", **SMALL)
    assert again.to_frame().equals(expected)
    assert not any(victim.name in warning for warning in again.warnings)
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.verify() == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_anywhere_is_found(full, tmp_path, seed):
    chance = random.Random(seed)
    copytree(full[0], tmp_path / "store")
    victim = chance.choice(sorted((tmp_path / "store" / "blocks").iterdir()))
    content = bytearray(victim.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    victim.write_bytes(content)
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert [problem.path for problem in store.verify(repair=True)] == [victim]
        store.sweep()
        assert store.verify() == ()
    assert not victim.exists()


def damage(path: Path, part: str) -> None:
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    places = {"length": 1, "header": 8 + header // 2, "first tensor": 8 + header + 3, "last byte": len(content) - 1}
    if part == "missing":
        path.unlink()
        return
    if part in places:
        content[places[part]] ^= 0x40
    content = {"cut": content[: len(content) // 2], "empty": b"", "longer": content + b"x"}.get(part, content)
    path.write_bytes(content)


@contextmanager
def no_file_longer_than(limit: int):
    """The disk seems full: writing beyond that many bytes of any file fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [0, 4_000, 20_000, 60_000, 100_000])
def test_a_full_disk_is_said_and_the_run_goes_on_later(model, shapes_clips, full, tmp_path, limit):
    vt.ActivationStore.open(tmp_path / "store").close()
    message = "`store` .*store must be writable. Got: .* run again: it goes on where it stopped"
    with pytest.raises(OutputError, match=message), no_file_longer_than(limit):
        run(model, shapes_clips, tmp_path / "store", **SMALL)
    assert [path.name for path in (tmp_path / "store").rglob("*.tmp")] == []
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.verify() == ()
    assert run(model, shapes_clips, tmp_path / "store", **SMALL).to_frame().equals(full[1])


@pytest.mark.parametrize("limit", [0, 100, 1000, 3000, 6000, 12_000, 40_000])
def test_a_batch_is_added_in_full_or_not_at_all(tmp_path, limit):
    rows = {"a": torch.arange(600.0).reshape(6, 100), "b": torch.ones(6, 2, dtype=torch.float64)}
    keys = [bytes([number]) * 32 for number in range(6)]
    with vt.ActivationStore.open(tmp_path) as store:
        with suppress(OutputError), no_file_longer_than(limit):
            store.add(ABOUT, keys, rows)
        found = store.find(keys, ["a", "b"])
        assert len(found) in (0, 6)
        assert len(list((tmp_path / "blocks").glob("*"))) == (1 if found else 0)
        store.add(ABOUT, keys, rows)
        assert [set(clip.rows) for clip in store.find(keys, ["a", "b"]).values()] == [{"a", "b"}] * 6


def test_making_a_store_on_a_full_disk_leaves_none_behind(tmp_path):
    with pytest.raises(OutputError, match="must be writable"), no_file_longer_than(1000):
        vt.ActivationStore.open(tmp_path / "store")
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"store.lock"}
    vt.ActivationStore.open(tmp_path / "store").close()


def test_what_another_process_added_first_is_kept_once(tmp_path):
    rows, keys = {"a": torch.ones(2, 3)}, [b"1" * 32, b"2" * 32]
    with vt.ActivationStore.open(tmp_path) as one, vt.ActivationStore.open(tmp_path) as other:
        assert len(one.add(ABOUT, keys, rows)["a"]) == 2
        assert other.add(ABOUT, keys, rows) == {}
        assert other.info().blocks == 1
        other.add(ABOUT, keys, {**rows, "b": torch.zeros(2, 1)})
        assert {layer for clip in one.find(keys, ["a", "b"]).values() for layer in clip.rows} == {"a", "b"}
        assert one.info().rows == 4
        assert len(list((tmp_path / "blocks").iterdir())) == 2


def tamper(folder: Path, sql: str, *parameters) -> None:
    with closing(sqlite3.connect(folder / "store.sqlite")) as raw:
        raw.execute(sql, parameters)
        raw.commit()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("3", "`store` must be of version 2 at most. Got .* of version 3. Update video-tcav"),
        ("1", "`store` must be of version 2. Got .* of version 1. Delete the folder, or give another"),
        ("0", "must be the index of an activation store. Got version '0'"),
        ("one", "must be the index of an activation store. Got version 'one'"),
    ],
)
def test_another_version_is_refused_and_left_alone(tmp_path, version, message):
    vt.ActivationStore.open(tmp_path).close()
    tamper(tmp_path, "UPDATE meta SET value = ?", version)
    before = (tmp_path / "store.sqlite").read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=message):
            vt.ActivationStore.open(tmp_path, read_only=read_only)
    assert (tmp_path / "store.sqlite").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"junk", b"SQLite format 3\0" + bytes(4000)])
def test_a_file_that_is_no_index_is_refused(tmp_path, content):
    (tmp_path / "store.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match="must be the index of an activation store. Got"):
        vt.ActivationStore.open(tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_index_is_told_in_words_or_still_good(model, shapes_clips, full, tmp_path, seed):
    copytree(full[0], tmp_path / "store")
    path, chance = tmp_path / "store" / "store.sqlite", random.Random(seed)
    content = bytearray(path.read_bytes())
    start = chance.randrange(100, len(content))
    content[start : start + 300] = chance.randbytes(len(content[start : start + 300]))
    path.write_bytes(content if seed % 4 else content[:start])
    for use in ("info", "verify", "prune"):
        with suppress(VideoTcavError), vt.ActivationStore.open(tmp_path / "store") as damaged:  # and nothing else
            getattr(damaged, use)()


@pytest.mark.parametrize(
    "sql", ["UPDATE sources SET still = 1", "UPDATE sources SET clips = 2", "UPDATE facts SET value = 'tr'"]
)
def test_facts_that_were_tampered_with_are_not_believed(model, shapes_clips, full, tmp_path, sql):
    copytree(full[0], tmp_path / "store")
    tamper(tmp_path / "store", sql)
    for _ in range(2):
        assert run(model, shapes_clips, tmp_path / "store", **SMALL).to_frame().equals(full[1])


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("UPDATE blocks SET name = ? WHERE id = 1", "../../../../etc/passwd"),
        ("UPDATE parts SET offset = ? WHERE block = 1", -5),
        ("UPDATE parts SET width = ? WHERE block = 1", 10**9),
        ("UPDATE blocks SET bytes = ? WHERE id = 1", 3),
        ("UPDATE rows SET row = ? WHERE block = 1", 10**6),
        ("UPDATE rows SET row = ? WHERE block = 1", -1),
        ("UPDATE rows SET row = 7 - row, target = ? WHERE block = 1", None),
        ("UPDATE rows SET target = ? WHERE block = (SELECT MAX(id) FROM blocks)", 1.5),
    ],
)
def test_rows_that_were_tampered_with_lead_nowhere(model, shapes_clips, full, tmp_path, sql, value):
    copytree(full[0], tmp_path / "store")
    tamper(tmp_path / "store", sql, value)
    found = run(model, shapes_clips, tmp_path / "store", **SMALL)
    assert found.to_frame().equals(full[1])
    assert sum("computed again" in warning for warning in found.warnings) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_a_batch_waits_for_the_disk_only_where_it_must(tmp_path, monkeypatch, durable):
    synced = []
    monkeypatch.setattr(blocks.os, "fsync", lambda handle: synced.append(handle))
    monkeypatch.setattr(blocks, "sync", synced.append)
    blocks.write_block(tmp_path, {"a": torch.zeros(1, 2)}, durable=durable)
    assert bool(synced) == durable


def test_only_the_store_of_one_run_does_not_wait_for_the_disk(tmp_path):
    with _opened(None, Processes(workers=2), tmp_path) as own, _opened(tmp_path / "kept", None, "") as kept:
        assert own is not None
        assert kept is not None
        assert (own.durable, kept.durable) == (False, True)
