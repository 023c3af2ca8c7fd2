"""The commands of the rendered world, in this process: bad input, small runs."""

import json

import pytest

import video_tcav as vt
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
