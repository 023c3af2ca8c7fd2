"""Sentences say what the numbers say, no more."""

import math
from dataclasses import replace

import pytest

from video_tcav.tcav.concept_result import ConceptResult
from video_tcav.tcav.result import TcavResult
from video_tcav.tcav.summaries import sentences

ONE = ConceptResult(
    target="tennis", concept="swing", versus="random", twin="none", layer="deep", space="flatten", cav="mean",
    against="log_odds", at="class", negatives="as given", tcav_score=1.0, tcav_score_std=0.0, tcav_magnitude=0.1, effect=2.0,
    effect_low=1.0, effect_high=3.0, standard_error=0.5, z=4.0, p_value=0.0004, p_perm=0.0004, p_t=0.0003, p_adjusted=0.004,
    family_size=6, p_smallest=1e-9, null_mean=0.0, correction="holm", significance="studentised", cav_auc=0.9,
    p_represented=0.001, represented=True, region_auc=math.nan, p_region=math.nan, n_class_clips=9, n_concept_clips=20,
    n_random_clips=60, n_groups=80, n_concept_groups=20, fewest_groups=9, freedom=8.0,
)  # fmt: skip
NOT_FOUND = {
    **{"p_value": 0.05, "p_perm": 0.4, "p_t": 0.6, "p_adjusted": 0.6},
    **{"effect": 0.1, "effect_low": -1.0, "effect_high": 1.2},
}
NOT_REPRESENTED = {"represented": False, "p_represented": 0.4}


def said(*results: ConceptResult) -> str:
    (sentence,) = sentences(TcavResult.of_rows(results))
    return sentence


def test_for_and_against():
    assert said(ONE) == "swing: raises tennis at deep: +2.00 log-odds [+1.00, +3.00], adjusted p = 0.004 (of 6 tests)."
    assert "lowers tennis" in said(replace(ONE, effect=-2.0))


def test_motion_and_order():
    motion, order = replace(ONE, twin="motion", effect=1.5), replace(ONE, twin="order", **NOT_FOUND)
    whole = said(ONE, motion, order)
    assert "; freezing the clips brings it to +0.50 (motion effect +1.50 log-odds" in whole
    assert "; playing the clips backwards was not found to change it (order effect +0.10 log-odds" in whole
    assert "freezing the clips was not found to change it (motion effect +0.10" in said(
        ONE, replace(motion, **NOT_FOUND)
    )


@pytest.mark.parametrize(
    ("own", "difference", "left"),
    [(2.0, 3.5, "-1.50"), (2.0, -1.0, "+3.00"), (-2.0, -3.5, "+1.50"), (-2.0, 1.0, "-3.00"), (2.0, 2.0, "+0.00")],
)
def test_what_a_twin_leaves_of_the_effect_is_right_for_all_signs_and_sizes(own, difference, left):
    motion, order = (replace(ONE, twin=twin, effect=difference) for twin in ("motion", "order"))
    whole = said(replace(ONE, effect=own), motion, order)
    assert f"freezing the clips brings it to {left} (motion effect {difference:+.2f}" in whole
    assert f"playing the clips backwards brings it to {left} (order effect {difference:+.2f}" in whole


def stepped(step: float, low: float, high: float, row: ConceptResult = ONE, **changes) -> ConceptResult:
    return replace(row, step=step, step_low=low, step_high=high, **changes)


@pytest.mark.parametrize(
    ("step", "low", "high", "differs"),
    [
        (-1.2, -2.0, -0.4, True),  # another sign
        (4.5, 3.5, 5.5, True),
        (0.9, 0.5, 1.4, True),  # less than half
        (3.9, 3.0, 5.0, False),
        (1.1, 0.5, 1.7, False),
        (math.nan, math.nan, math.nan, False),
    ],
)
def test_a_step_that_differs_from_the_slope_is_said_in_plain_words(step, low, high, differs):
    sentence = said(stepped(step, low, high))
    size = f"{step:+.2f} log-odds [{low:+.2f}, {high:+.2f}]"
    clause = f"; a whole step gives {size}: the slope does not tell what the model would say."
    assert sentence.endswith(clause) is differs
    assert ("whole step" in sentence) is differs
    at_random = said(replace(stepped(step, low, high), step_at="random"))
    assert (f"; a whole step at random clips gives {size}: the slope" in at_random) is differs


def test_a_step_is_told_where_no_slope_is_found_and_at_the_layer_where_it_was_made():
    found = said(stepped(6.0, 4.0, 8.0, **NOT_FOUND))
    assert "not proof that it does not matter; a whole step gives +6.00 log-odds [+4.00, +8.00]" in found
    # nothing is shown to differ from nothing
    assert "whole step" not in said(stepped(-0.3, -1.0, 0.4, **NOT_FOUND))
    deeper = stepped(-1.2, -2.0, -0.4, layer="deeper", effect=1.0)
    assert "; at deeper, where the slope is +1.00, a whole step gives -1.20 log-odds" in said(ONE, deeper)


def test_a_slope_at_a_layer_without_a_step_is_said_to_be_alone():
    words = "; no step was taken at deep, and no edit compared with this slope (--check-effects does)"
    weaker = stepped(0.9, 0.5, 1.4, layer="deeper", effect=1.0)
    assert words in said(ONE, weaker)
    assert words not in said(ONE)  # a run without interventions
    assert words not in said(replace(ONE, step=ONE.effect, step_low=1.0, step_high=9.0), weaker)


def test_nothing_found_is_no_proof():
    assert "no effect on tennis found at deep" in said(replace(ONE, **NOT_FOUND))
    assert "that is not proof that it does not matter" in said(replace(ONE, **NOT_FOUND))


def test_not_represented():
    sentence = said(replace(ONE, **NOT_REPRESENTED, **NOT_FOUND, region_auc=0.6, p_region=0.2))
    assert sentence == (
        "swing: its clips and random clips are not shown to differ along one direction at deep (mean CAV, flatten), so this CAV "
        "cannot say what it does to tennis."
    )


def test_represented_as_a_region_alone():
    region = replace(ONE, **NOT_REPRESENTED, **NOT_FOUND, region_auc=0.86, p_region=0.001)
    assert "along one direction at deep (mean CAV, flatten), but do as a region (AUC 0.86), so" in said(region)
    early = replace(region, layer="early", region_auc=0.7)
    assert "but do as a region (AUC 0.86 at deep)" in said(early, region)


def test_which_question_decided():
    class_clips = replace(ONE, **NOT_FOUND | {"p_perm": 0.0002, "p_t": 0.2})
    assert "the clips do differ for the response, p_perm < 0.001, but" in said(class_clips)
    assert "might not show it, p_t = 0.2)" in said(class_clips)
    clips = replace(ONE, **NOT_FOUND | {"p_perm": 0.2, "p_t": 0.003})
    assert "; p_perm = 0.2 decides: permuted labels give as much, though p_t = 0.003)" in said(clips)
    assert "decides" not in said(replace(ONE, **NOT_FOUND))
    assert "decides" not in said(replace(clips, significance="permutation"))


def test_a_found_effect_with_a_weak_cav_is_told_with_its_weakness():
    assert "raises tennis" in said(replace(ONE, represented=False))
    weak = said(replace(ONE, **NOT_REPRESENTED, region_auc=0.6, p_region=0.3))
    assert (
        "(a weak CAV: its clips and random clips are not shown to differ along one direction; look at the clips)"
        in weak
    )


def test_layers_that_disagree():
    both = said(ONE, replace(ONE, layer="early", effect=-1.0))
    assert "at 2 of 2 layers (the direction differs between layers), most at deep" in both


def test_relative_and_ttest():
    assert said(replace(ONE, versus="court")).startswith("swing rather than court: raises tennis")
    assert "t-test, anti-conservative, adjusted p" in said(replace(ONE, significance="ttest"))


@pytest.mark.parametrize(("p_value", "text"), [(0.0004, "< 0.001"), (0.012, "= 0.012")])
def test_small_p_values_are_not_zero(p_value, text):
    assert text in said(replace(ONE, p_adjusted=p_value))
