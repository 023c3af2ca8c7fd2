"""How commands end: results are kept, one line says what is wrong, nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.mounts import small_disk
from video_tcav.concepts import ConceptBank
from video_tcav.core.scratch import PREFIX


@pytest.fixture
def model(shapes, shapes_weights) -> list[object]:
    return ["--model", f"file:{shapes.__file__}:build", "--weights", shapes_weights, "--device", "cpu"]


@pytest.fixture
def data(shapes_clips) -> list[object]:
    return [
        *("--target", "right", "--clips", shapes_clips / "right", "--random", shapes_clips / "random"),
        *("--concept", f"moves-right={shapes_clips / 'moves-right'}", "--layer", "stages.2", "--permutations", "99"),
        *("--random-sets", "5"),
    ]


def folder_of(clips: Path, target: bytes) -> Path:
    folder = Path(os.fsdecode(target))
    try:
        shutil.copytree(clips, folder)
    except OSError:
        pytest.skip("needs a file system whose names are bytes")
    return folder


def test_names_that_are_no_utf_8_lose_no_result(call, model, shapes_clips, tmp_path):
    root = os.fsencode(tmp_path)
    concept = folder_of(shapes_clips / "moves-right", root + b"/mo\xff")
    clips = folder_of(shapes_clips / "right", root + b"/cl\xe9")
    code, said, error = call("predict", *model, clips, "--json", tmp_path / "p.json")
    assert code == 0, error
    assert r"cl\udce9" in said
    paths = [one["path"] for one in json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))]
    assert paths == [str(clips / f"{number:03d}.mp4").replace("\udce9", r"\udce9") for number in range(6)]
    code, said, error = call(
        *("test", *model, "--target", "right", "--clips", clips, "--random", shapes_clips / "random"),
        *("--concept", f"@sw\udcff={concept}", "--layer", "stages.2", "--permutations", "99", "--random-sets", "5"),
        *("--cache", tmp_path / "store", "--out", tmp_path / "out", "--json", tmp_path / "t.json"),
    )
    assert code == 0, error
    assert r"@sw\udcff" in said
    for written in (tmp_path / "t.json", tmp_path / "out" / "results.json"):
        assert json.loads(written.read_text(encoding="utf-8"))["results"][0]["concept"] == r"@sw\udcff"
    assert pd.read_parquet(tmp_path / "out/results.parquet")["concept"].tolist() == [r"@sw\udcff"]
    assert r"'@sw\udcff" in (tmp_path / "out/results.csv").read_text(encoding="utf-8")
    code, said, error = call("score", *model, "--cavs", tmp_path / "out/cavs.safetensors", clips)
    assert code == 0, error
    code, said, error = call("bank", "import", tmp_path / "bank", concept, "--concept", "moves")
    assert code == 0, error
    code, said, error = call("bank", "list", tmp_path / "bank", "--json", tmp_path / "b.json")
    assert code == 0, error
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert all(video.startswith(rf"{tmp_path}/mo\udcff/") for video in bank.videos())
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))[0]["name"] == "moves"


def test_a_disk_that_is_full_at_the_end_costs_the_large_file_only(call, model, data, tmp_path):
    with small_disk(tmp_path / "disk", "96k") as disk:
        code, said, error = call("test", *model, *data, "--layer", "stages.0", "--out", disk / "o")
        tables = {path.name for path in (disk / "o").iterdir()}
    last = error.strip().splitlines()[-1]
    written, _, unwritten = last.partition(" Written: ")[2].partition(". Not written: ")
    assert code == 2
    assert "Traceback" not in error
    assert "moves-right: " in said  # the result is shown all the same
    assert tables == {name for name in written.split(", ") if name}
    assert tables >= {"results.json", "results.parquet", "results.csv", "interventions.csv"}
    assert "No space left on device" in last
    assert unwritten == "cavs.safetensors."


@pytest.mark.parametrize("option", ["--json"])
def test_a_full_device_is_one_line(call, model, shapes_clips, option):
    code, said, error = call("predict", *model, shapes_clips / "right/000.mp4", option, "/dev/full")
    assert code == 2
    assert "right" in said
    assert (
        error.strip().splitlines()[-1].startswith("error: `/dev/full` must be writable. Got: No space left on device.")
    )


def send_when_spilled(folder: Path, number: int, done: threading.Event) -> None:
    """Send a signal to this process as soon as a run keeps something on disk."""
    while not done.is_set():
        if any(path.is_file() and path.stat().st_size > 1000 for path in folder.rglob("rows-*")):
            os.kill(os.getpid(), number)
            return
        time.sleep(0.002)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_run_with_a_line_and_nothing_left(call, model, data, tmp_path, monkeypatch, name, code):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    number, done = getattr(signal, name), threading.Event()
    before = signal.signal(number, lambda *_: None)  # a signal that comes too late must not end the tests
    sender = threading.Thread(target=send_when_spilled, args=(tmp_path, number, done))
    sender.start()
    try:
        ended, _, error = call("test", *model, *data, "--memory", "1kB", "--permutations", "99999")
    finally:
        done.set()
        sender.join()
        signal.signal(number, before)
    assert ended == code
    assert error.strip().splitlines()[-1].startswith(f"stopped by {name}. Files that were finished are kept")
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_an_ignored_hangup_stays_ignored(call, model, shapes_clips, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGHUP))
        timer.start()
        code, *_ = call("predict", *model, shapes_clips / "right/000.mp4")
        timer.join()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert code == 0


def test_memory_that_is_not_there_is_one_line_with_what_to_do(model, shapes_clips):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2); "
    run = f"{limited}from video_tcav.cli.app import main; main()"
    arguments = [*map(str, model), str(shapes_clips / "right/000.mp4"), "--size", "6000"]
    done = subprocess.run(
        [sys.executable, "-c", run, "predict", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: `memory` must suffice")
    assert "smaller --size" in last


def test_an_ascii_terminal_and_a_full_one(model, shapes_clips, tmp_path):
    command = [sys.executable, "-m", "video_tcav", "predict", *map(str, model), str(shapes_clips / "right/000.mp4")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "TMPDIR": str(tmp_path)}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, timeout=120, check=False
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
