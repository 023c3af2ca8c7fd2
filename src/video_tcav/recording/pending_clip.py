"""A clip that waits to be recorded, and how errors name it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.concepts import Twin, twin_clip
from video_tcav.core.errors import NonFiniteError
from video_tcav.recording.cache.store import StoredClip
from video_tcav.recording.clip_id import ClipId, Version, shuffle_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class PendingClip:
    """A clip in the order of the plan: to be passed, or stored already."""

    name: ClipId
    inputs: Tensor | None = None
    stored: StoredClip | None = None


def version_of(prepared: Tensor, version: Version, time_dim: int, key: str, seed: int) -> Tensor:
    """A prepared clip, or its twin."""
    if version == "none":
        return prepared
    twin: Twin = version
    return twin_clip(prepared, twin, time_dim=time_dim, seed=shuffle_seed(seed, key))


def shows_one_picture(clips: UInt8[Tensor, "window time channel height width"]) -> bool:
    """Whether every frame of every window is the same; most clips move from the first frame on."""
    first = clips[0, 0]
    return all(torch.equal(frame, first) for window in clips for frame in window)


class naming:
    """Adds the files of the batch to an error about numbers that are not finite."""

    def __init__(self, names: Sequence[ClipId]) -> None:
        self._names = names

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NonFiniteError):
            files = ", ".join(dict.fromkeys(name.source for name in self._names))
            raise NonFiniteError(f"{error} Clips: {files}") from error
