"""A run that is killed goes on where it was: the same bytes in the end, and nothing finished is computed again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.mounts import read_only
from tests.unit.experiments.files import SMALL, write
from video_tcav.cli.app import main
from video_tcav.core.errors import ExperimentError, OutputError
from video_tcav.experiments import diff_runs, load_run, run_experiment
from video_tcav.experiments.digests import seal
from video_tcav.experiments.directory import RunDirectory, locked, prepare_directory
from video_tcav.experiments.validate import check_file

KILLS = 10
TIMEOUT_S = 600
GO = """
import sys
from video_tcav.experiments import run_experiment
run_experiment(sys.argv[1], out=sys.argv[2], resume=True, store=sys.argv[3])
"""
TABLES = ("results.parquet", "hypotheses.parquet", "clip_effects.parquet", "results.csv", "hypotheses.csv")


def start(experiment: Path, out: Path, store: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", GO, str(experiment), str(out), str(store)], stderr=subprocess.PIPE)


def completes(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said.decode()


@pytest.fixture(scope="module")
def completed(tmp_path_factory) -> Path:
    """The folder of an experiment and its finished run."""
    folder = tmp_path_factory.mktemp("completed")
    run_experiment(write(folder), out=folder / "run")
    return folder


def finished(out: Path, store: Path) -> dict[str, int]:
    """Blocks of activations, analyses and sets of rendered clips; with the inode, which a file written again would change."""
    paths = [*store.glob("blocks/*/*.safetensors"), *out.glob("analyses/[!.]*"), *out.glob("clips/[!.]*")]
    return {str(path): path.stat().st_ino for path in paths}


def test_killed_at_ten_moments_and_resumed_each_time(tmp_path):
    experiment = write(tmp_path, SMALL.replace("count: 24", "count: 40"))
    whole = start(experiment, tmp_path / "whole", tmp_path / "whole-store")
    completes(whole)
    out, store = tmp_path / "run", tmp_path / "store"
    done: dict[str, int] = {}
    kills = 0
    # By what the run has done, not by the clock, since machines slow down and speed up meanwhile: the first kill comes with
    # the folder, each later one a little after something more was finished.
    for delay in (0, *np.random.default_rng(3).uniform(0, 0.3, KILLS - 1)):
        process = start(experiment, out, store)
        while process.poll() is None and not (finished(out, store).keys() - done.keys() if kills else out.exists()):
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=delay)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        _, said = process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}, said.decode()
        now = finished(out, store)
        assert {path: now.get(path) for path in done} == done, "something finished was computed again"
        done = now
    assert done
    last = start(experiment, out, store)
    completes(last)
    now = finished(out, store)
    assert {path: now.get(path) for path in done} == done
    assert kills >= KILLS // 2
    assert len(list((tmp_path / "whole-store").glob("blocks/**/*.safetensors"))) == len(
        list(store.glob("blocks/**/*.safetensors"))
    )
    for name in TABLES:
        own, other = (folder / name for folder in (tmp_path / "whole", out))
        if name.endswith(".parquet"):
            strip = {"clip"} & set(pd.read_parquet(own).columns)  # the clips' paths name the run directory
            pd.testing.assert_frame_equal(
                pd.read_parquet(own).drop(columns=list(strip)),
                pd.read_parquet(other).drop(columns=list(strip)),
                check_exact=True,
            )
        else:
            assert own.read_bytes() == other.read_bytes()
    assert [vars(one) for one in load_run(out).outcomes] == [vars(one) for one in load_run(tmp_path / "whole").outcomes]


@pytest.mark.parametrize("left", ["..video-tcav-write-check.a1.tmp", ".experiment.yaml.a1.tmp", "experiment.yaml"])
def test_a_run_that_was_killed_before_it_had_begun_begins(tmp_path, left):
    """Its folder then holds no `run.json`, and would be taken for somebody else's."""
    experiment, out = write(tmp_path), tmp_path / "run"
    loaded, file, *_ = check_file(experiment, {}, None)
    out.mkdir()
    shutil.copy(experiment, out / left)
    with pytest.raises(ExperimentError, match="must be new or empty"):
        prepare_directory(out, loaded, file, resume=False, facts={})
    assert not prepare_directory(out, loaded, file, resume=True, facts={}).is_finished()
    (out / "run.json").unlink()
    (out / "experiment.yaml").write_text("title: another")
    with pytest.raises(ExperimentError, match="must be new or empty"):
        prepare_directory(out, loaded, file, resume=True, facts={})


def test_two_at_once_are_one_too_many(tmp_path):
    experiment = write(tmp_path)
    first = start(experiment, tmp_path / "run", tmp_path / "store")
    while not (tmp_path / "run" / ".lock").exists():
        assert first.poll() is None
        time.sleep(0.05)
    with pytest.raises(ExperimentError, match="another that is at work"):
        run_experiment(experiment, out=tmp_path / "run", resume=True, store=tmp_path / "store")
    completes(first)
    with locked(RunDirectory(path=tmp_path / "run")):
        pass  # nothing is held once it is done


def test_clips_that_changed_meanwhile_are_refused(completed):
    """A run that was killed after its analysis goes on only with the same clips."""
    experiment, run = completed / "small.yaml", load_run(completed / "run")
    directory = RunDirectory(path=run.path)
    facts = {name: value for name, value in directory.record().items() if name not in ("format", "digest", "digests")}
    directory.write_record(**{**facts, "finished": False})  # as a kill between its analysis and its end leaves it
    clip = next((run.path / "clips" / "random").iterdir())
    kept = clip.read_bytes()
    clip.write_bytes((run.path / "clips" / "concepts-swing" / "00000.mp4").read_bytes())
    with pytest.raises(ExperimentError, match=f"Got a changed .*{clip.name}"):
        run_experiment(experiment, out=run.path, resume=True)
    clip.unlink()
    with pytest.raises(ExperimentError, match=f"Got no longer a .*{clip.name}"):
        run_experiment(experiment, out=run.path, resume=True)
    clip.write_bytes(kept)
    assert run_experiment(experiment, out=run.path, resume=True).outcomes == run.outcomes


def test_the_runs_own_activations_go_when_it_is_finished(completed):
    assert not (completed / "run" / "activations").exists()
    assert not list(completed.glob("**/.*.partial"))


def test_a_read_only_run_that_is_finished_is_read_again(completed, tmp_path, monkeypatch, capsys):
    experiment, out = completed / "small.yaml", shutil.copytree(completed / "run", tmp_path / "run")
    run = load_run(out)
    record = (out / "run.json").read_text()
    with read_only(out):
        assert run_experiment(experiment, out=out, resume=True).outcomes == run.outcomes
        monkeypatch.setattr("sys.argv", ["video-tcav", "run", str(experiment), "--out", str(out), "--resume"])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        said = capsys.readouterr()
        assert "supported" in said.out
        assert said.err.strip().endswith("! The run directory is read-only: no report was written.")
        monkeypatch.setattr("sys.argv", ["video-tcav", "report", str(out)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        assert "must be writable. Got: Read-only file system. Give another place" in capsys.readouterr().err
        assert diff_runs(load_run(out), load_run(out)).settings == ()
    unfinished = {name: value for name, value in json.loads(record).items() if name != "digest"} | {"finished": False}
    (out / "run.json").write_text(json.dumps(seal(unfinished)))
    with (
        read_only(out),
        pytest.raises(OutputError, match="must be writable, as its run is not finished. Got: Read-only"),
    ):
        run_experiment(experiment, out=out, resume=True)
