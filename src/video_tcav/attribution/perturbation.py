"""Shared by perturbation methods: baselines, masking, forwards without a graph."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import INPUT, Map
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, batch_size, channel_dim
from video_tcav.concepts import twin_clip
from video_tcav.core.checks import one_of, require
from video_tcav.models import VideoModel
from video_tcav.models.hooks import check_finite
from video_tcav.models.targets import Target

Baseline = Literal["grey", "black", "blur", "frozen", "reversed"]
# Values that a blurred frame keeps along its shorter side, about what Fong et al. 2019 (arXiv:1910.08485) leave.
_BLURRED_CELLS = 4
Keep = Float[Tensor, "clip time height width"]


@dataclass(frozen=True, kw_only=True)
class ClipMethod(Method):
    """Base class of methods that look at many versions of one clip, and at no layer."""

    @abstractmethod
    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """The map of one clip, which has the clip axis in front; the steps of `advance` add up to one."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """Clip by clip."""
        values = target_values(model, [clips], target)
        maps = [self.explain(model, clip, target, advance) for clip in clips.split(1)]
        return LayerMaps(layers={INPUT: torch.cat(maps)}, target=values)


def baseline_clips(model: VideoModel, clips: Clips, baseline: Baseline) -> Clips:
    """What a clip shows where it is hidden.

    Args:
        model: gives layout, mean and standard deviation.
        clips: prepared clips.
        baseline: `grey` is the average colour the model was normalised by, `black` no light, `blur` the clip without detail,
            `frozen` its middle frame at all times (hides motion alone), `reversed` the clip played backwards (hides order alone).

    Raises:
        InputError: for another baseline.
    """
    one_of("baseline", baseline, get_args(Baseline))
    spec = model.clip_spec
    if baseline == "frozen" or baseline == "reversed":
        return twin_clip(clips, baseline, time_dim=spec.time_dim + 1)
    if baseline == "blur":
        return _blurred(clips)
    if baseline == "black":
        dark = [-mean / std for mean, std in zip(spec.mean, spec.std, strict=True)]
        inner_dims = [1] * (clips.ndim - 1 - channel_dim(model))
        return clips.new_tensor(dark).reshape(-1, *inner_dims).expand_as(clips).clone()
    return torch.zeros_like(clips)  # prepared clips are normalised: zero is the average colour


def _blurred(clips: Clips) -> Clips:
    height, width = clips.shape[-2:]
    cell_px = max(1, min(height, width) / _BLURRED_CELLS)
    frames = clips.flatten(0, 2)[:, None]  # every frame and colour by itself, as `interpolate` takes pictures
    small = F.interpolate(frames, size=(round(height / cell_px), round(width / cell_px)), mode="area")
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False).reshape(clips.shape)


def check_cells(cells: tuple[int, ...]) -> None:
    """Refuse a coarse grid without three positive sizes."""
    require(
        len(cells) == 3 and min(cells) >= 1,
        "cells",
        "be three whole numbers from 1, for time, height and width",
        cells,
        "Give the cells of a coarse grid.",
    )


def blend(model: VideoModel, clips: Clips, instead: Clips, keep: Keep) -> Clips:
    """Clips where `keep` is one, the baseline where it is zero, a mixture between."""
    weight = keep.unsqueeze(channel_dim(model))
    return instead + (clips - instead) * weight


def scalar_of(model: VideoModel, target: Target) -> Callable[[Clips], Float[Tensor, " clip"]]:
    """The target as a function of clips alone; gradients flow through it."""
    return lambda clips: target(check_finite(model.logits(clips), "the logits"))


def target_values(model: VideoModel, batches: Iterable[Clips], target: Target) -> Float[Tensor, " clip"]:
    """The target of many clips, without a graph; batches are made as they are needed."""
    value = scalar_of(model, target)
    with torch.no_grad():
        return torch.cat([value(batch) for batch in batches])


def masked_values(
    model: VideoModel,
    clip: Clips,
    instead: Clips,
    masks: Callable[[range], Keep],
    count: int,
    target: Target,
    advance: Advance,
) -> Float[Tensor, " mask"]:
    """The target of one clip under many masks: one where the clip is kept, zero where it shows `instead`.

    Masks are made from their numbers, batch by batch, as all of them would fill the memory. The steps of `advance` add up to
    one.
    """

    def batches() -> Iterator[Clips]:
        for batch in chunks(count, batch_size(model, clip)):
            yield blend(model, clip, instead, masks(batch))
            advance(len(batch) / count)

    return target_values(model, batches(), target)


def chunks(count: int, size: int) -> Iterator[range]:
    """Numbers from 0 to `count`, in runs of at most `size`."""
    return (range(count)[start : start + size] for start in range(0, count, size))
