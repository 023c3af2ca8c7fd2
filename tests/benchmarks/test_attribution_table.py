import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.attribution_table.checks import MethodResult
from benchmarks.attribution_table.model_free import MODEL_FREE, Centre, Edges, FrameDifference
from benchmarks.attribution_table.table import AttributionBenchmark, benchmark_attribution, default_methods

import video_tcav as vt
from video_tcav.attribution import RISE, AttentionRollout, GradCAM, InputXGradient
from video_tcav.attribution.method import LayerMaps, Method
from video_tcav.attribution.metrics import energy_inside, lift
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.benchmark.truth import BASELINES, true_cause
from video_tcav.core.errors import InputError
from video_tcav.rendered import render, rule_of
from video_tcav.rendered.training import normalised

MODEL = "rendered:r2plus1d-object"
CLIPS = 3


class Gloomy(Method):
    """Everything speaks against the class in all clips but the bright ones, of which it says nothing at all."""

    name = "gloomy"

    def attribute(self, model, clips, target, advance):
        bright = clips.flatten(1).mean(1) > 0
        found = torch.where(bright[:, None, None, None], 0.0, -clips.square().mean(1))
        return LayerMaps(layers={"input": found}, target=torch.zeros(len(clips)))


METHODS = {
    "gradcam": GradCAM(),
    "early": GradCAM(layers=("stages.0",)),
    "inputxgradient": InputXGradient(),
    "rollout": AttentionRollout(),
    "rise": RISE(masks=12),
    "gloomy": Gloomy(),
}


@pytest.fixture(scope="module")
def small():
    return benchmark_attribution([MODEL], METHODS, clips=CLIPS, seed=3, jobs=1)


def row(benchmark, method):
    return next(one for one in benchmark.results if one.method == method)


def world_clips():
    """The clips of the table, found slowly: those of the rule's sample that show an object."""
    factors, labels = rule_of("object").sample(2 * CLIPS, seed=3)
    held = [(render(one), label) for one, label in zip(factors, labels, strict=True) if one.object != "none"]
    return held[:CLIPS]


def test_a_row_for_the_truth_and_each_method(small):
    assert [one.method for one in small.results] == ["truth", *MODEL_FREE, *METHODS]
    assert {one.model for one in small.results} == {MODEL} and {one.rule for one in small.results} == {"object"}
    for one in small.results:
        assert one.method == "rollout" or one.clips == CLIPS
        assert one.checked == (CLIPS if one.method not in ("truth", "rollout", "gloomy") else one.checked)


def test_rows_without_a_model_depend_on_no_weights(small):
    for name in MODEL_FREE:
        found = row(small, name)
        assert (
            found.fails and found.randomisation == pytest.approx(1) and found.passes_per_clip == pytest.approx(0, abs=1)
        )
        assert found.model_free == "" and np.isnan(found.model_free_deletion)
    centre = row(small, "centre")
    assert centre.deletion_other_clips == pytest.approx(centre.deletion)  # every clip has the same


def test_methods_stand_beside_the_best_map_without_a_model(small):
    areas = {name: row(small, name).deletion for name in MODEL_FREE}
    best = min(areas, key=areas.__getitem__)
    for name in ("gradcam", "inputxgradient"):
        found = row(small, name)
        assert found.model_free == best and found.model_free_deletion == pytest.approx(areas[best])
    gradcam = small.by_rule().set_index("method").loc["gradcam"]
    assert gradcam["deletion_gain_model_free"] == pytest.approx(areas[best] - row(small, "gradcam").deletion)


def pictures(clips=2):
    """Grey, with a bright square that moves to the right by two pixels a frame, another row for each clip."""
    made = torch.zeros(clips, 4, 3, 32, 32)
    for clip in range(clips):
        for frame in range(4):
            made[clip, frame, :, 8 * clip : 8 * clip + 8, 8 + 2 * frame : 16 + 2 * frame] = 1
    return made


def test_maps_without_a_model_show_what_they_are_called():
    clips = pictures()
    moving, edges, centre = (kind().map_of(clips) for kind in (FrameDifference, Edges, Centre))
    assert moving.shape == edges.shape == centre.shape == (2, 4, 32, 32)
    assert moving[0, 1, 3, 9] > 0 and moving[0, 1, 3, 18] > 0  # where the square comes from and goes to
    assert moving[0, 1, 3, 14] < moving[0, 1, 3, 9] / 2 and edges[0, 1, 3, 14] == 0  # inside of it
    assert not moving[0, :, 20:].any() and not edges[0, :, 20:].any()
    assert edges[1, 2, 8, 16] > 0 and edges[1, 2, 20, 16] == 0
    still = clips[:, :1].expand(-1, 4, -1, -1, -1)
    assert not FrameDifference().map_of(still).any() and Edges().map_of(still).any()
    assert (
        torch.equal(centre[0], centre[1])
        and centre[0, 0, 15, 15] == centre.amax()
        and centre[0, 0, 0, 0] == centre.amin()
    )


def test_a_method_that_is_no_better_is_named():
    values = {"energy": 0.2, "area": 0.1, "deletion": 0.3, "deletion_elsewhere": 0.5, "deletion_other_clips": 0.3}
    lost = MethodResult(
        model="a",
        rule="motion",
        method="m",
        gain_low=0.1,
        gain_other_clips_low=-0.1,
        gain_model_free_low=-0.2,
        **values,
    )
    won = replace(lost, model="b", gain_other_clips_low=0.1, gain_model_free_low=0.1)
    truth = replace(lost, method="truth")
    assert AttributionBenchmark(results=(lost, won, truth), provenance={}).verdicts() == [
        "m is not shown to be better than its maps of other clips: motion (1 of 2)",
        "m is not shown to be better than the best map that uses no model: motion (1 of 2)",
    ]
    assert AttributionBenchmark(results=(won,), provenance={}).verdicts() == []


def test_the_truth_lies_inside_itself(small):
    truth = row(small, "truth")
    assert truth.energy == truth.pointing == 1
    assert truth.lift == pytest.approx(1 / truth.area)
    assert truth.deletion < truth.deletion_elsewhere
    assert truth.fails is None and np.isnan(truth.randomisation)


def test_numbers_are_those_of_the_single_functions(small):
    clips = world_clips()
    model, found = vt.load_model(MODEL, device="cpu"), row(small, "inputxgradient")
    inputs = normalised(torch.stack([one.clip for one, _ in clips]))
    masks = torch.stack([true_cause(rule_of("object"), one) for one, _ in clips])
    labels = [label for _, label in clips]
    maps = torch.cat(
        [InputXGradient()(model, inputs[i : i + 1], target=label).values() for i, label in enumerate(labels)]
    )
    assert found.energy == pytest.approx(float(energy_inside(maps, masks).mean()), rel=1e-3)
    assert found.area == pytest.approx(float(masks.float().mean()), rel=1e-6)
    assert found.lift == pytest.approx(found.energy / found.area)
    curves = faithfulness(model, inputs, maps, labels, baseline=BASELINES["object"], draws=1, seed=3)
    assert found.deletion == pytest.approx(float(curves.deletion.mean()), abs=1e-3)
    assert found.insertion_elsewhere == pytest.approx(float(curves.insertion_elsewhere.mean()), abs=1e-3)
    assert float(lift(maps, masks).mean()) > 2


def test_costs_are_counted_in_passes(small):
    assert row(small, "inputxgradient").passes_per_clip == pytest.approx(3, abs=1)  # a forward and a backward
    assert row(small, "rise").passes_per_clip == pytest.approx(13, abs=1)
    assert row(small, "rise").seconds_per_clip > 0


def test_what_does_not_apply_says_why(small):
    assert "rollout" in row(small, "rollout").note
    assert row(small, "rollout").clips == 0 and np.isnan(row(small, "rollout").energy)


def test_empty_maps_are_counted_and_cost_no_row(small):
    found = row(small, "gloomy")
    bright = [bool(normalised(one.clip[None]).mean() > 0) for one, _ in world_clips()]
    assert 0 < sum(bright) < CLIPS
    assert found.empty == CLIPS  # nothing is positive anywhere
    assert found.note == f"nothing spoke for the class in {CLIPS} of {CLIPS} clips"
    assert found.checked == CLIPS - sum(bright) and np.isnan(found.energy)
    assert found.fails  # it is made from the pixels alone
    assert not row(small, "inputxgradient").fails


def test_the_same_seed_gives_the_same_numbers(small):
    again = benchmark_attribution([MODEL], {"gradcam": GradCAM()}, clips=CLIPS, seed=3, jobs=1)
    one, other = (replace(row(found, "gradcam"), seconds_per_clip=0) for found in (small, again))
    frames = [pd.DataFrame([vars(each)]) for each in (one, other)]
    columns = [name for name in frames[0] if name != "passes_per_clip"]  # the first call on a model also looks at it
    pd.testing.assert_frame_equal(frames[0][columns], frames[1][columns])


def test_methods_are_averaged_over_the_models_of_a_rule():
    values = {
        "energy": 0.2,
        "area": 0.1,
        "deletion": 0.3,
        "deletion_elsewhere": 0.5,
        "randomisation": 0.4,
        "chance": 0.1,
    }
    one = MethodResult(model="a", rule="motion", method="m", clips=4, fails=True, **values)
    other = replace(one, model="b", energy=0.4, deletion=0.5, chance=0.3, fails=False)
    lost = MethodResult(model="c", rule="motion", method="m", note="does not apply")
    found = AttributionBenchmark(results=(one, other, lost), provenance={}).by_rule()
    assert len(found) == 1
    first = found.iloc[0]
    assert first["energy"] == pytest.approx(0.3) and first["deletion_gain"] == pytest.approx(0.1)
    assert first["excess"] == pytest.approx(0.2)
    assert (first["failed"], first["models"]) == (1, 2)


def test_files_say_the_same(small, tmp_path):
    small.write(tmp_path)
    content = json.loads((tmp_path / "attribution.json").read_text())
    assert [one["method"] for one in content["results"]] == ["truth", *MODEL_FREE, *METHODS]
    assert content["results"][0]["randomisation"] is None
    assert content["provenance"]["settings"] == {"clips": CLIPS, "seed": 3}
    assert content["provenance"]["methods"]["early"] == repr(GradCAM(layers=("stages.0",)))
    table = pd.read_csv(tmp_path / "attribution.csv")
    assert table["energy"].to_list() == pytest.approx(small.to_frame()["energy"].to_list(), nan_ok=True)


def test_the_usual_methods_are_all_that_need_no_more_than_a_model():
    assert {"gradcam", "rollout", "ig", "rise"} <= set(default_methods())
    assert all(name == method.name for name, method in default_methods().items())


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(
        InputError, match="`model` must be one of rendered:r2plus1d-motion, .* Got 'torchvision:r3d_18'"
    ):
        benchmark_attribution(["torchvision:r3d_18"])
    with pytest.raises(InputError, match="`clips` must be at least 1. Got 0"):
        benchmark_attribution([MODEL], clips=0)
