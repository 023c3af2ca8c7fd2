"""The command `propose`, in this process: what it prints, and bad input."""

import pytest

from tests.unit.proposals.videos import write_squares
from video_tcav.concepts import ConceptBank

from .test_benchmark import command


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(2):
        write_squares(folder / f"{number}.mp4", seed=number)
    (folder / "broken.mp4").write_bytes(b"nothing")
    return folder


def test_a_table_says_what_was_proposed_and_what_could_not_be_used(monkeypatch, capsys, tmp_path, videos):
    arguments = ("propose", videos, "--bank", tmp_path / "bank", "--detector", "motion", "--versions", "moving,still")
    code, out, err = command(monkeypatch, capsys, *arguments)
    assert code == 0
    assert "concept" in out and "motion" in out and "2 videos gone through" in out and "new clips" in out
    assert "1 file could not be used" in out and "broken.mp4" in out
    assert "proposing (frames)" in err
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert bank.count(concept="motion", kind="moving") == bank.count(kind="still") > 0
    code, out, _ = command(monkeypatch, capsys, *arguments)
    assert code == 0
    assert "Nothing new was proposed" in out and "2 done before" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["VIDEOS", "--detector", "onnx:nowhere.onnx"], "`detector` must be an ONNX file. Got nowhere.onnx"),
        (["VIDEOS", "--detector", "motion", "--label", "person"], "Got 'person'"),
        (
            ["VIDEOS", "--detector", "yolo"],
            "`detector` must be motion, onnx:FILE, torchvision:NAME, or hf:ID or FOLDER",
        ),
        (["VIDEOS", "--detector", "hf:x/y"], "`label` must say in words"),
        (["VIDEOS", "--detector", "motion", "--weights", "w.pt"], "`--weights` must go with --embed"),
        (["VIDEOS", "--detector", "motion", "--device", "cuda:9"], "`--device` must go with --embed"),
        (
            ["VIDEOS", "--detector", "motion", "--piece-s", "inf"],
            "`piece_s`, `shortest_s` and `bridge_s` must be seconds",
        ),
        (["VIDEOS", "--detector", "motion", "--every-s", "0"], "`every_s` must be positive"),
        (["nowhere", "--detector", "motion"], "must be a file, folder or glob"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path, videos, arguments, message):
    given = [str(videos) if one == "VIDEOS" else one for one in arguments]
    code, _, err = command(monkeypatch, capsys, "propose", *given, "--bank", tmp_path / "bank")
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "bank").exists()
