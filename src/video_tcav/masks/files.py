"""Masks from files: COCO JSON with run lengths, or folders of PNGs, whoever made them."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import torch
from jaxtyping import Bool
from torch import Tensor

from video_tcav.core.errors import InputError, MediaError
from video_tcav.masks.mask_source import ClipMasks, MaskSource, checked_masks, require_masks
from video_tcav.media import LoadedClips, VideoSource
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

FrameMask = tuple[Bool[Tensor, "height width"], Bool[Tensor, "height width"] | None]
"""Person, and object where the file tells objects."""


class FileMasks(MaskSource):
    """Masks that stand in files, by video and by frame of the video."""

    path: Path

    @abstractmethod
    def video_names(self) -> Sequence[str]:
        """Names of all videos that have masks, with or without ending, as paths from some folder."""

    @abstractmethod
    def frame_mask(self, name: str, frame: int, size: tuple[int, int]) -> FrameMask:
        """The mask of a frame of a video, which must be `(height, width)`.

        Raises:
            InputError: if there is none, or it is not of that size.
        """

    @cached_property
    def _video_of_entry(self) -> dict[str, Path]:
        return {}

    def entry(self, source: VideoSource) -> str:
        """The name that a video's masks stand under; see `MaskSource.entry`."""
        name = matching_name(source, self.video_names(), self.path)
        # `001` fits `run/001.mp4` and `walk/001.mp4`: one of them would get the other's person, and nobody would see it
        first = self._video_of_entry.setdefault(name, source.path)
        cure = "Name them with the folders of their videos."
        got = f"{name} in {self.path} for {first} and {source.path}"
        require_masks(first == source.path, "have an entry for each video", got, cure)
        return name

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """The masks of the frames that each window shows; see `MaskSource.masks`."""
        assert loaded.clips is not None
        name = self.entry(loaded.source)
        size = (loaded.clips.shape[-2], loaded.clips.shape[-1])
        return checked_masks(loaded, [self._window(name, frames.tolist(), size) for frames in loaded.frame_indices])

    def _window(self, name: str, frames: Sequence[int], size: tuple[int, int]) -> ClipMasks:
        by_frame = {frame: self.frame_mask(name, frame, size) for frame in set(frames)}
        persons, objects = zip(*(by_frame[frame] for frame in frames), strict=True)
        # a frame in which no object is seen still tells that there is none, if another tells objects
        tells_objects = any(mask is not None for mask in objects)
        person = torch.stack(persons)
        held = torch.stack([torch.zeros(size, dtype=torch.bool) if mask is None else mask for mask in objects])
        return ClipMasks(person=person, object=held & ~person if tells_objects else None, how=f"from {self.path.name}")


def matching_name(source: VideoSource, names: Iterable[str], origin: Path) -> str:
    """The name among those of a file that a video has: the one that agrees with most of its path, from the end.

    Raises:
        MediaError: if none has the video's name.
        InputError: if two fit alike.
    """
    wanted = _trailing_parts(str(source.path))
    agreeing: dict[int, list[str]] = {}
    for name in names:
        parts = _trailing_parts(name)
        common = min(len(parts), len(wanted))
        if parts[:common] == wanted[:common]:  # not only its last name: other folders may have a video of that name
            agreeing.setdefault(common, []).append(name)
    if not agreeing:
        alike = next((name for name in names if _trailing_parts(name)[0] == wanted[0]), None)
        others = f", which has {alike}" if alike else ""
        example = "/".join(reversed(wanted[:2]))
        reason = f"no masks of that name in {origin}{others}; name them as the video, such as {example}"
        raise MediaError(source.path, reason)
    best = agreeing[max(agreeing)]
    if len(best) > 1:
        raise InputError(
            f"`masks` must have one entry for {source.path}. Got {', '.join(best[:3])} in {origin}. "
            "Name them with the folders of their videos."
        )
    return best[0]


def _trailing_parts(path: str) -> list[str]:
    """File name without the ending of a video or picture, then the folders from the inmost on."""
    posix = PurePosixPath(path.replace("\\", "/"))
    name = posix.stem if posix.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES else posix.name
    return [name, *reversed(posix.parent.parts)]
