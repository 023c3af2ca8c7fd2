"""Audits from clips to results: planted truth, resumption, files, and inputs that cannot be used."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.plugins import installed, make_plugin
from tests.unit.auditing.rendered_audit import ExactMasks, rendered_clips
from video_tcav.auditing import PLAYERS, AuditResult, is_audit, load_audit
from video_tcav.auditing.versions import VERSIONS
from video_tcav.core.errors import ClassNotFoundError, InputError, MediaError
from video_tcav.models.output_kinds import Outputs
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.rendered import rule_of, write_world

FEW = ("reversed", "swap", "swap_still")


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-scene")


@pytest.fixture(scope="module")
def world():
    return rendered_clips("scene", 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def result(model, world, folder):
    clips, rendered = world
    return vt.audit(model, clips, masks=ExactMasks(rendered), bootstraps=200, out=folder)


def counted(monkeypatch, fails_at=None):
    """How many batches are passed; one of them may be interrupted."""
    batches = [0]
    passed = BatchRunner.logits

    def logits(self, inputs):
        batches[0] += 1
        if batches[0] == fails_at:
            raise KeyboardInterrupt
        return passed(self, inputs)

    monkeypatch.setattr(BatchRunner, "logits", logits)
    return batches


def test_a_model_of_scenes_goes_by_the_scene(result):
    assert result.figure("sb_err").value == 1
    assert result.figure("sh_acc").value == 0
    assert result.version("scene_only").accuracy == 1
    shares = {share.player: share.share for share in result.shares_of()}
    assert set(shares) == set(PLAYERS)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["scene"] > 0.9
    assert "scene" in result.sentences()[1].split(",")[0]


def test_a_model_of_order_needs_order():
    clips, rendered = rendered_clips("order", 8)
    model = vt.load_model("rendered:r2plus1d-order")
    result = vt.audit(model, clips, versions=["reversed"], masks=ExactMasks(rendered, objects=False), bootstraps=200)
    assert result.version("original").accuracy - result.version("reversed").accuracy > 0.7
    shares = {share.player: share.share for share in result.shares_of()}
    # nothing but order, motion and person together tells the classes apart, so that each gets about a third
    assert min(shares["order"], shares["motion"], shares["person"]) > 0.2 > abs(shares["scene"])
    assert "object" not in shares
    assert result.to_dict()["shares"]["object"] != 0  # null in the file


def test_every_version_is_what_the_model_says_of_its_pixels(model, world, result):
    """The log-odds of a version, written out for one clip: pixels, preparation, logits."""
    clip = result.answers.clips[3]
    frames = world[1][clip.clip].clip
    logits = model.logits(model.prepare(frames.flip(0))[None]).detach()[0]
    index = model.classes.index(clip.label)
    others = torch.cat([logits[:index], logits[index + 1 :]])
    log_odds = float(logits[index] - others.logsumexp(0))
    assert result.answers.versions["reversed"].log_odds[3] == pytest.approx(log_odds, abs=1e-4)


def test_lenders_are_of_other_classes(result):
    assert all(clip.lender_label not in (None, clip.label) for clip in result.answers.clips)


def test_the_file_follows_the_contract(result, folder):
    content = json.loads((folder / "results.json").read_text())
    assert {"provenance", "skipped", "versions", "shares", "sh_acc", "sb_err"} <= set(content)
    assert {"version", "label", "accuracy", "accuracy_low", "accuracy_high", "log_odds"} <= set(content["versions"][0])
    assert sum(content["shares"].values()) == pytest.approx(1)
    assert content["versions"][0]["label"] is None
    assert {row["label"] for row in content["versions"]} == {None, *result.labels}


def test_a_result_can_be_read_back(result, folder):
    assert is_audit(folder)
    again = load_audit(folder)
    assert isinstance(again, AuditResult)
    assert again.sentences() == result.sentences()
    assert str(again.versions) == str(result.versions)  # no NaN is equal to another
    assert again.telling() == result.telling()
    assert [(e.clip, e.version) for e in again.examples] == [(e.clip, e.version) for e in result.examples]
    assert torch.equal(again.examples[0].frames, result.examples[0].frames)
    assert again.answers.to_frame().equals(result.answers.to_frame())


def test_examples_hold_every_version_of_one_clip_and_the_telling_swaps(result):
    sheet = {example.version for example in result.examples if example.clip == result.examples[0].clip}
    assert {"original", "swap", "scene_only", "masks"} <= sheet
    telling = [clip.clip for clip in result.telling()]
    assert {example.clip for example in result.examples if example.version == "swap"} >= set(telling)
    assert all(clip.follows == "scene" for clip in result.telling())


def test_a_folder_without_an_audit_is_refused(tmp_path):
    assert not is_audit(tmp_path)
    with pytest.raises(InputError, match="must hold the result of an audit"):
        load_audit(tmp_path)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_seed_gives_the_same_numbers_on_any_number_of_threads(model, world, result, threads):
    clips, rendered = world
    again = vt.audit(
        model, clips, masks=ExactMasks(rendered), versions=FEW, shares=False, bootstraps=200, threads=threads
    )
    for name in FEW:
        assert np.array_equal(again.answers.versions[name].log_odds, result.answers.versions[name].log_odds)
    assert [clip.lender for clip in again.answers.clips] == [clip.lender for clip in result.answers.clips]


class TestKeptLogits:
    @pytest.fixture
    def videos(self, tmp_path):
        rule = rule_of("scene")
        factors, labels = rule.sample(5, seed=3)
        return write_world(tmp_path / "world", factors, [rule.labels[label] for label in labels], masks=True)

    def audit(self, model, videos, store, **options):
        masks = videos.parent / "masks.json"
        return vt.audit(model, videos, masks=masks, store=store, shares=False, bootstraps=200, **options)

    def test_a_second_audit_passes_nothing_and_says_the_same(self, model, videos, tmp_path, monkeypatch):
        first = self.audit(model, videos, tmp_path / "store", versions=FEW)
        batches = counted(monkeypatch)
        again = self.audit(model, videos, tmp_path / "store", versions=FEW)
        assert batches == [0]
        assert str(again.versions) == str(first.versions)
        more = self.audit(model, videos, tmp_path / "store", versions=(*FEW, "mirrored"))
        assert batches == [1]  # five clips in one version
        assert more.version("swap").log_odds == first.version("swap").log_odds

    def test_other_seeds_and_files_are_passed_anew(self, model, videos, tmp_path):
        first = self.audit(model, videos, tmp_path / "store", versions=["shuffled"])
        other = self.audit(model, videos, tmp_path / "store", versions=["shuffled"], seed=1)
        assert first.version("shuffled").log_odds != other.version("shuffled").log_odds

    def test_an_audit_that_is_killed_goes_on(self, model, videos, tmp_path, monkeypatch):
        whole = self.audit(model, videos, tmp_path / "other", versions=FEW)
        with monkeypatch.context() as patch:
            counted(patch, fails_at=3)
            with pytest.raises(KeyboardInterrupt):
                self.audit(model, videos, tmp_path / "store", versions=FEW)
        kept = len(list((tmp_path / "store-logits").rglob("*.safetensors")))
        resumed = self.audit(model, videos, tmp_path / "store", versions=FEW)
        assert len(list((tmp_path / "store-logits").rglob("*.safetensors"))) > kept
        assert str(resumed.versions) == str(whole.versions)

    def test_other_masks_of_the_same_videos_are_passed_anew(self, model, videos, tmp_path):
        first = self.audit(model, videos, tmp_path / "store", versions=["person_only"])
        leave_objects_out(videos.parent / "masks.json")
        other = self.audit(model, videos, tmp_path / "store", versions=["person_only"])
        assert other.version("person_only").log_odds != first.version("person_only").log_odds

    def test_a_video_that_had_no_masks_is_looked_for_again_under_its_new_name(self, model, videos, tmp_path):
        """Names, not bytes, tell which masks of a file are a video's: what was skipped for its name is not skipped for good."""
        root, rows = videos.parent, videos.read_text()
        folders = {video.parent for video in root.rglob("*.mp4")}
        listed = [f"old {file.parent.name}/{file.name},{file.parent.name}" for file in root.rglob("*.mp4")]
        videos.write_text("\n".join(["path,label", *listed]))
        for each in folders:
            each.rename(root / f"old {each.name}")
        with pytest.raises(InputError, match="no masks of that name"):
            self.audit(model, videos, tmp_path / "store", versions=FEW)
        for each in folders:
            (root / f"old {each.name}").rename(each)
        videos.write_text(rows)
        assert self.audit(model, videos, tmp_path / "store", versions=FEW).skipped == ()

    def test_a_version_of_another_package_is_never_kept(self, model, videos, tmp_path):
        """Nothing tells when its code changes."""
        plugin = make_plugin(tmp_path, "video_tcav.audit_versions", "painted", PAINTED, "PAINTED")
        with installed(plugin, VERSIONS):
            first = self.audit(model, videos, tmp_path / "store", versions=["painted"])
            VERSIONS["painted"].level = 250
            other = self.audit(model, videos, tmp_path / "store", versions=["painted"])
        assert other.version("painted").log_odds != first.version("painted").log_odds


PAINTED = """
import torch
class Painted:
    name, sentence, level = "painted", "All pixels have one level.", 0
    needs_masks, needs_donor, still_of = False, False, ""
    def frames(self, material, donor=None, *, seed=0):
        return torch.full_like(material.clip, self.level)
PAINTED = Painted()
"""


def leave_objects_out(path):
    """Masks in which the object belongs to the scene."""
    content = json.loads(path.read_text())
    content["annotations"] = [row for row in content["annotations"] if row["category_id"] == 1]
    path.write_text(json.dumps(content))


def test_clips_whose_masks_leave_doubts_lend_a_scene_only_where_no_other_can(model, world):
    clips, rendered = world
    names = [name for members in clips.values() for name, _ in members]

    def lenders(partial):
        masks = ExactMasks(rendered, partial=partial)
        result = vt.audit(model, clips, masks=masks, versions=("swap",), shares=False, bootstraps=200)
        warned = any("swaps have the scene of such a clip" in text for text in result.warnings)
        return {clip.clip: clip.lender for clip in result.answers.clips}, warned

    first, warned = lenders(())
    assert not warned
    once, warned = lenders([first[names[0]]])  # the other clips of its class are as good
    assert first[names[0]] not in once.values()
    assert not warned
    always, warned = lenders(names)
    assert always == first
    assert warned


def test_clips_without_a_person_are_listed_and_lend_no_scene(model, world):
    clips, rendered = world
    masks = ExactMasks(rendered, empty=["clip 2"])
    result = vt.audit(model, clips, masks=masks, versions=FEW, shares=False, bootstraps=200)
    assert [skipped.path for skipped in result.skipped] == ["clip 2"]
    assert len(result.answers.clips) == 5
    assert "clip 2" not in {clip.lender for clip in result.answers.clips}
    assert result.version("swap").n_clips == 5
    assert any("could not be used" in text for text in result.warnings)
    with pytest.raises(MediaError, match="no person"):
        vt.audit(model, clips, masks=masks, versions=FEW, shares=False, strict=True)


def test_nobody_in_any_clip_is_an_error(model, world):
    clips, rendered = world
    with pytest.raises(InputError, match="Got 6 that cannot, the first: clip .*no person"):
        vt.audit(model, clips, masks=ExactMasks(rendered, empty=rendered), versions=FEW, shares=False)


def test_masks_that_no_version_needs_are_said_to_be_unused(model, world):
    result = vt.audit(model, world[0], masks="misspelt.json", versions=["reversed"], shares=False, bootstraps=200)
    assert any("Masks of misspelt.json were not used" in text for text in result.warnings)


def test_rejected_clips_are_left_out(model, world):
    clips, rendered = world
    result = vt.audit(model, clips, masks=ExactMasks(rendered), versions=FEW, shares=False, reject=["clip 4"])
    assert [skipped.path for skipped in result.skipped] == ["clip 4"]
    assert "rejected" in result.skipped[0].reason
    assert not any("could not be used" in text for text in result.warnings)


def test_masks_are_not_looked_for_where_no_version_needs_them(model, world):
    masks = ExactMasks(world[1])
    result = vt.audit(model, world[0], masks=masks, versions=["reversed"], shares=False, bootstraps=200)
    assert masks.calls == []
    assert result.masks == ""
    assert result.to_dict()["shares"]["scene"] != 0
    assert result.telling()[0].version == "reversed"


def test_each_clip_is_masked_once_although_it_lends_its_scene(model, world):
    masks = ExactMasks(world[1])
    vt.audit(model, world[0], masks=masks, versions=FEW, shares=False, threads=1)
    assert len(masks.calls) <= len(world[1]) + 2


def test_classes_that_do_not_exclude_each_other_are_said_with_probability_one_half(model, world):
    clips, rendered = world
    several = replace(model, outputs=Outputs(kind="sigmoid_logits"))
    result = vt.audit(several, clips, masks=ExactMasks(rendered), versions=FEW, shares=False, bootstraps=200)
    first = result.answers.clips[0]
    logit = model.logits(model.prepare(rendered[first.clip].clip)[None]).detach()[0, model.classes.index(first.label)]
    assert result.answers.versions["original"].log_odds[0] == pytest.approx(float(logit), abs=1e-4)
    assert bool(result.answers.versions["original"].right[0]) == (float(logit) >= 0)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"clips": "unlabelled"}, InputError, "`clips` must have labels. Got 6 of 6 without"),
        (
            {"clips": "unknown"},
            ClassNotFoundError,
            "Got 'playing tenis' for [12] of 6 clips.* Did you mean playing tennis",
        ),
        ({"clips": "single"}, InputError, "two classes or more"),
        ({"versions": ["backwards"]}, InputError, "`version` must be one of original"),
        ({"reject": ["clip 99"]}, InputError, "`reject` must name clips of the audit. Got clip 99"),
        ({"outputs": "numbers"}, InputError, "`model` must have classes to be audited"),
        ({"seed": -1}, InputError, "`seed` must be at least 0"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_one_line(model, world, change, error, match):
    clips, rendered = world
    options = {"versions": FEW, "shares": False} | change
    sets = {
        "unlabelled": [member for members in clips.values() for member in members],
        "unknown": {
            "playing tenis": clips["playing tennis"],
            **{k: v for k, v in clips.items() if k != "playing tennis"},
        },
        "single": {"dancing": clips["dancing"]},
    }
    chosen = sets.get(options.pop("clips", ""), clips)
    asked = replace(model, outputs=Outputs(kind=options.pop("outputs", "logits")))
    with pytest.raises(error, match=match) as refused:
        vt.audit(asked, chosen, masks=ExactMasks(rendered), **options)
    assert "\n" not in str(refused.value)


def test_the_function_is_not_hidden_by_the_package_of_its_name():
    from video_tcav.auditing import run

    assert vt.audit is run.audit
