"""Model loaders that other packages add."""

import os
import subprocess
import sys

import pytest

from tests.plugins import installed, make_plugin
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError, ModelError, PluginError
from video_tcav.experiments.validate import check_experiment
from video_tcav.models.load import load_model
from video_tcav.models.loaders.loader import LOADERS, spec_help
from video_tcav.rendered.dataset import write_world
from video_tcav.rendered.factors import sample_factors
from video_tcav.reports.run.text import short_model

TOY = """
import dataclasses

from video_tcav.core.errors import ModelError
from video_tcav.models.load import load_model
from video_tcav.models import ModelLoader

class Toy(ModelLoader):
    name, help = "toy", "LETTER"

    def load(self, source, *, weights, fields, classes, allow_impure):
        if source != "x":
            raise ModelError(f"`model` must be toy:x. Got toy:{source}. Write toy:x.")
        return dataclasses.replace(load_model("rendered:r2plus1d-motion", **fields), name=f"toy:{source}", recipe=None)

    def is_path(self, source, folder):
        return (folder / source).exists()

toy = Toy()
"""


@pytest.fixture
def toy(tmp_path):
    folder = make_plugin(tmp_path, "video_tcav.models", "toy", TOY, "toy")
    with installed(folder, LOADERS):
        yield folder


def test_a_loader_of_another_package_loads_models(toy):
    model = load_model("toy:x", stride=2, device="cpu")
    assert model.name == "toy:x"
    assert model.clip_spec.stride == 2
    assert model.recipe is not None and model.recipe["spec"] == "toy:x"  # so that workers load it again
    assert spec_help().endswith("rendered:NAME, or toy:LETTER")
    assert short_model("toy:x") == "toy:x"
    with pytest.raises(ModelError, match=r"must be toy:x\. Got toy:y"):
        load_model("toy:y")
    with pytest.raises(
        ModelError,
        match=r"must start with torchvision:, hf:, file:, hub:, timm:, mmaction:, onnx:, rendered: or toy:\. Got 'toi:x'",
    ):
        load_model("toi:x")


def test_it_works_in_an_experiment_file(toy, tmp_path):
    text = SMALL.replace("rendered:r2plus1d-motion", "toy:x")
    assert check_experiment(write(tmp_path, text)).all_models()["toy:x"].spec == "toy:x"
    (tmp_path / "y").touch()
    with pytest.raises(ExperimentError, match=rf"model toy:y: `model` must be toy:x\. Got toy:{tmp_path}/y"):
        check_experiment(write(tmp_path, text.replace("toy:x", "toy:y")))


def test_it_works_on_the_command_line(toy, tmp_path):
    videos = write_world(tmp_path / "clips", list(sample_factors(1, seed=0)), ["waving"])
    path = os.pathsep.join([str(toy), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "120"}
    # Both in one process: a new one imports PyTorch again.
    script = """
import runpy, sys
videos = sys.argv[1]
for arguments in (["--help"], ["--model", "toy:x", "--device", "cpu", videos]):
    sys.argv[1:] = ["predict", *arguments]
    try:
        runpy.run_module("video_tcav", run_name="__main__")
    except SystemExit as end:
        assert not end.code, arguments
"""
    command = [sys.executable, "-c", script, str(videos)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "toy:LETTER" in done.stdout
    assert "probability" in done.stdout


def test_a_broken_loader_is_named_where_it_is_used_and_breaks_no_help(tmp_path):
    folder = make_plugin(tmp_path, "video_tcav.models", "broken", "import a_module_that_is_missing", "loader")
    with installed(folder, LOADERS):
        assert spec_help().endswith("or broken:...")
        with pytest.raises(PluginError, match=r"`model` broken must be importable\. Got ModuleNotFoundError"):
            load_model("broken:x")
    assert "broken" not in spec_help()
