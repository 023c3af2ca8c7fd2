"""`make demo` installs what the demo needs, `make install` all that developers need, in one environment and in any order."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = ("Makefile", "pyproject.toml", "constraints.txt")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    return tmp_path


def installs(folder: Path, target: str) -> list[str]:
    """Lines that `make TARGET` would install with."""
    printed = subprocess.run(["make", "-n", target], cwd=folder, capture_output=True, text=True, check=True).stdout
    return [line for line in printed.splitlines() if "--editable" in line]


def stamp(folder: Path, name: str) -> None:
    """As if an installation had ended after the files were last changed."""
    (folder / ".venv" / name).touch()
    for file in FILES:
        os.utime(folder / file, (0, 0))


def test_the_demo_installs_no_developers_tools(checkout):
    [line] = installs(checkout, "demo")
    assert line.endswith("--editable .")
    stamp(checkout, ".light")
    assert installs(checkout, "demo") == []


def test_tests_after_the_demo_install_the_rest(checkout):
    stamp(checkout, ".light")
    [line] = installs(checkout, "test")
    assert line.endswith('--constraint constraints.txt --editable ".[dev]"')


def test_the_demo_after_tests_installs_nothing(checkout):
    stamp(checkout, ".installed")
    assert installs(checkout, "demo") == installs(checkout, "test") == []


def test_what_the_demo_runs_imports_no_extra():
    """In a process that knows of no extra's packages, models and pages of the demo import."""
    extras = ("torchvision", "transformers", "onnxruntime", "supervision", "fastapi", "uvicorn", "ray")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({extras}))\n"
        "import video_tcav as vt, video_tcav.cli.demo, video_tcav.demo.demo\n"
        "model = vt.load_model('rendered:r2plus1d-motion')\n"
        "print(model.classes[0], *(layer.name for layer in vt.list_layers(model)[:1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
