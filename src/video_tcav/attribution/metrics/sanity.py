"""Sanity checks of maps: model randomisation, frame order, shift equivariance; for clips of several classes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Clips, Method, clip_shape
from video_tcav.attribution.metrics.random_weights import cascaded, random_copies
from video_tcav.concepts import Twin, twin_clip, twin_order
from video_tcav.core.errors import EmptyMapError, InputError
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel

PerClip = Float[Tensor, " clip"]
# Rank correlations: an excess over chance below the margin counts as none; at 0.7 two maps share half of their ranks'
# variance (0.7² ≈ 0.5).
MARGIN, ALIKE = 0.05, 0.7
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomisation:
    """Maps of a model beside those of copies with random weights.

    Attributes:
        similarity: rank correlation of the two maps of each clip.
        chance: of the copy's map of each clip with the model's maps of all other clips.
    """

    similarity: PerClip
    chance: PerClip

    @property
    def excess(self) -> float:
        """By how much the maps of the same clip are more alike than those of different clips."""
        return float((self.similarity - self.chance).nanmean())

    @property
    def excess_low(self) -> float:
        """Lower end of its 95 % interval over clips; NaN for fewer than two."""
        excess = (self.similarity - self.chance).numpy()
        excess = excess[np.isfinite(excess)]  # empty maps have no rank correlation
        if len(excess) < 2:
            return float("nan")
        half_width = stats.t.ppf(1 - LEVEL / 2, len(excess) - 1) * excess.std(ddof=1) / np.sqrt(len(excess))
        return float(excess.mean() - half_width)

    @property
    def fails(self) -> bool:
        """Whether the map would be there without what the model has learned.

        A similarity alone does not decide. The strides and borders of a network leave a pattern in the maps of all clips,
        and methods that give positive maps give similar ones: that much agreement is chance. What the map of a copy with
        random weights shares with this clip's map, beyond those of other clips, comes from the clip's pixels alone. So a
        method fails where the whole 95 % interval of the excess over chance lies above 0.05. It also fails where the two
        maps are alike (0.7), whatever chance is. With few clips the interval is wide, and not to fail says little.
        """
        return self.excess_low > MARGIN or float(self.similarity.nanmean()) > ALIKE


def randomisation(explained: Explained, *, seed: int = 0, copies: Iterable[VideoModel] | None = None) -> Randomisation:
    """Compare the maps of a model with those of copies with random weights; see `Randomisation.fails` for the verdict.

    Each clip has a copy of its own. With one copy for all clips the outcome would be a matter of luck: where all channels
    fire at the same places, its random head decides the sign of all maps at once.

    Args:
        explained: clips with their maps.
        seed: of the random weights.
        copies: `random_copies`, one a clip, if they are made already.

    Source:
        Adebayo et al. 2018, arXiv:1810.03292, section 4.1, with all layers at once; the reference is ours.
    """
    copies = random_copies(explained.model, explained.clips, seed=seed) if copies is None else copies
    copy_maps = torch.cat([clip.again(model=copy) for clip, copy in zip(explained.each(), copies, strict=True)])
    correlations = torch.from_numpy(_unit_ranks(copy_maps) @ _unit_ranks(explained.maps).T)
    same_clip = torch.eye(len(correlations), dtype=torch.bool)
    chance = correlations.masked_fill(same_clip, torch.nan).nanmean(1)
    return Randomisation(similarity=correlations.diagonal(), chance=chance)


def cascade(explained: Explained, *, seed: int = 0) -> dict[str, PerClip]:
    """Rank correlation with the model's own maps as more and more weights are random, from the head down (see `cascaded`).

    Args:
        explained: clips with their maps.
        seed: of the random weights.

    Returns:
        By the stage that was randomised last, one number a clip.
    """
    copies = cascaded(explained.model, seed=seed, clips=explained.clips)
    return {stage: rank_similarity(explained.maps, explained.again(model=copy)) for stage, copy in copies}


def order_similarity(explained: Explained, *, twin: Twin = "reversed", seed: int = 0) -> PerClip:
    """Rank correlation of the map of a clip and that of its twin, each frame beside itself; 1 ignores the order.

    Args:
        explained: clips with their maps; twins are explained for the same classes.
        twin: `reversed`, `shuffled`, or `frozen`, whose map is compared as it is.
        seed: of the shuffle.
    """
    time_dim = explained.model.clip_spec.time_dim + 1
    twin_maps = explained.again(clips=twin_clip(explained.clips, twin, time_dim=time_dim, seed=seed))
    if twin != "frozen":  # argsort of an order undoes it
        twin_maps = twin_maps[:, twin_order(twin, twin_maps.shape[1], seed=seed).argsort()]
    return rank_similarity(explained.maps, twin_maps)


def shift_stability(explained: Explained, *, shift_px: int = 4) -> PerClip:
    """Rank correlation of the map of a clip and that of the clip moved by a few pixels, moved back; 1 moves along.

    Args:
        explained: clips with their maps.
        shift_px: how far down and to the right; the edge is repeated. What leaves the picture is not compared.

    Raises:
        InputError: for a shift that leaves nothing of the picture.
    """
    height, width = explained.clips.shape[-2:]
    if not 0 < shift_px < min(height, width):
        raise InputError(
            f"`shift_px` must be at least 1 and less than the picture has. Got {shift_px} of {height}x{width}. 4 is usual."
        )
    rows, columns = ((torch.arange(size) - shift_px).clamp(min=0) for size in (height, width))
    shifted_maps = explained.again(clips=explained.clips[..., rows, :][..., columns])
    return rank_similarity(explained.maps[..., :-shift_px, :-shift_px], shifted_maps[..., shift_px:, shift_px:])


def rank_similarity(first: Map, second: Map) -> PerClip:
    """Rank correlation (Spearman) of two maps over all voxels, one a clip; NaN where a map is constant or empty.

    Args:
        first: signed maps.
        second: of the same shape.
    """
    return torch.from_numpy((_unit_ranks(first) * _unit_ranks(second)).sum(1))


def _unit_ranks(maps: Map) -> Float[np.ndarray, "clip voxel"]:
    """Ranks of the voxels of each map, as a vector of length one around zero, so that a product is a correlation."""
    ranks = stats.rankdata(maps.flatten(1).cpu().numpy(), axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
