"""What a store makes of killed processes, two at once, full disks, damage, and rows that somebody tampered with."""

import os
import random
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch

import video_tcav as vt
from tests.conftest import ROOT
from tests.unit.recording.store_runs import load, run
from video_tcav.core.errors import OutputError, StoreError
from video_tcav.recording.cache import RowKind, layout
from video_tcav.recording.cache.blocks import encode_block, read_block, write_block
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace

KIND = RowKind(model="m", model_digest="d", space="flatten", role="activation")
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


def block_files(store: Path) -> list[Path]:
    return sorted((store / "blocks").glob("*/*"))


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
        assert store.info().blocks == finished
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
def full(model, shapes_clips, tmp_path_factory):
    """A store that holds what the small run needs, and the table of that run."""
    folder = tmp_path_factory.mktemp("store") / "full"
    return folder, run(model, shapes_clips, folder, **SMALL).to_frame()


@pytest.mark.parametrize("part", ["length", "header", "first tensor", "last byte", "cut", "empty", "longer"])
def test_a_damaged_block_is_named_dropped_and_computed_again(model, shapes_clips, full, tmp_path, part):
    folder, expected = full
    copytree(folder, tmp_path / "store")
    victim = block_files(tmp_path / "store")[2]
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


def test_a_block_that_was_deleted_is_computed_again(model, shapes_clips, full, tmp_path):
    copytree(full[0], tmp_path / "store")
    victim = block_files(tmp_path / "store")[2]
    victim.unlink()
    assert run(model, shapes_clips, tmp_path / "store", **SMALL).to_frame().equals(full[1])
    assert victim.exists()


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_anywhere_is_found(full, tmp_path, seed):
    chance = random.Random(seed)
    copytree(full[0], tmp_path / "store")
    victim = chance.choice(block_files(tmp_path / "store"))
    content = bytearray(victim.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    victim.write_bytes(content)
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert [problem.path for problem in store.verify(repair=True)] == [victim]
        assert store.verify() == ()
    assert not victim.exists()


def damage(path: Path, part: str) -> None:
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    places = {"length": 1, "header": 8 + header // 2, "first tensor": 8 + header + 3, "last byte": len(content) - 1}
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
            store.add(KIND, keys, rows)
        found = store.find(KIND, keys, ["a", "b"])
        assert len(found) in (0, 6)
        assert len(block_files(tmp_path)) == (1 if found else 0)
        store.add(KIND, keys, rows)
        assert [set(clip.rows) for clip in store.find(KIND, keys, ["a", "b"]).values()] == [{"a", "b"}] * 6


def test_making_a_store_on_a_full_disk_leaves_none_behind(tmp_path):
    with pytest.raises(OutputError, match="must be writable"), no_file_longer_than(10):
        vt.ActivationStore.open(tmp_path / "store")
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"store.lock"}
    vt.ActivationStore.open(tmp_path / "store").close()


def test_what_another_process_added_first_is_kept_once(tmp_path):
    rows, keys = {"a": torch.ones(2, 3)}, [b"1" * 32, b"2" * 32]
    with vt.ActivationStore.open(tmp_path) as one, vt.ActivationStore.open(tmp_path) as other:
        assert len(one.add(KIND, keys, rows)["a"]) == 2
        assert other.add(KIND, keys, rows) == {}
        assert other.info().blocks == 1
        other.add(KIND, keys, {**rows, "b": torch.zeros(2, 1)})
        assert {layer for clip in one.find(KIND, keys, ["a", "b"]).values() for layer in clip.rows} == {"a", "b"}
        assert one.info().rows == 4
        assert len(block_files(tmp_path)) == 2


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('{"activation store": 4}', "`store` must be of version 3. Got .* of version 4. Update video-tcav"),
        ('{"activation store": 2}', "`store` must be of version 3. Got .* of version 2. Delete the folder, or give"),
        ('{"activation store": "one"}', "must be the marker of an activation store. Got: invalid literal"),
        ("{}", "must be the marker of an activation store. Got: 'activation store'"),
        ("", "must be the marker of an activation store. Got: Expecting value"),
        ("[1]", "must be the marker of an activation store. Got: list indices"),
    ],
)
def test_another_version_is_refused_and_left_alone(tmp_path, marker, message):
    (tmp_path / "store.json").write_text(marker)
    for read_only in (False, True):
        with pytest.raises(StoreError, match=message):
            vt.ActivationStore.open(tmp_path, read_only=read_only)
    assert [path.name for path in tmp_path.iterdir()] == ["store.json"]


def test_a_store_of_version_2_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"SQLite format 3\0")
    with pytest.raises(StoreError, match="of version 3. Got .* of version 2. Delete the folder.*computed again"):
        vt.ActivationStore.open(tmp_path)


@pytest.mark.parametrize("file", ["facts", "file_digests"])
@pytest.mark.parametrize("change", ["flip", "cut", "empty"])
def test_facts_and_digests_that_are_damaged_are_not_believed(model, shapes_clips, full, tmp_path, file, change):
    store = tmp_path / "store"
    copytree(full[0], store)
    write_digest(store, tmp_path / "clip.mp4")
    paths = [path for path in store.rglob("*") if path.is_file() and file in path.parts[-2:]]
    assert paths
    for path in paths:
        content = bytearray(path.read_bytes())
        content[-2] ^= 1
        path.write_bytes({"flip": content, "cut": content[:-3], "empty": b""}[change])
    for _ in range(2):
        found = run(model, shapes_clips, store, **SMALL)
        assert found.to_frame().equals(full[1])
        assert found.warnings == run(model, shapes_clips, **SMALL).warnings


def write_digest(folder: Path, clip: Path) -> None:
    """Have the digest of a file in the store, which keeps those of files that are some seconds old."""
    clip.write_bytes(b"clip")
    with vt.ActivationStore.open(folder) as store:
        store._unwritten[str(clip)] = ("signature", "digest")


@pytest.mark.parametrize("change", ["key", "target", "width", "metadata", "name"])
def test_a_header_that_was_edited_leads_nowhere(model, shapes_clips, full, tmp_path, change):
    copytree(full[0], tmp_path / "store")
    victim = next(path for path in block_files(tmp_path / "store") if "gradient" in path.parent.name)
    content = victim.read_bytes()
    block = read_block(victim)
    assert block.answers is not None
    first = block.answers[0].target
    old, new = {
        "key": (block.keys[0].hex(), block.keys[-1].hex()),
        "target": (f"[{first!r}", f"[{first + 1!r}"[: len(repr(first)) + 1]),
        "width": ('"data_offsets": [0', '"data_offsets": [9'),
        "metadata": ("__metadata__", "__metadatb__"),
        "name": ("", ""),
    }[change]
    victim.write_bytes(content.replace(old.encode(), new.encode(), 1) if old else content)
    if change == "name":
        victim.rename(victim.with_stem("0" * 32))
    found = run(model, shapes_clips, tmp_path / "store", **SMALL)
    assert found.to_frame().equals(full[1])
    assert sum("computed again" in warning for warning in found.warnings) == 1


def test_a_damaged_block_stays_while_another_process_uses_the_store(tmp_path):
    keys, rows = [b"1" * 32, b"2" * 32], {"a": torch.ones(2, 3), "b": torch.zeros(2, 3)}
    with vt.ActivationStore.open(tmp_path) as store:
        store.add(KIND, keys, rows)
    [victim] = block_files(tmp_path)
    damage(victim, "last byte")
    for others in (1, 0):
        with vt.ActivationStore.open(tmp_path) as other:
            if not others:
                other.close()
            with vt.ActivationStore.open(tmp_path) as store:
                assert store.find(KIND, keys, ["a", "b"]) == {}
                assert len(store.warnings) == 1
        assert victim.exists() == bool(others)


def test_a_block_that_is_written_anew_is_not_deleted_with_the_damaged_one(tmp_path):
    keys, rows = [b"1" * 32, b"2" * 32], {"a": torch.ones(2, 3)}
    with vt.ActivationStore.open(tmp_path) as store:
        store.add(KIND, keys, rows)
    [victim] = block_files(tmp_path)
    damage(victim, "last byte")
    with vt.ActivationStore.open(tmp_path) as store:
        assert store.find(KIND, keys, ["a"]) == {}
        assert len(store.add(KIND, keys, rows)["a"]) == 2
        assert len(store.find(KIND, keys, ["a"])) == 2
    with vt.ActivationStore.open(tmp_path) as store:
        assert len(store.find(KIND, keys, ["a"])) == 2
        assert store.warnings == []
    assert block_files(tmp_path) == [victim]


def test_rows_are_found_whatever_the_model_is_called(tmp_path):
    with vt.ActivationStore.open(tmp_path) as store:
        store.add(KIND, [b"1" * 32], {"a": torch.ones(1, 3)})
        assert store.add(replace(KIND, model="moved"), [b"1" * 32], {"a": torch.ones(1, 3)}) == {}
        assert len(store.find(replace(KIND, model="moved"), [b"1" * 32], ["a"])) == 1
        assert store.find(replace(KIND, model_digest="e"), [b"1" * 32], ["a"]) == {}


def test_of_two_processes_the_first_decides_about_a_fact(tmp_path):
    with vt.ActivationStore.open(tmp_path) as one, vt.ActivationStore.open(tmp_path) as other:

        def late() -> dict[str, int]:
            assert other.fact(b"k", lambda: {"a": 2}) == {"a": 2}
            return {"a": 1}

        assert one.fact(b"k", late) == {"a": 2}
        assert one.fact(b"k", dict) == {"a": 2}


@pytest.mark.parametrize("durable", [True, False])
def test_a_batch_waits_for_the_disk_only_where_it_must(tmp_path, monkeypatch, durable):
    synced = []
    monkeypatch.setattr(layout.os, "fsync", synced.append)
    monkeypatch.setattr(layout, "sync", synced.append)
    write_block(tmp_path, encode_block(KIND, [b"k"], {"a": torch.zeros(1, 2)}, None, {}), durable=durable)
    assert bool(synced) == durable


def test_only_the_store_of_one_run_does_not_wait_for_the_disk(tmp_path):
    settings = (RecordingSettings(workers=2), RecordingSettings(store=tmp_path / "kept"))
    with Workspace(settings[0]) as scratch, Workspace(settings[1]) as kept:
        assert scratch._store is not None
        assert kept._store is not None
        assert (scratch._store.durable, kept._store.durable) == (False, True)
