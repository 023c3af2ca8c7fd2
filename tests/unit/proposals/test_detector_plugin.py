"""A detector of another package, added by an entry point: through Python, through the command, and in its help."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins import installed, make_plugin
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import InputError, PluginError
from video_tcav.proposals import parse_detector, propose
from video_tcav.proposals.detector_spec import DETECTORS, detector_help

from .videos import write_squares

ROOT = Path(__file__).resolve().parents[3]
SOURCE = """
from tests.unit.proposals.videos import Squares
from video_tcav.core.errors import InputError
from video_tcav.proposals import DetectorLoader


class Colours(DetectorLoader):
    name, help, finds, takes_device = "squares", "COLOUR", "finds squares", True

    def load(self, source, *, labels, threads, device):
        if source != "red":
            raise InputError(f"`detector` must be squares:red. Got squares:{source}. Write squares:red.")
        return Squares()


loader = Colours()
"""


@pytest.fixture
def plugin(tmp_path):
    folder = make_plugin(tmp_path, "video_tcav.detectors", "squares", SOURCE, "loader")
    with installed(folder, DETECTORS):
        yield folder


def test_it_proposes_from_python(plugin, tmp_path):
    write_squares(tmp_path / "v" / "a.mp4")
    result = propose(tmp_path / "v", tmp_path / "bank", detector="squares:red", kinds=("moving",))
    assert [(count.concept, count.clips) for count in result.counts] == [("red", 1)]
    with pytest.raises(InputError, match=r"must be squares:red\. Got squares:blue"):
        parse_detector("squares:blue")
    forms = "must be motion, onnx:FILE, torchvision:NAME, hf:ID or FOLDER, or squares:COLOUR. Got 'circles:red'"
    with pytest.raises(InputError, match=forms):
        parse_detector("circles:red")


def test_it_proposes_through_the_command_and_stands_in_its_help(plugin, tmp_path):
    write_squares(tmp_path / "v" / "a.mp4")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(plugin), os.environ.get("PYTHONPATH", "")])}

    def command(*arguments):
        line = [sys.executable, "-m", "video_tcav", "propose", *map(str, arguments)]
        done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    code, text = command("--help")
    assert code == 0 and "squares:COLOUR" in text.replace("│ │", "")
    arguments = (tmp_path / "v", "--bank", tmp_path / "bank", "--versions", "moving", "--device", "cpu")
    code, text = command(*arguments, "--detector", "squares:red")
    assert code == 0, text
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert [clip.concept for clip in bank.clips()] == ["red"]


def test_a_broken_one_is_named_where_it_is_used_and_breaks_no_help(tmp_path):
    folder = make_plugin(tmp_path, "video_tcav.detectors", "broken", "import a_module_that_is_missing", "loader")
    with installed(folder, DETECTORS):
        assert detector_help().endswith("or broken:...")
        with pytest.raises(PluginError, match=r"`detector` broken must be importable\. Got ModuleNotFoundError"):
            parse_detector("broken:x")
    assert "broken" not in detector_help()
