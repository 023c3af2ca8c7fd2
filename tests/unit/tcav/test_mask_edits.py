"""Effect check with edits by masks: against clips that are composed by hand, and a model that goes by the scene alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.concepts import as_sources
from video_tcav.core.errors import InputError
from video_tcav.masks.compositing import alpha_of
from video_tcav.media import load_clips
from video_tcav.models.targets import parse_target
from video_tcav.rendered import render, sample_factors, write_world
from video_tcav.tcav.effect_check.mask_edits import MASK_EDITS, MaskedVersions, left_out_texts

COUNT = 5


@pytest.fixture(scope="module")
def model() -> vt.VideoModel:
    return vt.load_model("rendered:r2plus1d-scene", device="cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Clips on a court and clips elsewhere, with their exact masks."""
    courts = list(sample_factors(COUNT, seed=3, scene="court"))
    elsewhere = list(sample_factors(COUNT, seed=4, scene=("lawn", "gym", "street")))
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, [*courts, *elsewhere], ["court"] * COUNT + ["elsewhere"] * COUNT, masks=True)
    return folder


@pytest.fixture(scope="module")
def measured(model, world) -> vt.EffectCheck:
    return check(model, world, edits=["bright", *MASK_EDITS])


def check(model: vt.VideoModel, world: Path, *, masks: Path | None = None, **changes) -> vt.EffectCheck:
    return vt.check_effects(
        model,
        target="playing tennis",
        clips=world / "court",
        random=world / "elsewhere",
        masks=masks or world / "masks.json",
        layers=["stages.3"],
        **{"most_rerun": 3, **changes},
    )


def without_person_in(world: Path, masks: Path, videos: int) -> Path:
    """The masks of a world in which so many of the clips on a court have nobody in them."""
    content = json.loads((world / "masks.json").read_text())
    empty = [video["id"] for video in content["videos"] if "court/" in str(video.get("name") or video["file_name"])]
    images = {image["id"] for image in content["images"] if image["video_id"] in empty[:videos]}
    content["annotations"] = [row for row in content["annotations"] if row["image_id"] not in images]
    masks.write_text(json.dumps(content))
    return masks


def test_every_edit_is_made_and_named(measured):
    assert [edit.edit for edit in measured.edits] == ["bright", *MASK_EDITS]
    assert {edit.n_clips for edit in measured.edits} == {COUNT}
    assert measured.left_out == ()
    assert any(text.endswith("masks.json: person_only, scene_only, other_scene.") for text in measured.sentences())
    assert vt.EffectCheck.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


def test_truths_by_hand(model, world, measured):
    """The clips are composed pixel by pixel, of what was rendered for the scene and of exact masks, and passed whole."""
    target = parse_target(model, "playing tennis", "log_odds")

    def log_odds(clip: torch.Tensor) -> float:
        with torch.no_grad():
            return float(target(model.logits(model.prepare(clip)[None])))

    factors = list(sample_factors(COUNT, seed=3, scene="court"))
    loaded = list(load_clips(as_sources(world / "court"), model.clip_spec))
    changes = []
    for each, read in zip(factors, loaded, strict=True):
        clip, truth = read.clips[0], render(each)
        alpha = alpha_of(truth.mask("figure") | truth.mask("object"))[:, None]
        mean = clip.numpy().mean((0, 2, 3)).round()[:, None, None]
        person = np.rint(mean + alpha * (clip.numpy().astype(float) - mean)).astype(np.uint8)
        changes.append(log_odds(torch.from_numpy(person)) - log_odds(clip))
    by_name = {edit.edit: edit for edit in measured.edits}
    assert by_name["person_only"].truth == pytest.approx(np.mean(changes), abs=0.02)


def test_a_model_of_scenes_loses_the_class_with_the_scene_alone(measured):
    by_name = {edit.edit: edit for edit in measured.edits}
    assert by_name["person_only"].truth < -3
    assert by_name["other_scene"].truth_high < -3
    assert abs(by_name["scene_only"].truth) < abs(by_name["other_scene"].truth) / 4
    step = measured.get("stages.3", space="flatten", at="random", estimator="step")
    position = [edit.edit for edit in measured.edits].index("other_scene")
    assert step.predictions[position] < -3


def test_clips_with_nobody_are_left_out_of_edits_by_masks_alone(model, world, measured, tmp_path):
    masks = without_person_in(world, tmp_path / "masks.json", 2)
    fewer = check(model, world, masks=masks, edits=["bright", *MASK_EDITS])
    assert {edit.edit: edit.n_clips for edit in fewer.edits} == {
        "bright": COUNT,
        **dict.fromkeys(MASK_EDITS, COUNT - 2),
    }
    assert fewer.edits[0] == measured.edits[0]
    assert len(fewer.left_out) == 1
    assert fewer.left_out[0].startswith(
        f"2 of {COUNT} clips are left out of person_only, scene_only, other_scene: no person"
    )
    assert f"{fewer.left_out[0]}." in fewer.sentences()
    assert fewer.notes == ()


def test_edits_that_no_clip_has_are_said_not_to_be_made(model, world, tmp_path):
    masks = without_person_in(world, tmp_path / "masks.json", COUNT - 1)
    plain = check(model, world, masks=masks, edits=["bright", "dark", *MASK_EDITS])
    assert [edit.edit for edit in plain.edits] == ["bright", "dark"]
    assert "scene_only was not made: an interval needs clips of 2 groups, and those left are of 1" in plain.left_out
    assert any(text.endswith("masks.json: none.") for text in plain.sentences())


def test_random_clips_get_the_scenes_of_each_other(model, world):
    alone = vt.check_effects(
        model,
        target="playing tennis",
        random=[world / "court", world / "elsewhere"],
        masks=world / "masks.json",
        edits=MASK_EDITS,
        layers=["stages.3"],
        most_rerun=2,
    )
    assert [(edit.edit, edit.n_clips) for edit in alone.edits] == [(edit, 2 * COUNT) for edit in MASK_EDITS]


def test_a_store_keeps_the_check_by_the_masks(model, world, measured, tmp_path):
    settings = {"edits": ["bright", *MASK_EDITS], "store": tmp_path / "store"}
    assert check(model, world, **settings) == measured
    assert check(model, world, **settings) == measured
    masks = without_person_in(world, tmp_path / "masks.json", 1)
    other = check(model, world, masks=masks, **settings)
    masks.write_text((world / "masks.json").read_text())
    same_path = check(model, world, masks=masks, **settings)
    assert other.edits[1].n_clips == COUNT - 1
    assert same_path.edits == measured.edits


def test_mistakes_are_said_before_any_pass(model, world):
    with pytest.raises(InputError, match="`edits` must be made with masks. Got 'person_only'. Name masks"):
        vt.check_effects(model, target=0, random=world / "court", edits=["person_only"])
    with pytest.raises(InputError, match="`edits` must need the masks that are given. Got 'plain ones alone'"):
        check(model, world, edits=["bright"])
    with pytest.raises(InputError, match="`masks` must be motion"):
        check(model, world, masks=world / "nothing.json")


def test_a_line_a_reason_for_what_is_left_out(world):
    clips = as_sources(world / "court")
    made = [
        MaskedVersions(clip=3, left_out={"other_scene": "no lender"}),
        MaskedVersions(clip=1, left_out=dict.fromkeys(MASK_EDITS, "nobody")),
        MaskedVersions(clip=2, left_out={"other_scene": "no lender"}),
    ]
    assert left_out_texts(made, clips) == (
        f"1 of {COUNT} clips are left out of person_only, scene_only, other_scene: nobody (first {clips[1].key})",
        f"2 of {COUNT} clips are left out of other_scene: no lender (first {clips[2].key})",
    )
