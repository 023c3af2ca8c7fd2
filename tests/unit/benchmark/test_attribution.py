"""The benchmark of maps: planted truth near 1, chance at chance, and the numbers of the single functions."""

import json

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.benchmark.planted import perfect_maps, random_maps
from video_tcav.attribution import GradCAM
from video_tcav.attribution.metrics import energy_inside, pointing
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.attribution.metrics.localisation import auc_inside
from video_tcav.benchmark import benchmark_attribution
from video_tcav.benchmark.versions import ATTRIBUTION
from video_tcav.core.errors import InputError, MethodError
from video_tcav.rendered import rule_of
from video_tcav.rendered.training import normalised

OBJECT = "rendered:r2plus1d-object"


def scored(method, model=OBJECT):
    result = benchmark_attribution(method, models=[model], quick=True)
    return result, result.scores[0]


def test_the_truth_scores_1():
    result, score = scored(perfect_maps("object"))
    assert result.benchmark == "rendered-attribution-1-quick, 1 of 8 models"
    assert score.energy == score.pointing == score.auc == result.auc == 1
    assert score.deletion < score.deletion_elsewhere - 0.1
    assert result.by_rule()["lift"].iloc[0] == pytest.approx(1 / score.area)


def test_random_maps_score_at_chance():
    _, score = scored(random_maps)
    assert score.auc == pytest.approx(0.5, abs=0.01)
    assert score.energy == pytest.approx(score.area, rel=0.03)
    assert abs(score.deletion - score.deletion_elsewhere) < 0.1
    assert 0 <= score.pointing <= 0.5


def test_a_map_of_nothing_is_an_even_one():
    _, score = scored(lambda **_: torch.full((2, 2, 2), -1.0))
    assert (score.empty, score.auc) == (6, 0.5)
    assert score.energy == pytest.approx(score.area) and score.pointing == pytest.approx(score.area)


def test_numbers_are_those_of_the_single_functions():
    result, score = scored(GradCAM(), "rendered:transformer-scene")
    version, rule = ATTRIBUTION[True], rule_of("scene")
    clips, model = version.clips_of(rule), vt.load_model("rendered:transformer-scene", device="cpu")
    inputs, labels = normalised(clips.pixels), clips.labels
    maps = torch.cat(
        [GradCAM()(model, clip, target=label).values() for clip, label in zip(inputs.split(1), labels, strict=True)]
    )
    assert score.energy == pytest.approx(float(energy_inside(maps, clips.cause).mean()), rel=1e-4)
    assert score.pointing == pytest.approx(float(pointing(maps, clips.cause).mean()), rel=1e-4)
    assert score.auc == pytest.approx(float(auc_inside(maps, clips.cause).mean()), rel=1e-4)
    curves = faithfulness(
        model, inputs[:4], maps[:4], labels[:4], baseline="grey", draws=1, seed=version.seed, checks=("deletion",)
    )
    assert score.deletion == pytest.approx(float(curves.deletion.mean()), abs=1e-4)
    assert score.deletion_elsewhere == pytest.approx(float(curves.deletion_elsewhere.mean()), abs=1e-4)
    assert score.seconds_per_clip > 0 and result.provenance["settings"]["clips"] == 6


def test_a_method_that_does_not_apply_is_left_out_and_said_to_be():
    models = [OBJECT, "rendered:transformer-object"]
    result = benchmark_attribution("rollout", models=models, quick=True)
    refused, score = result.scores
    assert "rollout" in refused.note and refused.clips == 0 and np.isnan(refused.auc)
    assert result.applies_to == (score,) and result.auc == score.auc
    assert result.by_rule()["models"].to_list() == [1, 1]
    with pytest.raises(MethodError, match="`method` must apply to a model. Got none for rollout"):
        benchmark_attribution("rollout", models=models[:1], quick=True)


def test_files_and_summaries_hold_the_same(tmp_path):
    result, score = scored(random_maps)
    result.write(tmp_path)
    content = json.loads((tmp_path / "attribution.json").read_text())
    assert content["benchmark"] == result.benchmark and content["scores"][0]["auc"] == score.auc
    assert content["auc"] == result.auc and content["method"] == "random_maps"
    assert (tmp_path / "attribution.csv").read_text().startswith("model,rule,clips,empty,area")


def test_other_models_are_refused():
    with pytest.raises(InputError, match="`model` must be one of rendered:r2plus1d-motion, .* Got 'rendered:vgg'"):
        benchmark_attribution("gradcam", models=["rendered:vgg"])
