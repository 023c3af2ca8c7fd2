"""The command `explain`, in this process: what it prints and writes, and bad input."""

import json

import pytest

import video_tcav as vt
from video_tcav.rendered import render, sample_factors

from .test_benchmark import command

MODEL = ("--model", "rendered:r2plus1d-object")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for name, held, count in (("class", ["racket"], 1), ("racket", ["racket"], 8), ("random", ["ball", "none"], 8)):
        (root / name).mkdir()
        for number, factors in enumerate(sample_factors(count, seed=count, object=held, motion=["swing", "walk"])):
            vt.write_video(root / name / f"{number}.mp4", render(factors).clip, fps=20)
    return root


def test_a_video_becomes_a_map_with_what_it_is_worth(monkeypatch, capsys, tmp_path, videos):
    code, out, _ = command(
        *(monkeypatch, capsys, "explain", *MODEL, videos / "class", "--method", "layercam", "--split", "motion"),
        *("--format", "mp4", "--format", "npz", "--out", tmp_path / "out", "--json", tmp_path / "e.json"),
    )
    assert code == 0
    for word in ("playing tennis", "layercam", "stages.3", "deletion", "elsewhere", "motion", "6 files"):
        assert word in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        f"0-layercam-stages.3{part}.{ending}" for part in ("", "-static", "-motion") for ending in ("mp4", "npz")
    }
    assert "explain several videos at once" in out or "no better than the same map elsewhere" in out
    found = json.loads((tmp_path / "e.json").read_text())
    [verdict] = found["verdicts"]
    assert verdict["sentence"] in " ".join(out.split()) and verdict["other_clips"]["videos"] == 0
    assert found["explanations"][0]["deletion_other_clips"] is None
    assert [one["part"] for one in found["explanations"]] == ["whole", "static", "motion"]
    assert 0 <= found["explanations"][0]["deletion"] <= 1
    assert found["provenance"]["model"]["name"] == "rendered:r2plus1d-object"


def test_several_videos_stand_beside_each_other(monkeypatch, capsys, tmp_path, videos):
    code, out, _ = command(
        *(monkeypatch, capsys, "explain", *MODEL, videos / "racket", "--method", "hirescam", "--format", "npz"),
        *("--out", tmp_path),
    )
    assert code == 0
    assert "other clips" in out and "than for maps of other videos by" in out
    assert len(list(tmp_path.iterdir())) == 8


def test_a_concept_is_mapped(monkeypatch, capsys, tmp_path, videos):
    code, out, _ = command(
        *(monkeypatch, capsys, "explain", *MODEL, videos / "class", "--concept", f"racket={videos / 'racket'}"),
        *("--random", videos / "random", "--no-check", "--out", tmp_path),
    )
    assert code == 0
    assert "racket" in out and "deletion" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["0-concept-racket-stages.3.mp4"]


def test_clamp_maps_say_what_they_add_up_to(monkeypatch, capsys, tmp_path, videos):
    code, out, _ = command(
        *(monkeypatch, capsys, "explain", *MODEL, videos / "class", "--concept", f"racket={videos / 'racket'}"),
        *("--random", videos / "random", "--no-check", "--concept-map", "slope,clamp", "--format", "npz"),
        *("--out", tmp_path, "--json", tmp_path / "e.json"),
    )
    assert code == 0
    slope, clamp = json.loads((tmp_path / "e.json").read_text())["explanations"]
    assert slope["clamp"] is None and clamp["clamp"] > 0 and clamp["clamp_gap"] <= 0.01
    rows = [line for line in out.splitlines() if "stages.3" in line and "racket" in line]
    assert "concept racket " in rows[0] and rows[0].endswith(" –")
    assert "concept-clamp racket " in rows[1] and rows[1].endswith(f" +{clamp['clamp']:.2f}")
    assert "clamp: what having the concept, rather than not, does to the clip, in log-odds" in " ".join(out.split())
    assert {path.name for path in tmp_path.glob("*.npz")} == {
        "0-concept-racket-stages.3.npz",
        "0-concept-clamp-racket-stages.3.npz",
    }


def test_methods_are_listed(monkeypatch, capsys):
    code, out, _ = command(monkeypatch, capsys, "explain", "--methods")
    assert code == 0
    assert all(name in out for name in vt.attribution.METHODS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CLASS", "--method", "cam"], "`method` must be one of gradcam, hirescam"),
        (["CLASS", "--format", "avi"], "`format` must be one of mp4, gif, webp, png, npz. Got 'avi'"),
        (["CLASS", "--layer", "stages.9"], "`layer` must name a layer"),
        (["CLASS", "--method", "ig", "--layer", "stages.1"], "`layers` must go with a method that looks at layers"),
        (["CLASS", "--method", "rollout"], "`rollout` must start at one layer of tokens"),
        (["CLASS", "--target", "tenis"], "Closest: playing tennis"),
        (["CLASS", "--concept", "racket"], "`--concept` must be NAME=PATH. Got racket"),
        (["CLASS", "--concept", "racket=RACKET"], "`concepts` must come with random clips"),
        (["CLASS", "--concept-map", "both"], "`concept_maps` must be one of slope, clamp. Got 'both'"),
        (["CLASS", "--concept-map", "clamp"], "`concept_maps` must come with concepts or CAVs"),
        (["CLASS", "--cavs", "missing.safetensors"], "`cavs` must be a readable safetensors file"),
        (["nowhere"], "must be a file, folder or glob"),
        (["CLASS", "--out", "FILE"], "must be writable"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path, videos, arguments, message):
    (tmp_path / "file").write_text("")
    places = {"CLASS": str(videos / "class"), "RACKET": str(videos / "racket"), "FILE": str(tmp_path / "file")}
    given = [one.replace("RACKET", places["RACKET"]) if "=" in one else places.get(one, one) for one in arguments]
    code, _, err = command(monkeypatch, capsys, "explain", *MODEL, "--no-check", "--out", tmp_path / "out", *given)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True
