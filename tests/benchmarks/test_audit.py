"""The benchmarks of the audit, small: planted truth with masks of every kind, and coverage of intervals."""

import numpy as np
import pytest
from benchmarks.audit.coverage import drawn_answers
from benchmarks.audit.rendered import CAUSES, audit_rendered, audited, mean_overlap, rendered_world

import video_tcav as vt
from video_tcav.masks.motion import moving_masks
from video_tcav.rendered import rule_of


def test_a_model_of_scenes_follows_the_scene_and_boxes_hide_a_part_of_that():
    exact, boxes = audit_rendered("r2plus1d-scene", 10, masks=("exact", "boxes"))
    assert exact.sb_err == 1 and exact.sh_acc == 0
    assert exact.share_of_cause > 0.9
    assert boxes.masks == "boxes"
    assert boxes.scene < exact.scene
    assert boxes.iou < exact.iou == 1


def test_masks_of_motion_are_compared_with_others_on_the_clips_in_which_they_find_somebody():
    rule = rule_of("scene")
    everything, moving = (rendered_world(rule, 12, seed=0, moving=moving) for moving in (False, True))
    assert {name for name in everything.clips if name not in moving.clips} == {
        name for name, clip in everything.clips.items() if moving_masks(clip.clip) is None
    }
    # the same overlap, over clips and frames, as the table of masks has
    scores = []
    for clip in moving.clips.values():
        found, truth = moving_masks(clip.clip), clip.mask("figure") | clip.mask("object")
        either, both = (found | truth).sum((1, 2)), (found & truth).sum((1, 2))
        scores.append(float((both / either)[either > 0].mean()))
    assert mean_overlap(moving, "motion") == pytest.approx(np.mean(scores), abs=1e-6)
    assert sorted(name for names in moving.classes.values() for name in names) == sorted(moving.clips)


def test_every_rule_has_a_cause():
    assert {name.partition("-")[2] for name in ("r2plus1d-motion", "transformer-order")} <= set(CAUSES)


def test_small_audits_are_drawn_from_a_large_one_each_clip_a_group_of_its_own():
    large = audited(
        vt.load_model("rendered:r2plus1d-scene"), rendered_world(rule_of("scene"), 5, seed=0), seed=0
    ).answers
    small = drawn_answers(large, np.asarray([4, 0, 0]))
    assert [clip.clip for clip in small.clips] == [large.clips[number].clip for number in (4, 0, 0)]
    assert len(set(small.groups.tolist())) == 3
    assert small.versions["swap"].log_odds[1] == large.versions["swap"].log_odds[0]
