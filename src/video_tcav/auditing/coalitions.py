"""Coalitions for Shapley shares: the clip with only some of order, motion, scene, person and object left."""

from collections.abc import Collection
from typing import Literal, get_args

from jaxtyping import UInt8
from torch import Tensor

from video_tcav.concepts import twin_clip
from video_tcav.core.checks import one_of
from video_tcav.masks.compositing import paste
from video_tcav.masks.material import ClipMaterial
from video_tcav.recording.clip_id import shuffle_seed

Clip = UInt8[Tensor, "time 3 height width"]
Player = Literal["order", "motion", "scene", "person", "object"]
PLAYERS: tuple[Player, ...] = get_args(Player)


def players_of(*, has_objects: bool) -> tuple[Player, ...]:
    """The players of clips whose masks tell objects, or do not."""
    return PLAYERS if has_objects else tuple(player for player in PLAYERS if player != "object")


def distinct_coalition(present: Collection[Player]) -> frozenset[Player]:
    """The coalition with the same pixels that has the fewest players: frames that stand still have no order."""
    for player in present:
        one_of("present", player, PLAYERS)
    return frozenset(present) - (frozenset() if "motion" in present else {"order"})


def coalition_clip(material: ClipMaterial, present: Collection[Player], *, seed: int = 0) -> Clip:
    """The clip with everything outside of the coalition removed.

    Without the scene there is the clip's mean colour; without the person or the object there is the filled-in scene, or the mean
    colour. Without motion the middle frame is repeated; with motion but without order the frames are shuffled. The whole
    coalition is the clip itself, the empty one a still of the mean colour.

    Args:
        material: of a clip with masks. Where they tell no objects, `object` changes nothing.
        present: the players that stay.
        seed: of the shuffle; that of the version `shuffled`.

    Raises:
        InputError: for another player.
    """
    players = distinct_coalition(present)
    content = _content(material, players)
    # the content is put together frame by frame before it is frozen: its middle frame then fits its own masks
    if "motion" not in players:
        return twin_clip(content, "frozen")
    return content if "order" in players else twin_clip(content, "shuffled", seed=shuffle_seed(seed, material.key))


def _content(material: ClipMaterial, players: frozenset[Player]) -> Clip:
    """The pixels of scene, person and object that stay, in their own frames."""
    masks = material.known_masks
    has_person, has_object = "person" in players, "object" in players or masks.object is None
    if "scene" in players:
        if has_person:
            return material.clip if has_object else material.without_object
        return material.without_person if has_object else material.scene
    if has_person:
        # without the scene, what is left out shows the same mean colour as the scene does
        visible = masks.occupied if has_object else masks.person
    elif has_object and masks.object is not None:
        visible = masks.object
    else:
        return material.mean_picture
    return paste(material.clip, visible, material.mean_picture)
