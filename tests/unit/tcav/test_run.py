"""From files to results: the whole run on the example world, and what it refuses."""

import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import video_tcav as vt
from video_tcav.core import errors
from video_tcav.media.grouping import grouping
from video_tcav.tcav.plan import hold_out

RUN = {"permutations": 1999, "random_sets": 20, "bootstraps": 100}


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


def run(model, folder: Path, **changes):
    settings = {
        "target": "right",
        "clips": folder / "right",
        "concepts": {"moves-right": folder / "moves-right", "green": folder / "green"},
        "random": folder / "random",
        **RUN,
        **changes,
    }
    return vt.run_tcav(model, **settings)


@pytest.fixture(scope="module")
def result(model, shapes_clips):
    return run(model, shapes_clips, twins=["frozen", "reversed", "shuffled"], relative=[("moves-right", "green")])


@pytest.fixture
def two(shapes_clips, tmp_path) -> Path:
    """A folder of two clips: too few."""
    (tmp_path / "two").mkdir()
    for file in sorted((shapes_clips / "green").iterdir())[:2]:
        shutil.copy(file, tmp_path / "two")
    return tmp_path / "two"


def rows(result, **where) -> list[vt.ConceptResult]:
    return [one for one in result.results if all(getattr(one, key) == value for key, value in where.items())]


def test_the_planted_cause_is_found_and_it_is_the_motion(result):
    (own,) = rows(result, concept="moves-right", versus="random", twin="none", layer="stages.2")
    (motion,) = rows(result, concept="moves-right", versus="random", twin="motion", layer="stages.2")
    (order,) = rows(result, concept="moves-right", versus="random", twin="order", layer="stages.2")
    assert own.effect > 1
    assert own.p_adjusted <= 0.05
    assert own.tcav_score == 1
    assert own.represented
    assert motion.effect > 0.5 * own.effect
    assert motion.p_adjusted <= 0.05
    assert order.effect > own.effect
    assert order.p_adjusted <= 0.05


def test_what_does_not_matter_is_not_found(result):
    assert all(one.p_adjusted > 0.05 for one in rows(result, concept="green", versus="random", twin="none"))


def test_motion_and_order_are_differences_of_effects(result):
    for layer in ("stages.0", "stages.1", "stages.2"):
        effect = {one.twin: one.effect for one in rows(result, concept="moves-right", versus="random", layer=layer)}
        assert set(effect) == {"none", "frozen", "reversed", "shuffled", "motion", "order"}
        assert effect["motion"] == pytest.approx(effect["none"] - effect["frozen"])
        assert effect["order"] == pytest.approx(effect["none"] - effect["reversed"])


def test_relative_results_compare_two_concepts(result):
    (one,) = rows(result, versus="green", twin="none", layer="stages.2")
    assert (one.n_concept_clips, one.n_random_clips, one.concept) == (10, 10, "moves-right")
    (first,) = rows(result, concept="moves-right", versus="random", twin="none", layer="stages.2")
    (second,) = rows(result, concept="green", versus="random", twin="none", layer="stages.2")
    assert one.effect == pytest.approx(first.effect - second.effect, rel=1e-4)


def test_every_number_is_in_its_range(result):
    for one in result.results:
        assert 0 <= one.tcav_score <= 1
        assert 0 <= one.cav_auc <= 1
        assert one.effect_low <= one.effect_high
        assert 1 / (RUN["permutations"] + 1) <= one.p_value <= one.p_adjusted <= 1
        assert one.n_groups == one.n_concept_clips + one.n_random_clips


def test_table_json_and_files_say_the_same(model, shapes_clips, tmp_path):
    found = run(model, shapes_clips, layers=["stages.2"], out=tmp_path / "out")
    plain = json.loads((tmp_path / "out/results.json").read_text())
    table = pd.read_parquet(tmp_path / "out/results.parquet")
    assert [row["effect"] for row in plain["results"]] == [one.effect for one in found.results]
    assert table["effect"].tolist() == [one.effect for one in found.results]
    assert pd.read_csv(tmp_path / "out/results.csv")["concept"].tolist() == ["moves-right", "green"]
    assert plain["skipped"] == []
    assert plain["provenance"]["model"]["weights"] == model.weights_digest
    assert not list((tmp_path / "out").glob("*.tmp"))


@pytest.mark.parametrize("cav", ["ridge", "logistic", "svm"])
def test_every_cav_kind_finds_the_cause(model, shapes_clips, cav):
    found = run(model, shapes_clips, cav=cav, layers=["stages.2"], permutations=39, bootstraps=20)
    (own,) = rows(found, concept="moves-right")
    assert own.effect > 1
    assert own.p_perm == pytest.approx(1 / 40)
    assert own.p_value <= 0.05


@pytest.mark.parametrize("space", ["space", "time", "spacetime"])
def test_every_space_finds_the_cause(model, shapes_clips, space):
    (own,) = rows(run(model, shapes_clips, space=space, layers=["stages.2"]), concept="moves-right")
    assert own.effect > 1
    assert own.p_value <= 0.05


@pytest.mark.parametrize("correction", ["holm", "bonferroni", "bh", "maxt", "none"])
def test_every_correction_runs(model, shapes_clips, correction):
    found = run(model, shapes_clips, correction=correction, layers=["stages.1", "stages.2"], twins=["frozen"])
    assert all(one.correction == correction for one in found.results)
    assert correction != "none" or all(one.p_adjusted == one.p_value for one in found.results)
    own = rows(found, concept="moves-right", twin="none", layer="stages.2")[0]
    assert own.p_adjusted <= 0.05


def test_the_ttest_is_corrected_by_bonferroni_and_carries_its_warning(model, shapes_clips):
    found = run(model, shapes_clips, significance="ttest", layers=["stages.2"])
    assert {one.correction for one in found.results} == {"bonferroni"}
    assert any("anti-conservative" in warning for warning in found.warnings)
    assert all("anti-conservative" in sentence for sentence in vt.sentences(found) if "p " in sentence)


@pytest.mark.parametrize("against", ["logit", "contrast:left", "contrast:0"])
def test_every_target_runs(model, shapes_clips, against):
    (own,) = rows(run(model, shapes_clips, against=against, layers=["stages.2"]), concept="moves-right")
    assert own.against == against
    assert own.effect > 0


def test_a_spilled_run_equals_one_in_memory(model, shapes_clips):
    in_memory = run(model, shapes_clips, twins=["frozen"])
    spilled = run(model, shapes_clips, twins=["frozen"], memory=0)
    assert in_memory.provenance["spilled"] == []
    assert spilled.provenance["spilled"] == ["stages.0", "stages.1", "stages.2"]
    assert spilled.results == in_memory.results


def test_the_same_seed_gives_the_same_result_on_any_number_of_threads(model, shapes_clips):
    assert run(model, shapes_clips, threads=1).results == run(model, shapes_clips, threads=4).results


def test_the_model_is_left_as_it_came(model, shapes_clips):
    before = model.weights_digest
    run(model, shapes_clips, layers=["stages.1"])
    assert vt.load_model(model.module, classes=model.classes).weights_digest == before
    assert not any(part._forward_hooks for part in model.module.modules())


def test_several_windows_of_a_video_are_one_group(model, shapes, tmp_path):
    for name, count in (("right", 3), ("moves-right", 6), ("random", 8)):
        shapes.write_clips(tmp_path / name, ["right" if "right" in name else "up"] * count, seed=count)
    found = vt.run_tcav(
        model,
        target="right",
        clips=tmp_path / "right",
        concepts={"moves-right": tmp_path / "moves-right"},
        random=tmp_path / "random",
        layers=["stages.2"],
        windows=3,
        **RUN,
    )
    (one,) = found.results
    assert (one.n_concept_clips, one.n_random_clips, one.n_class_clips) == (18, 24, 9)
    assert one.n_groups == 14


def test_groups_by_pattern(model, shapes, tmp_path):
    """Two persons a folder name cannot tell: p0 … p4 appear among concept and random clips."""
    for kind, direction in (("right", "right"), ("moves-right", "right"), ("random", "up")):
        shapes.write_clips(tmp_path / "all" / kind, [direction] * 10, seed=len(kind))
        for index, file in enumerate(sorted((tmp_path / "all" / kind).iterdir())):
            file.rename(file.with_name(f"p{index % 5}_{index}.mp4"))
    found = vt.run_tcav(
        model,
        target="right",
        clips=tmp_path / "all/right",
        concepts={"moves-right": tmp_path / "all/moves-right"},
        random=tmp_path / "all/random",
        layers=["stages.2"],
        group=r"(p\d)_",
        **RUN,
    )
    (one,) = found.results
    assert one.n_groups == 5
    assert one.p_smallest == pytest.approx(2 / math.comb(4, 2) ** 5)


def write_stills(shapes, folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, clip in enumerate(shapes.render(["up"] * count, seed=11)):
        Image.fromarray(clip[0].permute(1, 2, 0).numpy()).save(folder / f"still-{index}.png")
    return folder


def test_pictures_are_matched_with_frozen_random_clips(model, shapes, shapes_clips, tmp_path):
    pictures = write_stills(shapes, tmp_path / "pictures", 8)
    found = run(
        model,
        shapes_clips,
        concepts={"picture": pictures, "moves-right": shapes_clips / "moves-right"},
        twins=["reversed"],
    )
    assert {(one.twin, one.negatives) for one in rows(found, concept="picture")} == {("none", "frozen")}
    assert {one.negatives for one in rows(found, concept="moves-right")} == {"as given"}
    assert any("picture: clips do not move" in warning for warning in found.warnings)
    (own,) = rows(found, concept="picture", layer="stages.2")
    assert abs(own.effect) < 2  # without frozen negatives the CAV would learn "does not move"


def test_random_clips_may_be_left_moving(model, shapes, shapes_clips, tmp_path):
    sets = {"picture": write_stills(shapes, tmp_path / "pictures", 8), "moves-right": shapes_clips / "moves-right"}
    few = {"concepts": sets, "layers": ["stages.2"], "relative": [("picture", "moves-right")]}
    matched, moving = (run(model, shapes_clips, negatives=way, **few) for way in ("matched", "moving"))
    (frozen,) = rows(matched, concept="picture", versus="random")
    (unmatched,) = rows(moving, concept="picture", versus="random")
    assert (frozen.negatives, unmatched.negatives) == ("frozen", "moving")
    assert abs(unmatched.effect - frozen.effect) > 0.1
    # a moving concept is frozen beside a still one all the same
    assert [one.effect for one in rows(moving, versus="moves-right")] == pytest.approx(
        [one.effect for one in rows(matched, versus="moves-right")]
    )
    assert {one.negatives for one in rows(moving, versus="moves-right")} == {"frozen"}
    assert any("picture: clips do not move, and random clips do (--negatives moving)" in one for one in moving.warnings)
    assert not any("so all were frozen to match" in one for one in moving.warnings if one.startswith("picture:"))
    assert moving.provenance["settings"]["negatives"] == "moving"
    with pytest.raises(errors.InputError, match="`negatives` must be one of matched, moving. Got 'none'"):
        run(model, shapes_clips, negatives="none")


def test_stills_and_moving_clips_do_not_mix(model, shapes, shapes_clips, tmp_path):
    write_stills(shapes, tmp_path / "mixed", 4)
    for file in sorted((shapes_clips / "green").iterdir())[:5]:
        shutil.copy(file, tmp_path / "mixed")
    with pytest.raises(errors.InputError, match="all stills or all moving clips. Got 4 stills among 9 clips"):
        run(model, shapes_clips, concepts={"mixed": tmp_path / "mixed"})


def test_a_broken_file_is_listed_and_stops_only_a_strict_run(model, shapes_clips, tmp_path):
    shutil.copytree(shapes_clips / "green", tmp_path / "green")
    (tmp_path / "green/broken.mp4").write_bytes(b"no video at all")
    found = run(model, shapes_clips, concepts={"green": tmp_path / "green"}, layers=["stages.2"])
    assert [Path(skipped.path).name for skipped in found.skipped] == ["broken.mp4"]
    assert found.results[0].n_concept_clips == 10
    with pytest.raises(errors.MediaError, match=r"broken\.mp4"):
        run(model, shapes_clips, concepts={"green": tmp_path / "green"}, layers=["stages.2"], strict=True)


def test_random_clips_that_show_the_concept_are_left_out(model, shapes_clips):
    found = run(model, shapes_clips, random=[shapes_clips / "random", shapes_clips / "green"], layers=["stages.2"])
    assert rows(found, concept="green")[0].n_random_clips == 20
    assert rows(found, concept="moves-right")[0].n_random_clips == 30


def test_few_groups_put_significance_out_of_reach(model, shapes_clips, tmp_path):
    for name in ("moves-right", "random"):
        (tmp_path / name).mkdir()
        for file in sorted((shapes_clips / name).iterdir())[:3]:
            shutil.copy(file, tmp_path / name)
    found = run(
        model, shapes_clips, concepts={"few": tmp_path / "moves-right"}, random=tmp_path / "random", layers=["stages.2"]
    )
    assert found.results[0].p_smallest == pytest.approx(2 / 20)
    found = run(model, shapes_clips, concepts={"few": tmp_path / "moves-right"}, random=tmp_path / "random")
    assert any("6 groups allow no p-value below 0.1, which correction for 3 tests" in one for one in found.warnings)


class NotANumber(nn.Module):
    clip_spec = {"frames": 16, "stride": 1, "size": 48, "mean": 0.45, "std": 0.225}

    def __init__(self):
        super().__init__()
        self.stage, self.head = nn.Conv3d(3, 2, 3, stride=4), nn.Linear(2, 2)

    def forward(self, clip):
        return self.head(self.stage(clip).mean((2, 3, 4)))


def test_nan_names_layer_and_files(shapes_clips, decoding_threads):
    network = NotANumber()
    network.stage.weight.data.fill_(torch.nan)
    broken = vt.load_model(network, classes=["left", "right"])
    with pytest.raises(errors.NonFiniteError, match=r"NaN or infinity in layer stage .*Clips: .*mp4") as error:
        run(broken, shapes_clips, layers=["stage"])
    assert decoding_threads() == [], f"decoding outlives {error}"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"target": "rihgt"}, errors.ClassNotFoundError, "Closest: right"),
        ({"target": 9}, errors.ClassNotFoundError, "`target` must be one of the model's 4 classes"),
        ({"layers": ["stages.9"]}, errors.LayerNotFoundError, "Got 'stages.9'. Closest: stages"),
        ({"against": "contrast:right"}, errors.InputError, "must name another class than the target"),
        ({"against": "odds"}, errors.InputError, "`against` must be log_odds, logit or contrast:CLASS. Got odds"),
        ({"cav": "forest"}, errors.InputError, "`cav` must be one of mean, ridge, logistic, svm. Got 'forest'"),
        ({"space": "channel"}, errors.InputError, "`space` must be one of"),
        ({"twins": ["sideways"]}, errors.InputError, "`twin` must be one of frozen, reversed, shuffled"),
        ({"correction": "maxt", "significance": "ttest"}, errors.InputError, "must not be maxt with the t-test"),
        ({"permutations": 0}, errors.InputError, "`permutations` must be at least 1"),
        ({"windows": 0}, errors.InputError, "`windows` must be at least 1"),
        ({"group": "(unclosed"}, errors.InputError, "`group` must be video or a regular expression"),
        ({"group": "person_[0-9]+"}, errors.InputError, "`group` must match every path"),
        ({"memory": "lots"}, errors.InputError, "`memory` must be a size in bytes"),
        ({"concepts": {}}, errors.InputError, "must name at least one concept"),
        ({"relative": [("green", "blue")]}, errors.InputError, "`relative` must name given concepts. Got blue"),
        (
            {"space": "time", "layers": ["head"]},
            errors.AxesError,
            "`space` must be flatten at a layer without time and place",
        ),
        ({"out": "/dev/null/run"}, errors.OutputError, "must be writable"),
    ],
)
def test_bad_settings_are_refused(model, shapes_clips, changes, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(")):
        run(model, shapes_clips, **changes)


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(model, shapes_clips):
    with pytest.raises(errors.OutputError, match="Give another place to write to"):
        vt.run_tcav(
            model,
            target="right",
            clips="nowhere",
            concepts={"none": "nowhere"},
            random="nowhere",
            out="/proc/video-tcav",
        )


def test_a_concept_without_video_is_named(model, shapes_clips, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.SourceError, match="concept racket: "):
        run(model, shapes_clips, concepts={"racket": tmp_path / "empty"})


def test_sets_that_are_too_small_are_found_before_the_passes(shapes_clips, two):
    network = NotANumber()
    network.stage.weight.data.fill_(torch.nan)  # any pass would end with another error
    broken = vt.load_model(network, classes=["left", "right"])
    with pytest.raises(errors.InputError, match="concept two` must have at least 3 clips that can be used. Got 2"):
        run(broken, shapes_clips, concepts={"two": two}, layers=["stage"])
    with pytest.raises(errors.InputError, match="random clips` must have at least 3 clips that can be used. Got 2"):
        run(broken, shapes_clips, random=two, concepts={"own": shapes_clips / "right"}, layers=["stage"])
    with pytest.raises(errors.InputError, match="at least 3 independent groups. Got 10 clips in 1"):
        run(broken, shapes_clips, group="green|random|right", layers=["stage"])


def test_files_that_turn_out_unusable_are_counted_after_the_passes(model, shapes_clips, two):
    (two / "broken.mp4").write_bytes(b"no video at all")
    with pytest.raises(errors.InputError, match=r"at least 3 clips.* Got 2.* 1 files could not be used, the first"):
        run(model, shapes_clips, concepts={"two": two}, layers=["stages.2"])


def test_stills_among_the_random_clips_of_a_moving_concept_are_told(model, shapes, shapes_clips, tmp_path):
    stills = write_stills(shapes, tmp_path / "stills", 4)
    concepts = {"moves-right": shapes_clips / "moves-right"}
    found = run(model, shapes_clips, concepts=concepts, random=[shapes_clips / "random", stills], layers=["stages.2"])
    assert found.results[0].n_random_clips == 20
    assert "moves-right: 4 of 24 random videos do not move, and were left out, since the concept's clips do." in (
        found.warnings
    )
    with pytest.raises(errors.InputError, match="`random clips that move` must have at least 3 clips"):
        run(model, shapes_clips, concepts=concepts, random=stills, layers=["stages.2"])


def test_copies_within_a_set_are_told(model, shapes_clips, tmp_path):
    shutil.copytree(shapes_clips / "green", tmp_path / "green")
    shutil.copy(tmp_path / "green/000.mp4", tmp_path / "green/again.mp4")
    found = run(model, shapes_clips, concepts={"green": tmp_path / "green"}, layers=["stages.2"])
    assert any("concept green: 1 of 11 videos are copies of others" in warning for warning in found.warnings)


def test_too_few_clips_and_too_few_groups_are_told_apart(model, shapes_clips, two):
    with pytest.raises(errors.InputError, match="concept two` must have at least 3 clips that can be used. Got 2"):
        run(model, shapes_clips, concepts={"two": two}, layers=["stages.2"])
    with pytest.raises(errors.InputError, match="at least 3 independent groups. Got 10 clips in 1"):
        run(
            model,
            shapes_clips,
            group="green|random|right",
            layers=["stages.2"],
            concepts={"green": shapes_clips / "green"},
        )


def test_the_same_clips_as_concept_and_random_are_refused(model, shapes_clips, tmp_path):
    with pytest.raises(errors.InputError, match="must hold other clips than concept same. Got the same 20 clips"):
        run(model, shapes_clips, concepts={"same": shapes_clips / "random"})
    shutil.copytree(shapes_clips / "random", tmp_path / "copy")
    with pytest.raises(errors.InputError, match="must hold other clips than concept copy. Got the same 20 clips"):
        run(model, shapes_clips, concepts={"copy": tmp_path / "copy"})


def test_gradients_at_random_clips_need_no_class_clips(model, shapes_clips):
    found = run(model, shapes_clips, clips=None, at="random", layers=["stages.2"], twins=["frozen"])
    (own,) = rows(found, concept="moves-right", twin="none")
    assert own.at == "random"
    assert own.effect > 1
    assert own.p_value <= 0.05
    assert own.n_class_clips == 5  # a quarter of the 20 random clips is set aside
    assert own.n_random_clips == 15


def test_clips_set_aside_for_the_gradient_are_whole_groups(model, shapes_clips):
    group_of = grouping(r"(\d)\.mp4$")
    sources = vt.find_videos(shapes_clips / "random")
    held, rest = hold_out(sources, (), {}, group_of, seed=3)
    assert not {group_of(one) for one in held} & {group_of(one) for one in rest}
    assert len(held) + len(rest) == len(sources)
    assert held != hold_out(sources, (), {}, group_of, seed=4)[0]
    again, _ = hold_out(sources, held[:1], {}, group_of, seed=3)  # a concept's groups, and copies of its clips, stay
    assert group_of(held[0]) not in {group_of(one) for one in again}


def test_the_place_of_the_gradient_must_be_possible(model, shapes_clips):
    with pytest.raises(errors.InputError, match="`clips` must be given, unless gradients are taken at random clips"):
        run(model, shapes_clips, clips=None)
    with pytest.raises(errors.InputError, match="`at` must be one of class, random. Got 'middle'"):
        run(model, shapes_clips, at="middle")
    with pytest.raises(errors.InputError, match="`clips` must not be given with --at random"):
        run(model, shapes_clips, at="random")
    few = sorted((shapes_clips / "random").glob("*.mp4"))[:3]
    with pytest.raises(errors.InputError, match="`random` must hold 4 clips or more for --at random.* Got 3 clips"):
        run(model, shapes_clips, random=few, clips=None, at="random")


def test_class_clips_of_another_class_are_counted_and_can_be_left_out(model, shapes_clips, tmp_path):
    small = {"layers": ["stages.2"], "twins": [], "bootstraps": 20}
    clips = [shapes_clips / "right", shapes_clips / "green"]
    # every fourth green square moves to the right
    right = [shapes_clips / "right", *(shapes_clips / f"green/{number:03d}.mp4" for number in (1, 5, 9))]
    alone = run(model, shapes_clips, clips=right, **small)
    assert not any("does not call" in warning for warning in alone.warnings)
    wrong = run(model, shapes_clips, clips=clips, **small)
    [line] = [warning for warning in wrong.warnings if "does not call" in warning]
    assert line.endswith("Leave them out with --only-right.")
    assert "does not call 7 of 16 right (" in line
    assert wrong.results[0].n_class_clips == 16
    settings = {"clips": clips, "only_right": True, **small}
    for way in ({}, {"store": tmp_path / "store"}, {"store": tmp_path / "store"}, {"sketch": 1024}):
        found = run(model, shapes_clips, **settings, **way)
        assert [one.n_class_clips for one in found.results] == [one.n_class_clips for one in alone.results]
        assert [one.effect for one in found.results] == pytest.approx([one.effect for one in alone.results], rel=1e-4)
        assert any("were left out (--only-right)" in warning for warning in found.warnings)
        assert found.provenance["settings"]["only_right"]
    with pytest.raises(errors.InputError, match="`clips` must hold a clip that the model calls left, for --only-right"):
        run(model, shapes_clips, target="left", only_right=True, **small)
