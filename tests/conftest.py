"""Fixtures that several test packages share."""

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]
# Tiny networks are faster on one thread; threads of several workers on the same cores wait for each other, ten times as long.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it: output would be as wide as the terminal that the tests run in


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser are marked, and are ended with their process where the browser hangs: it would not be closed either."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180, method="thread"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A worker that a test starts in this process sets the threads of PyTorch: what is trained after it would round otherwise."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real clips and a real model for development; they are not part of the project."""
    folder = Path(os.environ.get("VIDEO_TCAV_ASSETS", ROOT.parent / "shared" / "assets"))
    if not folder.is_dir():
        pytest.skip("needs the development assets: set VIDEO_TCAV_ASSETS")
    return folder


@pytest.fixture(scope="session")
def shapes() -> ModuleType:
    """The example world: clips of a moving square, and a small network that learns its direction."""
    spec = importlib.util.spec_from_file_location("moving_shapes", ROOT / "examples" / "moving_shapes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shapes_weights(shapes: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example network, trained for a few seconds."""
    network, accuracy = shapes.train(120)
    assert accuracy > 0.8
    path = tmp_path_factory.mktemp("shapes") / "network.safetensors"
    save_file(network.state_dict(), path, metadata={"classes": json.dumps(list(shapes.DIRECTIONS))})
    return path


@pytest.fixture(scope="session")
def shapes_clips(shapes: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of example clips: `right` (class), `moves-right`, `green` (concepts) and `random`."""
    root, every = tmp_path_factory.mktemp("clips"), list(shapes.DIRECTIONS)
    shapes.write_clips(root / "right", ["right"] * 6, seed=1)
    shapes.write_clips(root / "moves-right", ["right"] * 10, seed=2)
    shapes.write_clips(root / "green", [every[i % 4] for i in range(10)], seed=3, green=True)
    shapes.write_clips(root / "random", [every[i % 4] for i in range(20)], seed=4, green=False)
    return root


@pytest.fixture
def decoding_threads() -> Callable[[], list[threading.Thread]]:
    """The decoding threads that a test started and that are still there."""
    before = set(threading.enumerate())

    def new_threads() -> list[threading.Thread]:
        threads = [thread for thread in threading.enumerate() if thread not in before]
        return [thread for thread in threads if thread.name.startswith("video-tcav-decode")]

    return new_threads
