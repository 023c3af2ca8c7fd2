"""Concept maps in the attribution table: CAVs of planted causes, both kinds of map, and where they lie."""

import pytest
import torch
from benchmarks.attribution_table.concept_rows import PlantedConceptMap, concept_rows, planted_axes
from benchmarks.attribution_table.table import benchmark_attribution

import video_tcav as vt
from video_tcav.attribution.metrics import energy_inside, randomised
from video_tcav.benchmark.truth import true_cause
from video_tcav.models.hooks import record_activations
from video_tcav.rendered import render, rule_of, sample_factors
from video_tcav.rendered.training import normalised

NAME = "rendered:r2plus1d-object"
TENNIS = 0


@pytest.fixture(scope="module")
def model():
    return vt.load_model(NAME, device="cpu")


@pytest.fixture(scope="module")
def tennis(model):
    """Clips with a racket that neither the network nor its CAVs have seen, and where the racket is."""
    assert model.classes[TENNIS] == "playing tennis"
    rendered = [render(factors) for factors in sample_factors(6, seed=77, object="racket", motion=["swing", "walk"])]
    masks = torch.stack([true_cause(rule_of("object"), one) for one in rendered])
    return normalised(torch.stack([one.clip for one in rendered])), masks


def test_the_cav_tells_unseen_clips_with_the_cause_from_others(model, tennis):
    axis = planted_axes(model, TENNIS, seed=0)["stages.2"]
    assert float(axis.vector.norm()) == pytest.approx(1, rel=1e-5) and axis.concept_mean > axis.random_mean
    others = sample_factors(6, seed=78, object=["ball", "box", "none"], motion=["swing", "walk"])
    without = normalised(torch.stack([render(factors).clip for factors in others]))
    coordinates = [
        record_activations(model, ["stages.2"], clips)["stages.2"].flatten(1) @ axis.vector
        for clips in (tennis[0], without)
    ]
    middle = (axis.concept_mean + axis.random_mean) / 2
    assert (coordinates[0] > middle).float().mean() > 0.8 and (coordinates[1] < middle).float().mean() > 0.8


def test_every_network_and_class_has_cavs_of_its_own_which_are_learned_once(model):
    axis = planted_axes(model, TENNIS, seed=0)["stages.3"]
    assert planted_axes(model, TENNIS, seed=0)["stages.3"] is axis
    copy = randomised(model, seed=1)
    for other in (planted_axes(copy, TENNIS, 0), planted_axes(model, 1, 0), planted_axes(model, TENNIS, 1)):
        assert float((other["stages.3"].vector * axis.vector).sum()) < 0.99


def test_both_kinds_lie_on_the_planted_object_and_the_clamp_map_adds_up(model, tennis):
    clips, masks = tennis
    area, inside = float(masks.float().mean()), {}
    for kind in ("slope", "clamp"):
        found = PlantedConceptMap(kind=kind, stage=0)(model, clips, target=TENNIS)
        inside[kind] = float(energy_inside(found.values(), masks).mean())
    assert min(inside.values()) > 4 * area
    # the same direction is weighed at other points: the clamp map is no better a locator, nor a worse one
    assert inside["clamp"] > 0.75 * inside["slope"]
    total = found.sums["stages.0"]
    torch.testing.assert_close(found.layers["stages.0"].double().sum((1, 2, 3)), total.total, rtol=0.02, atol=1e-3)
    assert (total.total > 0).float().mean() > 0.8  # having a racket raises tennis


def test_behind_averaging_the_map_has_the_same_shape_for_every_clip(model, tennis):
    """All positions of the deepest stage of this network are averaged: what is said of it in the documentation."""
    for kind in ("slope", "clamp"):
        maps = PlantedConceptMap(kind=kind)(model, tennis[0], target=TENNIS).layers["stages.3"].flatten(1)
        shapes = maps / maps.norm(dim=1, keepdim=True)
        assert float((shapes @ shapes.T).min()) > 0.9


def test_rows_of_the_table(tmp_path):
    rows = concept_rows(seed=3)
    assert list(rows) == ["concept", "concept-clamp", "concept (first)", "concept-clamp (first)"]
    assert {row.seed for row in rows.values()} == {3}
    found = benchmark_attribution([NAME], {name: rows[name] for name in list(rows)[2:]}, clips=3, seed=3, jobs=1)
    slope, clamp = found.results[-2:]
    assert (slope.method, clamp.method) == ("concept (first)", "concept-clamp (first)")
    assert slope.clips == clamp.clips == 3 and not slope.note and not clamp.note
    assert slope.lift > 2 and clamp.lift > 2
    assert slope.passes_per_clip == pytest.approx(3, abs=2)  # the passes that learn the CAV are not a map's
    assert 48 <= clamp.passes_per_clip < 400  # 16 tails with a backward pass, more where the sum is missed
