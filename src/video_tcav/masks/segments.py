"""Segments of frames, as networks find them: which are the person's, and which are of what the person holds."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from video_tcav.masks.compositing import grown
from video_tcav.masks.mask_source import ClipMasks, MaskSource, checked_masks
from video_tcav.media import LoadedClips

PERSON = "person"
LEAST_SCORE = 0.5
"""Segments of a lower score are left out."""
_TOUCH = 0.02  # share of the shorter side: what is as near as that to a person may be in their hands


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """One thing in one frame."""

    label: str
    mask: Bool[Tensor, "height width"]


class SegmentMasks(MaskSource):
    """Masks by a network that names the segments of single frames.

    Attributes:
        tells_objects: whether it finds anything but persons.
    """

    tells_objects: bool

    @abstractmethod
    def segments(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Sequence[Sequence[Segment]]:
        """What is in each frame."""

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """Persons, and what touches them and is no larger; see `MaskSource.masks`."""
        assert loaded.clips is not None
        windows = []
        for clip in loaded.clips:
            frames = self.segments(clip)
            size = (clip.shape[-2], clip.shape[-1])
            person = torch.stack([_union(segments, size, PERSON) for segments in frames])
            held = [_held(segments, mask) for segments, mask in zip(frames, person, strict=True)]
            objects = torch.stack(held) if self.tells_objects else None
            # objects by frame: what is put down is part of the scene again
            windows.append(ClipMasks(person=person, object=objects, how=f"segments of {self.name}"))
        return checked_masks(loaded, windows)


def _union(segments: Sequence[Segment], size: tuple[int, int], label: str) -> Bool[Tensor, "height width"]:
    union = torch.zeros(size, dtype=torch.bool)
    for segment in segments:
        if segment.label == label:
            union |= segment.mask
    return union


def _held(segments: Sequence[Segment], person: Bool[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    """What touches a person and is no larger: a racket, not the bench that somebody sits on."""
    held, area = torch.zeros_like(person), int(person.sum())
    around = torch.from_numpy(grown(person.numpy(), max(1, round(_TOUCH * min(person.shape)))))
    for segment in segments:
        if segment.label != PERSON and 0 < int(segment.mask.sum()) <= area and bool((segment.mask & around).any()):
            held |= segment.mask
    return held & ~person
