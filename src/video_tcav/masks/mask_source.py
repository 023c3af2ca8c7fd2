"""Interface of mask sources: clips in, the pixels of the person and of what they hold out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import LoadedClips, VideoSource

FIT_SIZE = "Make them from the same file, or scale them without smoothing."
"""What to do about masks of another size than their video."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipMasks:
    """Who is the person of one clip, at the video's own size.

    Attributes:
        person: pixels of the person, or of all persons; never empty in every frame.
        object: pixels of what the person holds or uses, none of which is the person's; `None` if the source tells no objects.
        how: how the pixels were found, in a few words, such as `static camera, difference from the background`.
    """

    person: Bool[Tensor, "time height width"]
    object: Bool[Tensor, "time height width"] | None = None
    how: str = ""

    @property
    def occupied(self) -> Bool[Tensor, "time height width"]:
        """Pixels of the person and of the object together."""
        return self.person if self.object is None else self.person | self.object


class MaskSource(ABC):
    """Tells the person of a clip from the scene; subclass it for a source of your own.

    Attributes:
        name: the spec that it was made by.
        is_boxes: whether its masks are only boxes, which hold some of the scene, too.
        settings: what else decides about its masks; stored with the result.
    """

    name: str
    is_boxes: bool = False
    settings: Mapping[str, Any] = MappingProxyType({})

    def entry(self, source: VideoSource) -> str:
        """Name of what the source has on a video in its files; empty where pixels alone decide about masks.

        Raises:
            MediaError: if the files have nothing on the video.
            InputError: if they have two entries for it, or one that fits several videos.
        """
        return ""

    @abstractmethod
    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """The masks of each window of a video that could be read.

        Raises:
            MediaError: if there is no person in any frame of a window.
            InputError: if the source has masks of another size than the video, or of other frames.
        """


def checked_masks(loaded: LoadedClips, windows: list[ClipMasks]) -> tuple[ClipMasks, ...]:
    """The masks of all windows, if each fits its clip and shows a person.

    Raises:
        MediaError: for a window without a person.
        InputError: for masks of another size than the clip.
    """
    assert loaded.clips is not None
    for clip, masks in zip(loaded.clips, windows, strict=True):
        for mask in (masks.person, masks.object):
            if mask is not None:
                fits = mask.shape == (len(clip), *clip.shape[-2:])
                rule, got = f"have the size of their video, {_size(clip)}", f"{_size(mask)} for {loaded.source.key}"
                require_masks(fits, rule, got, FIT_SIZE)
        if not masks.person.any():
            raise no_person(loaded.source)
    return tuple(windows)


def require_masks(holds: bool, rule: str, got: object, cure: str) -> None:
    """Refuse masks, or a source of them, that do not keep a rule: like `core.checks.require`, with `got` as words.

    Raises:
        InputError: unless `holds`.
    """
    if not holds:
        raise InputError(f"`masks` must {rule}. Got {got}. {cure}")


def no_person(source: VideoSource) -> MediaError:
    """That there is no person in a video, as an error that lists it as skipped."""
    return MediaError(source.path, "no person was found in the clip; give masks of it, or another mask source")


def _size(pixels: Tensor) -> str:
    """Frames and size of a clip or mask: `16 frames of 64x80` (height first)."""
    return f"{len(pixels)} frames of {pixels.shape[-2]}x{pixels.shape[-1]}"
