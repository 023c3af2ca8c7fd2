"""Single cells: whether a reading of a layer's axes also predicts which positions answer to one cell of the clip.

Slabs at the ends of each axis do not tell an order of tokens that goes by blocks (mask units, windows) from one that
goes by rows: both answer at the same ends. A cell that is small in time, height and width does.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes
from video_tcav.models.hooks import hooked, untouched
from video_tcav.models.outputs import first_tensor
from video_tcav.models.video_model import VideoModel

CELL = 8
"""A cell is this fraction of each axis, at least one frame or pixel: about one token of a common grid."""
PLACES = ((0.1, 0.6, 0.3), (0.6, 0.15, 0.75), (0.9, 0.85, 0.45), (0.3, 0.4, 0.95), (0.75, 0.7, 0.08), (0.45, 0.27, 0.6))
"""Where the cells lie along time, height and width: far from each other along each axis, in even and odd positions."""
STRENGTH = 4.0
"""Of the disturbance, in standard deviations of the noise clip."""
SLACK = 0.49
"""How far from the cell, in positions, the centre of the one that answers most may lie: half a position is its own border."""
SHIFT = 0.5
"""By how many positions all of a layer may be shifted: convolutions with padding have their centres at the borders."""
REPEATED = 0.25
"""Distant positions whose answers differ by less than this fraction of what neighbours differ by show one part of the clip."""
TELLING_POSITIONS = 8
"""Along fewer positions, what counts as near a cell is most of the axis."""
WEAKER = 0.95
"""Share of the mean answer; the second weakest of networks that keep the order had 1.25 and more, of interleaved frames 0.65."""


def misplaced(
    model: VideoModel,
    readings: Mapping[str, LayerAxes],
    base: Mapping[str, Tensor],
    clip: Float[Tensor, "one ..."],
    dims: Sequence[int],
) -> dict[str, AxesError]:
    """Readings by which the strongest answer to a cell lies somewhere else; six forwards serve all layers.

    Args:
        model: the model; left as it was.
        readings: axes of each layer.
        base: output of each layer for the undisturbed clip.
        clip: the undisturbed clip.
        dims: which dimensions of the clip are time, height and width.

    Returns:
        An error for each layer that was misread.
    """
    names = [name for name, axes in readings.items() if axes.has_positions]
    answers: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            moved = readings[name].positions((tensor.detach() - base[name]).abs())[0].sum(-1, dtype=torch.float64)
            answers[name].append((moved / moved.sum().clamp_min(1e-300)).cpu())

    cells = [_cell([clip.shape[dim] for dim in dims], place) for place in PLACES]
    with untouched(model.module), hooked(model, names, keep), torch.no_grad():
        for number, cell in enumerate(cells):
            model.forward(_disturbed(clip, dims, cell, seed=10 + number))
    sizes = [clip.shape[dim] for dim in dims]
    return {name: _error(name) for name in names if not _agree(readings[name], answers[name], cells, sizes)}


def _agree(
    axes: LayerAxes,
    answers: Sequence[Float[Tensor, "time height width"]],
    cells: Sequence[list[slice]],
    sizes: list[int],
) -> bool:
    """Whether each cell's answer, compared with those to the others, lies where the cell is.

    Along axes that are flattened in tokens its peak must, since their order is what may be misread. Along a dimension of its own
    the answer must move with the cell, not stand in two places, and be no weaker near the cell than those to the other cells
    are there: receptive fields of deep layers are wider than their few positions.
    """
    everywhere = torch.stack(list(answers)).mean(0)
    peaks = [torch.unravel_index((answer - everywhere).argmax(), answer.shape) for answer in answers]
    for number, axis in enumerate(POSITION_AXES):
        count, size = answers[0].shape[number], sizes[number]
        if axis in axes.token_order:
            centres = [(int(peak[number]) + 0.5) / count for peak in peaks]
            spans = [(cell[number].start / size, cell[number].stop / size) for cell in cells]
            least = max(start - SLACK / count - centre for centre, (start, _) in zip(centres, spans, strict=True))
            most = min(stop + SLACK / count - centre for centre, (_, stop) in zip(centres, spans, strict=True))
            if max(least, -SHIFT / count) > min(most, SHIFT / count):
                return False
    for number, axis in enumerate(POSITION_AXES):
        if axis in axes.dims and answers[0].shape[number] > 1:
            profiles = torch.stack([answer.sum([other for other in range(3) if other != number]) for answer in answers])
            spans = [cell[number] for cell in cells]
            moves = _moves_along(profiles, spans) and not _repeats_along(profiles)
            if not (moves and _answers_near(profiles, spans, sizes[number])):
                return False
    return True


def _moves_along(profiles: Float[Tensor, "cell position"], spans: Sequence[slice]) -> bool:
    """Whether the centre of the answer to the cell nearest to the end lies behind that to the one nearest to the start."""
    centres = [float(centre) for centre in profiles @ torch.arange(profiles.shape[1]).double()]
    first, last = (pick(range(len(spans)), key=lambda cell: spans[cell].start) for pick in (min, max))
    return spans[first] == spans[last] or centres[first] < centres[last]


def _repeats_along(profiles: Float[Tensor, "cell position"]) -> bool:
    """Whether positions far from each other answer to the same cells, unlike neighbours: the axis begins anew inside."""
    profiles = profiles - profiles.mean(0)
    # Up to half the length, each position has a partner at that distance: a cell that it alone answers to counts.
    gaps = [
        float((profiles[:, lag:] - profiles[:, :-lag]).abs().mean()) for lag in range(1, profiles.shape[1] // 2 + 1)
    ]
    return any(gap < REPEATED * gaps[0] for gap in gaps)


def _answers_near(profiles: Float[Tensor, "cell position"], spans: Sequence[slice], size: int) -> bool:
    """Whether all cells but one have at least the mean answer of all cells near their own place; few positions tell nothing."""
    count = profiles.shape[1]
    if count < TELLING_POSITIONS:
        return True
    shares = []
    for cell, span in enumerate(spans):
        first = math.floor(span.start / size * count) - 1
        last = math.ceil(span.stop / size * count) + 1
        near = profiles[:, max(0, first) : last].sum(1)
        shares.append(float(near[cell] / near.mean().clamp_min(1e-300)))
    return sorted(shares)[1] > WEAKER


def _cell(sizes: Sequence[int], place: Sequence[float]) -> list[slice]:
    lengths = [max(1, size // CELL) for size in sizes]
    starts = [round(share * (size - length)) for share, size, length in zip(place, sizes, lengths, strict=True)]
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def _disturbed(clip: Tensor, dims: Sequence[int], cell: Sequence[slice], *, seed: int) -> Tensor:
    index: list[slice] = [slice(None)] * clip.ndim
    for dim, part in zip(dims, cell, strict=True):
        index[dim] = part
    changed = clip.clone()
    inside = changed[tuple(index)]
    noise = torch.randn(inside.shape, generator=torch.Generator().manual_seed(seed)).to(clip)
    changed[tuple(index)] = inside + STRENGTH * noise
    return changed


def _error(layer: str) -> AxesError:
    return AxesError(
        f"`layer` must keep its positions in the order of an axis. Got {layer}, where a cell of the clip answers elsewhere than"
        " its axes say, as with tokens in blocks (mask units, windows) or frames that begin anew. Choose another layer."
    )
