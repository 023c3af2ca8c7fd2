"""Dependence of a CAV on place and time: the share of its squared length that is left when it is averaged over them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.effects import fit_cavs
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import squared_lengths
from video_tcav.gram.resampling import percentile_interval
from video_tcav.models import LayerAxes, layer_axes
from video_tcav.recording.inner_products import BLOCK_BYTES, gram
from video_tcav.recording.recording import Recording
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison

Over = Literal["places", "time", "both"]
_DIMS: dict[Over, tuple[int, ...]] = {"places": (2, 3), "time": (1,), "both": (1, 2, 3)}
LABEL_PERMUTATIONS = 100
REFERENCE_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the recorded rows of one layer are read as positions.

    Attributes:
        rows: the layer's activations, in the feature space `flatten`.
        shape: of the layer's output for one clip, first dimension included.
        axes: what its dimensions mean.
        storage: memory and disk for the averaged rows.
    """

    rows: RowStore
    shape: tuple[int, ...]
    axes: LayerAxes
    storage: SpillSpace


@dataclass(frozen=True, kw_only=True)
class PlaceAndTime:
    """How much of a CAV is the same at all places, at all times, or both.

    Attributes:
        key: which CAV.
        over: what is averaged over: `places`, `time` or `both`.
        share: part of the CAV's squared length that is left when it is averaged, in [0, 1]; class tokens do not count.
        reference: average share of CAVs of permuted labels.
        reference_low: lower end of the central 95 % of these shares.
        reference_high: upper end.
        ratio: share / reference: above 1 the concept is less tied to places or times than noise is, below 1 more.
    """

    key: CavKey
    over: Over
    share: float
    reference: float
    reference_low: float
    reference_high: float
    ratio: float


def layouts_of(recording: Recording) -> dict[str, Layout]:
    """The recorded layers whose positions are known.

    There are none in a feature space that has averaged over them, nor where rows were sketched.

    Args:
        recording: of the clips.
    """
    if recording.settings.space != "flatten" or recording.settings.sketch is not None:
        return {}
    layouts = {}
    shapes = recording.layer_shapes()
    for layer in recording.layers:
        try:
            axes = layer_axes(recording.model, layer)
        except AxesError:
            continue
        if axes.has_positions:
            rows, shape = recording.whole_rows(layer), shapes[layer]
            if math.prod(shape) != rows.width:
                continue  # all rows came from a store, and clips have a size of their own that it does not tell
            layouts[layer] = Layout(rows=rows, shape=shape, axes=axes, storage=recording.storage)
    return layouts


def dependence_on_place_and_time(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    layouts: Mapping[str, Layout],
    *,
    cav: str | CavFitter,
    seed: int,
) -> tuple[PlaceAndTime, ...]:
    """Average each CAV over places, over time, and over both, and see what is left of its squared length.

    A CAV that is the same at every place keeps all of it; one that lives at a single place out of n keeps `1/n`. Noise keeps
    what neighbouring positions of a layer have in common, so the share is given beside that of CAVs of permuted labels. A
    concept that outweighs all else at a layer shows in those, too, and draws the ratio towards 1.
    The CAV itself is never built: averaging is a projection, so `‖Pw‖² = αᵀ(A P Aᵀ)α`, and one more pass over the stored
    rows gives `A P Aᵀ` for any number of CAVs.

    Args:
        comparisons: any comparisons; their twins are not looked at.
        grams: by layer, over all recorded rows.
        layouts: of the layers that have positions, see `layouts_of`.
        cav: how CAVs are learned.
        seed: of the label permutations.

    Returns:
        Three rows a comparison and layer; NaN where the CAV has no direction.

    Source:
        Nicolson et al. 2024, arXiv:2404.03713, for spatially dependent CAVs; time, the shares and their reference are ours.
    """
    if not comparisons:
        return ()
    used = np.unique(np.concatenate([comparison.rows["none"] for comparison in comparisons]))
    rows: list[PlaceAndTime] = []
    for layer, layout in layouts.items():
        kernels = averaged_kernels(layout, grams[layer], used)
        for comparison in comparisons:
            rows += _shares(comparison, layer, kernels, np.searchsorted(used, comparison.rows["none"]), cav, seed)
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class _Kernels:
    """Inner products of rows, of their positions without class tokens, and of positions that are averaged and spread again."""

    rows: Float[np.ndarray, "row row"]
    positions: Float[np.ndarray, "row row"]
    averaged: dict[Over, Float[np.ndarray, "row row"]]


def _shares(
    comparison: Comparison,
    layer: str,
    kernels: _Kernels,
    rows: Int[np.ndarray, " row"],
    cav: str | CavFitter,
    seed: int,
) -> Iterator[PlaceAndTime]:
    design, pairs = comparison.design, np.ix_(rows, rows)
    labels = [design.labels[None], *design.label_permutations(LABEL_PERMUTATIONS, seed)]
    # the observed labels first, then the permuted ones
    alphas = fit_cavs(cav, kernels.rows[pairs], np.concatenate(labels))
    lengths = squared_lengths(kernels.positions[pairs], alphas)
    for over, kernel in kernels.averaged.items():
        averaged = squared_lengths(kernel[pairs], alphas)
        shares = np.where(lengths > 0, averaged / np.where(lengths > 0, lengths, 1), np.nan)
        share, reference = float(shares[0]), float(shares[1:].mean())
        low, high = percentile_interval(shares[1:], REFERENCE_LEVEL)
        yield PlaceAndTime(
            key=comparison.key(layer),
            over=over,
            share=share,
            reference=reference,
            reference_low=low,
            reference_high=high,
            ratio=share / reference if reference > 0 else math.nan,
        )


def averaged_kernels(layout: Layout, layer_gram: Gram, used: Int[np.ndarray, " row"]) -> _Kernels:
    """Read the rows once, average their positions in each way, and take inner products."""
    prefixes = RowStore(layout.storage)
    pooled: dict[Over, RowStore] = {over: RowStore(layout.storage) for over in _DIMS}
    counts: dict[Over, int] = {}
    for values in _outputs(layout, used.tolist()):
        positions = layout.axes.positions(values)
        prefixes.append(layout.axes.prefix(values).flatten(1))
        for over, dims in _DIMS.items():
            pooled[over].append(positions.mean(dims).flatten(1))
            counts[over] = math.prod(positions.shape[dim] for dim in dims)
    kernel, all_rows = _matrix(layer_gram)[np.ix_(used, used)], range(len(used))
    return _Kernels(
        rows=kernel,
        # rows are class tokens and positions side by side, so their inner products add up
        positions=kernel - _matrix(gram(prefixes, None, all_rows)),
        # an average over n positions, spread out again, has n times the squared length of the average
        averaged={over: counts[over] * _matrix(gram(store, None, all_rows)) for over, store in pooled.items()},
    )


def _outputs(layout: Layout, used: Sequence[int]) -> Iterator[Float[Tensor, "row ..."]]:
    """The layer's outputs as they were, some clips at a time."""
    store = layout.rows
    # whole clips, as many as make a block: positions of a clip must stay together to be averaged
    step = max(1, BLOCK_BYTES // max(1, store.width * store.dtype.itemsize))
    for start in range(0, len(used), step):
        chunk = used[start : start + step]
        for block in store.column_blocks(chunk, store.width):
            # a layer that folds frames into its first dimension has several of its rows for one clip
            yield block.reshape(len(chunk) * layout.shape[0], *layout.shape[1:])


def _matrix(layer_gram: Gram) -> Float[np.ndarray, "row row"]:
    assert isinstance(layer_gram.kernel, np.ndarray)  # layouts come with whole rows, and those with a whole K
    return layer_gram.kernel
