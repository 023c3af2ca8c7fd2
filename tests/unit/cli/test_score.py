"""`score --without`: what a clip's answer would be without a concept, in the table and in JSON."""

import json
import re

import pytest

import video_tcav as vt
from video_tcav.rendered import render, sample_factors
from video_tcav.tcav.cav_files import save_cavs

MODEL, TARGET = "rendered:r2plus1d-scene", "playing tennis"


def clips(count, seed, **factors):
    drawn = sample_factors(count, seed=seed, **factors)
    return [(f"{factors}-{seed}-{number}", render(clip).clip) for number, clip in enumerate(drawn)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the CAV of a court, and a video of one."""
    folder = tmp_path_factory.mktemp("saved")
    model = vt.load_model(MODEL, device="cpu")
    concepts, others = {"court": clips(6, 1, scene="court")}, clips(12, 2, scene=("lawn", "gym", "street"))
    save_cavs(folder / "cavs.safetensors", vt.learn_cavs(model, concepts=concepts, random=others, layers=["stages.3"]))
    for name, clip in clips(2, 3, scene="court"):
        vt.write_video(folder / f"{name[-1]}.mp4", clip, fps=12)
    return folder


def test_the_class_is_another_without_the_court(call, saved, tmp_path):
    code, out, error = call(
        *("score", "--model", MODEL, "--device", "cpu", "--cavs", saved / "cavs.safetensors", saved),
        *("--target", TARGET, "--without", "--json", tmp_path / "scores.json"),
    )
    assert code == 0, error
    header, *lines = out.splitlines()
    assert re.split(r"\s{2,}", header.strip())[-5:] == ["derivative", "target", "without", "called", "called without"]
    rows = json.loads((tmp_path / "scores.json").read_text())
    assert len(rows) == 2
    for row, line in zip(rows, lines, strict=False):
        assert f"{row['target_as_is']:+.2f}" in line and f"{row['target_without']:+.2f}" in line
        assert row["predicted_as_is"] == TARGET != row["predicted_without"]
        assert row["target_as_is"] - row["target_without"] > 6


def test_without_is_refused_without_a_target_in_one_line(call, saved):
    code, _, error = call(
        "score", "--model", MODEL, "--device", "cpu", "--cavs", saved / "cavs.safetensors", saved, "--without"
    )
    assert code == 2
    assert "error: `without` must go with a target. Got none. Give --target CLASS." in error.splitlines()
