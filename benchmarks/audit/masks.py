"""Masks of what moves against the rendered world's truth, beside a plain baseline: frame difference, as one box.

python -m benchmarks.audit masks --clips 100
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from video_tcav.core.progress import progress_bar
from video_tcav.masks.motion import moving_masks
from video_tcav.masks.quality import overlap
from video_tcav.rendered import RenderedClip, render, sample_factors

SEED = 1000
"""Of the clips that are measured; constants of the masks were chosen on clips of seed 0."""
_LEAST_DIFFERENCE = 20  # grey levels, of the baseline

Clip = UInt8[Tensor, "time 3 height width"]
Masks = Bool[Tensor, "time height width"]


@dataclass(frozen=True, kw_only=True)
class MaskScore:
    """Masks of one clip by one method."""

    method: str
    camera: str
    motion: str
    scene: str
    iou: float  # mean over frames, with figure and object as truth


def measure_masks(clips: int, *, size: int = 64, seed: int = SEED, progress: bool = False) -> list[MaskScore]:
    """Scores of both methods on clips of moving figures, by a camera that stands still and by one that shakes."""
    scores = []
    with progress_bar("masks (clips)", 2 * clips, visible=progress) as advance:
        for shaking in (False, True):
            for rendered in moving_clips(clips, size=size, seed=seed, shaking=shaking):
                truth = rendered.mask("figure") | rendered.mask("object")
                for method, mask in _METHODS.items():
                    masks = mask(rendered.clip)
                    overlaps = [overlap(*frame) for frame in zip(masks, truth, strict=True)]
                    scores.append(
                        MaskScore(
                            method=method,
                            camera="shaking" if shaking else "static",
                            motion=rendered.factors.motion,
                            scene=rendered.factors.scene,
                            iou=float(np.nanmean(overlaps)),
                        )
                    )
                advance(1)
    return scores


def moving_clips(count: int, *, size: int, seed: int, shaking: bool) -> Iterator[RenderedClip]:
    """Rendered clips whose figure moves, as the world draws them but for a camera that stands still where asked."""
    moving = [factors for factors in sample_factors(2 * count + 10, seed=seed) if factors.motion != "still"]
    for factors in moving[:count]:
        still = replace(factors, nuisance=replace(factors.nuisance, shake=0.0))
        yield render(factors if shaking else still, size=size)


def score_table(scores: Sequence[MaskScore], by: str) -> pd.DataFrame:
    """Mean overlap of each method, by motion or scene, and over all clips."""
    frame = pd.DataFrame([vars(score) for score in scores])
    table = frame.pivot_table(index=["method", "camera"], columns=by, values="iou", observed=True)
    table["all"] = frame.groupby(["method", "camera"])["iou"].mean()
    return table.round(2)


def _motion(clip: Clip) -> Masks:
    masks = moving_masks(clip)
    return torch.zeros((len(clip), *clip.shape[-2:]), dtype=torch.bool) if masks is None else masks


def _difference_box(clip: Clip) -> Masks:
    """The box around all pixels that differ from the frame before."""
    masks = torch.zeros((len(clip), *clip.shape[-2:]), dtype=torch.bool)
    for index, frame in enumerate(clip):
        other = clip[index - 1 if index else 1]
        changed = (frame.int() - other.int()).abs().amax(0) > _LEAST_DIFFERENCE
        rows, columns = changed.any(1).nonzero().ravel(), changed.any(0).nonzero().ravel()
        if len(rows):
            masks[index, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return masks


_METHODS: dict[str, Callable[[Clip], Masks]] = {"motion": _motion, "box of frame difference": _difference_box}
