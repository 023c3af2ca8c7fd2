"""Hard negatives: places of the same video, as large and as high up as the tubes of a label, that show none of it."""

import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from video_tcav.proposals.tracking import Tube, shared_area

_TRIES = 64
_UP_AND_DOWN = 0.15  # of the picture's height: how far from its own height a path may be laid


def negative_tube(
    tube: Tube,
    shown: Sequence[Tube],
    frame_size: tuple[int, int],
    *,
    found: Sequence[tuple[int, Float[np.ndarray, "box 4"]]] = (),
    seed: int = 0,
) -> Tube | None:
    """The path of a tube, laid where in the same frames nothing of its label is; `None` where there is no room.

    The mirrored path is tried first, which keeps size, height and distance from the middle; then paths shifted to the
    side and a little up or down. What is taken stays inside the picture as far as the tube itself does.

    Args:
        tube: a piece of a tube of the label.
        shown: every tube of the label in the shot.
        frame_size: `(height, width)`.
        found: further boxes of the label by frame, such as weak ones that made no tube.
        seed: of the shifts.
    """
    height, width = frame_size
    taken = [part for other in shown if (part := _during(other, tube)) is not None]
    spots = [(at - tube.first, boxes) for at, boxes in found if tube.first <= at < tube.end and len(boxes)]
    generator = np.random.default_rng([seed, zlib.crc32(tube.boxes.astype(np.float32).tobytes())])
    lowest, highest = tube.boxes.min(0), tube.boxes.max(0)
    for path in [
        _mirrored(tube.boxes, width),
        *(
            tube.boxes + np.tile([right, down], 2)
            for right, down in zip(
                generator.uniform(-lowest[0], max(width - highest[2], -lowest[0]), _TRIES),
                generator.uniform(-1, 1, _TRIES) * _UP_AND_DOWN * height * (np.arange(_TRIES) / _TRIES),
                strict=True,
            )
        ),
    ]:
        inside = path[:, 1].min() >= min(0, lowest[1]) and path[:, 3].max() <= max(height, highest[3])
        if (
            inside
            and not any(_touches(path, other) for other in taken)
            and not any(
                bool((shared_area(np.repeat(path[at : at + 1], len(boxes), 0), boxes) > 0).any()) for at, boxes in spots
            )
        ):
            return Tube(first=tube.first, boxes=path, label=f"not {tube.label}", score=tube.score, found=tube.found)
    return None


def _mirrored(boxes: Float[np.ndarray, "time 4"], width: int) -> Float[np.ndarray, "time 4"]:
    return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


def _during(other: Tube, tube: Tube) -> tuple[int, Float[np.ndarray, "time 4"]] | None:
    """Where the other tube is while this one lasts, counted from its first frame."""
    first, end = max(other.first, tube.first), min(other.end, tube.end)
    return (first - tube.first, other.part(first, end).boxes) if first < end else None


def _touches(path: Float[np.ndarray, "time 4"], other: tuple[int, Float[np.ndarray, "time 4"]]) -> bool:
    start, boxes = other
    return bool((shared_area(path[start : start + len(boxes)], boxes) > 0).any())
