"""Effect check: against whole passes of edited clips, and networks whose effects are known to be right or wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import video_tcav as vt
from video_tcav.concepts import EDITS, edited_clip
from video_tcav.core.errors import InputError
from video_tcav.recording.clip_id import shuffle_seed
from video_tcav.tcav.effect_check.checking import check_effects
from video_tcav.tcav.effect_check.estimate_plan import clips_that_fit, spread_over_groups
from video_tcav.tcav.effect_check.result import EffectCheck

CLASSES = ("bright", "other")
Clips = list[tuple[str, np.ndarray]]


class Network(nn.Module):
    """One layer of ReLU, its mean times weights, and a curve from that to the log-odds of the first class."""

    def __init__(self, curve: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.convolution, self.layer = nn.Conv3d(3, 4, 3, padding=1), nn.ReLU()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 3)
        self.register_buffer("head", torch.tensor([9.0, -7.0, 5.0, -8.0]))
        self.curve = curve

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        value = self.curve(self.layer(self.convolution(clips)).mean((2, 3, 4)) @ self.head)
        return torch.stack([value, torch.zeros_like(value)], dim=1)


def straight(value: torch.Tensor) -> torch.Tensor:
    return value


def dented(middle: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A curve that rises, but for a dent about `middle`, where it falls."""
    return lambda value: 9 * (value - middle) - torch.tanh(40 * (value - middle))


def model_of(curve: Callable[[torch.Tensor], torch.Tensor]) -> vt.VideoModel:
    network = Network(curve).double()
    return vt.load_model(network, frames=6, size=(16, 20), classes=CLASSES, outputs="logits", device="cpu")


@pytest.fixture(scope="module")
def clips() -> Clips:
    return noise(8, seed=1)


@pytest.fixture(scope="module")
def random() -> Clips:
    return noise(9, seed=2)


@pytest.fixture(scope="module")
def alike() -> Clips:
    """Clips that differ from each other by less than an edit changes them."""
    (name, frames), *_ = noise(1, seed=3)
    generator = np.random.default_rng(4)
    changes = generator.integers(-3, 4, (8, *frames.shape))
    return [
        (f"{number}-{name}", np.clip(frames + change, 0, 255).astype(np.uint8)) for number, change in enumerate(changes)
    ]


def noise(count: int, seed: int) -> Clips:
    """Smooth clips of noise, each of its own colour, in which something moves."""
    generator = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        coarse = generator.integers(20, 236, (1, 4, 5, 3)) * generator.uniform(0.4, 1, 3)
        picture = coarse.repeat(4, 1).repeat(4, 2)[0]
        frames.append(
            (f"{seed}-{number}.avi", np.stack([np.roll(picture, 2 * t, axis=1) for t in range(6)]).astype(np.uint8))
        )
    return frames


def check(model: vt.VideoModel, clips: Clips, random: Clips, **changes) -> EffectCheck:
    settings = {"target": "bright", "layers": ["layer"], **changes}
    return check_effects(model, clips=clips, random=random, **settings)


def prepared(model: vt.VideoModel, clips: Clips, edit: str | None = None) -> torch.Tensor:
    batch = []
    for name, frames in clips:
        clip = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
        batch.append(model.prepare(clip if edit is None else edited_clip(clip, edit, seed=shuffle_seed(0, name))))
    return torch.stack(batch).double()


def log_odds(model: vt.VideoModel, inputs: torch.Tensor, output: torch.Tensor | None = None) -> torch.Tensor:
    """By a whole pass; with another output of the layer, where one is given."""
    hook = model.module.layer.register_forward_hook(lambda *_: output)
    with torch.no_grad():
        logits = model.module(inputs)
    hook.remove()
    return logits[:, 0] - logits[:, 1]


def layer_output(model: vt.VideoModel, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.module.layer(model.module.convolution(inputs))


def test_truth_is_the_change_by_whole_passes_of_edited_clips(clips, random):
    model = model_of(torch.tanh)
    measured = check(model, clips, random)
    plain = log_odds(model, prepared(model, clips))
    assert [edit.edit for edit in measured.edits] == list(EDITS)
    for edit in measured.edits:
        expected = (log_odds(model, prepared(model, clips, edit.edit)) - plain).mean()
        assert edit.truth == pytest.approx(float(expected), abs=1e-9), edit.edit
        assert edit.truth_low <= edit.truth <= edit.truth_high


@pytest.mark.parametrize("space", ["flatten", "spacetime"])
def test_estimates_by_their_definitions(clips, random, space):
    """Slope, step and clamp at class and random clips, from whole passes with another output in the layer's place."""
    model = model_of(lambda value: 2 * torch.tanh(value / 2))
    measured = check(model, clips, random, space=space, edits=["bright", "blur", "mirror", "half_still"], most_rerun=9)
    at = {"class": prepared(model, clips), "random": prepared(model, random)}
    plain = layer_output(model, at["class"])
    pool = (2, 3, 4) if space == "spacetime" else ()
    for position, edit in enumerate(measured.edits):
        shift = (layer_output(model, prepared(model, clips, edit.edit)) - plain).mean(0)
        if pool:
            shift = shift.mean((1, 2, 3), keepdim=True).expand_as(shift)
        unit = shift / shift.norm()
        edited_mean, plain_mean = ((plain.mean(0) + part) * unit for part in (shift, 0 * shift))
        for place, inputs in at.items():
            h = layer_output(model, inputs)
            leaf = h.clone().requires_grad_()
            logits = model.module.curve(leaf.mean((2, 3, 4)) @ model.module.head)
            (gradient,) = torch.autograd.grad(logits.sum(), leaf)
            own = (h * unit).sum((1, 2, 3, 4), keepdim=True)
            clamped = [
                log_odds(model, inputs, h + (mean.sum() - own) * unit).mean() for mean in (edited_mean, plain_mean)
            ]
            expected = {
                "slope": (gradient * shift).flatten(1).sum(1).mean(),
                "step": (log_odds(model, inputs, h + shift) - log_odds(model, inputs, h - shift)).mean() / 2,
                "clamp": clamped[0] - clamped[1],
            }
            for estimator, value in expected.items():
                each = measured.get("layer", space=space, at=place, estimator=estimator)
                assert each is not None
                assert each.predictions[position] == pytest.approx(float(value), abs=1e-6), (
                    edit.edit,
                    place,
                    estimator,
                )


def test_a_straight_model_is_predicted_exactly(clips, random):
    measured = check(model_of(straight), clips, random, space=["flatten", "spacetime"])
    assert len(measured) == 2 * 2 * 3
    truth = [edit.truth for edit in measured.edits]
    for each in measured:
        assert each.predictions == pytest.approx(truth, abs=1e-4), each.name
        assert each.right == each.counted > 5
        assert each.rank > 0.99
        assert each.is_above_chance
    assert measured.warning("layer", space="flatten", at="class") is None


def test_slopes_of_the_wrong_sign_are_found_out_and_others_are_offered(dent):
    _, measured = dent
    slope = measured.get("layer", space="flatten", at="class")
    step = measured.get("layer", space="flatten", at="class", estimator="step")
    assert slope is not None and step is not None
    assert slope.right < slope.counted / 2
    assert slope.looks_like_chance and not slope.is_above_chance
    assert step.is_above_chance
    text = measured.warning("layer", space="flatten", at="class")
    assert text is not None
    assert text.startswith(
        f"at layer of this model effects predict edits no better than chance: {slope.signs_text} right"
    )
    best = measured.best()
    assert best is not None
    assert text.endswith(f"; {best.name} at layer: {best.right} of {best.counted}")


def test_the_range_of_the_target_over_all_clips(clips, random):
    model = model_of(straight)
    measured = check(model, clips, random)
    every = torch.cat(
        [log_odds(model, prepared(model, clips, edit)) for edit in (None, *EDITS)]
        + [log_odds(model, prepared(model, random))]
    )
    assert (measured.target_low, measured.target_high) == pytest.approx((float(every.min()), float(every.max())))
    width = measured.target_high - measured.target_low
    assert measured.range_warning(0.99 * width) is None
    text = measured.range_warning(-1.01 * width)
    assert text is not None
    assert text.startswith(f"{-1.01 * width:+.2f} is more than the whole range of bright over all clips")
    assert measured.remarks("layer", -1.01 * width, space="flatten", at="class") == (text,)


def test_without_class_clips_random_ones_are_edited(clips, random):
    measured = check_effects(
        model_of(straight), target="bright", random=random, layers=["convolution", "layer"], intervene_at="deepest"
    )
    assert [(each.layer, each.at, each.estimator) for each in measured] == [
        ("convolution", "random", "slope"),
        *(("layer", "random", estimator) for estimator in ("slope", "step", "clamp")),
    ]
    assert measured.n_clips == len(random)


def test_only_right_leaves_out_what_the_model_calls_otherwise(clips, random):
    middle = log_odds(model_of(straight), prepared(model_of(straight), clips)).median()
    model = model_of(lambda value: value - middle - 1e-6)
    assert check(model, clips, random, only_right=True, edits=["bright"]).n_clips == len(clips) // 2


def test_the_same_seed_gives_the_same_check_and_json_keeps_it(clips, random):
    model = model_of(torch.tanh)
    first = check(model, clips, random, most_clips=4, most_rerun=3)
    assert first == check(model, clips, random, most_clips=4, most_rerun=3)
    assert EffectCheck.from_dict(json.loads(json.dumps(first.to_dict()))) == first
    assert first.n_clips == 4


def test_a_store_keeps_the_check(clips, random, tmp_path: Path):
    model = model_of(torch.tanh)
    first = check(model, clips, random, store=tmp_path / "store", most_rerun=3)
    passes = []
    hook = model.module.register_forward_hook(lambda *_: passes.append(1))
    again = check(model, clips, random, store=tmp_path / "store", most_rerun=3)
    other = len(passes)
    check(model, clips, random, store=tmp_path / "store", most_rerun=3, seed=1)
    hook.remove()
    assert again == first
    assert other < 5 < len(passes)  # those of the store's own checks of the model


@pytest.fixture(scope="module")
def dent(alike, random) -> tuple[vt.VideoModel, EffectCheck]:
    """A network whose slopes are wrong at class clips, and its check."""
    middle = log_odds(model_of(straight), prepared(model_of(straight), alike)).mean()
    model = model_of(dented(float(middle)))
    return model, check(model, alike, random)


def run(
    model: vt.VideoModel, clips: Clips, random: Clips, effect_check: EffectCheck | None, **changes
) -> vt.TcavResult:
    brighter = [(f"brighter {name}", (255 - (255 - frames) * 0.3).astype(np.uint8)) for name, frames in random]
    settings = {"permutations": 199, "random_sets": 9, "bootstraps": 99, "intervene": "none", **changes}
    return vt.run_tcav(
        model,
        target="bright",
        clips=clips,
        concepts={"brighter": brighter},
        random=random,
        layers=["layer"],
        effect_check=effect_check,
        **settings,
    )


def test_a_run_says_where_its_effects_do_not_predict_edits(dent, alike, random):
    model, measured = dent
    result = run(model, alike, random, measured)
    doubt = measured.warning("layer", space="flatten", at="class")
    assert doubt is not None
    (sentence,) = vt.sentences(result)
    assert doubt in sentence
    assert doubt in result.summary()
    assert any(
        text.startswith("Effects on bright predict what plain edits of its clips do: no better than chance at layer (")
        for text in result.warnings
    )
    plain = run(model, alike, random, None)
    assert plain.effect_check is None
    assert not any("edits" in text for text in (*plain.warnings, *vt.sentences(plain)))
    assert [row.effect for row in plain] == [row.effect for row in result]


def test_a_run_says_nothing_of_effects_that_predict_edits(clips, random):
    model = model_of(straight)
    result = run(model, clips, random, check(model, clips, random))
    assert not any("edits" in text for text in (*result.warnings, *vt.sentences(result)))
    assert json.loads(json.dumps(result.to_dict()))["effect_check"]["n_clips"] == len(clips)


def test_an_effect_beyond_the_range_of_the_target_is_said_to_be_so(clips, random):
    model = model_of(straight)
    narrow = replace(check(model, clips, random), target_low=-0.01, target_high=0.01)
    result = run(model, clips, random, narrow)
    text = narrow.range_warning(result[0].effect)
    assert text is not None
    assert f"brighter: at layer an effect of {text}." in result.warnings
    assert text in vt.sentences(result)[0]


def test_a_check_of_another_target_is_refused(clips, random):
    model = model_of(straight)
    measured = check(model, clips, random, target="other", edits=["bright"])
    with pytest.raises(InputError, match="`effect_check` must be of the same target"):
        run(model, clips, random, measured)


def test_a_check_that_could_not_be_made_says_why():
    measured = EffectCheck.not_made("bright", "log_odds", "clips of one video")
    assert measured.sentences() == ("effects on bright were not checked by edits: clips of one video",)
    assert measured.best() is None
    assert measured.range_warning(1e9) is None
    assert measured.to_frame().empty and measured.edits_frame().empty


def test_tables(clips, random):
    measured = check(model_of(straight), clips, random, edits=EDITS[:4])
    frame = measured.to_frame()
    assert list(frame.columns[:5]) == ["target", "layer", "space", "at", "estimator"]
    assert len(frame) == 6
    assert frame.predicts_edits.dtype == bool
    assert len(measured.edits_frame()) == 6 * 4
    assert len(measured.sentences()) == 2
    assert "4 edits of 8 clips (8 groups)" in measured.summary()


def test_clips_are_spread_over_groups():
    sources = [vt.VideoSource(path=Path(f"{group}/{clip}.avi"), kind="video") for group in "aab" for clip in range(9)]
    sources += [vt.VideoSource(path=Path(f"c/{clip}.avi"), kind="video") for clip in range(2)]
    chosen = spread_over_groups(sources, lambda source: source.path.parent.name, 6, [0])
    assert sorted(source.path.parent.name for source in chosen) == list("aabbcc")
    assert len({source.path.parent.name for source in chosen[:3]}) == 3
    assert chosen == spread_over_groups(sources, lambda source: source.path.parent.name, 6, [0])


def test_fewer_clips_are_checked_where_activations_are_large():
    model = model_of(straight)
    clip_bytes = 4 * 4 * 6 * 16 * 20  # of float32 values at one layer
    assert clips_that_fit(model, ["layer"], rows=5) == 2 * 10**9 // (5 * clip_bytes)
    assert clips_that_fit(model, ["layer", "convolution"], rows=5) == 2 * 10**9 // (10 * clip_bytes)


def test_the_room_of_a_check_is_the_memory_that_is_given_and_never_more_than_usual(clips, random):
    model = model_of(straight)
    clip_bytes = 4 * 4 * 6 * 16 * 20
    assert clips_that_fit(model, ["layer"], rows=5, room=5 * 7 * clip_bytes) == 7
    assert check(model, clips, random, edits=["bright"], memory=5 * 7 * clip_bytes).n_clips == 7
    assert check(model, clips, random, edits=["bright"], memory="1kB").n_clips == 6
    assert check(model, clips, random, edits=["bright"], memory="8GB") == check(model, clips, random, edits=["bright"])


def test_an_unknown_layer_of_steps_is_refused(clips, random):
    with pytest.raises(InputError, match="`intervene_at` must be"):
        check(model_of(straight), clips, random, intervene_at="third")


def test_clips_of_one_group_are_refused(clips, random):
    with pytest.raises(InputError, match="`clips` must come from 2 groups or more"):
        check(model_of(straight), clips[:1], random)


def test_an_unknown_edit_is_refused(clips, random):
    with pytest.raises(InputError, match="`edits` must be"):
        check(model_of(straight), clips, random, edits=["sepia"])
