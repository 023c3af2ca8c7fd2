"""`video-tcav init`: from a checkpoint and three folders of clips to a page with verdicts, each option written once."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

import video_tcav as vt
from video_tcav.experiments import check_experiment
from video_tcav.media import write_picture
from video_tcav.models.model_file import read_model_file


@pytest.fixture
def project(shapes, shapes_weights, shapes_clips, tmp_path, monkeypatch) -> Path:
    """A folder with a network, its checkpoint, and three folders of clips: of a class, of a concept, and random ones."""
    shutil.copy(shapes.__file__, tmp_path / "net.py")
    shutil.copy(shapes_weights, tmp_path / "net.safetensors")
    for name in ("right", "moves-right", "random"):
        shutil.copytree(shapes_clips / name, tmp_path / "clips" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MODEL = ("--model", "file:net.py:build", "--weights", "net.safetensors", "--device", "cpu")


def test_from_a_checkpoint_and_three_folders_to_a_page_with_verdicts(call, project):
    init = ("init", "clips", *MODEL)
    code, printed, error = call(*init)
    assert (code, error) == (0, "")
    assert 'Written: model.yaml and experiment.yaml, on "right" and 1 concept: moves-right.' in printed
    (next_command,) = re.findall(r"^Next: video-tcav (.+)$", printed, re.MULTILINE)
    run = next_command.split()
    assert run == ["run", "experiment.yaml"]
    options = [word for word in (*init, *run) if word.startswith("-")]
    assert len(options) == len(set(options))  # each is written once
    code, printed, error = call(*run, "-q")
    assert code == 0, error
    assert "✓ supported       moves-right raises right" in printed
    page = (project / "runs/experiment/report.html").read_text()
    assert len(re.findall("supported|undecided|contradicted|not represented", page)) >= 2
    code, printed, _ = call("layers", "--model", "model.yaml")
    assert code == 0
    assert "stages.2 *" in printed


def test_what_is_written_is_read_back_as_it_was_given(call, project):
    code, _, error = call(
        "init", "clips", *MODEL, "--stride", "2", "--mean", "0.4,0.5,0.6", "--size", "24x32", "--title", "Why: green?"
    )
    assert code == 0, error
    model = read_model_file("model.yaml")
    assert (model.spec, model.weights) == ("file:net.py:build", "net.safetensors")
    assert (model.stride, model.mean, model.size) == (2, (0.4, 0.5, 0.6), (24, 32))
    assert vt.load_model("model.yaml").clip_spec.size == (24, 32)
    text = Path("model.yaml").read_text()
    assert "# frames: 16  # Frames in a clip." in text
    Path("model.yaml").write_text(
        text.replace("# frames: 16", "frames: 8").replace("# std", "std").replace("# outputs", "outputs")
    )
    assert read_model_file("model.yaml").frames == 8  # a line that is uncommented counts
    experiment = yaml.safe_load(Path("experiment.yaml").read_text())
    assert experiment["title"] == "Why: green?"
    assert experiment["targets"] == {"right": "clips/right"}
    assert [next(iter(each)) for each in experiment["hypotheses"]] == ["matters", "motion_matters"]


def test_files_in_another_folder_have_paths_from_there(call, project):
    code, _, error = call(
        *(
            "init",
            *MODEL,
            "--target",
            "right",
            "--clips",
            "clips/right",
            "--random",
            "clips/random/0*.mp4,clips/random",
        ),
        *("--concept", "a=clips/moves-right,b=clips/moves-right", "--out", "sub/folder"),
    )
    assert code == 0, error
    experiment = yaml.safe_load(Path("sub/folder/experiment.yaml").read_text())
    assert experiment["random"] == ["../../clips/random/0*.mp4", "../../clips/random"]
    assert experiment["concepts"] == {"a": "../../clips/moves-right", "b": "../../clips/moves-right"}
    assert yaml.safe_load(Path("sub/folder/model.yaml").read_text())["weights"] == "../../net.safetensors"
    assert len(check_experiment("sub/folder/experiment.yaml").hypotheses) == 4


def test_concepts_may_stand_in_a_folder_of_their_own_and_pictures_have_no_motion(call, project):
    (project / "clips/concepts").mkdir()
    (project / "clips/moves-right").rename(project / "clips/concepts/moves-right")
    (project / "clips/concepts/lawn").mkdir()
    write_picture(project / "clips/concepts/lawn/1.png", torch.zeros(3, 32, 32, dtype=torch.uint8))
    code, _, error = call("init", "clips", *MODEL)
    assert code == 0, error
    experiment = yaml.safe_load(Path("experiment.yaml").read_text())
    assert set(experiment["concepts"]) == {"moves-right", "lawn"}
    claims = [(kind, about["concept"]) for each in experiment["hypotheses"] for kind, about in each.items()]
    assert claims == [("matters", "lawn"), ("matters", "moves-right"), ("motion_matters", "moves-right")]


def test_nothing_is_overwritten_without_force(call, project):
    Path("experiment.yaml").write_text("mine")
    code, _, error = call("init", "clips", *MODEL)
    assert code == 2
    assert "`experiment.yaml` must be new. Got one that is there. Give --force to replace it" in error
    assert Path("experiment.yaml").read_text() == "mine"
    assert not Path("model.yaml").exists()
    assert call("init", "clips", *MODEL, "--force")[0] == 0
    assert Path("experiment.yaml").read_text() != "mine"


def test_what_is_missing_is_one_line(call, project):
    (project / "clips/left").mkdir()
    cases = [
        (("init",), "`--model` must be given where there is no terminal to ask on."),
        (("init", *MODEL), "`CLIPS` must be given where there is no terminal to ask on."),
        (
            ("init", "clips", *MODEL),
            "`--target` must be given unless just one folder has the name of a class. Got several: left, right.",
        ),
        (
            ("init", "nowhere", *MODEL),
            "`folder` must be a folder of folders with clips. Got nowhere: No such file or directory.",
        ),
        (("init", "clips/right", *MODEL), "Got none of its 4 classes. Give --target CLASS."),
        (
            ("init", "clips/right", *MODEL, "--target", "right"),
            "`--clips` must be given where clips/right holds no folder for it.",
        ),
        (("init", "clips", *MODEL, "--target", "left"), "left"),
        (("init", "clips", *MODEL, "--target", "up right"), "`target` must be one of"),
    ]
    for arguments, message in cases:
        code, _, error = call(*arguments)
        assert code == 2, arguments
        assert message in error
        assert len(error.strip().splitlines()) == 1
    assert not Path("model.yaml").exists()


def test_it_asks_on_a_terminal_for_what_is_missing(project):
    answers = ["file:net.py:build", "net.safetensors", "clips"]
    screen, keyboard = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "video_tcav", "init", "--device", "cpu"],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
    )
    os.close(keyboard)
    printed, deadline = "", time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([screen], [], [], 0.2)[0]:
            try:
                printed += os.read(screen, 4096).decode()
            except OSError:  # the end of a terminal on Linux
                break
            if answers and printed.rstrip().endswith(":"):
                os.write(screen, f"{answers.pop(0)}\n".encode())
    assert process.wait(timeout=60) == 0, printed
    assert answers == []
    assert "Weights" in printed
    assert read_model_file("model.yaml").weights == "net.safetensors"
