"""`vt.intervene`: the span of several concepts and every clip before and after, against whole forwards written out slowly."""

import json
import math

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.interventions.whole_forwards import (
    CLASSES,
    LAYERS,
    SETS,
    SPACES,
    TARGET,
    along,
    load_network,
    log_odds,
    outputs,
    pooled,
    prepared,
)
from video_tcav.core.errors import InputError
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design
from video_tcav.models import parse_target
from video_tcav.models.tail import Tail
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import render, sample_factors
from video_tcav.tcav.interventions.concept_span import SpanMember, SpanRemoval
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.rerun import LayerRerun

BOTH = "left + drift"
SETTINGS = {"permutations": 60, "bootstraps": 60, "relabellings": 20}


@pytest.fixture(scope="module")
def model():
    return load_network()


def intervene(model, **changes) -> vt.InterventionResult:
    return vt.intervene(model, target=TARGET, layers=LAYERS, **{**SETS, **SETTINGS, "at": "all", **changes})


@pytest.fixture(scope="module", params=SPACES)
def result(request, model):
    return request.param, intervene(
        model, space=request.param, operations="step,clamp,remove,dose", together=[["left", "drift"]]
    )


def effect(result, concept, layer, operation, multiple=math.nan):
    (match,) = [
        row
        for row in result
        if (row.concept, row.layer, row.operation, row.twin) == (concept, layer, operation, "none")
        and (math.isnan(multiple) or row.multiple == multiple)
    ]
    return match


def mean_output(model, layer, space, sources):
    return pooled(outputs(model, layer, prepared(model, sources)), space).mean(0)


def without(h, space, axes, of_random):
    """The clips with the coordinates of the mean random clip along orthonormal axes."""
    for axis in axes:
        h = h + (along(of_random[None], axis) - along(pooled(h, space), axis)) * axis
    return h


def span_of(model, layer, space, concepts, random):
    """Orthonormal axes of the span of mean CAVs, by a QR decomposition, and the mean random clip."""
    of_random = mean_output(model, layer, space, random)
    cavs = torch.stack([(mean_output(model, layer, space, clips) - of_random).flatten() for clips in concepts], 1)
    axes = torch.linalg.qr(cavs)[0].T
    return [axis.reshape(of_random.shape) for axis in axes], of_random


def removed_slowly(model, layer, space, concepts, random):
    """What each class clip loses without the span of the concepts."""
    inputs = prepared(model, SETS["clips"])
    h = outputs(model, layer, inputs)
    edited = without(h, space, *span_of(model, layer, space, concepts, random))
    return log_odds(model, layer, inputs, h) - log_odds(model, layer, inputs, edited)


def logits(model, layer, inputs, output):
    """What a whole forward says in which a hook replaces the layer's output."""
    handle = model.layer(layer).register_forward_hook(lambda *_arguments: output)
    with torch.no_grad():
        values = model.module(inputs)
    handle.remove()
    return values


def test_removing_together_puts_the_span_of_the_cavs_to_random_clips(model, result):
    space, measured = result
    for layer in LAYERS:
        expected = removed_slowly(model, layer, space, SETS["concepts"].values(), SETS["random"])
        row = effect(measured, BOTH, layer, "remove")
        assert row.effect == pytest.approx(float(expected.mean()), rel=1e-6)
        assert row.effect_low < row.effect < row.effect_high
        rows = measured.clip_frame().query("concept == @BOTH and layer == @layer")
        assert [*rows.path] == [name for name, _ in SETS["clips"]]
        assert (rows.target_before - rows.target_after).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def class_clips(model, h, rows, target) -> LayerClips:
    """Class clips whose output of `second` is h."""
    passing = BatchRunner(model, ("second",)).passing(prepared(model, SETS["clips"])[0])
    flat = h.flatten(1)
    rerun = LayerRerun(
        Tail(model, "second"),
        lambda chosen: flat[torch.as_tensor(chosen)],
        clips=len(h),
        axes=None,
        space="flatten",
        target=target,
        passing=passing,
    )
    return LayerClips(rerun=rerun, rows=rows, class_groups=range(len(h)), unit=np.ones(len(h)))


def test_removing_twice_does_nothing_the_second_time(model, tmp_path):
    named = {
        name: outputs(model, "second", prepared(model, clips)).flatten(1) for name, clips in SETS["concepts"].items()
    }
    random = outputs(model, "second", prepared(model, SETS["random"])).flatten(1)
    store, members, count = RowStore(SpillSpace(10**8, tmp_path)), [], len(random)
    store.append(random)
    for values in named.values():
        rows = np.concatenate([np.arange(count, count + len(values)), np.arange(len(random))])
        labels = rows >= len(random)
        design = Design(labels=labels, units=rows, groups=rows, n_units=36, n_groups_total=36)
        members.append(SpanMember(design=design, rows=rows))
        store.append(values)
        count += len(values)
    kernel = gram(store, None, range(count)).kernel
    settings = EditSettings(fitter=cav_fitter("mean"), bootstraps=10, permutations=10, relabellings=0, seed=0)
    inputs, target = prepared(model, SETS["clips"]), parse_target(model, TARGET, "log_odds")
    h = outputs(model, "second", inputs)
    once = without(h, "flatten", *span_of(model, "second", "flatten", SETS["concepts"].values(), SETS["random"]))
    lost = []
    for values in (h, once):
        clips = class_clips(model, values, LayerRows.of(store), target)
        with clips.rerun.running():
            lost.append(SpanRemoval(clips, members, kernel, settings).by_clip)
    assert np.abs(lost[0]).min() > 1e-3
    assert lost[1] == pytest.approx(np.zeros(len(h)), abs=1e-9)


def test_concepts_with_the_same_clips_span_one_axis(model):
    """Removed together they are removed once, also along permuted labels, which both share."""
    same = SETS["concepts"]["left"]
    measured = intervene(
        model, concepts={"left": same, "again": same}, operations="remove", together=[["left", "again"]], at="second"
    )
    single, both = (effect(measured, name, "second", "remove") for name in ("left", "left + again"))
    for name in ("effect", "p_value", "null_low", "null_high", "changed", "far"):
        assert getattr(both, name) == pytest.approx(getattr(single, name), rel=1e-6), name


def test_the_null_removes_the_span_of_cavs_of_permuted_labels(model):
    names = [*SETS["random"], *SETS["concepts"]["left"], *SETS["concepts"]["drift"]]
    numbers = [np.r_[np.arange(16, 26), np.arange(16)], np.r_[np.arange(26, 36), np.arange(16)]]
    draws = []
    for units in numbers:
        design = Design(labels=units >= 16, units=units, groups=units, n_units=36, n_groups_total=36)
        permuted = np.concatenate(list(design.label_permutations(60, 0)))[:20]
        draws.append([(units[labels], units[~labels]) for labels in permuted])
    null, changed = [], []
    for chosen in zip(*draws, strict=True):
        cavs, means = [], []
        for concept, random in chosen:
            of_concept, of_random = (
                mean_output(model, "second", "flatten", [names[index] for index in rows]) for rows in (concept, random)
            )
            cavs.append((of_concept - of_random).flatten())
            means.append(of_random)
        axes = [axis.reshape(means[0].shape) for axis in torch.linalg.qr(torch.stack(cavs, 1))[0].T]
        inputs = prepared(model, SETS["clips"])
        h = outputs(model, "second", inputs)
        edited = without(h, "flatten", axes, (means[0] + means[1]) / 2)
        lost = log_odds(model, "second", inputs, h) - log_odds(model, "second", inputs, edited)
        null.append(float(lost.mean()))
        predicted = [logits(model, "second", inputs, values).argmax(1) for values in (h, edited)]
        changed.append(float((predicted[0] != predicted[1]).double().mean()))
    measured = intervene(model, operations="none", together=[["left", "drift"]], at="second")
    row = effect(measured, BOTH, "second", "remove")
    assert (row.null_low, row.null_high) == pytest.approx(tuple(np.quantile(null, [0.025, 0.975])), rel=1e-6)
    centre = np.mean([*null, row.effect])
    larger = sum(abs(value - centre) >= abs(row.effect - centre) for value in null)
    assert row.p_value == pytest.approx((1 + larger) / 21)
    assert row.changed_null == pytest.approx(np.mean(changed))


def test_the_interval_of_a_span_is_near_that_of_networks_run_for_every_draw(model):
    """Draws are taken as straight between the observed span and their own; the true draws have nearly the same spread."""
    measured = intervene(model, operations="none", together=[["left", "drift"]], at="second", bootstraps=400)
    row = effect(measured, BOTH, "second", "remove")
    generator = np.random.default_rng(5)
    values = {
        name: outputs(model, "second", prepared(model, clips))
        for name, clips in (*SETS["concepts"].items(), ("random", SETS["random"]), ("class", SETS["clips"]))
    }
    inputs, drawn = prepared(model, SETS["clips"]), []
    for _ in range(100):
        means = {}
        for name, rows in values.items():
            weights = torch.as_tensor(generator.standard_exponential(len(rows)))
            means[name] = weights / weights.sum()
        random = torch.einsum("c,c...->...", means["random"], values["random"])
        cavs = [
            (torch.einsum("c,c...->...", means[name], values[name]) - random).flatten() for name in SETS["concepts"]
        ]
        axes = [axis.reshape(random.shape) for axis in torch.linalg.qr(torch.stack(cavs, 1))[0].T]
        h = values["class"]
        edited = without(h, "flatten", axes, random)
        lost = log_odds(model, "second", inputs, h) - log_odds(model, "second", inputs, edited)
        drawn.append(float(lost @ means["class"]))
    half = (row.effect_high - row.effect_low) / 2
    assert half == pytest.approx(2.2 * float(np.std(drawn)), rel=0.35)


def test_the_numbers_are_those_of_a_run(model, result):
    space, measured = result
    run = vt.run_tcav(
        model,
        target=TARGET,
        layers=LAYERS,
        intervene="step,clamp,remove",
        intervene_at="all",
        step_at="class",
        space=space,
        random_sets=5,
        **SETS,
        **SETTINGS,
    )
    for row in run:
        for name in ("step", "clamp", "remove"):
            of_operation = effect(measured, row.concept, row.layer, name)
            assert of_operation.effect == pytest.approx(getattr(row, name), rel=1e-9)
            assert of_operation.effect_low == pytest.approx(getattr(row, f"{name}_low"), rel=1e-9)
        slope = effect(measured, row.concept, row.layer, "slope")
        assert (slope.effect, slope.effect_low, slope.effect_high) == pytest.approx(
            (row.effect, row.effect_low, row.effect_high), rel=1e-9
        )


def test_doses_leave_zero_with_the_slope(model, monkeypatch):
    from video_tcav.tcav.interventions import intervene as engine

    monkeypatch.setattr(engine, "DOSES", (-1e-4, 1e-4))
    for space in SPACES:
        measured = intervene(model, operations="dose", space=space)
        for row in measured:
            if row.operation == "slope":
                up, down = (effect(measured, row.concept, row.layer, "dose", t) for t in (1e-4, -1e-4))
                assert (up.effect - down.effect) / 2e-4 == pytest.approx(row.effect, rel=1e-3)


def test_every_edit_of_every_clip_is_kept(model, result):
    _, measured = result
    clips = measured.clip_frame()
    assert set(clips.edit) == {"random", "concept", *(f"{t / 4:+g} d" for t in range(-4, 9) if t)}
    left = clips[(clips.concept == "left") & (clips.layer == "second")].groupby("edit")
    mean = left.target_after.mean()
    clamp, step = (effect(measured, "left", "second", name).effect for name in ("clamp", "step"))
    assert mean["concept"] - mean["random"] == pytest.approx(clamp, rel=1e-9)
    assert (mean["+1 d"] - mean["-1 d"]) / 2 == pytest.approx(step, rel=1e-9)
    removed = left.get_group("random")
    changed = (removed.predicted_before != removed.predicted_after).mean()
    assert effect(measured, "left", "second", "remove").changed == changed
    assert set(clips.predicted_before) <= set(CLASSES)


def test_a_result_is_a_sequence_a_table_and_text(model, result, tmp_path):
    _, measured = result
    assert [*measured.to_frame().effect] == [row.effect for row in measured]
    assert len(measured[:2]) == 2
    assert repr(measured) == f"<InterventionResult for 'b': {len(measured)} effects, 3 concepts, 2 layers>"
    assert {sentence.split(":")[0] for sentence in measured.sentences()} == {
        f"{name} at {layer}" for name in ("left", "drift", BOTH) for layer in LAYERS
    }
    html = measured._repr_html_()
    assert "left + drift" in html and "first class changes" in html
    measured.to_json(tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())
    assert [row["effect"] for row in written["effects"]] == [row.effect for row in measured]
    assert written["provenance"]["settings"]["together"] == [["left", "drift"]]


def test_restore_runs_twins_of_the_clips(model):
    measured = intervene(model, operations="restore", at="second", relabellings=0)
    (row,) = [row for row in measured if (row.concept, row.operation, row.twin) == ("drift", "restore", "none")]
    clips = measured.clip_frame().query("concept == 'drift' and twin == 'none'")
    assert set(clips.edit) == {"clean"}
    frozen = prepared(model, SETS["clips"], frozen=True)
    twins = log_odds(model, "second", frozen, outputs(model, "second", frozen))
    assert clips.target_before.tolist() == pytest.approx(twins.tolist(), rel=1e-6)
    plain = log_odds(model, "second", frozen, outputs(model, "second", prepared(model, SETS["clips"])))
    gained = (clips.target_after - clips.target_before).mean()
    assert row.effect == pytest.approx(gained / float((plain - twins).mean()), rel=1e-6)


def test_a_regression_has_no_classes_to_change():
    numbers = load_network(outputs="numbers")
    measured = intervene(numbers, operations="remove", together=[["left", "drift"]], at="second")
    removed = [row for row in measured if row.operation == "remove"]
    assert len(removed) == 3
    assert all(math.isnan(row.changed) and math.isnan(row.changed_p) for row in removed)
    assert {(clip.predicted_before, clip.predicted_after) for clip in measured.clips} == {(None, None)}
    assert measured.against == "number"
    assert "first class" not in measured.summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"operations": "stop"}, "`operations` must be one of step, clamp, remove, restore, dose"),
        ({"operations": ()}, "`operations` must name at least one. Got none."),
        ({"at": "third"}, "`at` must be one of deepest, all, first, second"),
        ({"relabellings": -1}, "`relabellings` must be at least 0"),
        ({"together": [["left", "right"]]}, "`together` must be one of left, drift. Got 'right'"),
        ({"together": [["left"]]}, "`together` must name two concepts or more. Got left"),
        ({"together": ["left"]}, "`together` must be lists of names. Got left"),
    ],
)
def test_what_cannot_be_done_is_said(model, changes, message):
    with pytest.raises(InputError, match=message):
        intervene(model, **changes)


SCENES = ("lawn", "gym", "street", "noise")


def rendered(count, seed, **factors):
    return [
        (f"{factors}-{seed}-{number}", render(clip).clip)
        for number, clip in enumerate(sample_factors(count, seed=seed, **factors))
    ]


def of_all_scenes(count, seed, **factors):
    """Clips of one mix of scenes, so that objects are not confounded with them."""
    return [
        clip
        for index, scene in enumerate(SCENES)
        for clip in rendered(count // 4, seed + index, scene=scene, **factors)
    ]


@pytest.fixture(scope="module")
def of_scenes():
    """What a model that reads the scene alone says of tennis, a court scene, without court and without racket."""
    return vt.intervene(
        vt.load_model("rendered:r2plus1d-scene", device="cpu"),
        target="playing tennis",
        clips=rendered(8, 40, scene="court"),
        concepts={"court": rendered(8, 1, scene="court"), "racket": of_all_scenes(8, 10, object="racket")},
        random=of_all_scenes(24, 20, object=("ball", "box", "none")),
        operations="clamp,remove",
        together=[["court", "racket"]],
        relabellings=0,
        bootstraps=50,
    )


def test_without_its_cause_the_class_is_lost(of_scenes):
    for concept in ("court", "court + racket"):
        removed = effect(of_scenes, concept, "stages.3", "remove")
        assert removed.effect > 8
        assert removed.effect_low > 6
        assert removed.changed == 1


def test_without_what_nobody_encodes_nothing_changes(of_scenes):
    for operation in ("remove", "clamp"):
        nil = effect(of_scenes, "racket", "stages.3", operation)
        assert abs(nil.effect) < 0.1
        assert nil.effect_low < 0 < nil.effect_high
    assert effect(of_scenes, "racket", "stages.3", "remove").changed == 0
