"""Published lists in small, written by hand, beside tiny videos."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from video_tcav.media import write_video


@pytest.fixture
def videos(tmp_path: Path) -> Callable[..., None]:
    """Writes videos of 50 frames at 25 fps under several names."""

    def write(*names: str, frames: int = 50) -> None:
        clip = torch.arange(frames, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            write_video(tmp_path / name, clip, fps=25)

    return write


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write
