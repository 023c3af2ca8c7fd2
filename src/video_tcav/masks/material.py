"""Material of one clip: its pixels, its masks, and the pixels behind the person and the object."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.masks.compositing import fitted, paste
from video_tcav.masks.filling import FilledClip, fill_in
from video_tcav.masks.mask_source import ClipMasks
from video_tcav.masks.quality import MaskQuality, mask_quality

Clip = UInt8[Tensor, "time 3 height width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipMaterial:
    """What versions of one clip are made of, at the video's own size; what is filled in is computed at first use.

    Attributes:
        key: name of the clip, which its random draws go by.
        clip: the pixels.
        masks: who is the person; `None` where there are no masks, so that only versions without them can be made.
    """

    key: str
    clip: Clip
    masks: ClipMasks | None = None

    @property
    def known_masks(self) -> ClipMasks:
        """The masks of a clip that must have some."""
        assert self.masks is not None, f"{self.key} has no masks"
        return self.masks

    @cached_property
    def quality(self) -> MaskQuality:
        """What its masks are like."""
        return mask_quality(self.key, self.known_masks)

    @cached_property
    def scene_filling(self) -> FilledClip:
        """The clip with person and object filled in, and how."""
        return fill_in(self.clip, self.known_masks.occupied)

    @property
    def scene(self) -> Clip:
        """The clip with person and object filled in."""
        return self.scene_filling.clip

    @cached_property
    def without_person(self) -> Clip:
        """The clip with the person filled in; the object stays."""
        if self.known_masks.object is None:
            return self.scene
        return paste(self.clip, self.known_masks.object, self.scene)

    @cached_property
    def without_object(self) -> Clip:
        """The clip with the object filled in; the person stays."""
        if self.known_masks.object is None:
            return self.clip
        return paste(self.clip, self.known_masks.person, self.scene)

    @cached_property
    def mean_colour(self) -> UInt8[Tensor, "3"]:
        """Mean of all pixels of the clip."""
        # frame by frame: float64 of a whole clip would be eight times its memory
        colour = np.mean([frame.numpy().mean((1, 2)) for frame in self.clip], axis=0)
        return torch.from_numpy(colour.round().astype(np.uint8))

    @cached_property
    def mean_picture(self) -> Clip:
        """A clip of the same size in the mean colour."""
        return self.mean_colour[None, :, None, None].expand(self.clip.shape)

    def person_over(self, background: Clip) -> Clip:
        """The person and what they hold, over another clip of this shape."""
        return paste(self.clip, self.known_masks.occupied, background)

    def person_over_scene_of(self, donor: "ClipMaterial") -> Clip:
        """The person and what they hold, over the scene of another clip, of any size and length."""
        frames, _, height, width = self.clip.shape
        return self.person_over(fitted(donor.scene, frames, height, width))
