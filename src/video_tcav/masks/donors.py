"""Donors: whose scene a clip gets, drawn by seed from clips of other classes, and who else may lend it one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from video_tcav.core import random_streams
from video_tcav.core.checks import require
from video_tcav.core.errors import ShapeError
from video_tcav.media import VideoSource

_MOST_LENDERS = 4
"""Clips that are asked for their scene, one after the other, until there is a person in one whose mask leaves no doubt."""


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


def along_chains(donors: Sequence[int]) -> list[int]:
    """Clips so that behind each comes the one that lends it a scene, which is then decoded once for both."""
    # who lends to whom is nearly a permutation: following it from clip to clip walks along its cycles
    left = dict.fromkeys(range(len(donors)))
    order = []
    while left:
        clip = next(iter(left))
        while clip in left:
            del left[clip]
            order.append(clip)
            clip = donors[clip]
    return order


def lenders_along(
    sources: Sequence[VideoSource], donors: Sequence[int], labels: Sequence[str], groups: Sequence[str]
) -> dict[str, tuple[VideoSource, ...]]:
    """The donor of each clip, then those of its donors along the chain that may lend to it, too."""
    lenders = {}
    for clip, source in enumerate(sources):
        chain, lender = [donors[clip]], donors[donors[clip]]
        for _ in range(len(sources)):
            # the next along the chain is decoded soon anyway, but may be of the clip's own class or group
            fits = labels[lender] != labels[clip] and groups[lender] != groups[clip] and lender not in chain
            if len(chain) == _MOST_LENDERS:
                break
            chain += [lender] if fits else []
            lender = donors[lender]
        lenders[source.key] = tuple(sources[index] for index in chain)
    return lenders


def _shuffled(classes: list[str], generator: np.random.Generator) -> list[str]:
    return [classes[number] for number in generator.permutation(len(classes))]


def _next_lender(queue: list[int], index: int, groups: Sequence[str] | None) -> int | None:
    """The first of a class's clips that may lend, which then goes to the end."""
    for position, lender in enumerate(queue):
        if groups is None or groups[lender] != groups[index]:
            queue.append(queue.pop(position))
            return lender
    return None
