"""Would the map be there without the model, or without the order of the frames, and does it stay with what it shows?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.metrics.explained_clips import Explained
from video_tcav.attribution.metrics.random_weights import cascaded, random_copies
from video_tcav.concepts import Twin, twin_clip, twin_order
from video_tcav.core.errors import InputError
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel

PerClip = Float[Tensor, " clip"]
MARGIN, ALIKE = 0.05, 0.7
"""A rank correlation above chance by less than the first is nothing; at the second, two maps share half of their ranks'
variance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomisation:
    """Maps of a model beside those of copies that have learned nothing.

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
        found = (self.similarity - self.chance).numpy()
        found = found[np.isfinite(found)]
        if len(found) < 2:
            return float("nan")
        half = stats.t.ppf(1 - LEVEL / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
        return float(found.mean() - half)

    @property
    def fails(self) -> bool:
        """Whether the map would be there without what the model has learned.

        A similarity alone does not tell. The strides and borders of a network leave a pattern in the maps of all clips, and
        methods that give positive maps give similar ones: so much agreement is chance. But chance knows nothing of the clip.
        What a copy without knowledge says about this clip, and not about others, comes from its pixels alone. So a method
        fails where the whole 95 % interval of the excess over chance lies above 0.05. It also fails where the two maps are
        alike whatever chance is (0.7): then no map of this method tells of anything. With few clips the interval is wide, and
        not to fail says little.
        """
        return self.excess_low > MARGIN or float(self.similarity.nanmean()) > ALIKE


def randomisation(explained: Explained, *, seed: int = 0, copies: Iterable[VideoModel] | None = None) -> Randomisation:
    """Compare the maps of a model with those of copies with random weights; see `Randomisation.fails` for the verdict.

    Each clip meets a copy of its own. With one copy for all clips the outcome would be a matter of luck: where all channels
    fire at the same places, its random head decides the sign of all maps at once.

    Args:
        explained: clips with their maps.
        seed: of the random weights.
        copies: `random_copies`, one a clip, if they are known.

    Source:
        Adebayo et al. 2018, arXiv:1810.03292, section 4.1, with all layers at once; the reference is ours.
    """
    copies = random_copies(explained.model, explained.clips, seed=seed) if copies is None else copies
    found = torch.cat([one.again(model=copy) for one, copy in zip(explained.each(), copies, strict=True)])
    alike = torch.from_numpy(_ranks(found) @ _ranks(explained.maps).T)
    same = torch.eye(len(alike), dtype=torch.bool)
    return Randomisation(similarity=alike.diagonal(), chance=alike.masked_fill(same, torch.nan).nanmean(1))


def cascade(explained: Explained, *, seed: int = 0) -> dict[str, PerClip]:
    """Rank correlation with the model's own maps as it forgets more and more, from the head down (see `cascaded`).

    Args:
        explained: clips with their maps.
        seed: of the random weights.

    Returns:
        By the part that was forgotten last, one number a clip.
    """
    copies = cascaded(explained.model, seed=seed, clips=explained.clips)
    return {part: rank_similarity(explained.maps, explained.again(model=copy)) for part, copy in copies}


def order_similarity(explained: Explained, *, twin: Twin = "reversed", seed: int = 0) -> PerClip:
    """Rank correlation of the map of a clip and that of its twin, each frame beside itself; 1 does not notice the order.

    Args:
        explained: clips with their maps; twins are explained for the same classes.
        twin: `reversed`, `shuffled`, or `frozen`, whose map is compared as it is.
        seed: of the shuffle.
    """
    time_dim = explained.model.clip_spec.time_dim + 1
    found = explained.again(clips=twin_clip(explained.clips, twin, time_dim=time_dim, seed=seed))
    back = torch.arange(found.shape[1])
    if twin != "frozen":
        back = twin_order(twin, found.shape[1], seed=seed).argsort()
    return rank_similarity(explained.maps, found[:, back])


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
    found = explained.again(clips=explained.clips[..., rows, :][..., columns])
    return rank_similarity(explained.maps[..., :-shift_px, :-shift_px], found[..., shift_px:, shift_px:])


def rank_similarity(found: Map, other: Map) -> PerClip:
    """Rank correlation (Spearman) of two maps over all voxels, one a clip; NaN where a map is constant or empty.

    Args:
        found: signed maps.
        other: of the same shape.
    """
    return torch.from_numpy((_ranks(found) * _ranks(other)).sum(1))


def _ranks(found: Map) -> Float[np.ndarray, "clip voxel"]:
    """Ranks of the voxels of each map, as a vector of length one around zero, so that a product is a correlation."""
    ranks = stats.rankdata(found.flatten(1).cpu().numpy(), axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
