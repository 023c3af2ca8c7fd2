"""`make demo` installs what the demo needs, `make install` all that developers need, in one environment and in any order."""

import os
import shutil
import subprocess
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
