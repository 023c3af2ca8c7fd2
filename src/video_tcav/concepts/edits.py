"""Plain edits of decoded clips: light, colour, sharpness, size and order of frames, by which a model's effects can be checked."""

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from video_tcav.concepts.twins import TWINS, twin_clip
from video_tcav.core.checks import one_of

Edit = Literal[
    "bright",
    "dark",
    "contrast",
    "tint",
    "blur",
    "zoom_in",
    "zoom_out",
    "mirror",
    "half_still",
    "frozen",
    "reversed",
    "shuffled",
]
EDITS: tuple[Edit, ...] = get_args(Edit)
Clip = UInt8[Tensor, "time 3 height width"]

_LIGHT = 40.0
"""Grey levels of 256: plain to see, while most pixels stay within the range."""
_CONTRAST, _TINT = 1.6, (1.25, 1.0, 0.75)
_LEVELS = np.arange(256.0)
_BLUR = 0.025
"""Standard deviation of the blur, as a share of the shorter side: 3 pixels of 120."""
_ZOOM_IN, _ZOOM_OUT = 1.6, 0.6


def edited_clip(clip: Clip, edit: Edit, *, seed: int = 0) -> Clip:
    """An edited copy of a decoded clip, of the same shape.

    Args:
        clip: pixels as they were decoded, before the model's preprocessing.
        edit: `bright` and `dark` add and subtract 40 grey levels, `contrast` spreads them 1.6 times about the clip's mean, `tint`
            makes it warmer, `blur` takes fine detail away, `zoom_in` and `zoom_out` scale by 1.6 and 0.6 about the centre (the
            edges are repeated outwards), `mirror` swaps left and right, `half_still` holds the last frame of the first half,
            and `frozen`, `reversed` and `shuffled` are the clip's twins.
        seed: of `shuffled`.

    Raises:
        InputError: for another edit.
    """
    name = one_of("edit", edit, EDITS)
    if name in TWINS:
        return twin_clip(clip, name, seed=seed)
    if name == "half_still":
        half = max(1, len(clip) // 2)
        return clip[torch.arange(len(clip)).clamp_max(half - 1)]
    if name == "mirror":
        return clip.flip(-1)
    return _PIXEL_EDITS[name](clip)


def _frame_by_frame(clip: Clip, change: Callable[[Tensor], Tensor]) -> Clip:
    """The clip with each frame changed, rounded and limited to [0, 255]; floats of one frame at a time, as clips may be large."""
    changed = torch.empty(clip.shape, dtype=torch.uint8)
    for index, frame in enumerate(clip):
        changed[index] = change(frame.float()).round_().clamp_(0, 255).to(torch.uint8)
    return changed


def _looked_up(clip: Clip, levels: Float[np.ndarray, "channel 256"]) -> Clip:
    """The clip with each grey level of each channel replaced by another."""
    tables = levels.round().clip(0, 255).astype(np.uint8)
    changed = np.empty(tuple(clip.shape), dtype=np.uint8)
    for index, frame in enumerate(clip.numpy()):
        for channel, table in enumerate(np.broadcast_to(tables, (3, 256))):
            changed[index, channel] = table[frame[channel]]
    return torch.from_numpy(changed)


def _contrast(clip: Clip) -> Clip:
    mean = float(np.mean([frame.mean() for frame in clip.numpy()]))
    return _looked_up(clip, ((_LEVELS - mean) * _CONTRAST + mean)[None])


def _blur(clip: Clip) -> Clip:
    deviation = _BLUR * min(clip.shape[-2:])

    def blurred(frame: Tensor) -> Tensor:
        smooth = cv2.GaussianBlur(frame.permute(1, 2, 0).numpy(), (0, 0), deviation)
        return torch.from_numpy(np.ascontiguousarray(smooth)).permute(2, 0, 1)

    return _frame_by_frame(clip, blurred)


def _zoom(clip: Clip, factor: float) -> Clip:
    height, width = clip.shape[-2:]
    inner = [max(1, round(side * min(factor, 1 / factor))) for side in (height, width)]
    top, left = ((full - part) // 2 for full, part in zip((height, width), inner, strict=True))

    def zoomed(frame: Tensor) -> Tensor:
        if factor > 1:
            cut = frame[None, :, top : top + inner[0], left : left + inner[1]]
            return functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)[0]
        # antialiased: a smaller picture without it would flicker
        small = functional.interpolate(frame[None], inner, mode="bilinear", align_corners=False, antialias=True)
        edges = (left, width - inner[1] - left, top, height - inner[0] - top)
        return functional.pad(small, edges, mode="replicate")[0]

    return _frame_by_frame(clip, zoomed)


_PIXEL_EDITS: dict[Edit, Callable[[Clip], Clip]] = {
    "bright": lambda clip: _looked_up(clip, _LEVELS[None] + _LIGHT),
    "dark": lambda clip: _looked_up(clip, _LEVELS[None] - _LIGHT),
    "contrast": _contrast,
    "tint": lambda clip: _looked_up(clip, _LEVELS * np.asarray(_TINT)[:, None]),
    "blur": _blur,
    "zoom_in": lambda clip: _zoom(clip, _ZOOM_IN),
    "zoom_out": lambda clip: _zoom(clip, _ZOOM_OUT),
}
