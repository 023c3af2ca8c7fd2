"""Clips in memory: arrays and tensors as sources, beside video files."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from video_tcav.core.errors import SourceError
from video_tcav.media.files import VideoSource

ClipArray = Tensor | np.ndarray

_DTYPES = {"uint8", "float16", "bfloat16", "float32", "float64"}
_LAYOUT = "(time, 3, height, width) or (time, height, width, 3)"
_LAYOUTS = f"{_LAYOUT}, with one more dimension in front for a batch"
_HASHED_FRAMES = 64  # converted to uint8 at a time: a digest of a long float clip takes no second copy of it


@dataclass(frozen=True, kw_only=True)
class InMemorySource(VideoSource, ABC):
    """A clip in memory, named by its `path`: frames, or the bytes of a video."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, without the segment."""
        return self._content_digest()

    @abstractmethod
    def _content_digest(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class MemorySource(InMemorySource):
    """A clip in memory: a sequence of frames without times, read at a nominal 25 fps like a folder of frames.

    Its `path` is its name. The array is neither copied nor checked again: do not change it while it is in use.

    Attributes:
        frames: `(time, 3, height, width)`; `uint8`, or floats in [0, 1], which are rounded to the 256 levels of a video file.
    """

    frames: ClipArray = field(repr=False, compare=False)

    def _content_digest(self) -> str:
        """Of size and pixels, whatever the array's own type, layout and device."""
        total = hashlib.sha256(f"frames in memory {tuple(self.frames.shape)}\n".encode())
        for start in range(0, len(self.frames), _HASHED_FRAMES):
            chunk = self.read(np.arange(start, min(start + _HASHED_FRAMES, len(self.frames))))
            total.update(chunk.numpy().data)
        return total.hexdigest()

    def read(self, frame_indices: Int[np.ndarray, " time"]) -> UInt8[Tensor, "time 3 height width"]:
        """A copy of chosen frames on the CPU, contiguous as decoded frames are."""
        # selected before they are wrapped: `from_numpy` takes neither read-only arrays nor negative strides
        chosen = self.frames[frame_indices]
        frames = chosen.cpu() if isinstance(chosen, Tensor) else torch.from_numpy(chosen)
        if frames.is_floating_point():
            # in float32, where 255 * (k / 255) rounds to k for every level k
            frames = (frames.float() * 255).round().to(torch.uint8)
        return frames.contiguous()

    def __getstate__(self) -> dict[str, Any]:
        """For workers: pickling a view of a batch would send the whole batch with every clip."""
        return {**self.__dict__, "frames": self.read(np.arange(len(self.frames))).numpy()}


def memory_sources(clips: Any, default_names: Iterator[str]) -> list[MemorySource] | None:
    """Sources of an array, of a `(name, array)` pair, or of names and the batch that belongs to them; `None` for others.

    Raises:
        SourceError: for an array that cannot be read as clips without guessing.
    """
    if isinstance(clips, ClipArray):
        batch = _as_batch(clips)
        return [_source(name, frames) for frames, name in zip(batch, default_names, strict=False)]
    if not isinstance(clips, list | tuple) or len(clips) != 2 or not isinstance(clips[1], ClipArray):
        return None
    name, array = clips
    if isinstance(clips, tuple) and isinstance(name, str):  # a list holds a path and an unnamed clip
        if array.ndim != 4:
            raise SourceError(f"`{name}` must name one clip, {_LAYOUT}. {_got(array)}")
        return [_source(name, _as_batch(array)[0])]
    # PyTorch's DataLoader collates pairs into a tuple of names and a batch
    if (
        isinstance(name, tuple)
        and array.ndim == 5
        and len(name) == len(array)
        and all(isinstance(text, str) for text in name)
    ):
        return [_source(text, frames) for text, frames in zip(name, _as_batch(array), strict=True)]
    return None


def check_names(sources: Iterable[VideoSource]) -> None:
    """Refuse a name that stands for two clips, of which one is in memory: rows of a run are found by name."""
    by_key: dict[str, VideoSource] = {}
    for source in sources:
        earlier = by_key.setdefault(source.key, source)
        if earlier is source or not (isinstance(source, InMemorySource) or isinstance(earlier, InMemorySource)):
            continue
        if getattr(source, "digest", None) != getattr(earlier, "digest", None):
            raise SourceError(
                f"`clips` must have names of their own. Got two clips with the name {source.key}. Rename one of them."
            )


def refuse_memory(sources: Iterable[VideoSource], purpose: str) -> None:
    """Refuse clips in memory where files are needed."""
    for source in sources:
        if isinstance(source, InMemorySource):
            raise SourceError(
                f"`videos` must be files for {purpose}. Got {source.key}, a clip in memory. Write it with `write_video`."
            )


def _source(name: str, frames: ClipArray) -> MemorySource:
    if not name.strip():
        raise SourceError(
            "`clips` must have names with a letter or more. Got an empty one. Leave it out, or fill it in."
        )
    kind = "still" if len(frames) == 1 else "frames"
    return MemorySource(path=Path(name), kind=kind, frames=frames)


def _as_batch(array: ClipArray) -> ClipArray:
    """A view of an array as `(clip, time, 3, height, width)`."""
    if array.ndim not in (4, 5):
        raise SourceError(f"`clips` must be {_LAYOUTS}. {_got(array)} Give clips alone, without labels.")
    dtype = str(array.dtype).removeprefix("torch.")
    if dtype not in _DTYPES:
        raise SourceError(f"`clips` must be uint8, or floats in [0, 1]. Got {dtype}. Convert them.")
    if 0 in array.shape:
        raise SourceError(f"`clips` must not be empty. {_got(array)} Give at least one clip of one frame.")
    array = array.detach() if isinstance(array, Tensor) else array
    batch = array[None] if array.ndim == 4 else array
    _, time, second, _, last = batch.shape
    if 3 not in (second, last):
        cure = " Swap its first two dimensions." if time == 3 else ""
        raise SourceError(f"`clips` must have three channels, {_LAYOUTS}. {_got(array)}{cure}")
    if second == 3 and 3 in (time, last):
        # 3 frames of (3, height, width) look like 3 channels of as many frames
        raise SourceError(
            f"`clips` must show which dimension is the channel. {_got(array)} Give (time, height, width, channel)."
        )
    if dtype != "uint8":
        _check_range(batch)
    if second == 3:
        return batch
    return batch.movedim(-1, 2) if isinstance(batch, Tensor) else np.moveaxis(batch, -1, 2)


def _check_range(array: ClipArray) -> None:
    smallest, largest = float(array.min()), float(array.max())  # NaN if there is any
    if not (smallest >= 0 and largest <= 1):
        values = "NaN" if smallest != smallest else f"{smallest:.4g} to {largest:.4g}"
        raise SourceError(
            f"`clips` must be uint8, or floats in [0, 1]. Got {values}. Give pixels that are not normalised."
        )


def _got(array: ClipArray) -> str:
    return f"Got the shape {tuple(array.shape)}."
