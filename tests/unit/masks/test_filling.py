"""Filled-in scenes against planted truth: a static camera, a shaking one, and one that moves on."""

import cv2
import numpy as np
import torch

from tests.unit.masks.materials import block_material
from video_tcav.masks import ClipMasks, ClipMaterial
from video_tcav.masks.compositing import grown
from video_tcav.masks.filling import fill_in
from video_tcav.masks.stabilisation import align, camera_shifts


def test_a_static_camera_shows_what_was_behind_the_person():
    material, scene = block_material(frames=8, width=48)
    filling = material.scene_filling
    assert filling.how == "background"
    torch.testing.assert_close(
        filling.clip, scene.expand(filling.clip.shape)
    )  # the very pixels: other frames show them


def test_what_is_never_seen_is_inpainted_once_and_stands_still():
    material, scene = block_material(frames=8, width=48)
    standing = torch.zeros_like(material.masks.person)
    standing[:, 4:20, 20:30] = True
    clip = scene.expand(8, -1, -1, -1).clone()
    clip.permute(0, 2, 3, 1)[standing] = 255
    filling = fill_in(clip, standing)
    assert filling.how == "inpainting"
    assert torch.equal(filling.clip, filling.clip[:1].expand(filling.clip.shape))
    assert filling.clip.max() < 140  # nothing is left of the white person, and its surroundings have 60 to 120


def test_a_moving_camera_is_inpainted_frame_by_frame():
    generator = np.random.default_rng(0)
    wide = torch.from_numpy(generator.integers(0, 256, (3, 24, 200), dtype=np.uint8))
    clip = torch.stack([wide[:, :, 12 * frame : 12 * frame + 32] for frame in range(8)])
    holes = torch.zeros(8, 24, 32, dtype=torch.bool)
    holes[:, 8:14, 12:18] = True
    filling = fill_in(clip, holes)
    assert filling.how == "inpainting"
    far = ~grown(holes.numpy(), 3)
    np.testing.assert_array_equal(filling.clip.permute(0, 2, 3, 1).numpy()[far], clip.permute(0, 2, 3, 1).numpy()[far])


def test_a_shaking_camera_is_held_still_first():
    generator = np.random.default_rng(1)
    # as smooth as scenes are: shifts are searched from coarse to fine
    wide = cv2.GaussianBlur(generator.integers(0, 256, (80, 80, 3), dtype=np.uint8), (0, 0), 2)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    # moved by up to two pixels, and back
    truth = [(0, 0), (1, 2), (2, 0), (-1, 1), (0, 0), (-2, -1), (1, 1), (0, -2)]
    pictures = np.stack([wide[8 + down : 72 + down, 8 + right : 72 + right] for right, down in truth])
    shifts = camera_shifts(pictures)
    # a scene that is seen further right stands further left
    np.testing.assert_array_equal(shifts, -np.array(truth) + np.array(truth[4]))
    aligned = align(pictures, shifts)
    assert np.ptp(aligned[:, 4:-4, 4:-4], axis=0).max() == 0
    holes = torch.zeros(8, 64, 64, dtype=torch.bool)
    for frame in range(8):
        holes[frame, 20:40, 6 * frame : 6 * frame + 6] = True
    clip = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    covered = clip.clone()
    covered.permute(0, 2, 3, 1)[holes] = 255
    filling = fill_in(covered, holes)
    assert filling.how == "background"
    assert torch.equal(filling.clip, clip)


def test_nothing_to_fill_changes_nothing():
    material, _ = block_material()
    nobody = torch.zeros_like(material.masks.person)
    filling = fill_in(material.clip, nobody)
    assert torch.equal(filling.clip, material.clip) and filling.how == "nothing"


def test_a_hole_as_large_as_the_picture_gets_one_colour():
    material, _ = block_material()
    filling = fill_in(material.clip, torch.ones_like(material.masks.person))
    assert all(frame.flatten(1).std(1).max() == 0 for frame in filling.clip.float())


def test_person_and_object_are_removed_one_by_one():
    material, scene = block_material(frames=8, width=48)
    person, held = material.masks.person, material.masks.object
    inner_person = torch.from_numpy(~grown((~person).numpy(), 2))
    inner_held = torch.from_numpy(~grown((~held).numpy(), 1))
    clip = scene.expand(material.clip.shape)
    for filled, gone, stays in (
        (material.without_person, person, inner_held),
        (material.without_object, held, inner_person),
    ):
        pixels = filled.permute(0, 2, 3, 1)
        assert torch.equal(pixels[stays], material.clip.permute(0, 2, 3, 1)[stays])
        other = held if gone is person else person
        alone = gone & ~torch.from_numpy(grown(other.numpy(), 2))
        assert torch.equal(pixels[alone], clip.permute(0, 2, 3, 1)[alone])


def test_without_objects_there_is_nothing_to_remove():
    material, _ = block_material()
    bare = ClipMaterial(key="bare", clip=material.clip, masks=ClipMasks(person=material.masks.person))
    assert torch.equal(bare.without_object, bare.clip) and torch.equal(bare.without_person, bare.scene)
