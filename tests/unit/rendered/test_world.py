import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.media import read_clips
from video_tcav.rendered import Factors, Nuisance, render, render_batch, rule_of, sample_factors, write_world
from video_tcav.rendered.factors import FACTORS, MOTIONS, OBJECTS, SCENES, TRAINING

QUIET = Nuisance(detail=3)


def clip_of(motion="swing", held="racket", scene="court", **nuisance):
    return Factors(motion=motion, object=held, scene=scene, nuisance=replace(QUIET, **nuisance))


def test_the_same_factors_give_the_same_clip():
    factors = sample_factors(3, seed=5)
    assert torch.equal(render_batch(factors), render_batch(factors))
    assert factors == sample_factors(3, seed=5)
    assert factors != sample_factors(3, seed=6)


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_moves_but_still(motion):
    clip = render(clip_of(motion)).clip.float()
    assert clip.shape == (16, 3, 64, 64)
    assert ((clip[1:] - clip[:-1]).abs().amax() > 0) == (motion != "still")


def test_stand_up_is_sit_down_played_backwards():
    down, up = render(clip_of("sit down")), render(clip_of("stand up"))
    assert torch.equal(up.clip, down.clip.flip(0))
    assert torch.equal(up.labels, down.labels.flip(0))


def test_played_backwards_a_motion_is_reversed_but_sit_down_is_not():
    assert torch.equal(render(clip_of(backwards=True)).clip, render(clip_of()).clip.flip(0))
    assert torch.equal(render(clip_of("sit down", backwards=True)).clip, render(clip_of("sit down")).clip)


@pytest.mark.parametrize(("factor", "value"), [("scene", "gym"), ("object", "ball"), ("motion", "wave")])
def test_an_intervention_changes_its_own_pixels_alone(factor, value):
    before = clip_of(noise=5.0, shake=0.02)
    after = before.with_factor(factor, value)
    first, second = render(before), render(after)
    changed = (first.clip != second.clip).any(1)
    if factor == "scene":
        assert changed[_inside(first.mask("figure"))].float().mean() < 0.02  # seams between anti-aliased limbs
        assert torch.equal(first.labels, second.labels)
    else:
        touched = (first.labels > 0) | (second.labels > 0)
        assert not changed[~_grown(touched)].any()


def _grown(mask, by=6):
    """The mask with a rim: anti-aliased edges, and the shadow that moves with the hips."""
    wide = torch.nn.functional.max_pool2d(mask[:, None].float(), 2 * by + 1, 1, by)[:, 0] > 0
    wide[:, 52:] = True
    return wide


def _inside(mask):
    return -torch.nn.functional.max_pool2d(-mask[:, None].float(), 5, 1, 2)[:, 0] > 0


def test_masks_and_boxes_belong_together():
    found = render(clip_of())
    for part in ("figure", "arm", "object"):
        mask, boxes = found.mask(part), found.boxes(part)
        for frame in range(16):
            left, top, right, bottom = (int(edge) for edge in boxes[frame])
            assert mask[frame].any()
            assert mask[frame].sum() == mask[frame, top:bottom, left:right].sum()
            assert mask[frame, top].any() and mask[frame, bottom - 1].any()
            assert mask[frame, :, left].any() and mask[frame, :, right - 1].any()
    assert (found.mask("arm") & ~found.mask("figure")).sum() == 0
    assert (found.mask("object") & found.mask("figure")).sum() == 0


def test_an_empty_hand_has_no_object():
    found = render(clip_of(held="none"))
    assert not found.mask("object").any()
    assert found.boxes("object").isnan().all()
    with pytest.raises(InputError, match="`part` must be one of figure, arm, object. Got 'leg'"):
        found.mask("leg")


def test_masks_lie_where_the_object_is_painted():
    with_ball, without = render(clip_of(held="ball")), render(clip_of(held="none"))
    differs = (with_ball.clip != without.clip).any(1)
    ball = with_ball.mask("object")
    assert differs[ball].float().mean() > 0.95
    assert ball[differs].float().mean() > 0.6  # the rest is the anti-aliased rim


def test_a_mirrored_figure_faces_the_other_way():
    boxes = render(clip_of("kick", x=0.0)).boxes("figure")
    mirrored = render(clip_of("kick", x=0.0, mirrored=True)).boxes("figure")
    torch.testing.assert_close(64 - boxes[:, 0], mirrored[:, 2], atol=2.0, rtol=0)


def test_sizes_up_to_32_frames_of_224():
    found = render(clip_of(), frames=32, size=224)
    assert found.clip.shape == (32, 3, 224, 224)
    small = render(clip_of(), frames=32, size=56)
    torch.testing.assert_close(found.boxes("figure") / 4, small.boxes("figure"), atol=1.5, rtol=0)
    assert render(clip_of(), size=(48, 80)).clip.shape == (16, 3, 48, 80)
    with pytest.raises(InputError, match="`size` must be at least 16 pixels"):
        render(clip_of(), size=8)


def test_factors_are_independent():
    table = pd.DataFrame([clip.to_dict() for clip in sample_factors(4000, seed=1)])
    for one, other in (("motion", "scene"), ("motion", "object"), ("scene", "object")):
        joint = pd.crosstab(table[one], table[other], normalize=True).to_numpy()
        expected = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        assert np.abs(joint - expected).max() < 0.012
    assert set(table["object"]) == set(OBJECTS)
    assert set(table["scene"]) == set(SCENES)
    assert abs(table["backwards"].mean() - 0.5) < 0.03


def test_a_fixed_factor_leaves_the_others_free():
    clips = sample_factors(200, seed=2, scene="gym", object=["ball", "box"])
    assert {clip.scene for clip in clips} == {"gym"}
    assert {clip.object for clip in clips} == {"ball", "box"}
    assert len({clip.motion for clip in clips}) == 8
    with pytest.raises(InputError, match="`scene` must be one of court, lawn, gym, street, noise. Got 'beach'"):
        sample_factors(1, seed=0, scene="beach")
    with pytest.raises(InputError, match="`factor` must be one of motion, object, scene. Got 'mood'"):
        clips[0].with_factor("mood", "glad")


@pytest.mark.parametrize("name", ["motion", "scene", "object", "order"])
def test_a_rule_labels_by_its_cause_alone(name):
    rule = rule_of(name)
    clips, labels = rule.sample(2000, seed=3)
    wanted = list(rule.classes.values())
    assert all(getattr(clip, rule.cause) == wanted[label] for clip, label in zip(clips, labels, strict=True))
    counts = np.bincount(labels)
    assert counts.max() - counts.min() <= 1
    for factor in set(FACTORS) - {rule.cause}:
        values = [getattr(clip, factor) for clip in clips]
        joint = pd.crosstab(pd.Series(labels), pd.Series(values), normalize="index")
        assert (joint.max() - joint.min()).max() < 0.16


@pytest.mark.parametrize("correlation", [0.0, 0.6, 1.0])
def test_a_mixed_rule_has_the_stated_correlation(correlation):
    rule = rule_of("mixed", correlation=correlation)
    clips, labels = rule.sample(3000, seed=4)
    usual = rule.companion[1]
    agree = np.mean([clip.scene == usual[rule.labels[label]] for clip, label in zip(clips, labels, strict=True)])
    assert agree == pytest.approx(correlation + (1 - correlation) / 5, abs=0.03)


def test_rules_refuse_what_they_do_not_know():
    with pytest.raises(InputError, match="`rule` must be one of motion, scene, object, order or mixed. Got 'colour'"):
        rule_of("colour")
    with pytest.raises(InputError, match="`correlation` must be in"):
        rule_of("mixed", correlation=1.5)


def test_the_world_on_disk_reads_like_any_dataset(tmp_path):
    rule = rule_of("scene")
    clips, labels = rule.sample(6, seed=1)
    names = [rule.labels[label] for label in labels]
    manifest = write_world(tmp_path, clips, names)
    sources = vt.find_videos(manifest)
    assert [source.label for source in sources] == names
    assert len(vt.find_videos(tmp_path)) >= 6
    table = pd.read_csv(manifest)
    assert list(table["scene"]) == [clip.scene for clip in clips]
    boxes = json.loads(table["boxes"][0])
    torch.testing.assert_close(torch.tensor(boxes["figure"]).float(), render(clips[0]).boxes("figure"))
    decoded = read_clips(sources[0], vt.ClipSpec(frames=16, stride=1, size=(64, 64)))[0]
    error = (decoded.float() - render(clips[0]).clip.float()).abs().mean()
    assert error < 8  # what the codec loses


def test_training_clips_are_a_stream_of_their_own():
    rule = rule_of("motion")
    assert rule.sample(8, seed=0, stream=TRAINING)[0] != rule.sample(8, seed=0)[0]
    details = {clip.nuisance.detail for seed in range(20) for clip in rule.sample(32, seed=seed, stream=TRAINING)[0]}
    assert not details & {clip.nuisance.detail for seed in range(20) for clip in rule.sample(32, seed=seed)[0]}


def test_a_folder_holds_one_world(tmp_path):
    write_world(tmp_path, sample_factors(1, seed=0), ["../one"])
    assert [path.parent.name for path in tmp_path.rglob("*.mp4")] == ["---one"]
    with pytest.raises(InputError, match="must not hold a world already"):
        write_world(tmp_path, sample_factors(1, seed=0), ["one"])


def test_labels_and_clips_must_agree(tmp_path):
    with pytest.raises(InputError, match="`labels` must name the class of each clip. Got 1 for 2 clips"):
        write_world(tmp_path, sample_factors(2, seed=0), ["one"])
