"""The tutorial of the concept bank, run as it is written: the blocks in their order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from video_tcav.concepts import ConceptBank

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "concept-bank.md"
HEADING = "## From videos to a test, step by step"
BLOCK = re.compile(r"^```(?P<language>bash|python)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
VIDEOS = {"jack": 4, "wave2": 4, "walk": 8}
"""How many of each folder: enough for a test, few enough for a minute."""


def blocks() -> list[tuple[str, str]]:
    section = PAGE.read_text().split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0]
    return [(match["language"], match["body"]) for match in BLOCK.finditer(section)]


@pytest.fixture
def folder(assets, tmp_path) -> Path:
    """What the tutorial expects: `videos/` sorted by action, and a model."""
    for action, count in VIDEOS.items():
        (tmp_path / "videos" / action).mkdir(parents=True)
        for video in sorted((assets / "clips" / "weizmann" / action).glob("*.avi"))[:count]:
            (tmp_path / "videos" / action / video.name).symlink_to(video)
    model = assets / "models" / "mini_r2plus1d"
    (tmp_path / "my_model.py").symlink_to(model / "mini_r2plus1d.py")
    (tmp_path / "my_model.safetensors").symlink_to(model / "mini_r2plus1d_weizmann.safetensors")
    return tmp_path


def test_the_tutorial_has_its_steps():
    assert [language for language, _ in blocks()] == ["bash", "python", "bash"]


@pytest.mark.assets
def test_the_tutorial_runs(folder):
    command = folder / "bin" / "video-tcav"  # of this Python, whatever else is installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m video_tcav "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    if "PYTHONPATH" in environment:
        environment["PYTHONPATH"] = os.pathsep.join(
            str(Path(part).absolute()) for part in environment["PYTHONPATH"].split(os.pathsep)
        )
    for language, body in blocks():
        run = ["bash", "-euo", "pipefail", "-c", body] if language == "bash" else [sys.executable, "-c", body]
        done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
    with ConceptBank.open(folder / "people") as bank:
        [jack] = [one for one in bank.concepts() if one.name == "jumping jack"]
        assert jack.accepted >= VIDEOS["jack"] and jack.videos == VIDEOS["jack"]
    table = pd.read_csv(folder / "result" / "results.csv")
    assert set(table["concept"]) == {"jumping jack"} and table["effect"].notna().all()
