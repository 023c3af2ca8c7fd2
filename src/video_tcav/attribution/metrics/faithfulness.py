"""Deletion and insertion: remove or reveal voxels in map order and track the class probability.

The area under such a curve means little alone. It is compared with two opponents that ask the same of the same clip: the
same map in another place, and the same method's maps of other clips. A map that shows the middle of every clip can win
against the first where causes lie in the middle; it cannot win against the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Clips, clip_shape, silent
from video_tcav.attribution.perturbation import Baseline, Keep, baseline_clips, masked_values
from video_tcav.core import random_streams
from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError, ShapeError
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.hooks import untouched

STEPS = 16
PerClip = Float[Tensor, " clip"]
Curves = Float[Tensor, "clip step"]
CurveName = Literal[
    "deletion",
    "insertion",
    "deletion_elsewhere",
    "insertion_elsewhere",
    "deletion_other_clips",
    "insertion_other_clips",
]
Check = Literal["deletion", "insertion"]
CHECKS: tuple[Check, ...] = get_args(Check)
_ELSEWHERE: dict[Check, CurveName] = {"deletion": "deletion_elsewhere", "insertion": "insertion_elsewhere"}
_OTHER_CLIPS: dict[Check, CurveName] = {"deletion": "deletion_other_clips", "insertion": "insertion_other_clips"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Faithfulness:
    """The probability of the target as a clip is removed, or revealed, in the order of a map.

    Attributes:
        curves: by name, the probability after 0, 1, ... of the equal shares of the voxels, one row a clip; `elsewhere`
            stands for the same map moved to another place and time, averaged over several such moves, and `other_clips` for
            the same method's maps of other clips, averaged over these, where there were any.
    """

    curves: Mapping[CurveName, Curves]

    @property
    def deletion(self) -> PerClip:
        """Area under the curve as the most important voxels go first, in [0, 1]; low is good."""
        return area_under(self.curves["deletion"])

    @property
    def insertion(self) -> PerClip:
        """Area under the curve as the most important voxels come first, in [0, 1]; high is good."""
        return area_under(self.curves["insertion"])

    @property
    def deletion_elsewhere(self) -> PerClip:
        """Deletion by a map that is as smooth, but in another place."""
        return area_under(self.curves["deletion_elsewhere"])

    @property
    def insertion_elsewhere(self) -> PerClip:
        """Insertion by a map that is as smooth, but in another place."""
        return area_under(self.curves["insertion_elsewhere"])

    @property
    def deletion_other_clips(self) -> PerClip:
        """Deletion by the method's maps of other clips; NaN where there were none."""
        return self._area_or_nan("deletion")

    @property
    def insertion_other_clips(self) -> PerClip:
        """Insertion by the method's maps of other clips; NaN where there were none."""
        return self._area_or_nan("insertion")

    @property
    def deletion_gain(self) -> PerClip:
        """By how much deletion is lower than elsewhere: above zero, the map is informative."""
        return self.deletion_elsewhere - self.deletion

    @property
    def insertion_gain(self) -> PerClip:
        """By how much insertion is higher than elsewhere: above zero, the map is informative."""
        return self.insertion - self.insertion_elsewhere

    @property
    def deletion_gain_other_clips(self) -> PerClip:
        """By how much deletion is lower than by maps of other clips: above zero, the map is informative about this clip."""
        return self.deletion_other_clips - self.deletion

    @property
    def insertion_gain_other_clips(self) -> PerClip:
        """By how much insertion is higher than by maps of other clips."""
        return self.insertion - self.insertion_other_clips

    def _area_or_nan(self, check: Check) -> PerClip:
        if _OTHER_CLIPS[check] in self.curves:
            return area_under(self.curves[_OTHER_CLIPS[check]])
        return torch.full_like(area_under(self.curves[check]), torch.nan)

    def to_frame(self) -> pd.DataFrame:
        """One row a clip."""
        names: list[str] = []
        for check, moved in _ELSEWHERE.items():
            if check in self.curves:
                names += [check, moved, f"{check}_gain"]
            if _OTHER_CLIPS[check] in self.curves:
                names += [_OTHER_CLIPS[check], f"{check}_gain_other_clips"]
        return pd.DataFrame({name: getattr(self, name).numpy() for name in names})


def faithfulness(
    model: VideoModel,
    clips: Clips,
    maps: Map,
    target: str | int | Sequence[str | int],
    *,
    baseline: Baseline = "blur",
    steps: int = STEPS,
    draws: int = 3,
    seed: int = 0,
    checks: Sequence[Check] = CHECKS,
    other_clips: Sequence[Map] = (),
) -> Faithfulness:
    """Deletion and insertion in space-time, for maps, for the same maps elsewhere, and for maps of other clips.

    The area of a deletion alone says little: a smooth map does better than a ragged one, and some clips need more of
    themselves than others. A map that was moved is exactly as smooth, and is checked on the same clip. So is the method's
    map of another clip, which has the method's habits, such as the middle of the picture, and knows nothing of this clip.

    Args:
        model: from `load_model`; left as it came.
        clips: prepared clips, stacked.
        maps: their signed maps on the clip's own grid (`AttributionMap.values()`).
        target: a class by name or number, for all clips or one for each.
        baseline: what is shown where a clip is hidden.
        steps: equal shares of the voxels.
        draws: how many moved maps stand for elsewhere.
        seed: of the moves.
        checks: `deletion` and `insertion`, or one of them.
        other_clips: maps by the same method that stand for other clips, each of the shape of `maps`; row by row they are used
            on the clip of that row. `maps_of_other_clips` makes them from `maps`.

    Raises:
        ShapeError: if maps and clips disagree.
        InputError: for maps that are not finite, a baseline that does not exist, no steps or draws, or a wrong number of targets.
        ClassNotFoundError: for a class that the model does not have.
    """
    at_least("draws", draws, 1)
    at_least("steps", steps, 1)
    for checked_maps in (maps, *other_clips):
        _check_maps(model, clips, checked_maps)
    labels = _classes_of(model, target, len(clips))
    # Map 0 of each clip is its own, then come the moved ones, then those of other clips: one loop measures them all.
    moved = [elsewhere(maps, seed=seed, draw=draw) for draw in range(draws)]
    versions = torch.stack([maps, *moved, *other_clips], dim=1)
    clips = clips.to(device=model.device, dtype=model.dtype)
    curves: dict[CurveName, Curves] = {}
    with untouched(model.module):
        instead = baseline_clips(model, clips, baseline)
        for check in checks:
            # Insertion is deletion of the baseline, which the clip replaces.
            before, after = (instead, clips) if check == "insertion" else (clips, instead)
            clip_curves = [
                _curves(model, before[row : row + 1], after[row : row + 1], _ranks(versions[row]), label, steps)
                for row, label in enumerate(labels)
            ]
            rows = torch.stack(clip_curves)
            curves |= {check: rows[:, 0], _ELSEWHERE[check]: rows[:, 1 : draws + 1].mean(1)}
            if other_clips:
                curves[_OTHER_CLIPS[check]] = rows[:, draws + 1 :].mean(1)
    return Faithfulness(curves=curves)


def area_under(curves: Curves) -> PerClip:
    """Area under each curve by the trapezoid rule, its steps being spread over [0, 1]."""
    return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1))


def elsewhere(maps: Map, *, seed: int, draw: int = 0) -> Map:
    """The same maps, each moved circularly in time, height and width by a quarter to three quarters of each axis.

    Args:
        maps: one a clip.
        seed: of the moves; each clip has its own.
        draw: which of several moves.
    """
    generator = np.random.default_rng([seed, draw, random_streams.MOVED_MAPS])
    # At least one step on an axis that has two; an axis of one position cannot move.
    least = [max(1, size // 4) if size > 1 else 0 for size in maps.shape[1:]]
    beyond = [size - low + 1 for size, low in zip(maps.shape[1:], least, strict=True)]
    moves = generator.integers(least, beyond, size=(len(maps), 3)).tolist()
    return torch.stack([values.roll(move, dims=(0, 1, 2)) for values, move in zip(maps, moves, strict=True)])


def maps_of_other_clips(maps: Map, *, draws: int = 1) -> list[Map]:
    """Maps of other clips of the same batch, for `faithfulness`: the rows moved on by one, two, ...; fewer in a small batch.

    Args:
        maps: by one method, one a clip.
        draws: how many other clips each clip meets, if there are so many.
    """
    return [maps.roll(step, dims=0) for step in range(1, min(draws, len(maps) - 1) + 1)]


def _classes_of(model: VideoModel, target: str | int | Sequence[str | int], clips: int) -> list[int]:
    """The class of each clip, where there is one for all or one for each."""
    targets = [target] * clips if isinstance(target, (str, int)) else list(target)
    if len(targets) != clips:
        raise InputError(
            f"`target` must be one class, or one for each clip. Got {len(targets)} for {clips} clips. Give one each."
        )
    return [model.class_index(label) for label in targets]


def _curves(
    model: VideoModel, before: Clips, after: Clips, ranks: Int[Tensor, "map time height width"], label: int, steps: int
) -> Float[Tensor, "map step"]:
    """Probability of a class as the voxels of one clip give way to those of another, in the order of each map."""
    inner_steps = steps - 1
    bounds = torch.arange(1, steps, device=ranks.device) * ranks[0].numel() / steps

    def masks(batch: range) -> Keep:
        # All maps begin with the whole clip and end with nothing of it: masks 0 and 1, which they share. Then mask numbers
        # count through the steps of the first map, then of the next.
        ends = [torch.full_like(ranks[0], number == 0, dtype=torch.bool) for number in batch if number < 2]
        indices = [divmod(number - 2, inner_steps) for number in batch if number >= 2]
        return torch.stack([*ends, *(ranks[row] >= bounds[step] for row, step in indices)]).to(before)

    target = parse_target(model, label, "log_odds")
    values = masked_values(model, before, after, masks, len(ranks) * inner_steps + 2, target, silent)
    if model.outputs.has_probabilities:
        values = values.sigmoid()  # the sigmoid of log-odds is the probability; a regression's number stays itself
    start, end = (value.expand(len(ranks), 1) for value in values[:2])
    return torch.cat([start, values[2:].reshape(len(ranks), inner_steps), end], dim=1).cpu()


def _ranks(maps: Float[Tensor, "map time height width"]) -> Int[Tensor, "map time height width"]:
    """Rank of each voxel in its map: 0 is the most important one."""
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    ranks = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks).reshape(maps.shape)  # the inverse of the order


def _check_maps(model: VideoModel, clips: Clips, maps: Map) -> None:
    expected = (len(clips), *clip_shape(model, clips))
    if maps.shape != expected:
        raise ShapeError(
            f"`maps` must lie on the clips' own grid, {expected}. Got {tuple(maps.shape)}."
            " Give what `AttributionMap.values()` gives."
        )
    if not torch.isfinite(maps).all():
        raise InputError("`maps` must be finite. Got NaN or infinity. Leave such clips out.")
