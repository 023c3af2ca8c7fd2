"""What a bank makes of killed processes, full disks, two writers, damage, and rows that somebody tampered with."""

import os
import random
import resource
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.concepts.bank_samples import add_clip, state
from video_tcav.concepts import ConceptBank, as_sources, export_clips, merge_banks
from video_tcav.core.errors import BankError, OutputError, VideoTcavError


@pytest.fixture
def bank(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as opened:
        yield opened


class Workers:
    """Talks to the process of `bank_worker`."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process, self._rest = process, b""

    def start(self, *tasks: str) -> list[int]:
        """Processes that now work on these tasks."""
        self._process.stdin.write(f"{';'.join(tasks)}\n".encode())
        self._process.stdin.flush()
        self.said: list[str] = []
        while sum(line.startswith("pid ") for line in self.said) < len(tasks):
            self._listen()
        return [int(line.split()[1]) for line in self.said if line.startswith("pid ")]

    def wait_for_lines(self, lines: int) -> None:
        """Until so many were confirmed, or a worker is gone."""
        while len(self.confirmed()) < lines and not self._count("dead "):
            self._listen()

    def wait_for_deaths(self, deaths: int) -> None:
        """Until so many workers are gone."""
        while self._count("dead ") < deaths:
            self._listen()

    def confirmed(self) -> list[list[str]]:
        return [line.split() for line in self.said if not line.startswith(("pid ", "dead "))]

    def statuses(self) -> set[str]:
        return {line for line in self.said if line.startswith("dead ")}

    def _count(self, prefix: str) -> int:
        return sum(line.startswith(prefix) for line in self.said)

    def _listen(self) -> None:
        assert select.select([self._process.stdout], [], [], 60)[0], "the worker says nothing"
        *lines, self._rest = (self._rest + self._process.stdout.read1()).split(b"\n")
        self.said += [line.decode() for line in lines]


@pytest.fixture(scope="module")
def workers():
    command = [sys.executable, "-m", "tests.unit.concepts.bank_worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Workers(process)
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def kill_after(workers: Workers, pid: int, lines: int, delay_s: float) -> list[list[str]]:
    """Kill a worker some time after it confirmed something; all that it confirmed."""
    workers.wait_for_lines(lines)
    time.sleep(delay_s)
    with suppress(ProcessLookupError):  # it may be through
        os.kill(pid, signal.SIGKILL)
    workers.wait_for_deaths(1)
    return workers.confirmed()


@pytest.mark.parametrize("seed", range(8))
def test_kill_9_while_adding_loses_nothing_confirmed(workers, tmp_path, seed):
    chance = random.Random(seed)
    (pid,) = workers.start(f"add {tmp_path / 'bank'} 0")
    confirmed = kill_after(workers, pid, chance.randint(1, 6), chance.random() * 0.03)
    with ConceptBank.open(tmp_path / "bank") as bank:
        there = {str(clip.id): clip.digest for clip in bank.clips()}
        assert dict(confirmed).items() <= there.items()
        assert len(there) <= len(confirmed) + 1
        problems = bank.check()
        assert len(problems) <= 1
        assert all("no clip has this file" in problem for problem in problems)
        assert len(bank.repair()) == len(problems)
        assert bank.check() == []
        for number in range(12):  # run again: what is there stays, the rest comes
            add_clip(bank, number, kind="still" if number % 4 == 3 else "moving")
        assert bank.count() == 12
        assert there.items() <= {str(clip.id): clip.digest for clip in bank.clips()}.items()


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_while_judging_loses_nothing_confirmed_and_nothing_is_half_done(workers, tmp_path, seed):
    chance = random.Random(seed)
    with ConceptBank.open(tmp_path, create=True) as bank:
        for number in range(5):
            add_clip(bank, number)
    (pid,) = workers.start(f"judge {tmp_path} 0")
    confirmed = kill_after(workers, pid, chance.randint(1, 60), chance.random() * 0.01)
    with ConceptBank.open(tmp_path) as bank:
        ids = [clip.id for clip in bank.clips(order="added")]
        expected = dict.fromkeys(ids, "open") | {int(one): verdict for one, verdict in confirmed}
        number = len(confirmed)
        next_one = {ids[number % 5]: ("accepted", "rejected", "open")[number % 3]}
        assert {clip.id: clip.verdict for clip in bank.clips()} in (expected, expected | next_one)
        assert bank.check() == []
        while bank.undo():
            pass
        assert {clip.verdict for clip in bank.clips()} == {"open"}


def test_two_processes_make_and_fill_one_bank_at_once(workers, tmp_path):
    folder = tmp_path / "bank"
    workers.start(f"add {folder} 0", f"add {folder} 6")
    workers.wait_for_deaths(2)
    assert workers.statuses() == {"dead 0"}
    with ConceptBank.open(folder) as bank:
        assert {clip.tube for clip in bank.clips()} == {f"tube-{number}" for number in range(18)}
        assert bank.count() == 18
        assert bank.check() == []
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".tmp") == []


def test_two_processes_judge_one_bank_at_once(workers, tmp_path):
    with ConceptBank.open(tmp_path, create=True) as bank:
        for number in range(4):
            add_clip(bank, number)
        pids = workers.start(f"judge {tmp_path} 0", f"judge {tmp_path} 1")
        assert len(pids) == 2
        for _ in range(30):
            bank.move([1], "bat" if bank.clip(1).concept == "racket" else "racket")
        workers.wait_for_deaths(2)
        assert workers.statuses() == {"dead 0"}
        assert len(workers.confirmed()) == 300
        while bank.undo():
            pass
        assert state(bank) == (dict.fromkeys([1, 2, 3, 4], ("racket", "open")), ["racket"])


@contextmanager
def no_file_longer_than(size: int):
    """The disk seems full: writing beyond that many bytes of any file fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failure(size: int, change: Callable[[], object]) -> OutputError | None:
    """What a change says when the disk is that full."""
    try:
        with no_file_longer_than(size):
            change()
    except OutputError as error:
        return error
    return None


@pytest.mark.parametrize("size", [0, 100, 1000, 1500, 2000, 3000, 5000, 20_000, 40_000])
def test_a_full_disk_changes_nothing_and_says_so(bank, size):
    add_clip(bank, 1)
    before, files = state(bank), _files(bank)
    failures = 0
    for change in (lambda: add_clip(bank, 2), lambda: bank.set_verdict([1], "accepted"), lambda: bank.move([1], "bat")):
        error = failure(size, change)
        if error:
            failures += 1
            assert "must be writable" in str(error)
            assert (state(bank), _files(bank)) == (before, files)
            assert bank.check() == []
        before, files = state(bank), _files(bank)
    assert failures or size >= 5000
    add_clip(bank, 3)
    bank.set_verdict([1], "rejected")
    assert bank.check() == []


def test_making_a_bank_on_a_full_disk_leaves_none_behind(tmp_path):
    with pytest.raises(OutputError, match="must be writable"), no_file_longer_than(1000):
        ConceptBank.open(tmp_path / "bank", create=True)
    assert list((tmp_path / "bank").iterdir()) == []


def test_a_bank_where_a_file_is_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="`bank` must be a folder that can be written to"):
        ConceptBank.open(tmp_path / "file" / "bank", create=True)


def test_no_bank_is_told_from_an_empty_one(tmp_path):
    with pytest.raises(BankError, match="`bank` must be a folder with bank.sqlite. Got .* Check the path"):
        ConceptBank.open(tmp_path)
    ConceptBank.open(tmp_path, create=True).close()
    with ConceptBank.open(tmp_path) as bank:
        assert (bank.clips(), bank.concepts(), bank.undo(), bank.check()) == ([], [], None, [])


def tamper(bank: ConceptBank, sql: str, *parameters) -> None:
    with closing(sqlite3.connect(bank.folder / "bank.sqlite")) as raw:
        raw.execute(sql, parameters)
        raw.commit()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("3", "`bank` must be of version 2 at most. Got .* of version 3. Update video-tcav"),
        ("10", "of version 10"),
        ("0", "must be a concept bank. Got version '0'"),
        ("one", "must be a concept bank. Got version 'one'"),
        ("²", "must be a concept bank"),
    ],
)
def test_another_version_is_refused_and_left_alone(bank, version, message):
    tamper(bank, "UPDATE meta SET value = ?", version)
    bank.close()
    before = (bank.folder / "bank.sqlite").read_bytes()
    for create in (False, True):
        with pytest.raises(BankError, match=message):
            ConceptBank.open(bank.folder, create=create)
    assert (bank.folder / "bank.sqlite").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"junk", b"SQLite format 3\0" + bytes(4000)])
def test_a_file_that_is_no_bank_is_refused(tmp_path, content):
    (tmp_path / "bank.sqlite").write_bytes(content)
    with pytest.raises(BankError, match="must be a concept bank. Got"):
        ConceptBank.open(tmp_path, create=True)


@pytest.mark.parametrize("seed", range(15))
def test_a_damaged_database_is_told_in_words_or_still_good(bank, seed):
    for number in range(3):
        add_clip(bank, number)
    bank.set_verdict([1, 2], "accepted")
    bank.close()
    path, chance = bank.folder / "bank.sqlite", random.Random(seed)
    content = bytearray(path.read_bytes())
    start = chance.randrange(100, len(content))
    content[start : start + 300] = chance.randbytes(len(content[start : start + 300]))
    path.write_bytes(content if seed % 5 else content[:start])
    for use in ("clips", "concepts", "labels", "videos", "undo", "check", "embeddings", "repair"):
        with suppress(VideoTcavError), ConceptBank.open(bank.folder) as damaged:  # and nothing else
            getattr(damaged, use)()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("digest", "../../../../etc/passwd"),
        ("digest", "A" * 64),
        ("ending", "/../../../x.mp4"),
        ("ending", ".html"),
        ("origin", "{"),
        ("origin", "[]"),
        ("origin", "[" * 5000),
        ("origin", '{"video": 1}'),
        ("frames", "many"),
        ("quality", b"\x00"),
        ("tube", b"\xff\xfe"),
    ],
)
def test_a_row_that_was_tampered_with_is_refused_by_all_that_use_it(bank, tmp_path, column, value):
    add_clip(bank, 1, verdict="accepted")
    tamper(bank, f"UPDATE clips SET {column} = ?", value)
    if column == "tube":
        assert isinstance(bank.clips()[0].tube, str)
        return
    with ConceptBank.open(tmp_path / "other", create=True) as other:
        for use in (
            bank.clips,
            lambda: bank.clip(1),
            lambda: export_clips(bank, tmp_path / "out"),
            lambda: merge_banks(other, bank),
            lambda: as_sources(f"{bank.folder}::racket"),
        ):
            with pytest.raises(BankError, match="must (hold whole rows|name its clips by their hash)"):
                use()
        assert other.clips() == []
    assert any("must" in problem for problem in bank.check())


def test_a_name_that_was_tampered_with_does_not_become_a_folder(bank, tmp_path):
    add_clip(bank, 1, verdict="accepted")
    tamper(bank, "UPDATE concepts SET name = '../../escaped'")
    with pytest.raises(BankError, match="must hold whole rows"):
        export_clips(bank, tmp_path / "out" / "in")
    assert not list(tmp_path.rglob("escaped*"))


def test_a_link_out_of_the_bank_is_not_followed(bank, tmp_path):
    clip = add_clip(bank, 1, verdict="accepted")
    (tmp_path / "secret").write_text("secret")
    clip.path.unlink()
    clip.path.symlink_to(tmp_path / "secret")
    for use in (lambda: bank.clip(clip.id), lambda: export_clips(bank, tmp_path / "out")):
        with pytest.raises(BankError, match="Got a link out of it"):
            use()
    assert "is a link" in bank.check()[0]
    with ConceptBank.open(tmp_path / "other", create=True) as other:
        assert len(merge_banks(other, bank).broken) == 1


def test_changes_and_vectors_that_were_tampered_with_are_refused(bank):
    add_clip(bank, 1)
    for before in (
        "{",
        "[]",
        "[" * 100_000,
        '{"clips": [[1, "racket", "maybe"]], "added": [], "removed": []}',
        '{"clips": [[1]]}',
    ):
        bank.set_verdict([1], "open" if bank.clip(1).verdict == "accepted" else "accepted")
        tamper(bank, "UPDATE changes SET before = ?", before)
        now = state(bank)
        with pytest.raises(BankError, match="must (hold whole rows|be a concept bank)"):
            bank.undo()
        assert state(bank) == now
    for vector in (b"abc", "text"):
        tamper(bank, "INSERT OR REPLACE INTO embeddings VALUES (1, 'space', ?)", vector)
        with pytest.raises(BankError, match="must hold vectors of one length"):
            bank.similar(1)


def test_check_names_what_is_missing_changed_or_too_much_and_repair_removes_only_that(bank):
    whole, missing, changed = (add_clip(bank, number) for number in (1, 2, 3))
    missing.path.unlink()
    changed.path.write_bytes(b"other")
    stray = bank.folder / "clips" / "ab" / "stray.mp4"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    alive = bank.folder / "clips" / ".new-1-abcdef.mp4"  # process 1 runs
    dead = bank.folder / "clips" / ".new-4999999-abcdef.mp4"
    half_made = bank.folder / ".bank.sqlite.abcd.tmp"
    for path in (alive, dead, half_made):
        path.write_bytes(b"x")
    problems = "\n".join(bank.check())
    assert f"{missing.path}: file of clip {missing.id} (racket, open) is missing" in problems
    assert f"{changed.path}: file of clip {changed.id} (racket, open) was changed" in problems
    assert f"{stray}: no clip has this file" in problems
    assert f"{dead}: no clip has this file" in problems
    assert len(problems.splitlines()) == 5
    assert bank.repair() == [half_made, dead, stray]
    assert len(bank.check()) == 2
    assert alive.exists()
    assert whole.path.exists()
    assert bank.count() == 3


def test_what_a_link_leads_to_is_never_listed_or_removed(bank, tmp_path):
    elsewhere = tmp_path / "documents"
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("years of work")
    (bank.folder / "clips").symlink_to(elsewhere)
    for use in (bank.check, bank.repair, lambda: add_clip(bank, 7)):
        with pytest.raises(BankError, match="`bank` must hold its files itself. Got a link out of it"):
            use()
    assert [path.name for path in elsewhere.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["moving", "still"])
def test_what_is_being_written_is_left_alone(bank, kind, monkeypatch):
    """Encoders write under names of their own; a check in the middle must know them."""
    seen = []

    def look(path, *_args, **_options):
        (bank.folder / "clips" / f".{path.name}.0a1b2c3d.part").write_bytes(b"half")
        (bank.folder / "clips" / f".{path.name}.k3j2.tmp").write_bytes(b"half")
        seen.extend(bank.check())
        raise OSError(28, "No space left on device")

    import video_tcav.concepts.bank.insertion as adding

    monkeypatch.setattr(adding, "write_picture" if kind == "still" else "write_video", look)
    with pytest.raises(OutputError, match="No space left"):
        add_clip(bank, 3, kind=kind)
    assert seen == []


def _files(bank: ConceptBank) -> list[Path]:
    return sorted(path for path in (bank.folder / "clips").rglob("*") if path.is_file())
