"""The benchmarks of the audit, small: planted truth with exact masks and with boxes, and coverage of intervals."""

import numpy as np
from benchmarks.audit.coverage import drawn_answers
from benchmarks.audit.rendered import CAUSES, audit_rendered, audited

import video_tcav as vt
from video_tcav.rendered import rule_of


def test_a_model_of_scenes_follows_the_scene_and_boxes_hide_a_part_of_that():
    exact = audit_rendered("r2plus1d-scene", 10)
    assert exact.sb_err == 1 and exact.sh_acc == 0
    assert exact.share_of_cause > 0.9
    boxes = audit_rendered("r2plus1d-scene", 10, boxes=True)
    assert boxes.masks == "boxes"
    assert boxes.scene < exact.scene


def test_every_rule_has_a_cause():
    assert {name.partition("-")[2] for name in ("r2plus1d-motion", "transformer-order")} <= set(CAUSES)


def test_small_audits_are_drawn_from_a_large_one_each_clip_a_group_of_its_own():
    large = audited(vt.load_model("rendered:r2plus1d-scene"), rule_of("scene"), 5, seed=0).answers
    small = drawn_answers(large, np.asarray([4, 0, 0]))
    assert [clip.clip for clip in small.clips] == [large.clips[number].clip for number in (4, 0, 0)]
    assert len(set(small.groups.tolist())) == 3
    assert small.versions["swap"].log_odds[1] == large.versions["swap"].log_odds[0]
