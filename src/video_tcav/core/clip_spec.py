"""What clip a model wants: how many frames, how far apart, how large, how normalised."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt

InputLayout = Literal["channels_first", "time_first"]
Sampling = Literal["dense", "uniform"]
"""`dense`: neighbouring frames of a part of the video; `uniform`: frames spread over all of it (segment sampling)."""
OutputKind = Literal["logits", "softmax", "sigmoid_logits", "sigmoid", "numbers"]
"""What the numbers that a model returns are; `models.output_kinds` says what each means."""
Short = Literal["skip", "pad", "loop"]
"""A video with fewer frames than a clip: listed as unusable, its last frame repeated, or begun anew."""


# Beyond what any published model takes, and small enough that no product of them overflows.
MOST_FRAMES = 100_000
MOST_STRIDE = 1_000_000
MOST_FPS = 1_000_000
MOST_SIDE_PX = 100_000
MOST_PIXELS = 2**30  # of one clip: 12 GB as float32 in three colours


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """What clip a model wants.

    Attributes:
        frames: frames in a clip.
        stride: distance of two neighbouring frames, in frames of the video at its own rate. Unused where `fps` is set.
        fps: rate at which the model was trained to see frames; `None` means "every `stride`-th frame of the video".
        sampling: `dense` takes frames by `stride` or `fps` from a part of the video; `uniform` spreads them over all of it, as
            TSN, TSM and the models of Something-Something are trained. Then `stride` and `fps` are unused.
        short: what becomes of a video with fewer frames than a clip: `skip` lists it, `pad` repeats its last frame,
            `loop` begins anew, as some models' authors do.
        size: `(height, width)` in pixels of the model's input; `None` keeps the video's own size ("native").
        resize: `(height, width)` or shorter side in pixels before the centre crop to `size`; `None`: the shorter side of
            `size`, keeping the aspect ratio.
        mean: per channel, on values in [0, 1].
        std: per channel, on values in [0, 1].
        layout: `channels_first` for `(clip, 3, time, height, width)`, `time_first` for `(clip, time, 3, height, width)`.
    """

    frames: int = 16
    stride: int = 1
    fps: float | None = None
    sampling: Sampling = "dense"
    short: Short = "skip"
    size: tuple[int, int] | None = (112, 112)
    resize: tuple[int, int] | int | None = None
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    std: tuple[float, float, float] = (0.225, 0.225, 0.225)
    layout: InputLayout = "channels_first"

    def __post_init__(self) -> None:
        _check_count("frames", self.frames, MOST_FRAMES, "Say how many frames the model takes.")
        _check_count("stride", self.stride, MOST_STRIDE, "1 takes every frame.")
        if self.fps is not None and not 0 < self.fps <= MOST_FPS:
            raise InputError(
                f"`fps` must be positive, {MOST_FPS:,} at most. Got {excerpt(self.fps)}. Leave it out to go by `stride`."
            )
        for name, allowed in (("sampling", get_args(Sampling)), ("short", get_args(Short))):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"`{name}` must be one of {', '.join(allowed)}. Got {getattr(self, name)!r}. Choose one of them."
                )
        _check_sides("size", self.size, "Give pixels, or native.")
        sides = (self.resize,) if isinstance(self.resize, int) else self.resize
        _check_sides("resize", sides, "Give pixels, or leave it out.")
        if self.size is not None and self.frames * self.size[0] * self.size[1] > MOST_PIXELS:
            raise InputError(
                f"`frames` and `size` must make {MOST_PIXELS:,} pixels at most. Got {self.frames} frames of {self.size}."
                " Give smaller ones."
            )
        if not all(math.isfinite(value) for value in self.mean):
            raise InputError(f"`mean` must be finite. Got {self.mean}. It is taken from pixels in [0, 1].")
        if not all(0 < value < math.inf for value in self.std):
            raise InputError(f"`std` must be positive and finite. Got {self.std}. It divides the pixels.")

    @property
    def time_dim(self) -> int:
        """Which dimension of one prepared clip, without the batch in front, is time."""
        return 1 if self.layout == "channels_first" else 0


def _check_count(name: str, value: int, most: int, cure: str) -> None:
    if not 1 <= value <= most:
        rule = "at least 1" if value < 1 else f"at most {most:,}"
        raise InputError(f"`{name}` must be {rule}. Got {excerpt(value)}. {cure}")


def _check_sides(name: str, sides: tuple[int, ...] | None, cure: str) -> None:
    if sides is not None and not all(1 <= side <= MOST_SIDE_PX for side in sides):
        rule = "positive" if min(sides) < 1 else f"{MOST_SIDE_PX:,} pixels at most"
        raise InputError(f"`{name}` must be {rule}. Got {excerpt(sides)}. {cure}")
