"""Axes of layers that nobody declared: disturb one end of the clip and see which positions answer.

A slab at the start and at the end of time, height and width in turn is disturbed with the same noise. Along the
output dimension that carries the axis, the answer moves from one end to the other; elsewhere it stays. A dimension of
tokens is read as every possible grid, and the grid must explain the answers clearly better than any other, and where single
cells of the clip answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes
from video_tcav.models.axes.probe_cells import misplaced
from video_tcav.models.axes.probe_match import Answers, Match, Profile, match_axes
from video_tcav.models.hooks import hooked, untouched
from video_tcav.models.outputs import first_tensor
from video_tcav.models.video_model import VideoModel

SLAB = 4
"""A slab is this fraction of an axis, at least one frame or pixel."""
STRENGTH = 2.0
"""Of the disturbance, in standard deviations of the noise clip."""
WEAK = 0.2
"""Axes that score less are probed a second time."""
SAME = 1e-3
"""Two activations are the same clip's if they differ by no more than this fraction of their largest value."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the first two forwards showed of one layer."""

    base: Tensor
    fold: int


def probe_axes(
    model: VideoModel, layers: Sequence[str], clip: Float[Tensor, "one ..."]
) -> dict[str, LayerAxes | AxesError]:
    """Axes of layers from 14 forwards of one clip; one probing serves all layers.

    Layers that answer weakly are probed again with other noise, and must be read the same way.

    Args:
        model: the model; left as it was.
        layers: dotted module names; each must run once a clip.
        clip: one noise clip of the model's shape.

    Returns:
        By layer name: its axes, or the error to raise by whoever needs them.
    """
    matches, errors = _probe(model, layers, clip, seed=1)
    weak = [name for name, match in matches.items() if match.weakest < WEAK]
    again, _ = _probe(model, weak, _noise(clip, seed=4), seed=5) if weak else ({}, {})
    for name in weak:
        if name not in again or again[name].axes != matches[name].axes:
            errors[name] = AxesError(
                f"`layer` must have axes that can be told apart. Got {name}, which answers weakly and is read"
                " differently with other noise. Choose another layer."
            )
    return {name: errors.get(name) or matches[name].axes for name in layers}


def _probe(
    model: VideoModel, layers: Sequence[str], clip: Tensor, *, seed: int
) -> tuple[dict[str, Match], dict[str, AxesError]]:
    """One round: what each layer's answers mean, or the error."""
    base = _run(model, layers, clip)
    pair = _run(model, layers, torch.cat([clip, _noise(clip, seed=seed)]))
    matches: dict[str, Match] = {}
    errors: dict[str, AxesError] = {}
    seen: dict[str, _Seen] = {}
    for name in layers:
        try:
            seen[name] = _unfold(name, base[name], pair[name])
        except AxesError as error:
            errors[name] = error
    del pair
    ends: dict[str, dict[str, tuple[list[Profile], list[Profile]]]] = {name: {} for name in seen}
    sizes = {axis: clip.shape[dim] for axis, dim in _position_dims(model)}
    for axis, dim in _position_dims(model):
        if sizes[axis] > 1:
            start, end = (
                _answers(model, seen, _disturbed(clip, dim, at_end=at_end, seed=seed + 1)) for at_end in (False, True)
            )
            for name in seen:
                ends[name][axis] = (start[name], end[name])
    for name, layer in seen.items():
        answers = Answers(shape=tuple(layer.base.shape[1:]), clip=sizes, ends=ends[name])
        try:
            matches[name] = match_axes(name, answers, layer.fold)
        except AxesError as error:
            errors[name] = error
    readings = {name: match.axes for name, match in matches.items()}
    dims = [dim for _, dim in _position_dims(model)]
    return matches, errors | misplaced(model, readings, base, clip, dims)


def _unfold(name: str, base: Tensor, pair: Tensor) -> _Seen:
    """The activation with one clip a row; raises where rows of clips are not told apart by the first dimension."""
    rows = base.shape[0] if base.ndim else 0
    if base.ndim < 2 or pair.shape[1:] != base.shape[1:] or pair.shape[0] != 2 * rows:
        raise AxesError(
            f"`layer` must have the clip as its first dimension. Got {name} with shapes {tuple(base.shape)} for one clip"
            f" and {tuple(pair.shape)} for two. Choose a layer around it."
        )
    if not _same(pair[:rows], base):
        how = "time-major" if rows > 1 and _same(pair[::2], base) else "mixing clips"
        raise AxesError(
            f"`layer` must keep the rows of one clip together. Got {name} with {rows} rows a clip, {how}."
            " Choose a layer around it."
        )
    return _Seen(base=base.unflatten(0, (1, rows)) if rows > 1 else base, fold=rows)


def _answers(model: VideoModel, seen: dict[str, _Seen], clip: Tensor) -> dict[str, list[Profile]]:
    """For each layer, how much each index of each dimension answers to a disturbed clip."""
    profiles: dict[str, list[Profile]] = {}

    def compare(name: str, output: Any) -> None:
        tensor, base = first_tensor(output), seen[name].base
        if tensor is not None:
            moved = (tensor.detach().reshape(base.shape) - base).abs()[0]
            profiles[name] = [_profile(moved, dim) for dim in range(moved.ndim)]

    with untouched(model.module), hooked(model, list(seen), compare), torch.no_grad():
        model.forward(clip)
    return profiles


def _run(model: VideoModel, layers: Sequence[str], clips: Tensor) -> dict[str, Tensor]:
    kept: dict[str, Tensor] = {}

    def keep(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            kept[name] = tensor.detach().clone()

    with untouched(model.module), hooked(model, layers, keep), torch.no_grad():
        model.forward(clips)
    return kept


def _profile(moved: Tensor, dim: int) -> Profile:
    others = [other for other in range(moved.ndim) if other != dim]
    return (moved.sum(dim=others, dtype=torch.float64) if others else moved.double()).cpu().numpy()


def _position_dims(model: VideoModel) -> list[tuple[str, int]]:
    """Which dimensions of a batch of inputs are time, height and width."""
    return list(zip(POSITION_AXES, (model.clip_spec.time_dim + 1, 3, 4), strict=True))


def _disturbed(clip: Tensor, dim: int, *, at_end: bool, seed: int) -> Tensor:
    length = max(1, clip.shape[dim] // SLAB)
    noise = _noise(clip.narrow(dim, 0, length), seed=seed) * STRENGTH
    changed = clip.clone()
    changed.narrow(dim, clip.shape[dim] - length if at_end else 0, length).add_(noise)
    return changed


def _noise(like: Tensor, *, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like)


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= SAME * other.abs().max())
