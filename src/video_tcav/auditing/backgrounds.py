"""Backgrounds without a scene: pictures of coloured noise and of coloured stripes, drawn by seed."""

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core import random_streams

Picture = UInt8[Tensor, "3 height width"]

_CELL = 0.03  # share of the shorter side: noise finer than that would vanish where a model makes pictures smaller
_WAVES = (3.0, 9.0)  # stripes across the shorter side


def noise_picture(height: int, width: int, seed: int) -> Picture:
    """Cells of random colours, smoothly joined."""
    generator = np.random.default_rng([seed, random_streams.AUDIT_BACKGROUNDS])
    cell = max(1.0, _CELL * min(height, width))
    cells = generator.integers(256, size=(max(2, round(height / cell)), max(2, round(width / cell)), 3), dtype=np.uint8)
    return _as_picture(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR))


def stripes_picture(height: int, width: int, seed: int) -> Picture:
    """A sinusoid between two random colours, of random width and direction.

    Source:
        Sinusoidal stripes behind persons: Li et al. 2023, "Mitigating and Evaluating Static Bias of Action Representations in
        the Background and the Foreground", arXiv:2211.12883.
    """
    generator = np.random.default_rng([seed, random_streams.AUDIT_STRIPES])
    angle, phase = generator.uniform(0, np.pi), generator.uniform(0, 2 * np.pi)
    waves = generator.uniform(*_WAVES) / min(height, width)
    rows, columns = np.mgrid[:height, :width]
    across = np.cos(angle) * columns + np.sin(angle) * rows
    level = (1 + np.sin(2 * np.pi * waves * across + phase)) / 2
    dark, bright = generator.integers(0, 96, 3), generator.integers(160, 256, 3)
    return _as_picture(np.rint(dark + level[..., None] * (bright - dark)).astype(np.uint8))


def _as_picture(pixels: UInt8[np.ndarray, "height width 3"]) -> Picture:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
