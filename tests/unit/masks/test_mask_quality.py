"""Quality of masks against planted ones, and the sheet of outlines."""

import numpy as np
import pytest
import torch

from video_tcav.core.errors import InputError, ShapeError
from video_tcav.masks import ClipMasks, mask_quality, quality_table
from video_tcav.masks.quality import SMALLER, overlap, set_doubts
from video_tcav.reports import MaskRow, mask_sheet
from video_tcav.reports.maps.mask_outlines import PERSON_COLOUR


def blocks(*boxes):
    person = torch.zeros(len(boxes), 20, 40, dtype=torch.bool)
    for frame, frame_boxes in enumerate(boxes):
        for top, left, height, width in frame_boxes:
            person[frame, top : top + height, left : left + width] = True
    return ClipMasks(person=person)


def test_a_block_that_moves_is_stable_and_has_its_size():
    quality = mask_quality("a", blocks(*[[(5, 3 * frame + 2, 8, 6)] for frame in range(6)]))
    assert quality.area == pytest.approx(48 / 800)
    assert (quality.frames, quality.stability, quality.pieces, quality.border) == (1, 1, 1, 0)
    assert quality.doubts == ()


def test_each_doubt_has_its_cause():
    doubts = {
        "hardly any person": blocks([(5, 5, 1, 2)], [(5, 5, 1, 2)]),
        "most of the picture": blocks([(1, 1, 18, 38)], [(1, 1, 18, 38)]),
        "no person in half of the frames": blocks([(5, 5, 5, 5)], [], []),
        "vanishes in some frames": blocks([(5, 5, 5, 5)], [], [(5, 5, 5, 5)], [(5, 5, 5, 5)]),
        "changes shape between frames": blocks([(2, 5, 16, 2)], [(9, 5, 2, 30)]),
        "in many pieces": blocks([(2, 4 * piece + 2, 9, 2) for piece in range(5)]),
        "cut off at the border": blocks([(0, 5, 6, 6)], [(0, 5, 6, 6)]),
    }
    for doubt, masks in doubts.items():
        assert doubt in mask_quality("a", masks).doubts
    table = quality_table([mask_quality("fine", blocks([(5, 5, 8, 6)])), mask_quality("bad", doubts["in many pieces"])])
    assert list(table["clip"]) == ["bad", "fine"] and "in many pieces" in table["doubts"][0]


def test_somebody_who_stands_still_for_a_while_is_doubted_and_somebody_who_walks_out_is_not():
    body, hand = (4, 15, 12, 8), (6, 24, 2, 2)
    still = mask_quality("still", blocks([body], [body], [hand], [body]))
    assert still.gaps == 1 / 4 and "vanishes in some frames" in still.doubts
    leaving = mask_quality("leaving", blocks([body], [body], [(8, 38, 2, 2)], []))
    assert leaving.gaps == 0 and "vanishes in some frames" not in leaving.doubts


def test_a_limb_is_doubted_beside_bodies_and_nobody_among_few_clips():
    bodies = [mask_quality(name, blocks([(4, 15, 12, 8)], [(4, 15, 12, 8)])) for name in "abcd"]
    limb = mask_quality("z", blocks([(6, 24, 5, 4)], [(6, 24, 5, 4)]))
    assert limb.doubts == ()
    doubted = set_doubts([*bodies, limb])
    assert [quality.doubts for quality in doubted] == [(), (), (), (), (SMALLER,)]
    assert set_doubts(doubted) == doubted  # saying it twice adds nothing
    assert list(quality_table([*bodies, limb])["clip"]) == ["z", "a", "b", "c", "d"]
    assert set_doubts([*bodies[:3], limb])[-1].doubts == ()


def test_nobody_has_no_stability():
    quality = mask_quality("a", blocks([], []))
    assert quality.area == 0 and np.isnan(quality.stability) and "hardly any person" in quality.doubts
    assert np.isnan(overlap(np.zeros(3, bool), np.zeros(3, bool)))
    assert overlap(np.array([True, True, False]), np.array([False, True, True])) == pytest.approx(1 / 3)


def test_a_sheet_outlines_the_masks_and_shows_frames_without():
    frames = torch.full((8, 3, 20, 40), 90, dtype=torch.uint8)
    masks = blocks(*[[(5, 3 * frame + 2, 8, 6)] for frame in range(8)])
    outlined = mask_sheet([MaskRow(title="$a_clip", frames=frames, person=masks.person)], columns=4)
    plain = mask_sheet([MaskRow(title="$a_clip", frames=frames)], columns=4)
    assert outlined.shape == plain.shape and outlined.shape[0] == 3
    colour = torch.tensor(PERSON_COLOUR, dtype=torch.uint8)[:, None, None]
    assert (outlined == colour).all(0).sum() > 4 * 150 and not (plain == colour).all(0).any()
    two = mask_sheet([MaskRow(title="a", frames=frames), MaskRow(title="b", frames=frames[:2])], columns=4)
    assert two.shape[1] > 1.9 * plain.shape[1] - 30
    with pytest.raises(ShapeError, match="`rows` must have masks of the size of their frames"):
        mask_sheet([MaskRow(title="a", frames=frames, person=masks.person[:, :10])])
    with pytest.raises(InputError, match="`rows` must hold a clip"):
        mask_sheet([])
