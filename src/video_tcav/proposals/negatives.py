"""Hard negatives: places of the same video, as large and as high up as the tubes of a label, that show none of it."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from video_tcav.proposals.tracking import Tube, shared_area

_TRIES = 64
_UP_AND_DOWN = 0.15  # of the picture's height: how far from its own height a path may be laid


def negative_tube(
    tube: Tube,
    label_tubes: Sequence[Tube],
    frame_size: tuple[int, int],
    *,
    label_boxes: Sequence[tuple[int, Float[np.ndarray, "box 4"]]] = (),
    seed: int = 0,
) -> Tube | None:
    """The path of a tube, laid where in the same frames nothing of its label is; `None` where there is no room.

    The mirrored path is tried first, which keeps size, height and distance from the middle; then paths shifted to the
    side and a little up or down. It stays inside the picture as far as the tube itself does.

    Args:
        tube: a piece of a tube of the label.
        label_tubes: every tube of the label in the shot.
        frame_size: `(height, width)`.
        label_boxes: further boxes of the label by frame, such as weak ones that made no tube.
        seed: of the shifts.
    """
    height = frame_size[0]
    taken = [
        (slice(first - tube.first, end - tube.first), label_tube.part(first, end).boxes)
        for label_tube in label_tubes
        if (first := max(label_tube.first, tube.first)) < (end := min(label_tube.end, tube.end))
    ]
    frames = [(at - tube.first, boxes) for at, boxes in label_boxes if tube.first <= at < tube.end]
    taken += [(slice(at, at + 1), boxes) for at, boxes in frames]  # one box of the path against several
    lowest, highest = tube.boxes.min(0), tube.boxes.max(0)
    for path in _paths(tube, frame_size, seed):
        inside = path[:, 1].min() >= min(0, lowest[1]) and path[:, 3].max() <= max(height, highest[3])
        if inside and not any((shared_area(path[during], boxes) > 0).any() for during, boxes in taken):
            return replace(tube, boxes=path, label=f"not {tube.label}")
    return None


def _paths(tube: Tube, frame_size: tuple[int, int], seed: int) -> Iterator[Float[np.ndarray, "time 4"]]:
    """The mirrored path, then shifted ones, later tries farther up or down."""
    (height, width), boxes = frame_size, tube.boxes
    yield np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    # The same tube has the same shifts, whatever came before it in the run.
    generator = np.random.default_rng([seed, zlib.crc32(boxes.astype(np.float32).tobytes())])
    leftmost, rightmost = boxes[:, 0].min(), boxes[:, 2].max()
    rights = generator.uniform(-leftmost, max(width - rightmost, -leftmost), _TRIES)
    downs = generator.uniform(-1, 1, _TRIES) * _UP_AND_DOWN * height * (np.arange(_TRIES) / _TRIES)
    for right, down in zip(rights, downs, strict=True):
        yield boxes + np.tile([right, down], 2)
