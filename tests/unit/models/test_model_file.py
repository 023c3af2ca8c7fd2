"""Model files: what they may hold, relative to what their paths are, and which of several models is meant."""

from pathlib import Path

import pytest

import video_tcav as vt
from tests.unit.experiments.files import SMALL
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import read_experiment
from video_tcav.models.model_file import Model, is_model_file, read_model_file, with_paths_in


def model_of(weights: str | None) -> Model:
    return Model(spec="rendered:r2plus1d-motion", weights=weights)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("name", ["epoch.ckpt", "epoch.ckpt::model_ema", "w.pt::ema", "w.safetensors"])
def test_weights_are_looked_for_beside_the_file_with_their_choice(tmp_path, name):
    (tmp_path / "epoch.ckpt").touch()
    assert with_paths_in(model_of(name), tmp_path).weights == str(tmp_path / name)


def test_published_names_stay(tmp_path):
    assert with_paths_in(model_of("KINETICS400_V1"), tmp_path).weights == "KINETICS400_V1"
    assert with_paths_in(model_of(None), tmp_path).weights is None


@pytest.mark.parametrize(
    ("spec", "is_file"),
    [
        ("model.yaml", True),
        ("runs/a b.YML", True),
        ("tennis.yaml#motion model", True),
        ("file:net.py:build", False),
        ("hf:user/model.yaml", False),
        ("rendered:r2plus1d-motion", False),
    ],
)
def test_what_is_a_model_file(spec, is_file):
    assert is_model_file(spec) is is_file


def test_paths_are_relative_to_the_file_and_options_beside_it_win(shapes, shapes_weights, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    for source, name in ((shapes.__file__, "net.py"), (shapes_weights, "net.safetensors")):
        (folder / name).write_bytes(Path(source).read_bytes())
    (folder / "names.txt").write_text("a\nb\nc\nd\n")
    (folder / "model.yaml").write_text(
        "spec: file:net.py:build\nweights: net.safetensors\nclasses: names.txt\nframes: 4\n"
    )
    monkeypatch.chdir(tmp_path)
    model = vt.load_model("models/model.yaml", device="cpu")
    assert (model.classes, model.clip_spec.frames) == (("a", "b", "c", "d"), 4)
    assert model.recipe is not None and model.recipe["spec"] == "file:models/net.py:build"
    assert model.trained
    other = vt.load_model(Path("models/model.yaml"), frames=8, classes=["p", "q", "r", "s"], device="cpu")
    assert (other.classes, other.clip_spec.frames) == (("p", "q", "r", "s"), 8)
    assert other.weights_digest == model.weights_digest


def test_a_hash_may_be_part_of_the_path(tmp_path):
    (tmp_path / "a#b.yaml").write_text("model: rendered:r2plus1d-scene")
    assert read_model_file("a#b.yaml", tmp_path).spec == "rendered:r2plus1d-scene"


def test_an_experiment_file_serves_as_a_model_file(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    assert read_model_file(str(tmp_path / "small.yaml")).spec == "rendered:r2plus1d-motion"
    (tmp_path / "both.yaml").write_text(
        "models: {a: rendered:r2plus1d-motion, b: {spec: rendered:r2plus1d-scene, stride: 3}}"
    )
    assert read_model_file("both.yaml#b", tmp_path).stride == 3
    with pytest.raises(
        ExperimentError, match=r"both.yaml:1: `model` must name one of a, b. Got none. Write both.yaml#a."
    ):
        read_model_file("both.yaml", tmp_path)
    with pytest.raises(ExperimentError, match="must be the file alone, whose model has no name. Got 'a' behind the #."):
        read_model_file(str(tmp_path / "small.yaml#a"))
    with pytest.raises(ExperimentError, match=r"`model` must name one of a, b. Got 'c' behind the #. Correct it."):
        read_model_file("both.yaml#c", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "spec: rendered:r2plus1d-motion\nstrid: 3",
            r"m.yaml:2: `strid` must be a known key. Got 'strid'. Did you mean stride?",
        ),
        (
            "title: x\nmodel:\n  spec: a:b\n  frames: 0",
            r"m.yaml:4: `model.frames` must be greater than or equal to 1. Got 0",
        ),
        ("title: x", r"m.yaml:1: the file must describe a model. Got none. Add spec: and a model"),
        ("- 1", r"m.yaml:1: the file must describe a model. Got none"),
        (
            "spec: other.yaml",
            r"m.yaml:1: `spec` must be a model. Got other.yaml, a model file. Name that file instead.",
        ),
        ("spec: [", r"m.yaml:2: the file must be YAML"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_cure(tmp_path, text, message):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ExperimentError, match=message):
        vt.load_model(tmp_path / "m.yaml")


def test_no_such_file():
    with pytest.raises(ExperimentError, match=r"missing.yaml:1: the file must be readable. Got: No such file"):
        vt.load_model("missing.yaml")


def test_an_experiment_holds_what_its_model_file_said(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/m.yaml").write_text("spec: file:net.py:build\nweights: w.pt\nstride: 2\nsize: 64")
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("model: rendered:r2plus1d-motion", "model: {spec: sub/m.yaml, stride: 3}"))
    (model,) = read_experiment(path)[0].all_models().values()
    assert (model.spec, model.weights) == ("file:sub/net.py:build", "sub/w.pt")
    assert (model.stride, model.size) == (3, 64)
