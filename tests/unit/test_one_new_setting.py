"""A setting of the passes that is added in one place, in a copy of the package, appears everywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import video_tcav

ROOT = Path(video_tcav.__file__).parent
LINE = '    jitter: int = setting(3, "Made up for a test.", least=1, most=9, methods="Frames were moved by {value}.")\n'
CHECKS = """
import inspect, json, sys
import video_tcav as vt
from video_tcav.experiments import json_schema
from video_tcav.experiments.file import Experiment
from video_tcav.recording.settings import RecordingSettings

sys.path.insert(0, sys.argv[1])
from tables import with_tables

functions = (vt.run_tcav, vt.learn_cavs, vt.score_clips, vt.explain)
settings = RecordingSettings(jitter=5)
pages = "<!-- settings: recording -->\\n<!-- end --><!-- keys: recording -->\\n<!-- end -->"
print(json.dumps({
    "keywords": ["jitter" in inspect.signature(function).parameters for function in functions],
    "schema": json_schema()["properties"]["jitter"],
    "provenance": settings.for_provenance()["jitter"],
    "methods": list(settings.methods_sentences()),
    "docs": with_tables(pages),
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """A copy of the package with one more line in one file."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT, root / "video_tcav", ignore=shutil.ignore_patterns("__pycache__"))
    place = root / "video_tcav" / "recording" / "settings.py"
    text = place.read_text()
    anchor = "    windows: int ="
    assert text.count(anchor) == 1
    place.write_text(text.replace(anchor, LINE + anchor))
    return os.environ | {"PYTHONPATH": str(root), "COLUMNS": "150", "NO_COLOR": "1"}


def test_it_is_a_keyword_a_key_of_experiments_and_in_provenance_docs_and_methods_text(environment):
    docs = ROOT.parents[1] / "docs"
    out = subprocess.run(
        [sys.executable, "-c", CHECKS, docs], env=environment, check=True, capture_output=True, text=True
    )
    seen = json.loads(out.stdout)
    assert seen["keywords"] == [True] * 4
    assert seen["schema"]["default"] == 3
    assert (seen["schema"]["minimum"], seen["schema"]["maximum"]) == (1, 9)
    assert seen["schema"]["description"] == "Made up for a test."
    assert seen["provenance"] == 5
    assert seen["methods"] == ["Frames were moved by 5."]
    assert "| `--jitter` | `3` | Made up for a test. At least 1. |" in seen["docs"]
    assert "| `jitter` | `3` | Made up for a test. At least 1. |" in seen["docs"]


@pytest.mark.parametrize("command", ["test", "run", "score", "explain"])
def test_it_is_an_option_of_each_command(environment, command):
    arguments = [sys.executable, "-m", "video_tcav", command, "--help"]
    text = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True).stdout
    assert "--jitter" in text
    assert "Made up for a test." in text
