"""What scores say of clips without a concept, against whole forwards in which a hook takes it out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import video_tcav as vt
from tests.unit.tcav.interventions.whole_forwards import (
    CLASSES,
    LAYERS,
    SETS,
    SPACES,
    TARGET,
    Network,
    along,
    load_network,
    log_odds,
    outputs,
    pooled,
    prepared,
)
from video_tcav.core import errors
from video_tcav.rendered import render, sample_factors
from video_tcav.tcav.clip_scores import ClipScores

ADDED = ["target_as_is", "target_without", "predicted_as_is", "predicted_without"]


@pytest.fixture(scope="module")
def model():
    return load_network()


@pytest.fixture(scope="module", params=SPACES)
def cavs(request, model):
    return vt.learn_cavs(model, concepts=SETS["concepts"], random=SETS["random"], layers=LAYERS, space=request.param)


def score(model, cavs, **changes) -> ClipScores:
    return vt.score_clips(model, cavs, SETS["clips"], **{"target": TARGET, "without": True, **changes})


def test_scores_say_what_the_network_says_without_the_concept(model, cavs):
    rows, inputs = score(model, cavs).to_frame(), prepared(model, SETS["clips"])
    for cav in cavs:
        h = outputs(model, cav.layer, inputs)
        channels, *positions = pooled(h, cav.space).shape[1:]
        # averages over positions have their channels last
        is_flat = cav.space == "flatten"
        unit = (
            cav.vector.reshape(h.shape[1:]) if is_flat else cav.vector.reshape(*positions, channels).permute(3, 0, 1, 2)
        )
        edited = h + (cav.random_mean - along(pooled(h, cav.space), unit)) * unit
        handle = model.layer(cav.layer).register_forward_hook(lambda *_arguments, edited=edited: edited)
        with torch.no_grad():
            predicted = [CLASSES[index] for index in model.module(inputs).argmax(1)]
        handle.remove()
        scored = rows[(rows.concept == cav.concept) & (rows.layer == cav.layer)]
        assert [*scored.path] == [name for name, _ in SETS["clips"]]
        as_is, without = (log_odds(model, cav.layer, inputs, values) for values in (h, edited))
        assert scored.target_as_is.tolist() == pytest.approx(as_is.tolist(), rel=1e-6)
        assert scored.target_without.tolist() == pytest.approx(without.tolist(), rel=1e-6)
        assert [*scored.predicted_without] == predicted
        assert set(scored.predicted_as_is) <= set(CLASSES)
    assert np.abs(rows.target_as_is - rows.target_without).max() > 0.1


def test_columns_are_added_only_where_asked_for(model, cavs):
    assert not {*ADDED} & {*score(model, cavs, without=False).to_frame().columns}
    assert [*score(model, cavs).to_frame().columns][-4:] == ADDED


def test_a_stream_says_the_same(model, cavs):
    whole, streamed = (score(model, cavs, sketch=sketch).to_frame() for sketch in (None, 64))
    assert streamed.target_without.tolist() == pytest.approx(whole.target_without.tolist(), rel=1e-9)


def test_an_absent_target_and_other_cavs_are_refused(model, cavs):
    with pytest.raises(errors.InputError, match="`without` must go with a target. Got none. Give --target CLASS"):
        score(model, cavs, target=None)
    short = replace(cavs[0], vector=cavs[0].vector[:-1])
    with pytest.raises(errors.ShapeError, match="`cavs` must fit the clips. Got .* values .left at first"):
        score(model, [short])
    with pytest.raises(errors.ModelError, match="CAVs of other weights: left at first"):
        score(load_network(nn.Sequential(Network())), cavs)
    with pytest.raises(errors.LayerNotFoundError, match="third"):
        score(model, [replace(cavs[0], layer="third")])


def test_the_class_is_lost_without_its_cause_alone():
    """A model that reads the scene alone: its class goes with the court, and stays without the racket."""

    def clips(count, seed, **factors):
        drawn = sample_factors(count, seed=seed, **factors)
        return [(f"{factors}-{seed}-{number}", render(clip).clip) for number, clip in enumerate(drawn)]

    def of_all_scenes(count, seed, **factors):  # one mix of scenes, or the racket would come with one of them
        scenes = ("lawn", "gym", "street", "noise")
        return [
            clip for at, scene in enumerate(scenes) for clip in clips(count // 4, seed + at, scene=scene, **factors)
        ]

    scene_model = vt.load_model("rendered:r2plus1d-scene", device="cpu")
    cavs = vt.learn_cavs(
        scene_model,
        concepts={"court": clips(8, 1, scene="court"), "racket": of_all_scenes(8, 10, object="racket")},
        random=of_all_scenes(24, 20, object=("ball", "box", "none")),
        layers=["stages.3"],
    )
    scores = vt.score_clips(
        scene_model, cavs, clips(4, 40, scene="court", object="racket"), target="playing tennis", without=True
    ).to_frame()
    by_concept = scores.groupby("concept")
    lost = (scores.target_as_is - scores.target_without).groupby(scores.concept)
    assert lost.min()["court"] > 6
    assert lost.mean().abs()["racket"] < 0.1
    assert set(scores.predicted_as_is) == {"playing tennis"}
    assert "playing tennis" not in set(by_concept.get_group("court").predicted_without)
    assert set(by_concept.get_group("racket").predicted_without) == {"playing tennis"}
