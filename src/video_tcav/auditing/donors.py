"""Donors: whose scene a swapped clip gets, drawn by seed from clips of other classes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from video_tcav.core import random_streams
from video_tcav.core.checks import require
from video_tcav.core.errors import ShapeError


def draw_donors(
    labels: Sequence[str], *, seed: int = 0, groups: Sequence[str] | None = None
) -> Int[np.ndarray, " clip"]:
    """Index of the clip that lends its scene to each clip: always of another class, and never of the same group.

    Each class gets scenes of all other classes in turn, and each clip lends its own about as often as others of its class.

    Args:
        labels: class of each clip.
        seed: of the draws.
        groups: exchangeability block of each clip, such as its video: clips of one block may show one scene. Each clip is its own
            if not given.

    Raises:
        InputError: if there is one class only, or a clip for which there is no other.
        ShapeError: if labels and groups differ in number.
    """
    if groups is not None and len(groups) != len(labels):
        raise ShapeError(f"`groups` must be one for each clip. Got {len(groups)} for {len(labels)}. Give one each.")
    classes = sorted(set(labels))
    cure = "Give clips of two classes or more, or leave out the versions that take another scene."
    require(len(classes) > 1, "clips", "be of two classes or more to be swapped", classes, cure)
    generator = np.random.default_rng([seed, random_streams.AUDIT_DONORS])
    members = {name: [index for index, label in enumerate(labels) if label == name] for name in classes}
    # queues, not free draws: in small classes free draws would let one clip lend its scene to half of the others
    queues: dict[str, list[int]] = {name: generator.permutation(members[name]).tolist() for name in classes}
    turns = {name: [other for other in _shuffled(classes, generator) if other != name] for name in classes}
    donors = np.empty(len(labels), np.int64)
    # in random order, as the first clips of a list are often of one class, and would empty the same queues
    order: list[int] = generator.permutation(len(labels)).tolist()
    for index in order:
        turn = turns[labels[index]]
        for _ in range(len(turn)):
            name = turn.pop(0)
            turn.append(name)
            lender = _next_lender(queues[name], index, groups)
            if lender is not None:
                donors[index] = lender
                break
        else:
            rule = "be of two classes or more outside of each group"
            require(False, "clips", rule, f"clip {index} alone", "Give clips of other videos.")
    return donors


def _shuffled(classes: list[str], generator: np.random.Generator) -> list[str]:
    return [classes[number] for number in generator.permutation(len(classes))]


def _next_lender(queue: list[int], index: int, groups: Sequence[str] | None) -> int | None:
    """The first of a class's clips that may lend, which then goes to the end."""
    for position, lender in enumerate(queue):
        if groups is None or groups[lender] != groups[index]:
            queue.append(queue.pop(position))
            return lender
    return None
