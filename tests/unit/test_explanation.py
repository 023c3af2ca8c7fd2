"""From videos to maps: targets, concepts, parts, and what is said beside them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.attribution import InputXGradient
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.core.errors import (
    ClassNotFoundError,
    InputError,
    LayerNotFoundError,
    MediaError,
    MethodError,
    ModelError,
)
from video_tcav.explanation import map_verdicts
from video_tcav.media import VideoSource, find_videos, read_clips
from video_tcav.models.hooks import hooked, record_activations
from video_tcav.rendered import render, sample_factors


def write(folder, clips, *, size=64):
    for number, factors in enumerate(clips):
        folder.mkdir(parents=True, exist_ok=True)
        vt.write_video(folder / f"{number:02d}.mp4", render(factors, size=size).clip, fps=20)
    return folder


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-object", device="cpu")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("explained")
    rackets = sample_factors(14, seed=1, motion=("swing", "walk", "kick"), object="racket")
    others = sample_factors(14, seed=2, motion=("swing", "walk", "kick"), object=("ball", "box", "none"))
    write(root / "racket", rackets[2:])
    write(root / "random", others)
    write(root / "class", rackets[:2], size=(96, 128))
    return root


def test_a_regression_is_explained_by_its_number_not_by_a_probability(videos):
    numbers = vt.load_model("rendered:r2plus1d-object", device="cpu", outputs="numbers")
    first = vt.explain(numbers, videos / "class", target=0, methods=[InputXGradient()], check=False).explanations[0]
    assert math.isnan(first.probability)
    assert first.answer == f"{numbers.classes[0]} ({first.value:.4g})"


def test_a_map_for_each_video_method_and_layer(model, videos):
    steps = ["gradcam", InputXGradient()]
    found = vt.explain(model, videos / "class", methods=steps, check=False)
    assert [(one.source.path.name, one.method) for one in found.explanations] == [
        (name, method) for name in ("00.mp4", "01.mp4") for method in ("gradcam", "inputxgradient")
    ]
    first = found.explanations[0]
    assert (first.target, first.against, first.layer, first.part) == ("playing tennis", "log_odds", "stages.3", "whole")
    assert first.values.shape == (16, 64, 64)
    assert first.probability > 0.9 and first.value > 2
    assert first.answer == f"playing tennis ({first.probability:.0%})"
    assert first.frame_indices == tuple(range(16))
    assert 0 <= first.peak_s <= 15 / 20
    assert math.isnan(first.deletion) and math.isnan(first.motion_share)
    assert first.seen == pytest.approx((0, 16, 96, 112), abs=1)  # the model sees the middle square of 96 x 128
    frame = found.to_frame()
    assert len(frame) == 4 and "values" not in frame.columns
    several = vt.explain(model, videos / "class", layers=["stages.1", "stages.3"], check=False)
    assert [one.layer for one in several.explanations] == ["stages.1", "stages.3"] * 2


def test_maps_are_those_of_the_method(model, videos):
    one = vt.explain(model, videos / "class" / "00.mp4", methods=["hirescam"], check=False).explanations[0]
    from video_tcav.attribution import HiResCAM
    from video_tcav.media import find_videos, read_clips

    [source] = find_videos(videos / "class" / "00.mp4")
    clip = model.prepare(read_clips(source, model.clip_spec)[0])[None]
    torch.testing.assert_close(one.values, HiResCAM()(model, clip, target="playing tennis").values()[0])


def test_deletion_stands_beside_the_map(model, videos):
    found = vt.explain(model, videos / "class", methods=["layercam"])
    for one in found.explanations:
        assert 0 <= one.deletion <= 1 and 0 <= one.deletion_elsewhere <= 1
    assert np.mean([one.deletion for one in found.explanations]) < np.mean(
        [one.deletion_elsewhere for one in found.explanations]
    )


def test_several_videos_have_each_others_maps_beside_their_own_and_one_video_has_none(model, videos):
    together = vt.explain(model, videos / "racket", methods=["gradcam"], windows=1).explanations
    assert all(0 <= one.deletion_other_clips <= 1 for one in together)
    [alone] = vt.explain(model, videos / "racket" / "00.mp4", methods=["gradcam"]).explanations
    assert math.isnan(alone.deletion_other_clips)
    assert alone.deletion == pytest.approx(together[0].deletion)
    assert "other clips" not in alone.no_better_than
    [verdict] = map_verdicts(together)
    assert verdict.elsewhere.videos == verdict.other_clips.videos == len(together)
    average = np.mean([one.deletion_other_clips - one.deletion for one in together])
    assert verdict.other_clips.gain == pytest.approx(average)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_deletion_beside_its_opponents_takes_47_passes_a_map_however_many_videos(model, videos, count):
    some = [videos / "racket" / f"{number:02d}.mp4" for number in range(count)]
    vt.explain(model, some[0], methods=["gradcam"], check=False)  # finds how many clips fit into memory
    passes = []
    handle = model.module.register_forward_hook(lambda _module, _inputs, logits: passes.append(len(logits)))
    try:
        vt.explain(model, some, methods=["gradcam"], check=False)
        without = sum(passes)
        vt.explain(model, some, methods=["gradcam"])
    finally:
        handle.remove()
    assert sum(passes) - 2 * without == 47 * count


def test_deletion_by_other_clips_is_that_of_the_two_next_videos_maps(model, videos):
    found = vt.explain(model, videos / "racket", methods=["gradcam"]).explanations
    values = [one.values[None] for one in found]
    [source] = find_videos(videos / "racket" / "00.mp4")
    clip = model.prepare(read_clips(source, model.clip_spec)[0])[None]
    slow = [
        faithfulness(model, clip, other, found[0].target, steps=10, draws=1, checks=("deletion",)).deletion
        for other in values[1:3]
    ]
    assert found[0].deletion_other_clips == pytest.approx(float(sum(slow)) / 2, abs=1e-4)


def test_segments_of_one_video_are_no_other_videos(model, tmp_path):
    factors = sample_factors(1, seed=4, object="racket", motion="walk")[0]
    vt.write_video(tmp_path / "long.mp4", render(factors, frames=40).clip, fps=20)
    segments = [VideoSource(path=tmp_path / "long.mp4", kind="video", start_s=at, end_s=at + 0.8) for at in (0, 1)]
    found = vt.explain(model, segments, methods=["gradcam"], windows=2).explanations
    assert len(found) == 4 and all(math.isnan(one.deletion_other_clips) for one in found)
    assert map_verdicts(found)[0].elsewhere.videos == 1


def test_another_target_and_contrast(model, videos):
    one = vt.explain(
        model, videos / "class" / "00.mp4", target="playing catch", against="contrast:playing tennis", check=False
    ).explanations[0]
    assert (one.target, one.against) == ("playing catch", "contrast:playing tennis")
    assert one.value < 0 and one.probability < 0.1


def test_a_clip_whose_top_class_is_the_contrasted_one_is_listed(model, videos, decoding_threads):
    other = videos / "random" / "00.mp4"
    source = [other, videos / "class" / "00.mp4"]
    found = vt.explain(model, source, against="contrast:playing tennis", check=False)
    assert [one.source.path for one in found.explanations] == [other]
    assert found.explanations[0].against == "contrast:playing tennis"
    assert found.skipped[0].path == str(source[1])
    assert "another class than the most probable one. Got playing tennis" in found.skipped[0].reason
    with pytest.raises(InputError, match="`contrast` must name another class than the most probable one") as error:
        vt.explain(model, [source[1], other], against="contrast:playing tennis", check=False, strict=True)
    assert decoding_threads() == [], f"decoding outlives {error}"


class OneClass(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3, padding=1))
        self.head = torch.nn.Linear(4, 1)

    def forward(self, clip):
        return self.head(self.stages(clip).mean((2, 3, 4)))


def test_one_class_among_one_has_no_probability_to_take_away(videos):
    lonely = vt.load_model(OneClass(), frames=8, size=32, classes=["yes"], outputs="logits")
    [one] = vt.explain(lonely, videos / "class" / "00.mp4", against="logit").explanations
    assert one.probability == 1 and math.isnan(one.deletion)
    with pytest.raises(InputError, match="Say what its output is"):
        vt.explain(lonely, videos / "class" / "00.mp4")


def test_one_output_is_a_class_that_is_there_or_not(videos):
    binary = vt.load_model(OneClass(), frames=8, size=32, classes=["yes"])
    [one] = vt.explain(binary, videos / "class" / "00.mp4").explanations
    assert one.probability == pytest.approx(1 / (1 + math.exp(-one.value)), abs=1e-5)
    assert 0 < one.deletion < 1


class NoStages(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 2)

    def forward(self, clip):
        return self.head(clip.mean((2, 3, 4)))


def test_concepts_at_a_model_without_stages_need_a_layer(videos):
    flat = vt.load_model(NoStages(), frames=8, size=32, classes=["no", "yes"])
    with pytest.raises(LayerNotFoundError, match="which has no default layers"):
        vt.explain(flat, videos / "class", concepts={"racket": videos / "racket"}, random=videos / "random")


def test_maps_in_inference_mode_are_the_same(model, videos):
    plain = vt.explain(model, videos / "class" / "00.mp4", methods=["gradcam", "inputxgradient"], split=True)
    with torch.inference_mode():
        same = vt.explain(model, videos / "class" / "00.mp4", methods=["gradcam", "inputxgradient"], split=True)
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    for one, other in zip(plain.explanations, same.explanations, strict=True):
        torch.testing.assert_close(one.values, other.values)


def test_parts_add_up(model, videos):
    whole, static, motion = vt.explain(model, videos / "class" / "00.mp4", split=True, check=False).explanations
    assert [one.part for one in (whole, static, motion)] == ["whole", "static", "motion"]
    torch.testing.assert_close(static.values + motion.values, whole.values)
    assert 0 <= whole.motion_share <= 1


def test_concepts_are_mapped_and_lie_on_what_they_name(model, videos):
    found = vt.explain(
        model, videos / "class", concepts={"racket": videos / "racket"}, random=videos / "random", check=False
    )
    assert [(one.method, one.concept) for one in found.explanations] == [("concept", "racket")] * 2
    for one in found.explanations:
        assert float(one.values.sum()) > 0  # a racket raises tennis


def test_saved_cavs_are_mapped_as_those_learned_here(model, videos, tmp_path):
    random, racket = videos / "random", videos / "racket"
    vt.run_tcav(model, target="playing tennis", clips=videos / "class", concepts={"racket": racket}, random=random,
                layers=["stages.3"], permutations=19, bootstraps=9, random_sets=5, out=tmp_path)  # fmt: skip
    cavs = vt.load_cavs(tmp_path / "cavs.safetensors")
    saved = vt.explain(model, videos / "class", cavs=cavs, check=False).explanations
    here = vt.explain(model, videos / "class", concepts={"racket": racket}, random=random, check=False).explanations
    for one, other in zip(saved, here, strict=True):
        torch.testing.assert_close(one.values, other.values)
    [learned] = vt.learn_cavs(model, concepts={"racket": racket}, random=random, layers=["stages.3"])
    torch.testing.assert_close(learned.vector, cavs[0].vector)
    assert (learned.concept_mean, learned.auc) == pytest.approx((cavs[0].concept_mean, cavs[0].auc))
    with pytest.raises(InputError, match=r"`cavs` must be of the layers to look at, stages\.1"):
        vt.explain(model, videos / "class", cavs=cavs, layers=["stages.1"], check=False)
    with pytest.raises(ModelError, match="`cavs` must be learned on this model"):
        vt.explain(vt.load_model("rendered:r2plus1d-scene", device="cpu"), videos / "class", cavs=cavs)


def clamp_of(model, cav, path):
    """What having the concept does to a clip, of two whole forwards with a replaced output."""
    clip = model.prepare(read_clips(find_videos(path)[0], model.clip_spec)[0])[None]
    activation = record_activations(model, [cav.layer], clip)[cav.layer]
    unit = cav.vector.double()
    values = []
    for mean in (cav.concept_mean, cav.random_mean):
        change = (mean - activation.double().flatten() @ unit) * unit
        replaced = (activation + change.reshape(activation.shape)).float()
        with torch.no_grad(), hooked(model, [cav.layer], lambda _name, _output, replaced=replaced: replaced):
            logits = model.logits(clip).double()[0]
        target = model.class_index("playing tennis")
        values.append(float(logits[target] - torch.cat([logits[:target], logits[target + 1 :]]).logsumexp(0)))
    return values[0] - values[1]


def test_a_clamp_map_says_what_it_adds_up_to(model, videos):
    racket, random, paths = videos / "racket", videos / "random", sorted((videos / "class").iterdir())
    found = vt.explain(model, paths, target="playing tennis", concepts={"racket": racket}, random=random,
                       layers=["stages.2"], concept_maps=["slope", "clamp"], check=False)  # fmt: skip
    assert [one.map_name for one in found] == ["concept racket", "concept-clamp racket"] * 2
    [cav] = vt.learn_cavs(model, concepts={"racket": racket}, random=random, layers=["stages.2"])
    slopes, clamps = found.explanations[::2], found.explanations[1::2]
    for slope, clamp, path in zip(slopes, clamps, paths, strict=True):
        assert clamp.clamp == pytest.approx(clamp_of(model, cav, path), rel=1e-3) and clamp.clamp > 1
        assert clamp.sum_sentence == (
            f"Adds up to +{clamp.clamp:.2f}: what having racket does to this clip's log-odds of playing tennis."
        )
        assert (clamp.caution, clamp.clamp_unplaced) == ("", 0) and clamp.clamp_gap <= 0.01
        assert math.isnan(slope.clamp) and slope.sum_sentence == slope.caution == ""
    assert found.to_frame()["clamp"].isna().tolist() == [True, False, True, False]


def test_a_map_that_misses_its_sum_says_so(model, videos):
    [exact] = vt.explain(model, videos / "class" / "00.mp4", concepts={"racket": videos / "racket"},
                         random=videos / "random", concept_maps=["clamp"], check=False)  # fmt: skip
    rough = replace(exact, clamp=3.2, clamp_gap=0.034, clamp_unplaced=-0.5)
    assert rough.sum_sentence == (
        "Adds up to +3.20: what having racket does to this clip's log-odds of playing tennis; −0.50 of it in class tokens,"
        " off the map. The map misses that sum by 3%: trust its place more than its amounts."
    )
    assert replace(rough, clamp_gap=0.01).caution == ""


def test_the_parts_of_a_split_clamp_map_have_no_sum_of_their_own(model, videos):
    whole, static, motion = vt.explain(model, videos / "class" / "00.mp4", concepts={"racket": videos / "racket"},
                                       random=videos / "random", concept_maps=["clamp"], split=True, check=False)  # fmt: skip
    assert whole.clamp > 0 and math.isnan(static.clamp) and math.isnan(motion.clamp)


def test_saved_cavs_of_a_pooled_space_have_a_clamp_map_and_none_of_the_slope(model, videos):
    cavs = vt.learn_cavs(model, concepts={"racket": videos / "racket"}, random=videos / "random", layers=["stages.3"],
                         space="spacetime")  # fmt: skip
    [found] = vt.explain(model, videos / "class" / "00.mp4", cavs=cavs, concept_maps=["clamp"], check=False)
    assert found.clamp > 1 and found.clamp_gap <= 0.01
    with pytest.raises(InputError, match="`cavs` must be of the space flatten for a map of the slope. Got spacetime"):
        vt.explain(model, videos / "class", cavs=cavs, check=False)


def test_windows_are_explained_one_by_one(model, tmp_path):
    factors = sample_factors(1, seed=4, object="racket", motion="walk")[0]
    vt.write_video(tmp_path / "long.mp4", render(factors, frames=40).clip, fps=20)
    found = vt.explain(model, tmp_path / "long.mp4", windows=3, check=False).explanations
    assert [one.window for one in found] == [0, 1, 2]
    assert [one.frame_indices[0] for one in found] == [0, 12, 24]


def test_a_file_that_cannot_be_used_is_listed(model, videos, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    found = vt.explain(model, [videos / "class" / "00.mp4", tmp_path / "broken.mp4"], check=False)
    assert len(found.explanations) == 1 and "broken.mp4" in found.skipped[0].path
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        vt.explain(model, tmp_path / "broken.mp4", strict=True)
    with pytest.raises(InputError, match="`videos` must hold one that can be explained. Got 1 that cannot"):
        vt.explain(model, tmp_path / "broken.mp4")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "tenis"}, ClassNotFoundError, "`target` must be one of the model's 4 classes"),
        ({"methods": []}, InputError, "`methods` must hold one at least"),
        ({"against": "odds"}, InputError, "`against` must be log_odds, logit or contrast:CLASS"),
        ({"against": "contrast:tenis"}, ClassNotFoundError, "`target` must be one of the model's 4 classes"),
        ({"methods": ["cam"]}, MethodError, "`method` must be one of gradcam"),
        (
            {"methods": ["ig"], "layers": ["stages.1"]},
            MethodError,
            "`layers` must go with a method that looks at layers",
        ),
        ({"methods": ["rollout"]}, MethodError, "`rollout` must start at one layer of tokens"),
        (
            {"methods": ["gradcam"], "baseline": "blur"},
            MethodError,
            "must go with a method that hides parts of the clip",
        ),
        ({"methods": ["rise"], "baseline": "white"}, InputError, "`baseline` must be one of grey, black"),
        ({"random": "x"}, InputError, "`concepts` must come with random clips"),
        ({"concept_maps": ["clamp"]}, InputError, r"`concept_maps` must come with concepts or CAVs. Got \['clamp'\]"),
        ({"concept_maps": ["both"]}, InputError, "`concept_maps` must be one of slope, clamp. Got 'both'"),
        ({"concept_maps": []}, InputError, "`concept_maps` must hold one at least"),
    ],
)
def test_what_cannot_be_asked(model, videos, options, error, message):
    with pytest.raises(error, match=message):
        vt.explain(model, videos / "class", check=False, **options)


def test_maps_can_be_handed_on_as_they_come(model, videos):
    seen = []
    found = vt.explain(model, videos / "class", check=False, each=seen.append)
    kept = vt.explain(model, videos / "class", check=False)
    assert [one.values for one in found.explanations] == [None, None]
    assert [one.facts() for one in found.explanations] == [one.facts() for one in seen]
    for one, other in zip(seen, kept.explanations, strict=True):
        torch.testing.assert_close(one.values, other.values)


def test_settings_go_to_the_methods_that_have_them(model, videos):
    one = videos / "class" / "00.mp4"
    found = vt.explain(model, one, methods=["gradcam", "inputxgradient"], layers=["stages.1"], check=False)
    assert [one.layer for one in found.explanations] == ["stages.1", "input"]
    grey = vt.explain(model, one, methods=["gradcam"], baseline="grey").explanations[0]
    blur = vt.explain(model, one, methods=["gradcam"]).explanations[0]
    assert grey.deletion != blur.deletion


def test_maps_are_a_sequence_and_a_map_draws_its_frames_with_heat(model, videos):
    found = vt.explain(model, videos / "class", target=0, methods=["gradcam", InputXGradient()], check=False)
    assert len(found) == 4 and found[0] is found.explanations[0] and len(found[1:]) == 3
    assert "tensor" not in repr(found[0]) and repr(found).startswith("<Explanations: 4 maps of 2 videos")
    html = found._repr_html_()
    assert html.count("<tr>") == 5 and "gradcam" in html and found[0].answer in html
    figure = found[0].show()
    (image,) = figure.axes[0].images
    sheet = np.asarray(image.get_array())
    assert sheet.shape[2] == 3 and sheet.shape[1] > 600
    # heat is coloured, and the rest of the sheet is not the same picture as without it
    assert np.abs(
        sheet.astype(int) - np.asarray(found[0].show(signed=True).axes[0].images[0].get_array())[: len(sheet)]
    ).any()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_map_that_was_not_kept_cannot_be_drawn(model, videos):
    found = vt.explain(
        model, videos / "class", target=0, methods=["gradcam"], check=False, each=lambda explanation: None
    )
    with pytest.raises(InputError, match="must hold its map"):
        found[0].show()
