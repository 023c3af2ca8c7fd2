"""Operations at a layer against their definitions written out: whole forwards in which a hook replaces the layer's output."""

import math

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.interventions.whole_forwards import (
    LAYERS,
    SETS,
    SPACES,
    TARGET,
    along,
    clips,
    load_network,
    log_odds,
    outputs,
    pooled,
    prepared,
)
from video_tcav.core.errors import InputError


@pytest.fixture(scope="module")
def model():
    return load_network()


def run(model, **changes):
    settings = {"permutations": 60, "random_sets": 5, "bootstraps": 60, "relabellings": 20, "intervene_at": "all"}
    return vt.run_tcav(model, target=TARGET, layers=LAYERS, **{**SETS, **settings, **changes})


def slowly(model, layer, space, concept, random=None):
    """Every operation of a mean CAV, by whole forwards."""
    random = random or SETS["random"]
    inputs, frozen = prepared(model, SETS["clips"]), prepared(model, SETS["clips"], frozen=True)
    of_concept, of_random = (
        pooled(outputs(model, layer, prepared(model, sources)), space).mean(0) for sources in (concept, random)
    )
    d = of_concept - of_random
    unit = d / d.norm()
    m_c, m_r = (float((mean * unit).sum()) for mean in (of_concept, of_random))
    h, twin = outputs(model, layer, inputs), outputs(model, layer, frozen)
    own, own_twin = (along(pooled(values, space), unit) for values in (h, twin))

    def said(values):
        return log_odds(model, layer, inputs, values)

    plain, lost = said(h), said(twin)
    return {
        "step": ((said(h + d) - said(h - d)) / 2).mean(),
        "clamp": (said(h + (m_c - own) * unit) - said(h + (m_r - own) * unit)).mean(),
        "remove": (plain - said(h + (m_r - own) * unit)).mean(),
        "restore": (said(twin + (own - own_twin) * unit) - lost).mean() / (plain - lost).mean(),
        "dose 2": (said(h + 2 * d) - plain).mean(),
    }


def step_at_random_clips(model, layer, space, concept):
    """A step at each random clip along the mean CAV of all the others, by whole forwards."""
    random = SETS["random"]
    inputs = prepared(model, random)
    h = outputs(model, layer, inputs)
    of_random = pooled(h, space)
    of_concept = pooled(outputs(model, layer, prepared(model, concept)), space).mean(0)
    d = torch.stack([of_concept - of_random[[*range(i), *range(i + 1, len(h))]].mean(0) for i in range(len(h))])
    return (log_odds(model, layer, inputs, h + d) - log_odds(model, layer, inputs, h - d)) / 2


def row(result, concept, layer, twin="none"):
    (found,) = [r for r in result if (r.concept, r.layer, r.twin) == (concept, layer, twin)]
    return found


@pytest.fixture(scope="module", params=SPACES)
def result(request, model):
    operations = "step,clamp,remove,restore,dose"
    return request.param, run(model, space=request.param, intervene=operations, step_at="class")


@pytest.fixture(scope="module", params=SPACES)
def stepped(request, model):
    """Steps at random clips, which is where they are taken unless told otherwise."""
    return request.param, run(model, space=request.param, intervene="step,clamp")


def test_every_operation_is_its_definition(model, result):
    space, run_result = result
    for concept in ("left", "drift"):
        for layer in LAYERS:
            expected = slowly(model, layer, space, SETS["concepts"][concept])
            measured = row(run_result, concept, layer)
            for name in ("step", "clamp", "remove", "restore"):
                assert getattr(measured, name) == pytest.approx(float(expected[name]), rel=1e-6), (name, layer)
            (dose,) = [
                effect.effect
                for effect in run_result.interventions
                if (effect.concept, effect.layer, effect.multiple) == (concept, layer, 2)
            ]
            assert dose == pytest.approx(float(expected["dose 2"]), rel=1e-6)


def test_a_step_is_taken_at_random_clips_along_the_cav_of_the_other_clips(model, stepped):
    space, run_result = stepped
    for concept in ("left", "drift"):
        for layer in LAYERS:
            expected = step_at_random_clips(model, layer, space, SETS["concepts"][concept])
            measured = row(run_result, concept, layer)
            assert measured.step == pytest.approx(float(expected.mean()), rel=1e-6), layer
            assert measured.step_low < measured.step < measured.step_high
            clamp = slowly(model, layer, space, SETS["concepts"][concept])["clamp"]
            assert measured.clamp == pytest.approx(float(clamp), rel=1e-6)  # of class clips all the same


def test_a_store_and_the_order_of_twins_change_no_step(model, stepped, tmp_path):
    """What an earlier run without steps has stored of random clips does not do for one with steps."""
    space, run_result = stepped
    run(model, space=space, intervene="none", store=tmp_path / "store")
    changes = {"space": space, "twins": ["frozen"], "store": tmp_path / "store"}
    for again in (run(model, **changes), run(model, **changes)):
        for concept in ("left", "drift"):
            for layer in LAYERS:
                expected = row(run_result, concept, layer)
                measured = row(again, concept, layer)
                assert (measured.step, measured.step_low) == pytest.approx((expected.step, expected.step_low), rel=1e-9)
                assert measured.step_at == "random"


def test_a_step_is_of_class_clips_where_every_random_clip_is_one_of_a_concept(model):
    everyone = SETS["random"]
    concepts = {"first": everyone[:8], "second": everyone[8:]}
    result = run(model, concepts=concepts)
    assert {measured.step_at for measured in result} == {"class"}
    assert "Steps were taken at class clips: every random clip is one of a concept, too." in result.warnings
    assert {measured.step_at for measured in run(model, step_at="class")} == {"class"}


def test_intervals_hold_the_effect_and_p_values_have_their_smallest(result):
    for measured in result[1]:
        for name in ("step", "clamp", "remove", "restore"):
            low, value, high = (getattr(measured, f"{name}{end}") for end in ("_low", "", "_high"))
            assert low < value < high
        assert 1 / 21 <= min(measured.clamp_p, measured.remove_p, measured.restore_p) <= 1


def test_the_null_is_the_operation_along_cavs_of_permuted_labels(model):
    from video_tcav.gram.design import Design

    names = [*SETS["concepts"]["left"], *SETS["random"]]
    labels = np.arange(len(names)) < len(SETS["concepts"]["left"])
    numbers = np.concatenate([np.arange(16, 26), np.arange(16)])  # a run numbers its random clips first
    design = Design(labels=labels, units=numbers, groups=numbers, n_units=len(names), n_groups_total=len(names))
    permuted = np.concatenate(list(design.label_permutations(60, 0)))[:20]
    null = []
    for chosen in permuted:
        concept = [clip for clip, is_concept in zip(names, chosen, strict=True) if is_concept]
        random = [clip for clip, is_concept in zip(names, chosen, strict=True) if not is_concept]
        null.append(float(slowly(model, "second", "flatten", concept, random)["clamp"]))
    result = run(model, intervene="clamp", concepts={"left": SETS["concepts"]["left"]})
    (effect,) = [effect for effect in result.interventions if effect.layer == "second"]
    assert (effect.null_low, effect.null_high) == pytest.approx(tuple(np.quantile(null, [0.025, 0.975])), rel=1e-6)


def test_the_dose_curve_leaves_zero_with_the_effect(model):
    """Small doses agree with the first-order effect: a test of gradients, CAVs and tails at once."""
    from video_tcav.tcav.interventions import operations

    result = run(model, intervene="dose")
    assert operations.DOSES[0] == -1
    assert operations.DOSES[-1] == 2
    for measured in result:
        inputs = prepared(model, SETS["clips"])
        h = outputs(model, measured.layer, inputs)
        d = outputs(model, measured.layer, prepared(model, SETS["concepts"][measured.concept])).mean(0) - outputs(
            model, measured.layer, prepared(model, SETS["random"])
        ).mean(0)
        small = 1e-5
        rise = log_odds(model, measured.layer, inputs, h + small * d) - log_odds(
            model, measured.layer, inputs, h - small * d
        )
        assert measured.effect == pytest.approx(float(rise.mean()) / (2 * small), rel=1e-3)
        doses = {
            e.multiple: e.effect
            for e in result.interventions
            if (e.concept, e.layer) == (measured.concept, measured.layer)
        }
        # the curve is smooth: its symmetric difference at a quarter is near its slope, and nearer than at one
        assert (doses[0.25] - doses[-0.25]) / 0.5 == pytest.approx(measured.effect, rel=0.25)


def test_twins_and_their_differences(model):
    result = run(model, intervene="step,clamp", twins=["frozen", "reversed"], intervene_at="second", relabellings=0)
    for concept in ("left", "drift"):
        own, frozen, motion = (row(result, concept, "second", twin) for twin in ("none", "frozen", "motion"))
        assert motion.step == pytest.approx(own.step - frozen.step)
        assert motion.clamp == pytest.approx(own.clamp - frozen.clamp)
        assert math.isnan(own.clamp_p)
        assert math.isnan(row(result, concept, "first").step)


def test_the_deepest_layer_alone_has_a_step_by_default(model):
    result = run(model, intervene_at="deepest")
    assert math.isnan(row(result, "left", "first").step)
    assert math.isfinite(row(result, "left", "second").step)
    assert all(math.isnan(measured.clamp) for measured in result)
    assert not any(math.isfinite(measured.step) for measured in run(model, intervene="none"))


def test_a_store_gives_the_same_numbers_again(model, tmp_path):
    asked = {"intervene": "step,clamp,remove,restore", "relabellings": 5, "store": tmp_path / "store"}
    fresh, again = run(model, **{**asked, "store": None}), [run(model, **asked) for _ in range(2)]
    for result in again:
        assert result.to_frame().equals(fresh.to_frame())


def test_at_random_clips_the_step_is_taken_there(model):
    result = run(model, at="random", clips=None, intervene_at="deepest", random=clips(40, "pool"))
    assert math.isfinite(row(result, "left", "second").step)


def test_operations_of_sketches_are_refused_and_the_step_left_out(model):
    with pytest.raises(InputError, match="`intervene` must be step or none with --sketch"):
        run(model, sketch=64, intervene="clamp")
    result = run(model, sketch=64)
    assert "No step was made: sketched rows" in " ".join(result.warnings)
    assert all(math.isnan(measured.step) for measured in result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intervene": "stop"}, "`intervene` must be one of step, clamp, remove, restore, dose"),
        ({"intervene_at": "third"}, "`intervene_at` must be one of deepest, all, first, second"),
        ({"relabellings": -1}, "`relabellings` must be at least 0"),
    ],
)
def test_what_cannot_be_done_is_said(model, changes, message):
    with pytest.raises(InputError, match=message):
        run(model, **changes)


def test_restore_of_clips_that_lose_nothing_is_not_made(model):
    still = [(name, clip[:1].expand(4, -1, -1, -1).contiguous()) for name, clip in SETS["clips"]]
    result = run(model, clips=still, intervene="restore", intervene_at="second")
    assert "frozen class clips lose nothing" in " ".join(result.warnings)
    assert all(math.isnan(measured.restore) for measured in result)


def test_changed_first_classes_are_counted_and_compared_with_permuted_labels(model):
    result = run(model, intervene="remove,clamp", intervene_at="second", relabellings=20)
    by_operation = {(effect.concept, effect.operation): effect for effect in result.interventions}
    for concept in ("left", "drift"):
        changed = slowly_changed(model, "second", SETS["concepts"][concept])
        effect = by_operation[concept, "remove"]
        assert effect.changed == pytest.approx(changed)
        assert effect.changed_low <= changed <= effect.changed_high
        assert 1 / 21 <= effect.changed_p <= 1
        assert 0 <= effect.changed_null <= 1
        assert math.isnan(by_operation[concept, "clamp"].changed)
        assert effect.standard_error > 0
        assert 0 < effect.p_t <= 1


def slowly_changed(model, layer, concept):
    """Share of the class clips that have another first class without the concept, by whole forwards."""
    inputs = prepared(model, SETS["clips"])
    means = [outputs(model, layer, prepared(model, sources)).mean(0) for sources in (concept, SETS["random"])]
    unit = (means[0] - means[1]) / (means[0] - means[1]).norm()
    h = outputs(model, layer, inputs)
    edited = h + (float((means[1] * unit).sum()) - along(h, unit)) * unit
    handle = model.layer(layer).register_forward_hook(lambda _module, _inputs, _output: edited)
    with torch.no_grad():
        without = model.module(inputs).argmax(1)
    handle.remove()
    with torch.no_grad():
        return float((without != model.module(inputs).argmax(1)).double().mean())


def test_the_deepest_layer_may_stand_among_names(model):
    result = run(model, intervene_at="first, deepest")
    assert all(math.isfinite(row(result, "left", layer).step) for layer in LAYERS)
