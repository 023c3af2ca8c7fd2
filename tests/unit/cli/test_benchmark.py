"""The commands of the rendered world, in this process: bad input, small runs."""

import json
import sys

import pytest

import video_tcav as vt
from video_tcav.cli import render
from video_tcav.cli.app import main


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["video-tcav", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    seen = capsys.readouterr()
    return ended.value.code, seen.out, seen.err


def test_a_world_on_disk_serves_as_clips_for_the_packaged_models(monkeypatch, capsys, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "benchmark", "world", tmp_path / "w", "--rule", "scene", "--count", 10)
    assert code == 0
    assert "10 clips of 5 classes" in out
    videos = tmp_path / "w" / "playing tennis"
    code, _, _ = command(
        monkeypatch, capsys, "predict", "--model", "rendered:r2plus1d-scene", videos, "--json", tmp_path / "p.json"
    )
    assert code == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert {one["predictions"][0]["label"] for one in found} == {"playing tennis"}


def test_training_writes_weights_that_load(monkeypatch, capsys, tmp_path):
    path = tmp_path / "w.safetensors"
    code, out, _ = command(
        monkeypatch,
        capsys,
        "benchmark",
        "train",
        "r2plus1d",
        "mixed",
        "--correlation",
        0.5,
        "--steps",
        2,
        "--out",
        path,
    )
    assert code == 0
    assert "right on 1000 new clips" in out
    assert len(vt.load_model("rendered:r2plus1d", weights=path).classes) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark", "world", "OUT", "--size", "big"], "`--size` must be pixels or HEIGHTxWIDTH. Got 'big'"),
        (["benchmark", "world", "OUT", "--size", "native"], "`--size` must be pixels or HEIGHTxWIDTH. Got 'native'"),
        (["benchmark", "world", "OUT", "--size", "4"], "`size` must be at least 16 pixels"),
        (["predict", "--model", "rendered:vgg-motion", "x.mp4"], "`model` must be rendered: and one of"),
        (["demo", "--out", "FILE"], "must be writable"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path, arguments, message):
    (tmp_path / "file").write_text("")
    places = {"OUT": tmp_path / "out", "FILE": tmp_path / "file"}
    code, _, err = command(monkeypatch, capsys, *(places.get(one, one) for one in arguments))
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err


METHODS = """
import torch

def maps(*, model, clip, target, layer):
    return clip[0].abs().mean(0)

def bad(**_):
    return torch.full((4, 4, 4), float("nan"))

def fails(**_):
    raise RuntimeError("out of ideas")

def concepts(*, new_clips, **_):
    return [{"map": new_clips.abs().mean(1)}]
"""


@pytest.fixture
def foreign(monkeypatch, tmp_path):
    """A module in the working folder, which is where the command looks first."""
    (tmp_path / "foreign_methods.py").write_text(METHODS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    yield tmp_path
    sys.modules.pop("foreign_methods", None)


def test_a_foreign_method_of_attribution_is_scored(monkeypatch, capsys, foreign):
    code, out, _ = command(
        monkeypatch, capsys, "benchmark", "attribution", "--method", "foreign_methods:maps", "--quick",
        "--model", "rendered:r2plus1d-scene", "--json", "scores.json", "--out", "tables",
    )  # fmt: skip
    assert code == 0
    content = json.loads((foreign / "scores.json").read_text())
    assert content == json.loads((foreign / "tables" / "attribution.json").read_text())
    assert content["benchmark"] == "rendered-attribution-1-quick, 1 of 8 models"
    text = " ".join(out.split())
    assert f"{content['benchmark']}, foreign_methods:maps: AUC {content['auc']:.3f}, lift " in text
    assert [score["rule"] for score in content["scores"]] == ["scene"] and "Tables: tables" in text


def test_a_foreign_method_of_discovery_is_scored(monkeypatch, capsys, foreign):
    code, out, _ = command(
        monkeypatch, capsys, "benchmark", "concepts", "--method", "foreign_methods:concepts", "--quick",
        "--model", "rendered:r2plus1d-motion,rendered:r2plus1d-scene", "--out", "tables",
    )  # fmt: skip
    assert code == 0
    content = json.loads((foreign / "tables" / "concepts.json").read_text())
    assert [score["components"] for score in content["scores"]] == [1, 1]
    assert f"{content['causes_found']} of 2 causes found" in " ".join(out.split())


def test_a_method_that_does_not_apply_is_named(monkeypatch, capsys):
    models = "rendered:r2plus1d-object,rendered:transformer-object"
    code, out, _ = command(
        monkeypatch, capsys, "benchmark", "attribution", "--method", "rollout", "--quick", "--model", models
    )
    assert code == 0
    assert "rendered:r2plus1d-object: does not apply. `rollout` must start at one layer" in " ".join(out.split())


@pytest.mark.parametrize(
    ("kind", "method", "message"),
    [
        ("attribution", "foreign_methods:bad", "Got NaN or infinity from foreign_methods:bad"),
        ("attribution", "foreign_methods:fails", "Got RuntimeError: out of ideas from foreign_methods:fails"),
        ("attribution", "foreign_methods:none", "`method` must be importable. Got AttributeError"),
        ("attribution", "nothing", "`method` must be PACKAGE:FUNCTION or a name. Got 'nothing'"),
        ("concepts", "foreign_methods:bad", "`method` must return mappings with map"),
        ("concepts", "foreign_methods:fails", "Got RuntimeError: out of ideas"),
    ],
)
def test_a_wrong_return_is_one_line_and_exit_code_2(monkeypatch, capsys, foreign, kind, method, message):
    code, _, err = command(
        monkeypatch, capsys, "benchmark", kind, "--method", method, "--quick", "--model", "rendered:r2plus1d-object"
    )
    assert code == 2
    assert message in " ".join(err.split()) and "Traceback" not in err


def test_scores_of_attribution_fit_80_columns_with_their_names(monkeypatch, capsys):
    monkeypatch.setattr(render.out, "width", 80)
    arguments = ("--method", "gradcam", "--quick", "--model", "rendered:r2plus1d-object")
    code, out, _ = command(monkeypatch, capsys, "benchmark", "attribution", *arguments)
    assert code == 0
    header, row, *_ = out.splitlines()
    assert " ".join(header.split()) == "cause area energy lift pointing AUC deletion gain others seconds"
    assert row.split()[0] == "object"
    assert len(row) <= 80
    assert "…" not in out
