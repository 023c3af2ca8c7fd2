"""Pairs: against whole passes of both clips, networks whose effects are known, and sets that cannot be matched."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.test_effect_check import Clips, layer_output, log_odds, model_of, noise, prepared, straight
from video_tcav.concepts import edited_clip
from video_tcav.core.errors import InputError, MediaError
from video_tcav.rendered import render, sample_factors
from video_tcav.tcav.effect_check.pair_matching import ClipPair, match_pairs, pair_groups
from video_tcav.tcav.effect_check.pair_result import PairedEffects

SCENES = ("lawn", "gym", "street", "noise")


def curved(value: torch.Tensor) -> torch.Tensor:
    return 2 * torch.tanh(value / 2)


@pytest.fixture(scope="module")
def without() -> Clips:
    return noise(8, seed=1)


@pytest.fixture(scope="module")
def with_concept(without) -> Clips:
    """The same clips with a white square, whose place and size is another in each."""
    changed = []
    for number, (name, frames) in enumerate(without):
        frames = frames.copy()
        frames[:, 1 + number : 8 + number, 2 : 7 + number] = 255
        changed.append((name, frames))
    return changed


@pytest.fixture(scope="module")
def random() -> Clips:
    return noise(9, seed=2)


def measure(model: vt.VideoModel, with_concept: Clips, without: Clips, **changes) -> PairedEffects:
    settings = {"target": "bright", "layers": ["layer"], **changes}
    return vt.pairs(model, with_concept=with_concept, without=without, **settings)


def gradients(model: vt.VideoModel, output: torch.Tensor) -> torch.Tensor:
    leaf = output.clone().requires_grad_()
    logits = model.module.curve(leaf.mean((2, 3, 4)) @ model.module.head)
    return torch.autograd.grad(logits.sum(), leaf)[0]


def by_definition(model: vt.VideoModel, clip_sets: dict[str, Clips], space: str) -> dict[tuple[str, str], float]:
    """Every estimate, from whole passes with another output in the layer's place."""
    inputs = {name: prepared(model, clips) for name, clips in clip_sets.items()}
    h = {name: layer_output(model, each) for name, each in inputs.items()}
    slopes = {name: gradients(model, each) for name, each in h.items()}
    targets = {name: float(log_odds(model, each).mean()) for name, each in inputs.items()}
    shifts = h["with"] - h["without"]
    if space == "spacetime":
        shifts = shifts.mean((2, 3, 4), keepdim=True).expand_as(shifts)
    shift = shifts.mean(0)
    unit = shift / shift.norm()
    own = {end: float((slopes[end] * shifts).flatten(1).sum(1).mean()) for end in ("without", "with")}
    expected = {("paired", end): value for end, value in own.items()}
    expected["paired", "both"] = sum(own.values()) / 2
    means = {"with": h["without"].mean(0) + shift, "without": h["without"].mean(0)}
    for at in ("without", "random"):
        along = (h[at] * unit).sum((1, 2, 3, 4), keepdim=True)
        clamped = {
            end: log_odds(model, inputs[at], h[at] + ((mean * unit).sum() - along) * unit).mean()
            for end, mean in means.items()
        }
        up, down = (log_odds(model, inputs[at], h[at] + sign * shift).mean() for sign in (1, -1))
        expected["slope", at] = float((slopes[at].mean(0) * shift).sum())
        expected["step", at] = float(up - down) / 2
        expected["clamp", at] = float(clamped["with"] - clamped["without"])
        expected["difference", at] = targets["with"] - targets[at]
    return expected


@pytest.mark.parametrize("space", ["flatten", "spacetime"])
def test_truth_and_estimates_by_their_definitions(with_concept, without, random, space):
    model = model_of(curved)
    measured = measure(model, with_concept, without, random=random, space=space, most_rerun=9)
    expected = by_definition(model, {"with": with_concept, "without": without, "random": random}, space)
    changes = log_odds(model, prepared(model, with_concept)) - log_odds(model, prepared(model, without))
    assert {pair.pair: pair.change for pair in measured.pairs} == pytest.approx(
        dict(zip((Path(name).stem for name, _ in without), changes.tolist(), strict=True)), abs=1e-6
    )
    assert measured.truth == pytest.approx(float(changes.mean()), abs=1e-6)
    assert measured.truth_low < measured.truth < measured.truth_high
    assert {(each.estimator, each.at): each.effect for each in measured} == pytest.approx(expected, abs=1e-6)
    assert len({round(value, 3) for value in expected.values()}) > 9  # the model is curved: no two are alike by chance
    for each in measured:
        assert each.effect_low < each.effect < each.effect_high, each.name


def test_on_a_straight_model_each_estimate_is_the_truth(with_concept, without):
    measured = measure(model_of(straight), with_concept, without, space=["flatten", "spacetime"])
    assert len(measured) == 1 + 2 * (3 + 3)
    assert measured.truth > measured.threshold
    for each in measured:
        assert each.effect == pytest.approx(measured.truth, abs=1e-4), each.name
        assert each.size == pytest.approx(1, abs=1e-4)
        assert each.right_sign


def test_the_interval_of_pairs_leaves_out_how_clips_differ(with_concept, without):
    """The widths are as the standard errors of a paired and of an unpaired difference."""
    measured = measure(model_of(straight), with_concept, without)
    difference = measured.get("", estimator="difference", at="without")
    assert difference is not None
    assert difference.effect == pytest.approx(measured.truth)
    table = measured.pairs_frame()
    variance, unpaired_variance = table.change.var(), table.target_with.var() + table.target_without.var()
    assert unpaired_variance > 2 * variance
    widths = measured.truth_high - measured.truth_low, difference.effect_high - difference.effect_low
    assert widths[1] / widths[0] == pytest.approx((unpaired_variance / variance) ** 0.5, rel=0.15)


def test_pairs_of_one_group_are_drawn_together(with_concept, without):
    """Two groups have a wider interval than eight, and a pair's clips are in one group, whichever of them says so."""
    changed = [(f"{'ab'[number > 3]}{name}", frames) for number, (name, frames) in enumerate(with_concept)]
    plain = [(f"{'ab'[number > 3]}{name}", frames) for number, (name, frames) in enumerate(without)]
    eight, two = (measure(model_of(straight), changed, plain, group=group) for group in ("video", r"/([ab])"))
    assert (eight.n_groups, two.n_groups) == (8, 2)
    assert two.truth == pytest.approx(eight.truth)
    assert two.truth_high - two.truth_low > 1.2 * (eight.truth_high - eight.truth_low)


def test_groups_that_a_pair_connects_are_one():
    def source(name: str) -> vt.VideoSource:
        return vt.VideoSource(path=Path(f"{name}.mp4"), kind="video", group=name[0])

    pairs = [
        ClipPair(name=name, with_concept=source(first), without=source(second))
        for name, first, second in (("1", "a1", "b1"), ("2", "b2", "c2"), ("3", "d3", "d4"))
    ]
    group_of = pair_groups(pairs, [source("e5"), source("c6")], lambda each: str(each.group))
    assert len({group_of(source(name)) for name in ("a1", "b1", "b2", "c2", "c6")}) == 1
    assert len({group_of(source(name)) for name in ("a1", "d3", "e5")}) == 3
    assert group_of(source("d3")) == group_of(source("d4"))


def test_an_edit_of_clips_is_a_pair(without, random):
    """Clips and their own edits have the truth and the estimates that the check of effects by this edit has."""
    model = model_of(curved)
    blurred = [
        (name, edited_clip(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(), "blur"))
        for name, frames in without
    ]
    measured = measure(model, blurred, without, random=random, most_rerun=9)
    check = vt.check_effects(
        model, target="bright", clips=without, random=random, layers=["layer"], edits=["blur"], most_rerun=9
    )
    (truth,) = check.edits
    assert measured.truth == pytest.approx(truth.truth, abs=1e-9)
    for each in check:
        at = "without" if each.at == "class" else "random"
        estimate = measured.get("layer", estimator=each.estimator, at=at)
        assert estimate is not None
        assert estimate.effect == pytest.approx(each.predictions[0], abs=1e-9), each.name


@pytest.fixture(scope="module")
def scene_pairs() -> tuple[list[np.ndarray], dict[str, list[np.ndarray]]]:
    """Rendered clips, and the same with a court or a racket, all else alike to the pixel."""
    base = [
        clip for at, scene in enumerate(SCENES) for clip in sample_factors(3, seed=40 + at, scene=scene, object="ball")
    ]
    changed = {
        value: [render(clip.with_factor(factor, value)).clip for clip in base]
        for factor, value in (("scene", "court"), ("object", "racket"))
    }
    return [render(clip).clip for clip in base], changed


def test_on_the_rendered_world_a_court_moves_the_scene_model_and_a_racket_does_not(scene_pairs):
    """The truth is found, the paired estimate is near it, and slopes along the mean shift fall short of it."""
    plain, changed = scene_pairs
    model = vt.load_model("rendered:r2plus1d-scene", device="cpu")
    settings = {"target": "playing tennis", "without": plain, "layers": ["stages.3"]}
    court = vt.pairs(model, with_concept=changed["court"], **settings)
    assert 10 < court.truth_low < court.truth < court.truth_high < 20
    assert court.changed == 12
    assert "playing tennis is that of 0 without it and of 12 with it" in court.summary()
    paired, slope = court.get("stages.3"), court.get("stages.3", estimator="slope", at="without")
    assert paired is not None and slope is not None and paired.size is not None and slope.size is not None
    assert paired.right_sign
    assert 0.8 < paired.size < 1.1
    assert slope.size < paired.size
    racket = vt.pairs(model, with_concept=changed["racket"], **settings)
    assert abs(racket.truth) < racket.threshold
    assert racket.changed == 0
    for each in racket:
        assert abs(each.effect) < 0.5, each.name
        assert each.size is None and each.right_sign is None


def test_arrays_are_matched_as_they_come_and_names_wherever_they_stand(with_concept, without):
    model = model_of(curved)
    in_order = measure(model, [frames for _, frames in with_concept], [frames for _, frames in without])
    by_name = measure(model, with_concept[::-1], without)
    assert in_order.truth == pytest.approx(by_name.truth)
    changes = {pair.pair: pair.change for pair in by_name.pairs}
    for pair in in_order.pairs:
        number = pair.pair.removeprefix("clip ")
        assert changes[f"1-{number}"] == pytest.approx(pair.change)


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows))
    return path


def test_the_column_of_a_manifest_goes_before_names(tmp_path: Path):
    for folder, name in (("with", "1.mp4"), ("with", "2.mp4"), ("without", "1.mp4"), ("without", "2.mp4")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).touch()
    rows = ["path,label,Pair", "with/1.mp4,court,x", "with/2.mp4,court, second  take "]
    rows += ["without/1.mp4,elsewhere,second take", "without/2.mp4,elsewhere,x"]
    table = write(tmp_path / "pairs.csv", rows)
    assert [
        (pair.name, pair.with_concept.path.name, pair.without.path.name)
        for pair in match_pairs(f"{table}::court", f"{table}::elsewhere")
    ] == [("x", "1.mp4", "2.mp4"), ("second take", "2.mp4", "1.mp4")]
    assert [
        (pair.name, pair.with_concept.path.name, pair.without.path.name)
        for pair in match_pairs(tmp_path / "with", tmp_path / "without")
    ] == [("1", "1.mp4", "1.mp4"), ("2", "2.mp4", "2.mp4")]


def sources(*names: str, pairs: tuple[str | None, ...] = ()) -> list[vt.VideoSource]:
    named = pairs or (None,) * len(names)
    return [vt.VideoSource(path=Path(name), kind="video", pair=pair) for name, pair in zip(names, named, strict=True)]


@pytest.mark.parametrize(
    ("with_concept", "without", "message"),
    [
        (
            sources("w/1.mp4", "w/2.mp4"),
            sources("o/1.mp4"),
            "Got 1 in one of them alone, the first: '2' in `with_concept`",
        ),
        (sources("w/1.mp4"), sources("o/1.mp4", "o/2.mp4"), "'2' in `without`, not in `with_concept`"),
        (
            sources("w/1.mp4", "v/1.avi"),
            sources("o/1.mp4"),
            "`with_concept` must hold one clip of each pair. Got 2 of .*'1'",
        ),
        (
            sources("w/1.mp4", pairs=("x",)),
            sources("o/1.mp4", "o/2.mp4", pairs=("x", "x")),
            "`without` must hold one clip of each pair. Got 2 of the pair 'x'",
        ),
        (
            sources("w/1.mp4"),
            sources("o/2.mp4"),
            "must have pairs in common. Got none: the first clips belong to '1' and '2'",
        ),
        (
            sources("w/1.mp4", pairs=("x",)),
            sources("o/1.mp4"),
            "`pair` must be filled in for every clip.*first: o/1.mp4",
        ),
        (sources("w/1.mp4"), sources("w/1.mp4"), "`without` must hold other clips than `with_concept`. Got 1 in both"),
    ],
    ids=[
        "one member",
        "another one",
        "three members",
        "three by column",
        "none in common",
        "half a column",
        "one set twice",
    ],
)
def test_what_cannot_be_matched_is_refused(with_concept, without, message):
    with pytest.raises(InputError, match=message):
        match_pairs(with_concept, without)


def test_segments_and_folders_of_frames_keep_their_names():
    (pair,) = match_pairs(sources("w/take 1.5"), sources("o/take 1.5"))
    assert pair.name == "take 1.5"


def test_pairs_of_one_group_are_refused(with_concept, without):
    with pytest.raises(InputError, match="`without` must come from 2 groups or more for an interval. Got 1 clips in 1"):
        measure(model_of(straight), with_concept[:1], without[:1])


@pytest.fixture
def videos(tmp_path: Path, with_concept, without) -> tuple[Path, Path]:
    """Folders of four pairs, of which one clip cannot be read."""
    folders = tmp_path / "with", tmp_path / "without"
    for folder, clips in zip(folders, (with_concept, without), strict=True):
        folder.mkdir()
        for name, frames in clips[:4]:
            vt.write_video(folder / f"{Path(name).stem}.mp4", torch.from_numpy(frames).permute(0, 3, 1, 2), fps=12)
    (folders[0] / "1-2.mp4").write_bytes(b"damaged")
    return folders


def test_a_pair_of_which_a_clip_cannot_be_read_is_left_out(videos):
    measured = measure(model_of(straight), *videos)
    assert sorted(pair.pair for pair in measured.pairs) == ["1-0", "1-1", "1-3"]
    assert [Path(file.path).name for file in measured.skipped] == ["1-2.mp4"]
    with pytest.raises(MediaError, match="1-2.mp4"):
        measure(model_of(straight), *videos, strict=True)


def test_fewer_pairs_are_measured_where_so_many_are_asked_for(with_concept, without):
    measured = measure(model_of(straight), with_concept, without, most_pairs=3)
    assert len(measured.pairs) == 3
    assert "5 of 8 pairs were left out, as 3 are the most that were asked for." in measured.notes


def test_a_store_keeps_pairs_and_json_keeps_the_result(with_concept, without, tmp_path: Path):
    model = model_of(curved)
    settings = {"store": tmp_path / "store", "most_rerun": 3}
    first = measure(model, with_concept, without, **settings)
    passes = []
    hook = model.module.register_forward_hook(lambda *_: passes.append(1))
    again = measure(model, with_concept, without, **settings)
    repeated = len(passes)
    measure(model, with_concept[::-1], [(name, frames[::-1]) for name, frames in without], **settings)
    hook.remove()
    assert again == first
    assert repeated < 5 < len(passes)  # those of the store's own checks of the model
    assert PairedEffects.from_dict(json.loads(json.dumps(first.to_dict()))) == first


def test_tables_and_texts(with_concept, without, random):
    measured = measure(model_of(curved), with_concept, without, random=random, space=["flatten", "time"])
    frame = measured.to_frame()
    assert len(frame) == 2 + 2 * (3 + 6) == len(measured)
    assert (frame.truth == measured.truth).all()
    pairs = measured.pairs_frame()
    assert list(pairs.change) == pytest.approx(list(pairs.target_with - pairs.target_without))
    first, plain, flat, averaged, *notes = measured.sentences()
    assert first.startswith(f"8 pairs (8 groups): the concept changes bright by {measured.truth:+.2f} log-odds [")
    assert plain.startswith("no layer: difference from clips without ")
    assert flat.startswith("layer: paired at clips without ")
    assert averaged.startswith("layer (time): paired at clips without ")
    assert tuple(notes) == measured.notes == model_of(curved).remarks()
    html = measured._repr_html_()
    assert all(
        "<td style" in html and text in html
        for text in ("What does the concept do to bright?", "clamp at random clips")
    )
    assert measured[:2] == measured[:2] and len(measured[:2]) == 2
