"""Versions of a clip: one thing about it changed, all else as it is; each is a kind with a name and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.auditing.backgrounds import noise_picture, stripes_picture
from video_tcav.concepts import edited_clip, twin_clip
from video_tcav.core.checks import require
from video_tcav.core.registry import Registry
from video_tcav.masks.compositing import fitted
from video_tcav.masks.material import ClipMaterial
from video_tcav.recording.clip_id import shuffle_seed

Clip = UInt8[Tensor, "time 3 height width"]


class Version(Protocol):
    """A kind of version; subclass it to add one.

    Attributes:
        name: that tables and options use.
        sentence: what is changed, for reports, such as `The frames are played backwards.`
        needs_masks: whether it can only be made of a clip with masks.
        needs_donor: whether it takes the scene of another clip.
        still_of: the version of which it repeats one frame; empty for all others.
    """

    name: str
    sentence: str
    needs_masks: bool = False
    needs_donor: bool = False
    still_of: str = ""

    def frames(self, material: ClipMaterial, donor: ClipMaterial | None = None, *, seed: int = 0) -> Clip:
        """The pixels of the version, of the clip's own shape; the same seed gives the same pixels.

        Args:
            material: of the clip.
            donor: of a clip of another class, of any size and length.
            seed: of the run; each clip has draws of its own.

        Raises:
            InputError: if it needs masks or a donor, and there is none.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A version that one function makes."""

    name: str
    sentence: str
    make: Callable[[ClipMaterial, ClipMaterial | None, int], Clip]
    needs_masks: bool = False
    needs_donor: bool = False
    still_of: str = ""

    def frames(self, material: ClipMaterial, donor: ClipMaterial | None = None, *, seed: int = 0) -> Clip:
        has_masks = material.masks is not None or not self.needs_masks
        require(has_masks, "masks", f"be there for the version {self.name}", "none", "Say --masks motion, for example.")
        has_donor = donor is not None or not self.needs_donor
        require(has_donor, "donor", f"be there for the version {self.name}", "none", "Give clips of another class.")
        # each clip has draws of its own, which do not depend on the other clips, on threads, or on what is kept
        return self.make(material, donor, shuffle_seed(seed, material.key))


def _swap(material: ClipMaterial, donor: ClipMaterial | None, seed: int) -> Clip:
    assert donor is not None
    return material.person_over_scene_of(donor)


def _person_on_still(material: ClipMaterial, donor: ClipMaterial | None, seed: int) -> Clip:
    assert donor is not None
    middle = len(donor.scene) // 2
    scene = fitted(donor.scene[middle : middle + 1], *_shape(material))
    return material.person_over(scene)


def _person_on(
    draw: Callable[[int, int, int], UInt8[Tensor, "3 height width"]],
) -> Callable[[ClipMaterial, ClipMaterial | None, int], Clip]:
    """The person over a picture that is drawn; it stands still, so that only the person moves."""

    def make(material: ClipMaterial, donor: ClipMaterial | None, seed: int) -> Clip:
        _, height, width = _shape(material)
        picture = draw(height, width, seed)
        return material.person_over(picture.expand(material.clip.shape))

    return make


def _still(kind: _Kind) -> _Kind:
    """One frame of a version, repeated."""
    return _Kind(
        name=f"{kind.name}_still",
        sentence=f"One frame of {kind.name.replace('_', ' ')} is repeated.",
        make=lambda material, donor, seed: twin_clip(kind.make(material, donor, seed), "frozen"),
        needs_masks=kind.needs_masks,
        needs_donor=kind.needs_donor,
        still_of=kind.name,
    )


def _half_speed(clip: Clip) -> Clip:
    """The middle half of the clip, each frame shown twice."""
    # frames 4, 4, 5, 5, … 11, 11 of 16: as long as the clip, so that the model takes it as it is
    order = len(clip) // 4 + torch.arange(len(clip)) // 2
    return clip[order]


def _shape(material: ClipMaterial) -> tuple[int, int, int]:
    frames, _, height, width = material.clip.shape
    return frames, height, width


ORIGINAL = _Kind(name="original", sentence="The clip as it is.", make=lambda material, donor, seed: material.clip)
FROZEN = _Kind(
    name="frozen",
    sentence="The middle frame is repeated.",
    make=lambda material, donor, seed: twin_clip(material.clip, "frozen"),
)
REVERSED = _Kind(
    name="reversed",
    sentence="The frames are played backwards.",
    make=lambda material, donor, seed: twin_clip(material.clip, "reversed"),
)
SHUFFLED = _Kind(
    name="shuffled",
    sentence="The frames are in random order.",
    make=lambda material, donor, seed: twin_clip(material.clip, "shuffled", seed=seed),
)
HALF_SPEED = _Kind(
    name="half_speed",
    sentence="The middle half of the clip is played at half its speed.",
    make=lambda material, donor, seed: _half_speed(material.clip),
)
MIRRORED = _Kind(
    name="mirrored",
    sentence="Left and right are swapped.",
    make=lambda material, donor, seed: edited_clip(material.clip, "mirror"),
)
PERSON_ONLY = _Kind(
    name="person_only",
    sentence="The person and what it holds, over the clip's mean colour.",
    make=lambda material, donor, seed: material.person_over(material.mean_picture),
    needs_masks=True,
)
SCENE_ONLY = _Kind(
    name="scene_only",
    sentence="The scene, with the person and what it holds filled in.",
    make=lambda material, donor, seed: material.scene,
    needs_masks=True,
)
SWAP = _Kind(
    name="swap",
    sentence="The person and what it holds, over the scene of a clip of another class.",
    make=_swap,
    needs_masks=True,
    needs_donor=True,
)
PERSON_ON_NOISE = _Kind(
    name="person_on_noise",
    sentence="The person and what it holds, over coloured noise that stands still.",
    make=_person_on(noise_picture),
    needs_masks=True,
)
PERSON_ON_STRIPES = _Kind(
    name="person_on_stripes",
    sentence="The person and what it holds, over coloured stripes that stand still.",
    make=_person_on(stripes_picture),
    needs_masks=True,
)
PERSON_ON_STILL = _Kind(
    name="person_on_still",
    sentence="The person and what it holds, over one picture of the scene of a clip of another class.",
    make=_person_on_still,
    needs_masks=True,
    needs_donor=True,
)
SWAP_STILL, PERSON_ON_NOISE_STILL, PERSON_ON_STRIPES_STILL, PERSON_ON_STILL_STILL = map(
    _still, (SWAP, PERSON_ON_NOISE, PERSON_ON_STRIPES, PERSON_ON_STILL)
)
PASTE_CONTROL = _Kind(
    name="paste_control",
    sentence="The person and what it holds, pasted over the filled-in scene of the same clip: what pasting alone does.",
    make=lambda material, donor, seed: material.person_over(material.scene),
    needs_masks=True,
)
VERSIONS: Registry[Version] = Registry(
    "video_tcav.audit_versions",
    "version",
    {
        "original": f"{__name__}:ORIGINAL",
        "frozen": f"{__name__}:FROZEN",
        "reversed": f"{__name__}:REVERSED",
        "shuffled": f"{__name__}:SHUFFLED",
        "half_speed": f"{__name__}:HALF_SPEED",
        "mirrored": f"{__name__}:MIRRORED",
        "person_only": f"{__name__}:PERSON_ONLY",
        "scene_only": f"{__name__}:SCENE_ONLY",
        "swap": f"{__name__}:SWAP",
        "swap_still": f"{__name__}:SWAP_STILL",
        "person_on_noise": f"{__name__}:PERSON_ON_NOISE",
        "person_on_noise_still": f"{__name__}:PERSON_ON_NOISE_STILL",
        "person_on_stripes": f"{__name__}:PERSON_ON_STRIPES",
        "person_on_stripes_still": f"{__name__}:PERSON_ON_STRIPES_STILL",
        "person_on_still": f"{__name__}:PERSON_ON_STILL",
        "person_on_still_still": f"{__name__}:PERSON_ON_STILL_STILL",
        "paste_control": f"{__name__}:PASTE_CONTROL",
    },
    members=("name", "sentence", "needs_masks", "needs_donor", "still_of", "frames"),
)
