"""Quality of masks, in numbers that need no truth: size, stability, pieces and border, for each clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool
from torch import Tensor

from video_tcav.masks.mask_source import ClipMasks

_SMALL, _LARGE = 0.005, 0.6  # of the picture
_UNSTABLE = 0.4  # the shape of people who run changes by half at most between neighbouring frames
_MANY_PIECES = 4
_OFTEN = 0.5  # of the frames
_SHRUNK = (
    0.1  # of the clip's median area: somebody who stands still for a while is lost to masks of motion but for an arm
)
_BESIDE_OTHERS = 0.25  # of the set's median area: half as tall as others, or a limb in place of a body
_FEWEST_OTHERS = 5  # clips: of fewer, the median says little

SMALLER = "much smaller than in other clips"
"""The doubt that comes of comparing clips with each other."""


@dataclass(frozen=True, kw_only=True)
class MaskQuality:
    """What the masks of one clip are like.

    Attributes:
        clip: its name.
        area: share of the picture that is the person, on average over the frames in which there is one.
        frames: share of the frames in which there is a person.
        stability: intersection over union of the masks of neighbouring frames that have a person, laid over each other by their
            centres of mass, on average; NaN if there are no two.
        pieces: separate regions of a frame's mask, on average over the frames in which there is a person.
        border: share of these frames in which the mask touches the picture's border, where it may be cut off.
        gaps: share of the frames between the first and the last with a person in which the mask is empty, or below a tenth of
            its median area and off the border.
        doubts: what a person should look at, in words; empty if nothing.
    """

    clip: str
    area: float
    frames: float
    stability: float
    pieces: float
    border: float
    gaps: float = 0.0
    doubts: tuple[str, ...] = ()


def mask_quality(clip: str, masks: ClipMasks) -> MaskQuality:
    """Measure the person's masks of one clip.

    Args:
        clip: its name.
        masks: of the clip.
    """
    person = masks.person.numpy()
    has_person = person.any((1, 2))
    visible = person[has_person]
    # means over frames with a person alone: those without would make a good mask look small
    counts = [cv2.connectedComponents(mask.astype(np.uint8))[0] - 1 for mask in visible]  # 0 is the background
    on_border = visible[:, [0, -1]].any((1, 2)) | visible[:, :, [0, -1]].any((1, 2))
    quality = MaskQuality(
        clip=clip,
        area=float(visible.mean()) if len(visible) else 0.0,
        frames=float(has_person.mean()),
        stability=_stability(person),
        pieces=float(np.mean(counts)) if counts else 0.0,
        border=float(on_border.mean()) if len(visible) else 0.0,
        gaps=_gaps(person),
    )
    return replace(quality, doubts=_doubts(quality))


def small_beside_others(areas: Sequence[float]) -> list[bool]:
    """Whether the person of each clip is so much smaller than in most clips that only a limb may have been found.

    Args:
        areas: `MaskQuality.area` of all clips that are judged together.
    """
    if len(areas) < _FEWEST_OTHERS:
        return [False] * len(areas)
    least = _BESIDE_OTHERS * float(np.median(areas))
    return [area < least for area in areas]


def set_doubts(qualities: Sequence[MaskQuality]) -> list[MaskQuality]:
    """The same qualities, with the doubt that comes of comparing the clips with each other."""
    small = small_beside_others([quality.area for quality in qualities])
    return [
        replace(quality, doubts=(*quality.doubts, SMALLER)) if is_small and SMALLER not in quality.doubts else quality
        for quality, is_small in zip(qualities, small, strict=True)
    ]


def quality_table(qualities: Sequence[MaskQuality]) -> pd.DataFrame:
    """One row a clip, those with the most doubts first; clips are compared with each other, too."""
    qualities = set_doubts(qualities)
    rows = [{**vars(quality), "doubts": "; ".join(quality.doubts)} for quality in qualities]
    order = sorted(range(len(rows)), key=lambda index: (-len(qualities[index].doubts), qualities[index].clip))
    return pd.DataFrame([rows[index] for index in order], columns=list(MaskQuality.__dataclass_fields__))


def overlap(first: Bool[Tensor, "..."] | np.ndarray, second: Bool[Tensor, "..."] | np.ndarray) -> float:
    """Intersection over union of two masks; NaN if both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else float("nan")


def _gaps(person: Bool[np.ndarray, "time height width"]) -> float:
    areas = person.sum((1, 2))
    visible = np.flatnonzero(areas)
    if not len(visible):
        return 0.0
    between = slice(visible[0], visible[-1] + 1)
    # whoever leaves the picture gets smaller, too: at the border that is no gap
    on_border = person[:, [0, -1]].any((1, 2)) | person[:, :, [0, -1]].any((1, 2))
    is_gap = (areas < _SHRUNK * np.median(areas[visible])) & ~on_border
    return float(is_gap[between].mean())


def _stability(person: Bool[np.ndarray, "time height width"]) -> float:
    centred = [_centred(mask) for mask in person if mask.any()]
    overlaps = [overlap(*pair) for pair in pairwise(centred)]
    return float(np.mean(overlaps)) if overlaps else float("nan")


def _centred(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "rows columns"]:
    """The mask with its centre of mass in the middle: somebody who runs past keeps their shape, not their place."""
    rows, columns = np.nonzero(mask)
    centred = np.zeros((2 * mask.shape[0], 2 * mask.shape[1]), bool)
    down, right = (
        int(np.floor(places.mean() + 0.5)) for places in (rows, columns)
    )  # `round` would turn halves both ways
    centred[rows - down + mask.shape[0], columns - right + mask.shape[1]] = True
    return centred


def _doubts(quality: MaskQuality) -> tuple[str, ...]:
    checks = {
        "hardly any person": quality.area < _SMALL,
        "most of the picture": quality.area > _LARGE,
        "no person in half of the frames": quality.frames < _OFTEN,
        "vanishes in some frames": quality.gaps > 0,
        "changes shape between frames": quality.stability < _UNSTABLE,
        "in many pieces": quality.pieces >= _MANY_PIECES,
        "cut off at the border": quality.border > _OFTEN,
    }
    return tuple(doubt for doubt, holds in checks.items() if holds)
