"""Clip specification: the frames, sampling, size and normalisation of a model's input."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

from video_tcav.core.checks import at_least, one_of, require

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
_TUPLES = (
    ("size", 2, "Give pixels, as 112 or (height, width)."),
    ("mean", 3, "Give one for all channels, or one for each."),
    ("std", 3, "Give one for all channels, or one for each."),
)


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """The clip that a model takes.

    Attributes:
        frames: frames in a clip.
        stride: distance of two neighbouring frames, in frames of the video at its own rate. Unused where `fps` is set.
        fps: rate at which the model was trained to see frames; `None` means "every `stride`-th frame of the video".
        sampling: `dense` takes frames by `stride` or `fps` from a part of the video; `uniform` spreads them over all of it, as
            TSN, TSM and the models of Something-Something are trained. Then `stride` and `fps` are unused.
        short: how to treat a video with fewer frames than a clip: `skip` lists it, `pad` repeats its last frame,
            `loop` begins anew, as some models' authors do.
        size: `(height, width)` in pixels of the model's input, or one number for a square; `None` keeps the video's own size
            ("native").
        resize: `(height, width)` or shorter side in pixels before the centre crop to `size`; `None`: the shorter side of
            `size`, keeping the aspect ratio.
        mean: per channel, on values in [0, 1]; one number stands for all three.
        std: per channel, on values in [0, 1]; likewise.
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
        # One number for a square or for all channels, as in the command line; the one way to set a frozen dataclass' field.
        for name, length, cure in _TUPLES:
            object.__setattr__(self, name, _repeated(name, getattr(self, name), length, cure))
        at_least("frames", self.frames, 1, MOST_FRAMES, "Say how many frames the model takes.")
        at_least("stride", self.stride, 1, MOST_STRIDE, "1 takes every frame.")
        positive = self.fps is None or 0 < self.fps <= MOST_FPS
        require(positive, "fps", f"be positive, {MOST_FPS:,} at most", self.fps, "Leave it out to go by `stride`.")
        one_of("sampling", self.sampling, get_args(Sampling))
        one_of("short", self.short, get_args(Short))
        _check_sides("size", self.size, "Give pixels, or native.")
        sides = (self.resize,) if isinstance(self.resize, int) else self.resize
        _check_sides("resize", sides, "Give pixels, or leave it out.")
        pixels = 0 if self.size is None else self.frames * math.prod(self.size)
        rule = f"make {MOST_PIXELS:,} pixels at most"
        require(pixels <= MOST_PIXELS, "frames` and `size", rule, (self.frames, self.size), "Give smaller ones.")
        finite = all(math.isfinite(value) for value in self.mean)
        require(finite, "mean", "be finite", self.mean, "It is taken from pixels in [0, 1].")
        divides = all(0 < value < math.inf for value in self.std)
        require(divides, "std", "be positive and finite", self.std, "It divides the pixels.")

    @property
    def time_dim(self) -> int:
        """Which dimension of one prepared clip, without the batch in front, is time."""
        return 1 if self.layout == "channels_first" else 0


def _repeated(name: str, value: Any, length: int, cure: str) -> Any:
    """A number as a tuple of so many; any sequence of so many numbers as a tuple; `None` as it is for `size`."""
    if value is None and name == "size":
        return None
    numbers = (value,) * length if isinstance(value, Real) else tuple(value) if isinstance(value, Iterable) else ()
    is_right = len(numbers) == length and all(isinstance(number, Real) for number in numbers)
    require(is_right, name, f"be one number or {length}", value, cure)
    return numbers


def _check_sides(name: str, sides: tuple[int, ...] | None, cure: str) -> None:
    if sides is not None:
        require(min(sides) >= 1, name, "be positive", sides, cure)
        require(max(sides) <= MOST_SIDE_PX, name, f"be {MOST_SIDE_PX:,} pixels at most", sides, cure)
