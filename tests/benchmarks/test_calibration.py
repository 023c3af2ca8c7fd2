import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.calibration.calibration import calibrate
from benchmarks.calibration.experiments import combine
from benchmarks.calibration.interventions import interventional_effects
from benchmarks.calibration.rendered_recording import record_world

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.demo.false_alarms import draw_nothing
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.targets import parse_target
from video_tcav.rendered import render_batch, rule_of
from video_tcav.rendered.factors import balanced_pool
from video_tcav.rendered.training import normalised

MODEL = "rendered:r2plus1d-scene"


@pytest.fixture(scope="module")
def small():
    return calibrate([MODEL], draws=40, detection_draws=10, pool_clips=200, class_clips=8, cavs=["mean", "svm"], jobs=1)


@pytest.fixture(scope="module")
def recording():
    return record_world(
        vt.load_model(MODEL),
        rule_of("scene"),
        pool_clips=1,
        class_clips=4,
        seed=3,
        targets=("playing tennis", "dancing"),
    )


def test_a_small_calibration_has_every_kind_of_row(small):
    table = small.rejections_frame()
    assert set(table["what"]) >= {"type I", "power", "motion effect", "order effect"}
    errors = table[table["what"] == "type I"]
    assert len(errors) == 4 * 3 * 2  # layers; mean at both places and svm at one; tests
    assert (errors["draws"] == 40).all()
    assert ((errors["low"] <= errors["rate"]) & (errors["rate"] <= errors["high"])).all()
    assert errors.loc[errors["test"] == "t-test", "rate"].mean() > 0.2
    assert errors.loc[errors["test"] == "permutation", "rate"].mean() < 0.15
    power = table[(table["what"] == "power") & (table["concept_clips"] == 40)]
    assert (power["rate"] == 1).all()


def test_the_effect_follows_the_interventions(small):
    assert small.correlations()["effect_pearson_random"] > 0.9
    causes = [one for one in small.agreements if one.factor == "scene" and one.at == "random"]
    for one in causes:
        own = rule_of("scene").classes[one.target] == one.value
        assert (one.true_effect > 0) == own
        assert (one.tcav_effect > 0) == own


def test_files_say_the_same(small, tmp_path):
    small.write(tmp_path)
    content = json.loads((tmp_path / "calibration.json").read_text())
    assert [one["claim"] for one in content["claims"]] == [one.claim for one in small.claims()]
    assert (tmp_path / "rejections.csv").read_text().count("\n") == len(small.rejections) + 1
    assert (tmp_path / "agreements.csv").is_file()


def test_the_recording_is_what_the_model_does(recording):
    """K and C written out: activations centred, inner products in double precision."""
    model, layer = vt.load_model(MODEL), recording.deepest
    inputs = normalised(render_batch(recording.pool))
    twins = [inputs[:, :, 8:9].expand_as(inputs), inputs.flip(2)]
    rows = torch.cat([record_activations(model, [layer], part)[layer].flatten(1) for part in (inputs, *twins)]).double()
    rows = rows - rows.mean(0)
    clips = normalised(render_batch(recording.class_clips[1]))
    target = parse_target(model, "dancing", "log_odds")
    gradient = record_gradients(model, [layer], clips, target).layers[layer].flatten(1).double()
    found = recording.twin_grams["class"][1]
    pool = recording.grams["class"][layer][1]
    np.testing.assert_array_equal(pool.kernel, found.kernel[: len(recording.pool), : len(recording.pool)])
    np.testing.assert_array_equal(pool.cross, found.cross[:, : len(recording.pool)])
    np.testing.assert_allclose(found.kernel, (rows @ rows.T).numpy(), rtol=1e-3, atol=1e-3 * np.abs(found.kernel).max())
    np.testing.assert_allclose(found.cross, (gradient @ rows.T).numpy(), atol=1e-3 * np.abs(found.cross).max())


def test_the_pool_is_balanced_and_holds_every_clip_both_ways():
    pool = balanced_pool(rule_of("object").motions(), 200, seed=1)
    counts = Counter((clip.motion, clip.object, clip.scene) for clip in pool)
    assert set(counts.values()) == {2}
    assert len(pool) == 280
    for clip, other in zip(pool[:140], pool[140:], strict=True):
        assert clip.nuisance.backwards != other.nuisance.backwards
        assert replace(clip.nuisance, backwards=True) == replace(other.nuisance, backwards=True)


def test_an_intervention_is_measured_against_the_other_values(recording):
    model = vt.load_model(MODEL)
    found = interventional_effects(model, recording, clips=4)
    court = next(one for one in found if (one.target, one.factor, one.value) == ("playing tennis", "scene", "court"))
    target = parse_target(model, "playing tennis", "log_odds")
    odds = {}
    with torch.no_grad():
        for scene in ("court", "lawn", "gym", "street", "noise"):
            clips = [clip.with_factor("scene", scene) for clip in recording.class_clips[0]]
            odds[scene] = float(target(model.logits(normalised(render_batch(clips)))).double().mean())
    others = sum(value for name, value in odds.items() if name != "court") / 4
    assert court.effect == pytest.approx(odds["court"] - others, rel=1e-4)
    assert not court.nil


def test_concept_and_random_clips_of_one_pool_are_distinct():
    generator = np.random.default_rng(0)
    for _ in range(20):
        drawn = draw_nothing(30, 10, 20, generator)
        assert len(np.unique(drawn.rows)) == 30
        assert drawn.design().labels.sum() == 10


def test_parts_of_a_check_add_up(small):
    one = next(row for row in small.rejections if row.what == "type I")
    both = combine([replace(one, draws=100, rate=0.1), replace(one, draws=300, rate=0.02)])
    assert both.draws == 400
    assert both.rate == pytest.approx(0.04)
    assert both.low < 0.04 < both.high


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(InputError, match="`model` must be one of the rendered world. Got 'torchvision:r3d_18'"):
        calibrate(["torchvision:r3d_18"])
    with pytest.raises(InputError, match="`draws` must be at least 1. Got 0"):
        calibrate([MODEL], draws=0)
