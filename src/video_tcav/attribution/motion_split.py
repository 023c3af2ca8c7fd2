"""A map in two parts: what survives freezing the clip, and what does not."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, Method, silent
from video_tcav.core.errors import InputError
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionSplit:
    """A map and its two parts, on the clip's own frames and pixels; they add up to it.

    Attributes:
        total: the map of the clip.
        static: what a clip that stands still at that moment has as well: of the same sign, and no larger.
        motion: the rest.
        layers: where the method looked.
    """

    total: Map
    static: Map
    motion: Map
    layers: tuple[str, ...]

    @property
    def motion_share(self) -> Float[Tensor, " clip"]:
        """How much of each map is motion, in [0, 1]."""
        whole = self.total.abs().sum((1, 2, 3))
        return self.motion.abs().sum((1, 2, 3)) / torch.where(whole > 0, whole, torch.ones_like(whole))


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
        advance: told of progress; the steps add up to the number of clips.

    Raises:
        InputError: for fewer than one moment.
        EmptyMapError: if the map of a clip is zero everywhere; that of a frozen clip may be.
    """
    time_dim = model.clip_spec.time_dim + 1
    frames = clips.shape[time_dim]
    if not 1 <= moments <= frames:
        raise InputError(f"`moments` must be from 1 to the {frames} frames of a clip. Got {moments}. 4 is usual.")
    share = 1 / (moments + 1)

    def some(steps: float) -> None:
        advance(steps * share)

    whole = method(model, clips, target=target, against=against, advance=some)
    total = whole.values()
    still = torch.zeros_like(total)
    for times in torch.arange(frames).tensor_split(moments):
        middle = int(times[len(times) // 2])
        frozen = clips.narrow(time_dim, middle, 1).expand_as(clips).contiguous()
        found = method.unchecked(model, frozen, target=target, against=against, advance=some)
        still[:, times] = found.values()[:, times]
    static = torch.sign(total) * torch.minimum((torch.sign(total) * still).clamp(min=0), total.abs())
    return MotionSplit(total=total, static=static, motion=total - static, layers=tuple(whole.layers))
