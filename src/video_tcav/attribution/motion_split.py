"""Motion and static component of a map: what survives freezing the clip, and what does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, MapSum
from video_tcav.attribution.method import Advance, Clips, Method, silent
from video_tcav.core.errors import InputError
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionSplit:
    """A map and its two components, on the clip's own frames and pixels; they add up to it.

    Attributes:
        total: the map of the clip.
        static: what a clip that stands still at that moment has as well: of the same sign, and no larger.
        motion: the remainder.
        layers: where the method looked.
        sums: what the whole map adds up to at each layer, of methods that know it.
    """

    total: Map
    static: Map
    motion: Map
    layers: tuple[str, ...]
    sums: Mapping[str, MapSum] = field(default_factory=dict)

    @property
    def motion_share(self) -> Float[Tensor, " clip"]:
        """How much of each map is motion, in [0, 1]."""
        total = self.total.abs().sum((1, 2, 3))
        return self.motion.abs().sum((1, 2, 3)) / torch.where(total > 0, total, torch.ones_like(total))


def split_motion(
    method: Method,
    model: VideoModel,
    clips: Clips,
    *,
    target: str | int | Target,
    against: str = "log_odds",
    moments: int = 4,
    advance: Advance = silent,
) -> MotionSplit:
    """Split a method's map into what survives freezing and what does not.

    A clip shows other things at other times, so it is frozen at several moments, and each stretch of time is compared with
    the clip frozen in its middle.

    Args:
        method: any method, with its settings.
        model: from `load_model`.
        clips: prepared clips, stacked.
        target: see `Method`.
        against: see `Method`.
        moments: how many frozen clips for each clip; at most the frames of a clip.
        advance: see `Method`.

    Raises:
        InputError: for fewer than one moment.
        EmptyMapError: if the map of a clip is zero everywhere; that of a frozen clip may be.
    """
    time_dim = model.clip_spec.time_dim + 1
    frames = clips.shape[time_dim]
    if not 1 <= moments <= frames:
        raise InputError(f"`moments` must be from 1 to the {frames} frames of a clip. Got {moments}. 4 is usual.")

    def advance_share(steps: float) -> None:
        advance(steps / (moments + 1))  # the clip itself and each frozen clip are a map of their own

    moving = method(model, clips, target=target, against=against, advance=advance_share)
    total = moving.values()
    still = torch.zeros_like(total)
    for times in torch.arange(frames).tensor_split(moments):
        middle = int(times[len(times) // 2])
        frozen = clips.narrow(time_dim, middle, 1).expand_as(clips).contiguous()
        frozen_maps = method(model, frozen, target=target, against=against, allow_empty=True, advance=advance_share)
        still[:, times] = frozen_maps.values()[:, times]
    # Static is at most the total and of its sign: otherwise static and motion could cancel, and the share exceed one.
    static = torch.sign(total) * torch.minimum((torch.sign(total) * still).clamp(min=0), total.abs())
    return MotionSplit(total=total, static=static, motion=total - static, layers=tuple(moving.layers), sums=moving.sums)
