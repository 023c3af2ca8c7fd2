"""Discovery as a whole: planted causes of rendered models, the files of a result, and a class that is none."""

import json

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import InputError
from video_tcav.discovery.comparison import compare_discoveries
from video_tcav.models import parse_target
from video_tcav.rendered import render, sample_factors

TARGET, SETTINGS = "playing tennis", {"components": 4, "permutations": 499, "bootstraps": 100}


def clips(name, count, seed, **factors):
    return [(f"{name} {n}", render(clip).clip) for n, clip in enumerate(sample_factors(count, seed=seed, **factors))]


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-scene")


@pytest.fixture(scope="module")
def result(model, tmp_path_factory):
    return vt.discover(
        model,
        target=TARGET,
        clips=clips("court", 16, 1, scene="court"),
        random=clips("any", 28, 2),
        layers=["stages.0", "stages.3"],
        out=tmp_path_factory.mktemp("discovery"),
        **SETTINGS,
    )


def test_the_scene_is_confirmed_as_appearance_with_its_sign(result):
    strongest = result.confirmed[0]
    assert strongest.kind == "appearance"
    assert strongest.effect > 0 and strongest.is_more_in_class
    assert strongest.presence_auc > 0.9
    assert strongest.freezing > 0.9 and strongest.reversal > 0.9
    assert strongest.effect_low < strongest.effect < strongest.effect_high
    assert strongest.step > 0
    assert result.component(strongest.name) is strongest


def test_confirmed_means_all_that_it_says(result):
    assert len(result) == 8
    for component in result:
        deciding = component.removed if component.confirmed_by == "removal" else component.effect
        same_sign = (deciding > 0) == component.is_more_in_class
        assert component.confirmed == (component.p_adjusted <= result.alpha and component.stability >= 0.7)
        assert not component.confirmed or same_sign
        # of what was taken out both tests have a share of the level, and both ask in the sign of presence alone
        slope = (component.effect, component.effect_p)
        tests = [(*slope, 0.9), (component.removed, component.removed_p, 0.1)]
        tests = [(*slope, 1.0)] if np.isnan(component.removed) else tests
        signed = [p / share if (moves > 0) == component.is_more_in_class else 1.0 for moves, p, share in tests]
        assert component.p_value == max(component.presence_p, min(1.0, *signed))
        assert component.p_adjusted >= component.p_value


def test_the_planted_cause_explains_the_answers_and_shares_add_up(result):
    explained = result.explained
    assert explained.explained > 0.85
    assert explained.explained_low < explained.explained <= explained.explained_high
    assert explained.exchanged < 0.1 and explained.exchanged_high < explained.explained
    assert explained.layer == "stages.3" and explained.all_directions > 0.9
    assert sum(share.share for share in explained.shares) == pytest.approx(explained.explained)
    assert {share.concept for share in explained.shares} == {component.name for component in result.confirmed}
    assert explained.n_clips == sum(clip.half == "confirm" for clip in result.clips)
    assert explained.left == pytest.approx(1 - explained.explained)
    assert explained.sentence() in result.summary()


def test_the_difference_that_is_explained_is_that_of_the_models_own_answers(result, model):
    of_class, random = clips("court", 16, 1, scene="court"), clips("any", 28, 2)
    target = parse_target(model, TARGET, "log_odds")
    confirming = {clip.clip for clip in result.clips if clip.half == "confirm"}
    with torch.no_grad():
        means = [
            np.mean(
                [float(target(model.logits(model.prepare(clip)[None]))) for name, clip in side if name in confirming]
            )
            for side in (of_class, random)
        ]
    assert result.explained.difference == pytest.approx(means[0] - means[1], abs=1e-3)
    assert result.explained.predicted_difference == pytest.approx(result.explained.difference, rel=0.25)


def test_presences_by_clip_have_the_auc_of_the_component(result):
    frame, component = result.presence_frame(), result.confirmed[0]
    confirming = frame[frame.half == "confirm"]
    of_class, random = (confirming[confirming.of_class == side][component.name].to_numpy() for side in (True, False))
    slow = np.mean([(one > other) + 0.5 * (one == other) for one in of_class for other in random])
    assert component.presence_auc == pytest.approx(slow)
    assert component.presence_class == pytest.approx(of_class.mean())
    # random clips that find are what presences are measured from
    finding = frame[(frame.half == "find") & ~frame.of_class][component.name]
    assert finding.mean() == pytest.approx(0, abs=1e-6)


def test_examples_are_clips_that_found_nothing_with_their_maps(result):
    component = result.confirmed[0]
    examples = result.examples(component.name, 4)
    assert [example.presence for example in examples] == sorted((e.presence for e in examples), reverse=True)
    assert all(example.clip.half == "confirm" for example in examples)
    assert examples[0].presence == max(
        value
        for value, clip in zip(result.presences[component.name], result.clips, strict=True)
        if clip.half == "confirm"
    )
    maps = result.layer_maps(component.layer)
    assert examples[0].heat.shape == maps.values.shape[2:]
    assert maps.on_clip(component.number, maps.clips[0]).shape == (16, 64, 64)


def test_a_saved_result_is_read_back(result, model, tmp_path):
    from video_tcav.discovery.result_files import save_discovery

    save_discovery(tmp_path, result)
    again = vt.load_discovery(tmp_path)
    assert again.to_frame().equals(result.to_frame())
    assert again.clips == result.clips
    assert again.sentences() == result.sentences()
    assert again.explained == result.explained
    assert all(np.allclose(again.presences[name], result.presences[name]) for name in result.presences)
    for read, kept in zip(again.maps, result.maps, strict=True):
        assert read.clips == kept.clips and read.spacings == kept.spacings
        assert np.array_equal(read.values, kept.values)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["components"][0]["name"] == result[0].name
    assert {"provenance", "skipped", "components", "explained"} <= set(written)
    assert written["explained"]["left"] == pytest.approx(1 - result.explained.explained)
    del written["explained"]  # as an earlier version wrote it
    for row in written["components"]:
        for name in ("confirmed_by", "removed", "removed_low", "removed_high", "removed_elsewhere", "removed_p"):
            del row[name]
    (tmp_path / "results.json").write_text(json.dumps(written))
    earlier = vt.load_discovery(tmp_path)
    assert "an earlier version" in earlier.explained.sentence()
    assert [each.confirmed_by for each in earlier] == ["slope" if each.confirmed else "" for each in result]
    assert all(np.isnan(each.removed) for each in earlier)


def test_another_folder_is_no_result(tmp_path):
    with pytest.raises(InputError, match="`folder` must hold the result of a discovery. Got"):
        vt.load_discovery(tmp_path)


def test_a_component_can_be_renamed(result):
    old = result[0].name
    renamed = result.renamed({old: "court"})
    assert renamed.explained.shares[0].concept == "court"
    assert renamed[0].name == "court"
    assert np.array_equal(renamed.presences["court"], result.presences[old])
    assert renamed.examples("court")
    with pytest.raises(InputError, match="`name` must be a component of the result. Got nothing"):
        result.renamed({"nothing": "court"})
    with pytest.raises(InputError, match="`names` must be distinct"):
        result.renamed({old: result[1].name})


def test_a_result_shares_all_with_itself_and_says_so(result):
    same = compare_discoveries(result, result)
    assert {(match.first, match.second) for match in same.shared} == {(c.name, c.name) for c in result.confirmed}
    assert min(match.likeness for match in same.shared) > 0.999
    assert same.lost == same.gained == ()
    assert f"{len(result.confirmed)} confirmed components are shared, 0 lost and 0 gained" in same.summary()


def test_results_of_other_clips_are_not_compared(result):
    from dataclasses import replace

    other = replace(result, clips=tuple(replace(clip, clip=f"x{clip.clip}") for clip in result.clips))
    with pytest.raises(InputError, match="must have maps of 5 clips in common. Got 0"):
        compare_discoveries(result, other)


def test_a_class_that_is_none_has_nothing_confirmed_and_says_so(model):
    nothing = vt.discover(
        model,
        target=TARGET,
        clips=clips("any", 12, 11),
        random=clips("some", 14, 12),
        layers=["stages.3"],
        twins=(),
        operations="none",
        **SETTINGS,
    )
    assert nothing.confirmed == ()
    assert nothing.explained.sentence().endswith("was not measured: none is confirmed.")
    assert nothing.summary().startswith(f"None of 4 components is confirmed for {TARGET} in")
    assert {component.kind for component in nothing} == {"unclear"}


def test_a_network_is_as_it_came(model, result):
    again = vt.load_model("rendered:r2plus1d-scene")
    for kept, fresh in zip(model.module.parameters(), again.module.parameters(), strict=True):
        assert bool((kept == fresh).all())
    assert not any(module._forward_hooks for module in model.module.modules())


def test_tubes_of_confirmed_components_are_open_proposals(model, tmp_path):
    for name, count, seed, factors in (("court", 8, 1, {"scene": "court"}), ("any", 12, 2, {})):
        (tmp_path / name).mkdir()
        for number, clip in enumerate(sample_factors(count, seed=seed, **factors)):
            vt.write_video(tmp_path / name / f"{number}.mp4", render(clip).clip, fps=12)
    found = vt.discover(
        model,
        target=TARGET,
        clips=tmp_path / "court",
        random=tmp_path / "any",
        layers=["stages.3"],
        bank=tmp_path / "bank",
        components=3,
        permutations=199,
        bootstraps=100,
        alpha=0.5,  # so few clips confirm nothing at the usual level
        twins=(),
        operations="none",
    )
    assert found.confirmed
    with ConceptBank.open(tmp_path / "bank") as bank:
        for component in found:
            cut = bank.clips(concept=component.name, kind="moving") if component.confirmed else []
            assert len({clip.tube for clip in cut}) == component.n_tubes
            assert all(clip.verdict == "open" for clip in cut)
            assert all(clip.origin.proposer["component"] == component.name for clip in cut)
    assert sum(component.n_tubes for component in found) > 0
