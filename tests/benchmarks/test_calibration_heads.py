"""Heads of `benchmarks.calibration`: their networks, planted effects, and the rows of the tables."""

import itertools

import numpy as np
import pytest
import torch
from benchmarks.calibration.equivalence import MARGIN, EquivalenceRow, equivalence_rows, with_effect
from benchmarks.calibration.head_models import hand_speed, trained_heads
from benchmarks.calibration.heads import head_tables
from benchmarks.calibration.rendered_recording import record_world
from benchmarks.calibration.tables import markdown

from video_tcav.gram.gram import Gram
from video_tcav.models.layers import noise_clip
from video_tcav.rendered import sample_factors
from video_tcav.rendered.motions import joints_over_time


@pytest.fixture(scope="module")
def heads():
    return trained_heads(steps=4, training_clips=64, held_out_clips=32)


def test_each_head_is_an_output_of_its_network(heads):
    verb, noun, several, number = heads
    assert [head.model.outputs.kind for head in heads] == ["logits", "logits", "sigmoid", "numbers"]
    clip = noise_clip(verb.model)
    assert verb.model.module is noun.model.module
    with torch.no_grad():
        outputs = verb.model.module(clip)
        torch.testing.assert_close(verb.model.values(clip), outputs["verb"])
        torch.testing.assert_close(noun.model.values(clip), outputs["noun"])
        probabilities = several.model.module(clip)
    torch.testing.assert_close(several.model.logits(clip), (probabilities / (1 - probabilities)).log())
    assert number.model.classes == ("hand speed",)


def test_the_speed_of_a_hand_is_its_path_by_frames():
    clip, walking = (sample_factors(1, seed=3, motion=motion)[0] for motion in ("swing", "walk"))
    hand = joints_over_time(clip.motion, clip.nuisance, 16).near_arm[2]
    steps = [
        ((after.real - before.real) ** 2 + (after.imag - before.imag) ** 2) ** 0.5
        for before, after in itertools.pairwise(hand)
    ]
    assert hand_speed(clip) == pytest.approx(64 * clip.nuisance.scale * sum(steps) / 15)
    assert hand_speed(clip) > 2 * hand_speed(walking)


def test_moved_clips_have_the_planted_effect():
    generator = np.random.default_rng(5)
    activations, gradients = generator.standard_normal((30, 7)), generator.standard_normal((5, 7))
    is_concept, direction = np.arange(30) < 12, generator.standard_normal(30)
    planted = with_effect(
        Gram(kernel=activations @ activations.T, cross=gradients @ activations.T), is_concept, direction, 2.5
    )
    effect = planted.cross[:, is_concept].mean() - planted.cross[:, ~is_concept].mean()
    assert effect == pytest.approx(2.5)
    along = direction @ activations
    missing = 2.5 - gradients.mean(0) @ (activations[is_concept].mean(0) - activations[~is_concept].mean(0))
    moved = activations + np.outer(is_concept, along * missing / (gradients.mean(0) @ along))
    np.testing.assert_allclose(planted.kernel, moved @ moved.T, atol=1e-9)


def test_each_head_has_its_rows(heads):
    nulls, causes, equivalence = head_tables(heads[1:2], draws=25, pool_clips=280, class_clips=8)
    assert [(row.head, row.layer) for row in nulls] == [("noun", f"stages.{stage}") for stage in range(4)]
    assert np.mean([row.both for row in nulls]) < 0.2
    (cause,) = causes
    assert (cause.concept, cause.unit) == ("object racket", "log-odds")
    assert cause.effect * cause.truth > 0
    assert equivalence == ()
    assert markdown(nulls).count("\n") == 6


def test_effects_of_a_number_are_judged_against_the_margin(heads):
    head = heads[3]
    recording = record_world(
        head.model, head.rule, pool_clips=280, class_clips=8, seed=2, targets=(head.target,), twins=False,
        places=("class",),
    )  # fmt: skip
    nil, up, down, far = equivalence_rows(recording, draws=50)
    assert [row.effect / MARGIN for row in (nil, up, down, far)] == [0, 1, -1, 2]
    assert nil.smaller > 0.5
    assert nil.contradicted == 0
    assert max(up.smaller, down.smaller) < 0.2
    assert far.contradicted > 0.5


def test_wrong_calls_break_the_promise():
    row = EquivalenceRow(concept="c", effect=1.0, margin=1.0, draws=100, smaller=0.05, supported=0.05, contradicted=0.05,
                         undecided=0.9, not_represented=0.0)  # fmt: skip
    assert row.holds
    assert not EquivalenceRow(**{**vars(row), "smaller": 0.1}).holds
    assert EquivalenceRow(**{**vars(row), "smaller": 0.9, "effect": 0.0}).holds
    assert not EquivalenceRow(**{**vars(row), "contradicted": 0.1, "effect": 0.5}).holds
