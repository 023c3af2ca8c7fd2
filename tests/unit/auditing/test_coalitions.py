"""Coalitions of what is left of a clip, against the definition written out for each of the 32."""

from itertools import chain, combinations

import pytest
import torch

from tests.unit.masks.materials import rendered_material
from video_tcav.auditing import PLAYERS, VERSIONS, coalition_clip, distinct_coalition, players_of
from video_tcav.core.errors import InputError
from video_tcav.masks.compositing import paste

ALL = [frozenset(some) for some in chain.from_iterable(combinations(PLAYERS, count) for count in range(6))]


@pytest.fixture(scope="module")
def material():
    return rendered_material(2)


def slow_definition(material, present, seed):
    """Frame by frame: what is left of the scene, then what is pasted on it, then when it is shown."""
    masks, clip = material.masks, material.clip
    mean = clip.float().mean((0, 2, 3)).round().to(torch.uint8)[None, :, None, None].expand(clip.shape)
    everything = masks.person & False
    for name, mask in (("person", masks.person), ("object", masks.object)):
        everything = everything | (mask if name in present else mask & False)
    if {"scene", "person", "object"} <= present:
        content = clip
    elif not present & {"person", "object"}:
        content = material.scene if "scene" in present else mean
    else:
        content = paste(clip, everything, material.scene if "scene" in present else mean)
    if "motion" not in present:
        return torch.stack([content[len(content) // 2]] * len(content))
    if "order" in present:
        return content
    shuffled = VERSIONS["shuffled"].frames(material, seed=seed)  # of the clip itself: which frame comes when
    order = [next(at for at, frame in enumerate(clip) if torch.equal(frame, moved)) for moved in shuffled]
    return content[order]


@pytest.mark.parametrize("present", ALL, ids=lambda present: "+".join(sorted(present)) or "nothing")
def test_a_coalition_is_what_its_players_leave(material, present):
    assert torch.equal(coalition_clip(material, present, seed=4), slow_definition(material, present, 4))


def test_order_counts_only_with_motion():
    assert len({distinct_coalition(present) for present in ALL}) == 24
    without_objects = [present for present in ALL if "object" not in present]
    assert len({distinct_coalition(present) for present in without_objects}) == 12
    assert distinct_coalition({"order", "scene"}) == {"scene"}
    assert distinct_coalition({"order", "motion"}) == {"order", "motion"}


def test_coalitions_of_one_kind_have_the_same_pixels(material):
    for present in ALL:
        first = coalition_clip(material, present, seed=1)
        assert torch.equal(first, coalition_clip(material, distinct_coalition(present), seed=1))


def test_the_whole_coalition_is_the_clip_and_nobody_a_still_of_one_colour(material):
    assert torch.equal(coalition_clip(material, PLAYERS), material.clip)
    nobody = coalition_clip(material, ())
    assert nobody.flatten(2).float().std(2).max() == 0


def test_without_masks_of_objects_there_are_four_players():
    material = rendered_material(2, with_object=False)
    assert (
        players_of(has_objects=False) == ("order", "motion", "scene", "person")
        and players_of(has_objects=True) == PLAYERS
    )
    for present in ALL:
        with_object = coalition_clip(material, present | {"object"})
        assert torch.equal(with_object, coalition_clip(material, present - {"object"}))


def test_an_unknown_player_is_refused(material):
    with pytest.raises(InputError, match="`present` must be one of order, motion, scene, person, object. Got 'camera'"):
        coalition_clip(material, ["camera"])
