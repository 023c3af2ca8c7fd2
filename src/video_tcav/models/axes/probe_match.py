"""Reading probed axes: from a layer's responses to disturbed clips to the one clear meaning of its dimensions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations, product
from math import prod

import numpy as np

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes

Profile = np.ndarray[tuple[int], np.dtype[np.float64]]
"""How much each index of one dimension responded."""

CLEAR = 0.02
"""Minimum score of a dimension that carries an axis (1: the response jumps from one end to the other)."""
DOMINANT = 3.0
"""Minimum ratio of a dimension's response to the next strongest."""
MARGIN = 0.05
"""The best reading must beat the next by this fraction of its score."""
CLEAR_TOKEN = 0.05
"""Minimum score of each axis of a token dimension: it has more readings, so chance finds more among them."""
CHANNEL = 0.15
"""Score bonus of a reading with a channel dimension: nearly every layer has one."""
HIDDEN = 0.3
"""Fraction of its length by which the response moves along a dimension that holds an axis and is too long for it."""
MAX_PREFIX = 2  # class and distillation token


@dataclass(frozen=True, kw_only=True)
class Responses:
    """How one layer responded.

    Attributes:
        shape: of the layer's output without the clip dimension.
        clip: size of each position axis of the input.
        ends: for each axis longer than one, how much each index of each dimension responded to a slab at the start and
            at the end.
    """

    shape: tuple[int, ...]
    clip: Mapping[str, int]
    ends: Mapping[str, tuple[list[Profile], list[Profile]]]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One dimension read as axes flattened in an order, behind some prefix tokens."""

    order: tuple[str, ...]
    sizes: tuple[int, ...]
    prefix: int
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        return sum(self.scores)

    @property
    def is_token(self) -> bool:
        return len(self.order) > 1 or self.prefix > 0


def match_axes(layer: str, responses: Responses, *, fold: int) -> tuple[LayerAxes, float]:
    """The one clear meaning of a layer's dimensions, of whose output `fold` rows belong to one clip; and its weakest score."""
    if len(responses.shape) == 1:
        return LayerAxes(dims=("clip", "channel")), 1.0
    wide = [dim for dim, size in enumerate(responses.shape) if size > 1]
    choices = [[None, *_readings(responses, dim)] for dim in wide]
    ranked = sorted(_assignments(choices), key=_total, reverse=True)
    if not ranked:
        problem = "where more than one dimension responds to no single end of time, height or width"
        raise _unclear(layer, responses, problem)
    best = ranked[0]
    if len(ranked) > 1 and _total(ranked[1]) > (1 - MARGIN) * _total(best):
        raise _unclear(layer, responses, f"which reads as {_words(best)} and almost as well as {_words(ranked[1])}")
    readings = dict(zip(wide, best, strict=True))
    _check_dominant(layer, responses, readings)
    _check_hidden(layer, responses, readings)
    weakest = min((score for reading in best if reading for score in reading.scores), default=1.0)
    return _layer_axes(responses, readings, fold), weakest


def _assignments(choices: list[list[_Reading | None]]) -> Iterator[tuple[_Reading | None, ...]]:
    """All ways to read the dimensions with at most one channel, one token dimension, and no axis twice.

    Tokens that respond to height and not to width (or the reverse) are no reading: patches have both.
    """
    for assignment in product(*choices):
        readings = [reading for reading in assignment if reading is not None]
        axes = [axis for reading in readings for axis in reading.order]
        if len(readings) >= len(assignment) - 1 and len(set(axes)) == len(axes):
            tokens = sum(reading.is_token for reading in readings)
            if tokens == 0 or (tokens == 1 and ("height" in axes) == ("width" in axes)):
                yield assignment


def _readings(responses: Responses, dim: int) -> list[_Reading]:
    """For each set of axes that the dimension may hold, its two best readings."""
    best: dict[frozenset[str], list[_Reading]] = {}
    for order, sizes, prefix in _grids(responses.shape[dim], responses.clip):
        scores = _scores(responses, dim, order, sizes, prefix)
        if scores:
            reading = _Reading(order=order, sizes=sizes, prefix=prefix, scores=scores)
            ranked = best.setdefault(frozenset(order), [])
            ranked.append(reading)
            ranked.sort(key=lambda item: item.score, reverse=True)
            del ranked[2:]  # the second is needed to see whether the best is clearly better
    return [reading for ranked in best.values() for reading in ranked]


def _grids(length: int, clip: Mapping[str, int]) -> Iterator[tuple[tuple[str, ...], tuple[int, ...], int]]:
    """Every (order, sizes, prefix) that makes up a dimension of this length and fits into the clip."""
    for prefix, count in product(range(MAX_PREFIX + 1), (1, 2, 3)):
        number = length - prefix
        for axes in combinations(POSITION_AXES, count):
            limits = [min(clip[axis], number) for axis in axes]
            factors = [[size for size in range(2, limit + 1) if number % size == 0] for limit in limits]
            for sizes in product(*factors):
                if prod(sizes) == number:
                    for order in permutations(range(count)):
                        yield tuple(axes[i] for i in order), tuple(sizes[i] for i in order), prefix


def _scores(
    responses: Responses, dim: int, order: tuple[str, ...], sizes: tuple[int, ...], prefix: int
) -> tuple[float, ...]:
    """Score of each axis if the dimension is read this way; empty if one of them is not clear."""
    clear = CLEAR_TOKEN if len(order) > 1 or prefix else CLEAR
    scores: list[float] = []
    for axis in order:
        scores.append(_score(responses, dim, order, sizes, prefix, axis))
        if scores[-1] < clear:
            return ()
    return tuple(scores)


def _score(
    responses: Responses, dim: int, order: tuple[str, ...], sizes: tuple[int, ...], prefix: int, axis: str
) -> float:
    """How clearly the response to one axis moves along it, from 0 to 1, if the dimension is read this way.

    The product of four numbers: how far the centre of the response moves; the share of its change that depends on the
    axis alone; how little the prefix takes part in the change; and whether the first position takes part in it like
    its neighbour (it does not where it is a prefix token itself).
    """
    profiles = _normalised(responses, dim, axis)
    if profiles is None:
        return 0.0
    dim_of_axis = order.index(axis)
    size = sizes[dim_of_axis]
    summed = tuple(index for index in range(len(sizes)) if index != dim_of_axis)
    start, end = (profile[prefix:].reshape(sizes) for profile in profiles)
    first, last = start.sum(axis=summed), end.sum(axis=summed)
    change, joint_change = first - last, start - end
    total = float((joint_change * joint_change).sum())
    # As in an analysis of variance: sum of squares between the axis's positions over the total one.
    alone = float((change * change).sum()) * size / prod(sizes) / total if total else 0.0
    # Half of the neighbour's change is enough for the full factor.
    edge = min(1.0, 2 * _ratio(change[0], change[1])) if size > 2 else 1.0
    swing = np.abs(profiles[0] - profiles[1])
    aside = max(0.0, 1 - _ratio(swing[:prefix].max(), swing[prefix])) if prefix else 1.0
    return max(0.0, _moved(first, last)) * alone * edge * aside


def _normalised(responses: Responses, dim: int, axis: str) -> tuple[Profile, Profile] | None:
    """Shares of the responses to the two ends along a dimension; `None` where nothing responds."""
    start, end = (profiles[dim] for profiles in responses.ends[axis])
    sums = float(start.sum()), float(end.sum())
    return (start / sums[0], end / sums[1]) if min(sums) > 0 and np.isfinite(sums).all() else None


def _moved(first: Profile, last: Profile) -> float:
    """How far the centre moves from one profile to the other, as a fraction of the length."""
    sums = float(first.sum()), float(last.sum())
    index = np.arange(len(first)) / (len(first) - 1)
    return float(last @ index) / sums[1] - float(first @ index) / sums[0] if min(sums) > 0 else 0.0


def _ratio(numerator: float, denominator: float) -> float:
    return abs(numerator) / abs(denominator) if denominator else 1.0


def _check_dominant(layer: str, responses: Responses, readings: Mapping[int, _Reading | None]) -> None:
    """Raise where another dimension responds to an axis nearly as much as the one that was chosen for it."""
    for dim, reading in readings.items():
        for axis, chosen in zip(reading.order, reading.scores, strict=True) if reading else ():
            for rival in readings:
                profiles = None if rival == dim else _normalised(responses, rival, axis)
                if profiles is not None and abs(_moved(*profiles)) * DOMINANT > chosen:
                    problem = f"where dimensions {dim + 1} and {rival + 1} both respond to {axis}"
                    raise _unclear(layer, responses, problem)


def _check_hidden(layer: str, responses: Responses, readings: Mapping[int, _Reading | None]) -> None:
    """Raise where a channel dimension holds more positions of an axis than the clip has.

    Only where a dimension of size one would take the axis's name; otherwise positions in channels are channels.
    """
    read = {axis for reading in readings.values() if reading for axis in reading.order}
    for dim, axis in product(readings, responses.ends):
        if readings[dim] or axis in read or responses.shape[dim] <= responses.clip[axis] or 1 not in responses.shape:
            continue
        profiles = _normalised(responses, dim, axis)
        if profiles is not None and _moved(*profiles) > HIDDEN:
            raise AxesError(
                f"`layer` must have no more positions than the clip. Got {layer} of shape {(1, *responses.shape)}, where"
                f" dimension {dim + 1} responds to {axis}, of which the clip has {responses.clip[axis]}. Choose another layer."
            )


def _total(assignment: tuple[_Reading | None, ...]) -> float:
    return sum(CHANNEL if reading is None else reading.score for reading in assignment)


def _layer_axes(responses: Responses, assignment: dict[int, _Reading | None], fold: int) -> LayerAxes:
    """The reading as axes; dimensions of size one take the names that are left."""
    readings = [reading for reading in assignment.values() if reading]
    token = next((reading for reading in readings if reading.is_token), None)
    sizes = {axis: size for reading in readings for axis, size in zip(reading.order, reading.sizes, strict=True)}
    names = {
        dim: "channel" if reading is None else "token" if reading.is_token else reading.order[0]
        for dim, reading in assignment.items()
    }
    unused = [axis for axis in (*POSITION_AXES, "channel") if axis not in sizes and axis not in names.values()]
    singletons = [dim for dim in range(len(responses.shape)) if dim not in names]
    if len(singletons) > len(unused):
        raise AxesError(
            f"`layer` must have no more dimensions than axes. Got shape {(1, *responses.shape)}. Choose another layer."
        )
    names |= dict(zip(singletons, unused, strict=False))
    time, height, width = (sizes.get(axis, 1) for axis in POSITION_AXES)
    return LayerAxes(
        dims=("clip", *(names[dim] for dim in range(len(responses.shape)))),
        token_order=token.order if token else (),
        grid=(time, height, width) if token else None,
        prefix_tokens=token.prefix if token else 0,
        fold=fold,
    )


def _unclear(layer: str, responses: Responses, problem: str) -> AxesError:
    shape = (1, *responses.shape)
    return AxesError(
        f"`layer` must have axes that can be told apart. Got {layer} of shape {shape}, {problem}. Choose another layer."
    )


def _words(assignment: tuple[_Reading | None, ...]) -> str:
    """Such as `(channel, time 4×height 7×width 7)`."""
    dims = [
        "×".join(f"{axis} {size}" for axis, size in zip(reading.order, reading.sizes, strict=True))
        if reading
        else "channel"
        for reading in assignment
    ]
    return f"({', '.join(dims)})"
