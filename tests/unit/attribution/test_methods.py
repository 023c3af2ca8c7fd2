"""Attribution methods as an open kind: what each says of itself, and a CAM that another package adds."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

import video_tcav as vt
from tests.plugins import installed, make_plugin
from tests.unit.cli.test_benchmark import command
from video_tcav.attribution import METHODS, make_method
from video_tcav.attribution.methods import ATTRIBUTION_METHODS
from video_tcav.core.errors import MethodError, PluginError
from video_tcav.experiments import Experiment, json_schema, load_run
from video_tcav.rendered import render, sample_factors

ROOT = Path(__file__).parents[3]
GROUP = "video_tcav.attribution"
SOURCE = """
from video_tcav.attribution import GradientCAM

class AbsoluteCAM(GradientCAM):
    name = "absolutecam"
    help = "Activation × absolute gradient"
    source = "A paper of 2031"

    def combine(self, activations, gradients):
        return (activations * gradients.abs()).sum(-1)

class OtherName(AbsoluteCAM):
    name = "another"

broken = "no class"
"""
EXPERIMENT = """
title: A plug-in's maps in a report
model: rendered:r2plus1d-object
targets:
  playing tennis: {rendered: {count: 4, seed: 1, motion: swing, object: racket, scene: court}}
concepts:
  racket: {rendered: {count: 8, seed: 2, object: racket}}
random: {rendered: {count: 8, seed: 3, object: none}}
layers: [stages.3]
statistics: {permutations: 99, bootstraps: 100, random_sets: 20}
shown: 1
attribution: absolutecam
hypotheses:
  - matters: {concept: racket, target: playing tennis}
"""


@pytest.fixture
def plugin(tmp_path):
    with installed(make_plugin(tmp_path, GROUP, "absolutecam", SOURCE, "AbsoluteCAM"), ATTRIBUTION_METHODS):
        yield


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "0.mp4"
    [factors] = sample_factors(1, seed=1, object="racket", motion="swing")
    vt.write_video(path, render(factors).clip, fps=20)
    return path


def test_every_method_says_what_it_is_and_stands_in_the_docs():
    page = (ROOT / "docs/explaining.md").read_text()
    for name, method in METHODS.items():
        assert f"| `{name}` |" in page and method.source.split(",")[0] in page
        assert method.name == name and method.help and any(year in method.source for year in ("201", "202"))
    assert len({method.help for method in METHODS.values()}) == len(METHODS) == 16


def test_a_cam_of_another_package_works_in_python_and_stands_last(plugin, video):
    assert list(METHODS)[-1] == "absolutecam" and len(METHODS) == 17
    model = vt.load_model("rendered:r2plus1d-object", device="cpu")
    by_name = vt.explain(model, video, methods=["absolutecam"], layers=["stages.2"], check=False).explanations[0]
    assert (by_name.method, by_name.layer) == ("absolutecam", "stages.2")
    assert make_method("absolutecam", layers=["stages.2"]) == METHODS["absolutecam"](layers=("stages.2",))


def test_a_cam_of_another_package_works_in_the_command(plugin, video, monkeypatch, capsys, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "explain", "--methods")
    assert code == 0 and "absolutecam" in out and "A paper of 2031" in out
    code, out, _ = command(
        *(monkeypatch, capsys, "explain", "--model", "rendered:r2plus1d-object", video, "--method", "absolutecam"),
        *("--no-check", "--format", "npz", "--out", tmp_path / "out"),
    )
    assert code == 0 and "absolutecam" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0-absolutecam-stages.3.npz"]


def test_a_cam_of_another_package_works_in_an_experiment_and_its_report(plugin, monkeypatch, capsys, tmp_path):
    assert "absolutecam" in json_schema()["properties"]["attribution"]["enum"]
    (tmp_path / "plugin.yaml").write_text(EXPERIMENT)
    code, _, _ = command(monkeypatch, capsys, "run", tmp_path / "plugin.yaml", "--out", tmp_path / "run")
    assert code == 0
    [clip] = load_run(tmp_path / "run").shown
    assert clip.attribution.name == "absolutecam" and [timed.name for timed in clip.concepts] == ["racket"]
    assert json.loads((tmp_path / "run/shown/001.json").read_text())["attribution"] == "absolutecam"
    assert "absolutecam" in (tmp_path / "run/report.html").read_text()
    model = vt.load_model("rendered:r2plus1d-object", device="cpu")
    same = vt.explain(
        model, clip.clip, target="playing tennis", methods=["absolutecam"], layers=["stages.3"], check=False
    ).explanations[0]
    assert (same.value, same.probability) == (clip.value, clip.probability)
    small = interpolate(same.values[:, None], size=clip.frames.shape[-2:], mode="bilinear", antialias=True)[:, 0]
    assert torch.equal((small / clip.attribution.scale).round().to(torch.int8), clip.attribution.values)


def test_what_is_no_method_is_refused(tmp_path):
    with pytest.raises(MethodError, match="`method` must be one of gradcam, .*temporalmask. Got 'absolutecam'"):
        make_method("absolutecam")
    with pytest.raises(ValueError, match="attribution must be one of gradcam, .* Got 'absolutecam'"):
        Experiment.model_validate({"attribution": "absolutecam"})
    for attribute, reason in (("OtherName", "must be a subclass .* with that `name`"), ("broken", "must have name")):
        folder = make_plugin(tmp_path / attribute, GROUP, "absolutecam", SOURCE, attribute)
        with installed(folder, ATTRIBUTION_METHODS), pytest.raises(PluginError, match=f"`method` absolutecam {reason}"):
            make_method("absolutecam")
    with (
        installed(make_plugin(tmp_path / "taken", GROUP, "gradcam", SOURCE, "AbsoluteCAM"), ATTRIBUTION_METHODS),
        pytest.raises(PluginError, match="`method` kinds must have names of their own. Got gradcam"),
    ):
        make_method("gradcam")
