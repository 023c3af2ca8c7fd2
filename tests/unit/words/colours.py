"""An encoder whose space is colour: clips by the mean colour of their frames, texts by the colours that they name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from video_tcav.media import write_video
from video_tcav.words import TextVideoEncoder

COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class ColourEncoder(TextVideoEncoder):
    """The first three features are shares of colours; the other nine are noise that a text has of its letters."""

    name, frames, digest = "colours", 4, "colours 1"

    def __init__(self) -> None:
        self.clips_seen = 0

    def embed_clips(self, clips: Sequence[Tensor]) -> np.ndarray:
        self.clips_seen += len(clips)
        rows = np.zeros((len(clips), 12))
        for row, clip in zip(rows, clips, strict=True):
            assert len(clip) == self.frames
            row[:3] = clip.float().mean((0, 2, 3)).numpy() / 255
        return rows + 0.01

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 12))
        for row, text in zip(rows, texts, strict=True):
            for name, colour in COLOURS.items():
                row[:3] += np.array(colour) * (name in text.split())
            noise = np.random.default_rng(list(text.encode())).standard_normal(12)
            row += 0.3 * noise / np.linalg.norm(noise)
        return rows


def build() -> ColourEncoder:
    """As a user's file does it, for `file:`."""
    return ColourEncoder()


class _MeanColour(torch.nn.Module):
    """No `TextVideoEncoder`, and in training mode until it is loaded."""

    frames = 2

    def embed_clips(self, clips: Sequence[Tensor]) -> np.ndarray:
        assert not self.training
        return np.stack([clip.float().mean((0, 2, 3)).numpy() for clip in clips])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 3))


def build_module() -> torch.nn.Module:
    return _MeanColour()


def no_encoder() -> object:
    return object()


def write_colours(path: Path, *colours: str, frames: int = 20, fps: float = 10, seed: int = 0) -> Path:
    """A video that shows one colour after the other, each for so many frames, with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    shown = [
        (30 + 200 * torch.tensor(COLOURS[name]))[None, :, None, None].expand(frames, 3, 32, 32) for name in colours
    ]
    clip = torch.cat(shown) + 10 * torch.rand(sum(map(len, shown)), 3, 32, 32, generator=generator)
    write_video(path, clip.round().to(torch.uint8), fps=fps)
    return path
