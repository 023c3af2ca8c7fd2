"""Material of videos: decoded and masked once while several clips take from it, whichever thread asks first."""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import numpy as np
from jaxtyping import Float

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.masks.mask_source import ClipMasks, MaskSource
from video_tcav.masks.material import ClipMaterial
from video_tcav.media import LoadedClips, VideoSource, load_source

_NOMINAL_FPS = 12.5  # of stills, whose frames have no times


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceMaterial:
    """All clips of one video, or why there are none.

    Attributes:
        windows: material of each clip; none where the video cannot be used.
        error: what is wrong with it; `None` if nothing.
        is_unmasked: whether it could be decoded, and only the mask source found nobody in it.
        fps: frames a second, of those that the model takes.
    """

    windows: tuple[ClipMaterial, ...] = ()
    error: MediaError | None = None
    is_unmasked: bool = False
    fps: float = _NOMINAL_FPS

    @property
    def has_doubts(self) -> bool:
        """Whether somebody should look at its masks."""
        return any(material.quality.doubts for material in self.windows if material.masks is not None)


class MaterialStore:
    """Makes material, and keeps the last few; safe for threads.

    Args:
        spec: what clips the model takes.
        windows: clips of each video.
        masks: tells the person; `None` makes material without masks.
        most: videos that are kept; memory grows with it.
    """

    def __init__(self, spec: ClipSpec, *, windows: int, masks: MaskSource | None, most: int) -> None:
        self._spec, self._windows, self._masks, self._most = spec, windows, masks, most
        self._lock, self._mask_lock = Lock(), Lock()
        self._futures: OrderedDict[str, Future[SourceMaterial]] = OrderedDict()

    def of(self, source: VideoSource) -> SourceMaterial:
        """The material of a video: made by the first thread that asks, which others wait for."""
        with self._lock:
            future = self._futures.pop(source.key, None)
            is_new = future is None
            future = future or Future()
            self._futures[source.key] = future  # behind all others
            while len(self._futures) > self._most:
                self._futures.popitem(last=False)
        # outside of the lock: others may ask for other videos meanwhile
        if is_new:
            try:
                future.set_result(self._make(source))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def lender(self, sources: Sequence[VideoSource]) -> tuple[int, SourceMaterial] | tuple[None, None]:
        """The video that lends its scene, and its number among those that may: the first whose masks leave no doubt.

        Where a mask misses somebody, they stay in the scene, and what a model says of them looks like what it says of the
        scene. Where all leave doubts, it is the first that can be used.
        """
        doubtful = None
        for number, source in enumerate(sources):
            material = self.of(source)
            if material.error is None and not material.has_doubts:
                return number, material
            if material.error is None and doubtful is None:
                doubtful = number, material
        return doubtful or (None, None)

    def _make(self, source: VideoSource) -> SourceMaterial:
        loaded = load_source(source, self._spec, windows=self._windows)
        if loaded.clips is None:
            return SourceMaterial(error=loaded.error)
        try:
            masks = self._masks_of(loaded)
        except MediaError as error:
            return SourceMaterial(error=error, is_unmasked=True)
        windows = tuple(
            ClipMaterial(key=source.key, clip=clip, masks=each) for clip, each in zip(loaded.clips, masks, strict=True)
        )
        for material in windows:
            if material.masks is not None:
                _ = material.scene, material.quality  # now, as two threads would otherwise do it twice
        return SourceMaterial(windows=windows, fps=_frame_rate(loaded.timestamps_s[0]))

    def _masks_of(self, loaded: LoadedClips) -> tuple[ClipMasks | None, ...]:
        assert loaded.clips is not None
        if self._masks is None:
            return (None,) * len(loaded.clips)
        with self._mask_lock:  # a segmenter is a network, which need not bear two threads
            return self._masks.masks(loaded)


def _frame_rate(times_s: Float[np.ndarray, " time"]) -> float:
    length_s = float(times_s[-1] - times_s[0])
    return (len(times_s) - 1) / length_s if length_s > 0 else _NOMINAL_FPS
