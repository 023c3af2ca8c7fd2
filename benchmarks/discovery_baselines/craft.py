"""CRAFT-like discovery: NMF of crops of single frames, as a method for pictures sees a video."""

from typing import Any

import numpy as np
import torch
from benchmarks.discovery_baselines.layer import activations, gradients
from sklearn.decomposition import NMF
from torch import Tensor, nn
from torch.nn import functional as F

COMPONENTS = 10
_CROPS = 8  # of each clip
_CROP_SHARE = 0.5  # of the picture's sides
_FRAMES = 4  # of a clip that are explained


def craft(
    *, model: nn.Module, class_clips: Tensor, random_clips: Tensor, new_clips: Tensor, target: int, layer: nn.Module,
    seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Components of crops of single frames of the class, ordered by gradient times activation.

    Every crop is enlarged and shown as a clip that stands still; its activations are averaged over positions. Signed activations
    lose their negative part, as the method asks for what is not negative. Importance is first order, not by Sobol indices.

    Source:
        Fel et al. 2023, CRAFT: Concept Recursive Activation FacTorization, arXiv:2211.10154.
    """
    generator = np.random.default_rng(seed)
    crops = torch.cat([_crop(clip, generator) for clip in class_clips for _ in range(_CROPS)])
    features = activations(model, layer, crops).clamp_min(0).mean((1, 2, 3)).numpy()
    factors = NMF(COMPONENTS, init="nndsvda", random_state=seed, max_iter=1000, tol=1e-3).fit(features)
    stills = _still_frames(class_clips)
    slopes = gradients(model, layer, stills, target)
    strengths = _strengths(factors, activations(model, layer, stills))
    along = (slopes @ torch.from_numpy(factors.components_).float().T).numpy()
    importance = (strengths * along).mean((0, 1, 2, 3))
    maps = _strengths(factors, activations(model, layer, _still_frames(new_clips)))
    # A still clip has one picture at all times of the layer: its average is the map of the frame.
    maps = maps.mean(1).reshape(len(new_clips), _FRAMES, *maps.shape[2:])
    return [
        {"map": maps[..., number], "direction": factors.components_[number]}
        for number in importance.argsort()[::-1]
        if factors.components_[number].any()
    ]


def _crop(clip: Tensor, generator: np.random.Generator) -> Tensor:
    """A random crop of a random frame, enlarged, as a clip that stands still."""
    _, frames, height, width = clip.shape
    sides = int(height * _CROP_SHARE), int(width * _CROP_SHARE)
    top, left = generator.integers(height - sides[0] + 1), generator.integers(width - sides[1] + 1)
    picture = clip[:, generator.integers(frames), top : top + sides[0], left : left + sides[1]]
    large = F.interpolate(picture[None], size=(height, width), mode="bilinear")
    return large[:, :, None].expand(-1, -1, frames, -1, -1)


def _still_frames(clips: Tensor) -> Tensor:
    """Clips of a single frame each, some for each clip."""
    frames = clips.shape[2]
    middles = torch.arange(_FRAMES) * frames // _FRAMES + frames // (2 * _FRAMES)
    stills = clips[:, :, middles].transpose(1, 2).flatten(0, 1)
    return stills[:, :, None].expand(-1, -1, frames, -1, -1)


def _strengths(factors: NMF, grid: Tensor) -> np.ndarray:
    """How strong each component is at each position."""
    positions = grid.clamp_min(0).flatten(0, 3).numpy()
    return factors.transform(positions).reshape(*grid.shape[:4], -1)
