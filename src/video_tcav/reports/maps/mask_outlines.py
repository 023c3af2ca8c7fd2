"""Outlines of masks on a frame, for a person to judge; needs no Matplotlib, so that a server starts at once."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from torch import Tensor

PERSON_COLOUR, OBJECT_COLOUR = (255, 0, 170), (0, 200, 255)  # that neither skin nor scenes have
_LINE_PX = 2


def outlined_frame(
    frame: UInt8[Tensor, "3 frame_height frame_width"],
    person: Bool[Tensor, "frame_height frame_width"] | None,
    object: Bool[Tensor, "frame_height frame_width"] | None,
    *,
    height: int,
) -> UInt8[np.ndarray, "height width 3"]:
    """A frame, scaled to a height, with the outlines of the person and of the object where there are some.

    Args:
        frame: RGB.
        person: pixels of the person; `None` draws no outline.
        object: pixels of the object, likewise.
        height: of the picture that is returned.
    """
    picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    scale = height / picture.shape[0]
    size = max(1, round(picture.shape[1] * scale)), height
    cell = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    for mask, colour in ((person, PERSON_COLOUR), (object, OBJECT_COLOUR)):
        if mask is not None:
            small = cv2.resize(mask.numpy().astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            outlines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(cell, outlines, -1, colour, _LINE_PX)
    return cell
