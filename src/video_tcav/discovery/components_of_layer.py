"""Components of one layer: a factorisation of sampled positions, how many of them, how stable each is, and what clips have."""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from video_tcav.core import random_streams
from video_tcav.discovery.factorisers.factoriser import Directions, Factoriser, Positions
from video_tcav.discovery.layer_grid import LayerGrid
from video_tcav.discovery.settings import MOST_COMPONENTS
from video_tcav.recording.rows import RowStore

SAMPLED_POSITIONS = 4000
"""That components are fitted to: more change directions by less than other groups do, and take longer."""
_NUMBERS = (4, 6, 8, 10, 12, MOST_COMPONENTS)
_AGREEMENT = 0.8
"""Mean cosine of the components of two halves of the groups from which the two are said to agree."""
_BLOCK_BYTES = 64 * 2**20
_STRONG = 0.95
"""Quantile of a component's values over positions of random clips above which a position shows it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FindingClips:
    """The clips that components are found in.

    Attributes:
        rows: where they lie in the layer's store.
        groups: what is independent.
        is_random: whether each is a random clip.
    """

    rows: Int[np.ndarray, " clip"]
    groups: Int[np.ndarray, " clip"]
    is_random: np.ndarray


class Fits:
    """Fits to several samples of positions, each made once."""

    def __init__(self, factoriser: Factoriser, samples: Sequence[Positions], seed: int) -> None:
        self._factoriser, self._samples, self._seed = factoriser, samples, seed
        self._made: dict[tuple[int, int, int], Directions] = {}

    def directions(self, sample: int, number: int, again: int = 0) -> Directions:
        """Of one of the samples; `again` takes another seed."""
        key = (sample, number, again)
        if key not in self._made:
            seed = np.random.SeedSequence([self._seed, random_streams.DISCOVERY_FITS, again]).generate_state(1)[0]
            self._made[key] = self._factoriser.fit(self._samples[sample], number, int(seed))
        return self._made[key]

    def agreed_number(self) -> int:
        """The most components that the two halves agree on, or the number on which they agree best."""
        channels = self._samples[0].shape[1]
        numbers = [number for number in _NUMBERS if number <= channels] or [channels]
        agreement = dict[int, float]()
        for number in reversed(numbers):  # the most first: fits to fewer are made only where more do not agree
            agreement[number] = float(matched_cosines(self.directions(1, number), self.directions(2, number)).mean())
            if agreement[number] >= _AGREEMENT:
                return number
        return max(reversed(agreement), key=lambda number: agreement[number])


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerComponents:
    """Components of one layer.

    Attributes:
        grid: of the layer.
        shape: `(time, height, width, channel)` of the grid.
        factoriser: that found them.
        centre: mean activation at each position, or 0.
        scale: root mean square length of what is left.
        directions: of length one, the component that carries most of the activation first.
        thresholds: what 95 % of the positions of random clips have less of.
        fits: behind the directions, for others like them.
    """

    grid: LayerGrid
    shape: tuple[int, int, int, int]
    factoriser: Factoriser
    centre: Float[np.ndarray, "time height width channel"]
    scale: float
    directions: Directions
    thresholds: Float[np.ndarray, " component"]
    fits: Fits

    @cached_property
    def stability(self) -> Float[np.ndarray, " component"]:
        """Mean cosine of each component with its match in a fit with another seed and in fits to two halves of the groups."""
        number = len(self.directions)
        others = [self.fits.directions(*fit) for fit in ((0, number, 1), (1, number), (2, number))]
        return np.mean([matched_cosines(self.directions, other) for other in others], axis=0)

    def maps(
        self, store: RowStore, rows: Sequence[int] | Int[np.ndarray, " row"]
    ) -> Iterator[Float[np.ndarray, "clip time height width component"]]:
        """How much of each component every position of some clips has, in blocks of clips."""
        step = max(1, _BLOCK_BYTES // (store.width * store.dtype.itemsize))
        for start in range(0, len(rows), step):
            values = store.take(list(rows[start : start + step])).numpy().reshape(-1, *self.shape)
            flat = ((values - self.centre) / self.scale).reshape(-1, self.shape[-1])
            codes = self.factoriser.codes(flat, self.directions)
            yield codes.reshape(*values.shape[:-1], len(self.directions))

    def shares(
        self, maps: Float[np.ndarray, "clip time height width"], component: int
    ) -> Float[np.ndarray, "clip time height width channel"]:
        """What a component adds to the activation of clips that have this much of it at each position."""
        return maps[..., None] * (self.scale * self.directions[component])

    def presences(self, store: RowStore, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "clip component"]:
        """Mean over positions of each clip."""
        return np.concatenate([maps.mean((1, 2, 3), dtype=np.float64) for maps in self.maps(store, rows)])


def find_components(
    store: RowStore, grid: LayerGrid, clips: FindingClips, factoriser: Factoriser, number: int | None, seed: int
) -> LayerComponents:
    """Factorise sampled positions of the clips that find; see `LayerComponents`.

    Args:
        store: activations on the grid, one row a clip.
        grid: of the layer.
        clips: that components are found in, and no others.
        factoriser: how.
        number: of components; `None` for the most that two halves of the groups agree on.
        seed: of positions, halves and fits.
    """
    layer = zlib.crc32(grid.layer.encode())
    shape = (*grid.size, store.width // math.prod(grid.size))
    centre = _centre(store, clips, shape) if factoriser.centred else np.zeros(shape, np.float32)
    sample, clip_of = _sampled(store, clips, shape, centre, [seed, random_streams.DISCOVERY_POSITIONS, layer])
    scale = float(np.sqrt(np.square(sample).sum(1).mean())) or 1.0
    sample /= scale
    first = _first_half(clips.groups, seed)[clip_of]
    fits = Fits(factoriser, [sample, sample[first], sample[~first]], seed)
    count = number or fits.agreed_number()
    directions = fits.directions(0, count)
    codes = factoriser.codes(sample, directions)
    order = np.argsort(-codes.mean(0), kind="stable")
    random = codes[clips.is_random[clip_of]]
    return LayerComponents(
        grid=grid,
        shape=shape,
        factoriser=factoriser,
        centre=centre,
        scale=scale,
        directions=directions[order],
        thresholds=np.asarray([_threshold(column) for column in random.T[order]]),
        fits=fits,
    )


def match_rows(
    first: Float[np.ndarray, "row column"], second: Float[np.ndarray, "other column"]
) -> list[tuple[int, int, float]]:
    """Rows of two matrices paired so that cosines add up to the most (Kuhn 1955), each pair with its cosine."""
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (first, second)]
    cosines = unit[0] @ unit[1].T
    pairs = zip(*linear_sum_assignment(-cosines), strict=True)
    return [(int(row), int(other), float(cosines[row, other])) for row, other in pairs]


def matched_cosines(directions: Directions, others: Directions) -> Float[np.ndarray, " component"]:
    """Cosine of each direction with its match among as many others."""
    cosines = np.zeros(len(directions))
    for row, _, cosine in match_rows(directions, others):
        cosines[row] = cosine
    return cosines


def _centre(store: RowStore, clips: FindingClips, shape: tuple[int, int, int, int]) -> np.ndarray:
    total = np.zeros(shape)
    step = max(1, _BLOCK_BYTES // (store.width * store.dtype.itemsize))
    for start in range(0, len(clips.rows), step):
        rows = clips.rows[start : start + step].tolist()
        total += store.take(rows).numpy().reshape(-1, *shape).sum(0, dtype=np.float64)
    return (total / len(clips.rows)).astype(np.float32)


def _sampled(
    store: RowStore, clips: FindingClips, shape: tuple[int, int, int, int], centre: np.ndarray, seed: Sequence[int]
) -> tuple[Positions, Int[np.ndarray, " position"]]:
    """As many positions of each clip, from the centre, and the number of the clip of each."""
    generator, places = np.random.default_rng(seed), math.prod(shape[:3])
    each = min(places, -(-SAMPLED_POSITIONS // len(clips.rows)))  # rounded up
    origin = centre.reshape(places, -1)
    sample = []
    for row in clips.rows.tolist():
        chosen = generator.choice(places, each, replace=False)
        sample.append(store.take([row]).numpy().reshape(places, -1)[chosen] - origin[chosen])
    return np.concatenate(sample).astype(np.float32), np.repeat(np.arange(len(clips.rows)), each)


def _first_half(groups: Int[np.ndarray, " clip"], seed: int) -> np.ndarray:
    """Whether each clip is in the first half of the groups that find."""
    names = np.unique(groups)
    generator = np.random.default_rng([seed, random_streams.DISCOVERY_STABILITY])
    return np.isin(groups, generator.permutation(names)[: len(names) // 2])


def _threshold(codes: Float[np.ndarray, " position"]) -> float:
    """A value that 5 % of the positions exceed; where fewer have any of the component, the smallest there is."""
    quantile = float(np.quantile(codes, _STRONG))
    return quantile if quantile > 0 else float(np.finfo(np.float32).eps)
