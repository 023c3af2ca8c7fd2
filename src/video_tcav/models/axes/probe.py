"""Probed axes, for layers without declared ones: disturb one end of the clip and see which positions respond.

A slab at the start and at the end of time, height and width in turn is disturbed with the same noise. Along the
output dimension that carries the axis, the response moves from one end to the other; elsewhere it stays. A dimension of
tokens is read as every possible grid, and the grid must explain the responses clearly better than any other, and where single
cells of the clip respond.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes
from video_tcav.models.axes.probe_cells import disturbed, misplaced, noise_like
from video_tcav.models.axes.probe_match import Profile, Responses, match_axes
from video_tcav.models.devices import where_float64
from video_tcav.models.hooks import observe
from video_tcav.models.video_model import VideoModel

SLAB = 4
"""A slab is this fraction of an axis, at least one frame or pixel."""
STRENGTH = 2.0
"""Of the disturbance, in standard deviations of the noise clip."""
WEAK = 0.2
"""Axes that score less are probed a second time."""
SAME = 1e-3
"""Two activations are the same clip's if they differ by no more than this fraction of their largest value."""


def probe_axes(
    model: VideoModel, layers: Sequence[str], clip: Float[Tensor, "one ..."]
) -> dict[str, LayerAxes | AxesError]:
    """Axes of layers from 14 forwards of one noise clip; one probing serves all layers, each of which must run once a clip.

    Layers that respond weakly are probed again with other noise, and must be read the same way.

    Returns:
        By layer name: its axes, or the error to raise by whoever needs them.
    """
    # Seeds of noise: 0 the clip, 1 its partner in a batch, 2 the slabs; 4, 5, 6 those of the second round; 10 to 15 the cells.
    matches, errors = _probe(model, layers, clip, seed=1)
    weak = [name for name, (_, score) in matches.items() if score < WEAK]
    again, _ = _probe(model, weak, noise_like(clip, seed=4), seed=5) if weak else ({}, {})
    for name in weak:
        if name not in again or again[name][0] != matches[name][0]:
            errors[name] = AxesError(
                f"`layer` must have axes that can be told apart. Got {name}, which responds weakly and is read"
                " differently with other noise. Choose another layer."
            )
    return {name: errors.get(name) or matches[name][0] for name in layers}


def _probe(
    model: VideoModel, layers: Sequence[str], clip: Tensor, *, seed: int
) -> tuple[dict[str, tuple[LayerAxes, float]], dict[str, AxesError]]:
    """One round: what each layer's responses mean, with the score of its weakest axis, or the error."""
    single = _activations(model, layers, clip)
    pair = _activations(model, layers, torch.cat([clip, noise_like(clip, seed=seed)]))
    matches: dict[str, tuple[LayerAxes, float]] = {}
    errors: dict[str, AxesError] = {}
    baselines: dict[str, Tensor] = {}
    for name in layers:
        try:
            baselines[name] = _unfold(name, single[name], pair[name])
        except AxesError as error:
            errors[name] = error
    del pair  # memory: outputs of all layers for two clips
    ends: dict[str, dict[str, tuple[list[Profile], list[Profile]]]] = {name: {} for name in baselines}
    dims = {"time": model.clip_spec.time_dim + 1, "height": 3, "width": 4}  # of a batch of inputs, in either layout
    sizes = {axis: clip.shape[dim] for axis, dim in dims.items()}
    for axis, dim in dims.items():
        if sizes[axis] > 1:
            length = max(1, sizes[axis] // SLAB)
            slabs = slice(0, length), slice(sizes[axis] - length, sizes[axis])
            # The same noise at both ends: only the place differs between the two responses.
            clips = [disturbed(clip, {dim: slab}, strength=STRENGTH, seed=seed + 1) for slab in slabs]
            start, end = (_responses(model, baselines, changed) for changed in clips)
            for name in baselines:
                ends[name][axis] = (start[name], end[name])
    for name, baseline in baselines.items():
        responses = Responses(shape=tuple(baseline.shape[1:]), clip=sizes, ends=ends[name])
        try:
            matches[name] = match_axes(name, responses, fold=len(single[name]))
        except AxesError as error:
            errors[name] = error
    readings = {name: axes for name, (axes, _) in matches.items()}
    return matches, errors | misplaced(model, readings, single, clip, [dims[axis] for axis in POSITION_AXES])


def _unfold(name: str, single: Tensor, pair: Tensor) -> Tensor:
    """The activation with one clip in one row; raises where the first dimension does not separate the rows of two clips."""
    rows = single.shape[0] if single.ndim else 0
    if single.ndim < 2 or pair.shape[1:] != single.shape[1:] or pair.shape[0] != 2 * rows:
        raise AxesError(
            f"`layer` must have the clip as its first dimension. Got {name} with shapes {tuple(single.shape)} for one clip"
            f" and {tuple(pair.shape)} for two. Choose a layer around it."
        )
    if not _same(pair[:rows], single):
        order = "time-major" if rows > 1 and _same(pair[::2], single) else "mixing clips"
        raise AxesError(
            f"`layer` must keep the rows of one clip together. Got {name} with {rows} rows a clip, {order}."
            " Choose a layer around it."
        )
    return single[None] if rows > 1 else single


def _responses(model: VideoModel, baselines: dict[str, Tensor], clip: Tensor) -> dict[str, list[Profile]]:
    """For each layer, how much each index of each dimension responds to a disturbed clip."""
    profiles: dict[str, list[Profile]] = {}

    def compare(name: str, tensor: Tensor) -> None:
        change = (tensor.detach().reshape(baselines[name].shape) - baselines[name]).abs()[0]
        profiles[name] = [_profile(change, dim) for dim in range(change.ndim)]

    observe(model, list(baselines), clip, compare)
    return profiles


def _activations(model: VideoModel, layers: Sequence[str], clips: Tensor) -> dict[str, Tensor]:
    activations: dict[str, Tensor] = {}

    def record(name: str, tensor: Tensor) -> None:
        activations[name] = tensor.detach().clone()

    observe(model, layers, clips, record)
    return activations


def _profile(change: Tensor, dim: int) -> Profile:
    change = where_float64(change)
    summed = [axis for axis in range(change.ndim) if axis != dim]
    return (change.sum(dim=summed, dtype=torch.float64) if summed else change.double()).cpu().numpy()


def _same(tensor: Tensor, reference: Tensor) -> bool:
    return bool((tensor - reference).abs().max() <= SAME * reference.abs().max())
