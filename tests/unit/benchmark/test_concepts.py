"""The benchmark of concepts: planted causes are found, random components are not."""

import json

import numpy as np
import pytest

from tests.unit.benchmark.planted import components, random_components
from video_tcav.benchmark import benchmark_concepts
from video_tcav.benchmark.versions import CONCEPTS
from video_tcav.core.errors import MethodError
from video_tcav.rendered import rule_of

OBJECT, SCENE = "rendered:r2plus1d-object", "rendered:r2plus1d-scene"


def scored(method, model=OBJECT):
    result = benchmark_concepts(method, models=[model], quick=True)
    return result, result.scores[0]


def test_a_planted_cause_is_found_where_it_is_among_the_strongest():
    clips = CONCEPTS[True].clips_of(rule_of("object"))
    area = clips.new_clips.cause[clips.new_is_class].float().mean()
    result, score = scored(components("object", rank=2))
    assert score.is_found and result.causes_found == 1 and score.components == 4
    assert score.enrichments[2] == score.enrichment == pytest.approx(float(1 / area), rel=1e-3)
    assert score.presence_aucs[2] == 1 and max(score.enrichments[:2]) < 2
    _, fourth = scored(components("object", rank=3))
    assert not fourth.is_found and len(fourth.enrichments) == 3


def test_a_scene_is_found_by_its_presence():
    _, score = scored(components("scene", rank=1), SCENE)
    assert score.is_found and score.presence_auc == 1 and score.enrichment < 2


def test_random_components_find_nothing_and_are_not_stable():
    for model in (OBJECT, SCENE):
        _, score = scored(random_components, model)
        assert not score.is_found and score.presence_auc < 0.9
        assert all(0.3 < value < 2 for value in score.enrichments)
        assert abs(score.stability) < 0.1 and np.isnan(score.direction_stability)


def test_what_is_found_again_is_stable():
    _, score = scored(components("object"))
    assert score.stability == pytest.approx(1) and score.direction_stability == pytest.approx(1)
    _, other = scored(components("object", seed_matters=True))
    assert other.stability < 0.3 and other.direction_stability < 0.7


def test_the_method_gets_disjoint_clips_and_two_halves_of_them():
    calls = []

    def method(**arguments):
        calls.append(arguments)
        return random_components(**arguments)

    scored(method)
    whole, first, second = calls
    assert [len(call["class_clips"]) for call in calls] == [16, 8, 8]
    assert [len(call["random_clips"]) for call in calls] == [24, 12, 12]
    assert [call["seed"] for call in calls] == [0, 1, 2] and all(len(call["new_clips"]) == 25 for call in calls)
    halves = {clip.numpy().tobytes() for call in (first, second) for clip in call["class_clips"]}
    assert halves == {clip.numpy().tobytes() for clip in whole["class_clips"]} and len(halves) == 16
    new = {clip.numpy().tobytes() for clip in whole["new_clips"]}
    others = {clip.numpy().tobytes() for name in ("class_clips", "random_clips") for clip in whole[name]}
    assert len(new) == 25 and len(others) == 40 and not new & others


def test_new_clips_are_shuffled_and_those_of_the_class_show_the_cause():
    clips = CONCEPTS[True].clips_of(rule_of("object"))
    assert clips.new_is_class.sum() == 10 and len(set(clips.new_is_class[:10])) == 2
    of_class = [label == clips.target for label in clips.new_clips.labels]
    assert of_class == clips.new_is_class.tolist()
    assert clips.new_clips.cause[clips.new_is_class].flatten(1).any(1).all()
    assert clips.target not in clips.random_clips.labels and set(clips.class_clips.labels) == {clips.target}


def test_a_method_that_does_not_apply_has_found_nothing(tmp_path):
    def for_transformers(*, layer, **arguments):
        if not hasattr(layer, "qkv"):
            raise NotImplementedError("tokens alone")
        return random_components(layer=layer, **arguments)

    result = benchmark_concepts(for_transformers, models=[OBJECT, "rendered:transformer-object"], quick=True)
    assert "tokens alone" in result.scores[0].note and not result.scores[1].note
    result.write(tmp_path)
    content = json.loads((tmp_path / "concepts.json").read_text())
    assert (content["causes_found"], content["models"], content["scores"][0]["enrichment"]) == (0, 2, None)
    with pytest.raises(MethodError, match="`method` must apply to a model. Got none for .*for_transformers"):
        benchmark_concepts(for_transformers, models=[OBJECT], quick=True)
