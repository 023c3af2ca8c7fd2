"""Clips of several classes with their maps, each for its own class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Clips, Method, clip_shape
from video_tcav.core.errors import EmptyMapError
from video_tcav.models import VideoModel

Explain = Callable[[VideoModel, Clips, Sequence[int]], Map]
"""From a model, prepared clips and the class of each to signed maps on the clips' own grid."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """Clips with their maps, and how to explain them again where something has changed.

    Attributes:
        explain: the method, for example `partial(explain_each, GradCAM())`.
        model: from `load_model`; no call changes it.
        clips: prepared clips, stacked.
        targets: the class of each.
        precomputed: their maps, if there are any yet.
    """

    explain: Explain
    model: VideoModel
    clips: Clips
    targets: Sequence[int]
    precomputed: Map | None = None

    @cached_property
    def maps(self) -> Map:
        """Signed maps on the clips' own grid; explained once, when they are first needed."""
        return self.again() if self.precomputed is None else self.precomputed

    def again(self, *, model: VideoModel | None = None, clips: Clips | None = None) -> Map:
        """Maps of the same clips by another model, or of changed clips for the same classes."""
        # Changed clips keep the classes of the original ones: maps for two classes could not be compared.
        return self.explain(model or self.model, self.clips if clips is None else clips, self.targets)

    def each(self) -> "list[Explained]":
        """Clip by clip."""
        return [
            Explained(explain=self.explain, model=self.model, clips=clip, targets=[target])
            for clip, target in zip(self.clips.split(1), self.targets, strict=True)
        ]


def explain_each(method: Method, model: VideoModel, clips: Clips, targets: Sequence[int]) -> Map:
    """Signed maps on the clips' own grid, each for its clip's own class; NaN where the method finds nothing in a clip.

    Args:
        method: with its settings.
        model: from `load_model`.
        clips: prepared clips, stacked.
        targets: the class of each.

    Raises:
        MethodError: if the method does not apply to this model.
    """
    rows, class_maps = [], []
    for target in dict.fromkeys(targets):
        class_rows = [row for row, clip_target in enumerate(targets) if clip_target == target]
        class_maps.append(_maps_of_class(method, model, clips[class_rows], target))
        rows += class_rows
    return torch.cat(class_maps)[torch.tensor(rows).argsort()]  # argsort undoes the grouping by class


def _maps_of_class(method: Method, model: VideoModel, clips: Clips, target: int) -> Map:
    """One call, unless a clip's map is empty: then each clip by itself, so that the others have theirs."""
    try:
        return method(model, clips, target=target).values()
    except EmptyMapError:
        if len(clips) == 1:
            return torch.full((1, *clip_shape(model, clips)), torch.nan, dtype=clips.dtype)
        return torch.cat([_maps_of_class(method, model, clip[None], target) for clip in clips])
