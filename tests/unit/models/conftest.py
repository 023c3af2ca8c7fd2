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
