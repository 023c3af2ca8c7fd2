import os
from pathlib import Path

import pytest
import torch


@pytest.fixture
def clip() -> torch.Tensor:
    """A decoded clip of an odd size."""
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (16, 3, 50, 72), dtype=torch.uint8, generator=generator)


@pytest.fixture
def assets() -> Path:
    root = Path(os.environ.get("VIDEO_TCAV_ASSETS", Path(__file__).parents[4] / "shared" / "assets"))
    if not root.is_dir():
        pytest.skip("needs the development assets: set VIDEO_TCAV_ASSETS")
    return root


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny networks are several times faster on one thread, the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
