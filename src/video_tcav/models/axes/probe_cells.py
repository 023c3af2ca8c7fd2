"""Check of probed axes by single cells: a reading must predict which positions respond to one cell of the clip.

Slabs at the ends of each axis do not separate an order of tokens that goes by blocks (mask units, windows) from one that
goes by rows: both respond at the same ends. A cell that is small in time, height and width does.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes
from video_tcav.models.devices import where_float64
from video_tcav.models.hooks import observe
from video_tcav.models.video_model import VideoModel

CELL = 8
"""A cell is this fraction of each axis, at least one frame or pixel: about one token of a common grid."""
CELL_POSITIONS = (
    *((0.1, 0.6, 0.3), (0.6, 0.15, 0.75), (0.9, 0.85, 0.45)),
    *((0.3, 0.4, 0.95), (0.75, 0.7, 0.08), (0.45, 0.27, 0.6)),
)
"""Of the cells along time, height and width: far from each other along each axis, in even and odd positions."""
STRENGTH = 4.0
"""Of the disturbance, in standard deviations of the noise clip."""
SLACK = 0.49
"""Distance in positions from the cell to the centre of the strongest response: half a position is that position's border."""
SHIFT = 0.5
"""Positions by which a whole layer may be shifted: convolutions with padding have their centres at the borders."""
REPEATED = 0.25
"""Distant positions whose responses differ by less than this fraction of the difference of neighbours see the same frames."""
LEAST_POSITIONS = 8
"""Along fewer positions, what counts as near a cell is most of the axis."""
WEAKER = 0.95
"""Share of the mean response; the second weakest had 1.25 and more where order is kept, 0.65 with interleaved frames."""


def misplaced(
    model: VideoModel,
    readings: Mapping[str, LayerAxes],
    base: Mapping[str, Tensor],
    clip: Float[Tensor, "one ..."],
    dims: Sequence[int],
) -> dict[str, AxesError]:
    """An error for each layer whose reading contradicts where it responds to single cells; six forwards serve all layers.

    `base` are the layers' outputs for the undisturbed clip, whose time, height and width are `dims`.
    """
    names = [name for name, axes in readings.items() if axes.has_positions]
    responses: dict[str, list[Tensor]] = {name: [] for name in names}

    def record(name: str, tensor: Tensor) -> None:
        change = where_float64(readings[name].positions((tensor.detach() - base[name]).abs())[0])
        change = change.sum(-1, dtype=torch.float64)
        # 1e-300: a layer that does not respond at all has shares of zero, not NaN.
        responses[name].append((change / change.sum().clamp_min(1e-300)).cpu())

    sizes = [clip.shape[dim] for dim in dims]
    cells = [_cell(sizes, position) for position in CELL_POSITIONS]
    for number, cell in enumerate(cells):
        index = dict(zip(dims, cell, strict=True))
        observe(model, names, disturbed(clip, index, strength=STRENGTH, seed=10 + number), record)
    return {
        name: AxesError(
            f"`layer` must keep its positions in the order of an axis. Got {name}, where a cell of the clip responds elsewhere"
            " than its axes say, as with tokens in blocks (mask units, windows) or frames that begin anew. Choose another layer."
        )
        for name in names
        if not _agree(readings[name], responses[name], cells, sizes)
    }


def noise_like(tensor: Tensor, *, seed: int) -> Tensor:
    """Standard normal noise of the same shape, type and device, the same on every device."""
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed)).to(tensor)


def disturbed(clip: Tensor, index: Mapping[int, slice], *, strength: float, seed: int) -> Tensor:
    """A clip with noise added inside a box: `index` has a slice for each dimension that bounds it."""
    changed = clip.clone()
    inside = changed[tuple(index.get(dim, slice(None)) for dim in range(clip.ndim))]
    inside += strength * noise_like(inside, seed=seed)  # a view of `changed`
    return changed


def _agree(
    axes: LayerAxes,
    responses: Sequence[Float[Tensor, "time height width"]],
    cells: Sequence[list[slice]],
    sizes: list[int],
) -> bool:
    """Whether each cell's response, compared with those to the other cells, lies where the cell is.

    Along axes that are flattened in tokens its peak must, since their order is what may be misread. Along a dimension of its own
    the response must move with the cell, not stand in two places, and be no weaker near the cell than those to the other cells
    are there: receptive fields of deep layers are wider than their few positions.
    """
    mean = torch.stack(list(responses)).mean(0)
    peaks = [torch.unravel_index((response - mean).argmax(), response.shape) for response in responses]
    for number, (axis, count, size) in enumerate(zip(POSITION_AXES, mean.shape, sizes, strict=True)):
        spans = [cell[number] for cell in cells]
        if axis in axes.token_order and not _peaks_inside([int(peak[number]) for peak in peaks], spans, count, size):
            return False
        if axis in axes.dims and count > 1:
            summed = [dim for dim in range(3) if dim != number]
            profiles = torch.stack([response.sum(summed) for response in responses])
            moves = _moves_along(profiles, spans) and not _repeats_along(profiles)
            if not (moves and _responds_near(profiles, spans, size)):
                return False
    return True


def _peaks_inside(peaks: Sequence[int], spans: Sequence[slice], count: int, size: int) -> bool:
    """Whether one shift of all positions, of at most `SHIFT`, puts the centre of each peak inside its cell (with `SLACK`)."""
    centres = [(peak + 0.5) / count for peak in peaks]
    least = max(span.start / size - SLACK / count - centre for span, centre in zip(spans, centres, strict=True))
    most = min(span.stop / size + SLACK / count - centre for span, centre in zip(spans, centres, strict=True))
    return max(least, -SHIFT / count) <= min(most, SHIFT / count)


def _moves_along(profiles: Float[Tensor, "cell position"], spans: Sequence[slice]) -> bool:
    """Whether the centre of the response to the cell nearest to the end lies behind that to the one nearest to the start."""
    centres = [float(centre) for centre in profiles @ torch.arange(profiles.shape[1]).double()]
    first, last = (pick(range(len(spans)), key=lambda cell: spans[cell].start) for pick in (min, max))
    return spans[first] == spans[last] or centres[first] < centres[last]


def _repeats_along(profiles: Float[Tensor, "cell position"]) -> bool:
    """Whether positions far from each other respond to the same cells, unlike neighbours: the axis begins anew inside."""
    profiles = profiles - profiles.mean(0)
    # Up to half the length, each position has a partner at that distance: a cell that it alone responds to counts.
    lags = range(1, profiles.shape[1] // 2 + 1)
    gaps = [float((profiles[:, lag:] - profiles[:, :-lag]).abs().mean()) for lag in lags]
    return any(gap < REPEATED * gaps[0] for gap in gaps)


def _responds_near(profiles: Float[Tensor, "cell position"], spans: Sequence[slice], size: int) -> bool:
    """Whether near all cells but one the response is at least the mean of the responses to all cells there.

    True along few positions, which show nothing.
    """
    count = profiles.shape[1]
    if count < LEAST_POSITIONS:
        return True
    shares = []
    for cell, span in enumerate(spans):
        first = math.floor(span.start / size * count) - 1
        last = math.ceil(span.stop / size * count) + 1
        near = profiles[:, max(0, first) : last].sum(1)
        shares.append(float(near[cell] / near.mean().clamp_min(1e-300)))
    return sorted(shares)[1] > WEAKER


def _cell(sizes: Sequence[int], position: Sequence[float]) -> list[slice]:
    lengths = [max(1, size // CELL) for size in sizes]
    starts = [round(share * (size - length)) for share, size, length in zip(position, sizes, lengths, strict=True)]
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]
