"""Maps that use no model: frame difference, centre of the picture, edges. What a method must beat to be worth its passes.

The clip alone makes them, so that they know nothing of any class. A figure that moves stands out by its frame difference, and
what matters often lies in the middle: a method that finds the cause no better may have found just that.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import INPUT, Map
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, channel_dim
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target

# Pixels over which differences are averaged: deletion favours smooth maps, so ragged ones would be too easy to beat.
_SMOOTHING_PX = 5
# Standard deviation of the centre's bump, as a share of the picture's sides.
_CENTRE_WIDTH = 0.25
Pictures = Float[Tensor, "clip time channel height width"]


class ModelFreeMap(Method):
    """A map that is made from the clip's pixels alone; the model and the class are ignored."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """From the pixels, whatever the layout."""
        pictures = clips.transpose(1, 2) if channel_dim(model) == 1 else clips
        advance(len(clips))
        return LayerMaps(layers={INPUT: self.map_of(pictures)}, target=clips.new_zeros(len(clips)))

    def map_of(self, pictures: Pictures) -> Map:
        """The map, not negative."""
        raise NotImplementedError


class FrameDifference(ModelFreeMap):
    """How much each pixel changes from the frame before and to the frame after."""

    name = "frame difference"
    help = "No model: absolute change to the frames before and after"

    def map_of(self, pictures: Pictures) -> Map:
        """The average of both changes; the first and the last frame have one."""
        changes = pictures.diff(dim=1).abs().mean(2)
        before, after = torch.cat([changes[:, :1], changes], 1), torch.cat([changes, changes[:, -1:]], 1)
        return _smoothed((before + after) / 2)


class Centre(ModelFreeMap):
    """A bump in the middle of every frame, the same for all clips."""

    name = "centre"
    help = "No model: the middle of the picture"

    def map_of(self, pictures: Pictures) -> Map:
        """A Gaussian over height and width."""
        clips, frames, _, height, width = pictures.shape
        rows, columns = (torch.linspace(-0.5, 0.5, size).to(pictures) / _CENTRE_WIDTH for size in (height, width))
        bump = torch.exp(-(rows[:, None].square() + columns.square()) / 2)
        return bump.expand(clips, frames, height, width)


class Edges(ModelFreeMap):
    """How much each pixel differs from its neighbours in the picture."""

    name = "edges"
    help = "No model: length of the picture's gradient (Sobel)"

    def map_of(self, pictures: Pictures) -> Map:
        """Both directions of the grey picture."""
        across = pictures.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        grey = F.pad(pictures.mean(2).flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
        slopes = F.conv2d(grey, torch.stack([across, across.T])[:, None])
        return _smoothed(slopes.norm(dim=1).reshape(*pictures.shape[:2], *pictures.shape[-2:]))


MODEL_FREE: dict[str, Callable[[], Method]] = {kind.name: kind for kind in (FrameDifference, Centre, Edges)}


def _smoothed(maps: Map) -> Map:
    """Averaged over near pixels; the border repeats its own average."""
    return F.avg_pool2d(maps, _SMOOTHING_PX, stride=1, padding=_SMOOTHING_PX // 2, count_include_pad=False)
