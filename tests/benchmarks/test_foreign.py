"""Peers and baselines on the contract of the benchmark, and the tables of its page."""

import json

import numpy as np
import pytest
import torch
from benchmarks.attribution_table.model_free import Centre
from benchmarks.discovery_baselines import BASELINES
from benchmarks.discovery_baselines.layer import activations, gradients, logits_with, pooled, segments
from benchmarks.foreign.__main__ import PAGE, with_table
from benchmarks.foreign.freeze import facts_of
from benchmarks.foreign.peers import PEERS
from benchmarks.foreign.tables import attribution_table, concept_table

import video_tcav as vt
from video_tcav.attribution import GradCAM
from video_tcav.benchmark import benchmark_attribution
from video_tcav.benchmark.clips import cause_clips
from video_tcav.benchmark.contract import NotApplicable, components_of, map_of_clip, network_for_method
from video_tcav.benchmark.versions import ATTRIBUTION, CONCEPTS, FROZEN
from video_tcav.rendered import rule_of
from video_tcav.rendered.training import normalised

MODELS = ["rendered:r2plus1d-object", "rendered:transformer-object"]
LAYERS = {MODELS[0]: "stages.2", MODELS[1]: "blocks.2"}
# With a racket, which is the target of the maps: noise would have a Grad-CAM of zeros.
RACKETS = cause_clips(rule_of("object"), 12, seed=5)
CLIPS = normalised(RACKETS.pixels[[label == "playing tennis" for label in RACKETS.labels]])[:3]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return vt.load_model(request.param, device="cpu")


def mapped(model, method):
    with network_for_method(model, "m") as network:
        layer = model.default_layers[-1]
        return map_of_clip(method, "m", model, network, layer=layer, clip=CLIPS[:1], target=0)


@pytest.mark.parametrize("name", PEERS)
def test_peers_give_maps_or_say_that_they_do_not_apply(model, name):
    library, method = PEERS[name]
    if "transformer" in model.name and (library == "torch-cam" or name == "LayerGradCam"):
        with pytest.raises(NotApplicable, match="list of tokens"):
            mapped(model, method)
        return
    values = mapped(model, method)
    assert values.shape == (1, 16, 64, 64) and values.unique().numel() > 10
    torch.testing.assert_close(mapped(model, method), values)  # and the same again


def test_a_peer_agrees_with_the_method_of_the_same_name():
    model = vt.load_model(MODELS[0], device="cpu")
    # both are the class's logit at the deepest stage, before they are enlarged in their own ways
    ours = GradCAM(layers=("stages.3",))(model, CLIPS[:1], target=0, against="logit").values().clamp_min(0)
    theirs = mapped(model, PEERS["LayerGradCam"][1])
    assert float(torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1]) > 0.9


def test_activations_and_gradients_are_those_of_the_layer(model):
    layer = LAYERS[model.name]
    with network_for_method(model, "m") as network:
        module = network.get_submodule(layer)
        grid = activations(network, module, CLIPS)
        slopes = gradients(network, module, CLIPS, 0)
        logits = logits_with(network, module, CLIPS, lambda values: values)
        shifted = logits_with(network, module, CLIPS, lambda values: values + 1e-3)
    torch.testing.assert_close(logits, model.logits(CLIPS).detach(), rtol=1e-4, atol=1e-4)
    assert grid.shape[:1] == slopes.shape[:1] == (3,) and grid.shape == slopes.shape
    # the slope along a small shift of all values, to first order
    np.testing.assert_allclose((shifted - logits)[:, 0], 1e-3 * slopes.sum((1, 2, 3, 4)), rtol=0.2, atol=2e-3)


def test_segments_are_those_of_a_clip_of_two_colours():
    features = np.zeros((4, 4, 4, 3))
    features[:, :, 2:] = 1
    labels = segments(features, 2, compactness=0.01, seed=0)
    assert len(np.unique(labels[:, :, :2])) == len(np.unique(labels[:, :, 2:])) == 1
    means = pooled(features, labels, 2)
    assert sorted(means[:, 0]) == [0, 1]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_find_components_of_clips_they_have_not_seen(model, name):
    clips = CONCEPTS[True].clips_of(rule_of("object"))
    sets = {
        "class_clips": normalised(clips.class_clips.pixels[:6]),
        "random_clips": normalised(clips.random_clips.pixels[:6]),
        "new_clips": normalised(clips.new_clips.pixels[:3]),
    }

    def components():
        with network_for_method(model, name) as network:
            return components_of(BASELINES[name], name, network, layer=LAYERS[model.name], clips=sets, target=0, seed=1)

    first, again = components(), components()
    assert 5 <= len(first) <= 10 and len({component.direction.size for component in first}) == 1
    total = np.sum([component.maps for component in first], axis=0)
    if name != "CRAFT-like":  # clusters: each position is in one of them
        np.testing.assert_array_equal(total, 1)
    assert total.max() > 0
    for component, same in zip(first, again, strict=True):
        np.testing.assert_allclose(component.maps, same.maps, atol=1e-5)


def test_tables_hold_a_line_a_method():
    result = benchmark_attribution(Centre(), models=MODELS[:1], quick=True)
    head, _, line = attribution_table([{"library": "plain", **json.loads(json.dumps(result.to_dict()))}])
    assert head.count("|") == line.count("|") and "| centre | plain | 1 |" in line
    assert f"| {result.auc:.2f} |" in line
    scores = [
        {"model": "rendered:a-scene", "rule": "scene", "presence_auc": 0.95, "enrichment": 1.0, "is_found": True},
        {"model": "rendered:a-object", "rule": "object", "presence_auc": 0.5, "enrichment": 2.0, "stability": 0.4},
    ]
    head, _, line = concept_table([{"method": "m", "causes_found": 1, "models": 2, "scores": scores}])
    assert head.startswith("| method | found | a-scene | a-object |")
    assert line == "| m | 1 of 2 | **0.95** | 2.0× | 0.40 | – | – |"


def test_the_page_has_a_place_for_each_table():
    text = PAGE.read_text()
    for name in ("attribution", "concepts"):
        assert with_table(text, name, ["| new |"]) != text
    assert with_table(with_table(text, "attribution", ["a"]), "attribution", ["b"]) == with_table(
        text, "attribution", ["b"]
    )


def test_freezing_again_gives_what_is_frozen():
    version = ATTRIBUTION[1]
    frozen, facts = json.loads(FROZEN.read_text())[version.name], facts_of(version)
    assert facts["models"] == frozen["models"]
    assert {name: clips["digest"] for name, clips in facts["clips"].items()} == {
        name: clips["digest"] for name, clips in frozen["clips"].items()
    }
