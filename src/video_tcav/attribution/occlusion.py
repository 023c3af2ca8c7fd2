"""Occlusion: what the target loses when a window of space and time is hidden."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, clip_shape
from video_tcav.attribution.perturbation import Baseline, ClipMethod, Keep, baseline_clips, masked_values, target_values
from video_tcav.core.checks import require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target

Extent = tuple[float, float, float]
"""Of time, height and width: whole numbers are frames and pixels, others fractions of the clip."""
Window = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True)
class Occlusion(ClipMethod):
    """Occlusion by windows of space and time; each position has the mean fall of the target over the windows that cover it.

    Attributes:
        window: its size in time, height and width; whole numbers are frames and pixels, others fractions of the clip.
        stride: from one window to the next, likewise; not more than the window.
        baseline: what a window shows; `frozen` takes the motion from it.
    """

    # Captum's Occlusion gives the same numbers, in single precision always, and needs 1.4 times as long on a small network.
    name: ClassVar[str] = "occlusion"
    help: ClassVar[str] = "The fall of the target when a moving block is hidden"
    source: ClassVar[str] = "Zeiler and Fergus 2014, arXiv:1311.2901"
    window: Extent = (0.25, 0.25, 0.25)
    stride: Extent = (0.125, 0.125, 0.125)
    baseline: Baseline = "grey"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, extent in (("window", self.window), ("stride", self.stride)):
            require(
                len(extent) == 3 and all(size >= 1 if isinstance(size, int) else 0 < size <= 1 for size in extent),
                name,
                "be three numbers, for time, height and width",
                extent,
                "Give frames and pixels as whole numbers, or fractions up to 1.0.",
            )

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """One forward for each window."""
        shape = clip_shape(model, clip)
        windows = self._windows(shape)

        def masks(batch: range) -> Keep:
            keep = clip.new_ones((len(batch), *shape))
            for mask, number in zip(keep, batch, strict=True):
                mask[windows[number]] = 0
            return keep

        instead = baseline_clips(model, clip, self.baseline)
        hidden = masked_values(model, clip, instead, masks, len(windows), target, advance)
        # A plain loop: windows are slices of all sizes at the edge, and the passes take far longer.
        total, covered = hidden.new_zeros(shape), hidden.new_zeros(shape)
        for effect, window in zip(target_values(model, [clip], target) - hidden, windows, strict=True):
            total[window] += effect
            covered[window] += 1
        return (total / covered)[None]

    def _windows(self, shape: tuple[int, int, int]) -> list[Window]:
        window, stride = _in_voxels(self.window, shape), _in_voxels(self.stride, shape)
        fits = all(width <= size for width, size in zip(window, shape, strict=True))
        require(fits, "window", f"fit into a clip of {shape}", window, "Choose a smaller one, or fractions.")
        # Gaps between windows would leave positions that no window covers, with no effect to average.
        gapless = all(step <= width for step, width in zip(stride, window, strict=True))
        require(gapless, "stride", f"not exceed the window {window}", stride, "Choose a smaller one.")
        return place_windows(window, stride, shape)


def place_windows(window: tuple[int, ...], stride: tuple[int, ...], shape: tuple[int, ...]) -> list[Window]:
    """Windows from the first position on; the last one of an axis is cut off where it reaches over the edge."""
    axes = [
        [slice(start, start + width) for start in range(0, size - width + step, step)]
        for width, step, size in zip(window, stride, shape, strict=True)
    ]
    return [(time, row, column) for time, row, column in product(*axes)]


def _in_voxels(extent: Extent, shape: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(
        length if isinstance(length, int) else max(1, round(length * size))
        for length, size in zip(extent, shape, strict=True)
    )
