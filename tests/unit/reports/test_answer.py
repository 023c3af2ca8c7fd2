"""The answer at the head of a report: what was asked, what was found, how sure it is, and what was not shown."""

from dataclasses import replace

import pytest

from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.experiments import Outcome
from video_tcav.reports import RunView
from video_tcav.reports.run.answer import Answer, answer, deciding_p
from video_tcav.tcav.wording import odds_text

SAMPLE = Sample(concepts=("swing/static", "swing/dynamic", "court", "nothing"), shown=0, previews=0, twins=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), SAMPLE)


@pytest.fixture(scope="module")
def plain(run) -> Outcome:
    """A supported claim that `swing/dynamic` raises the class, by 3 log-odds."""
    return run.outcomes[0]


def answer_of(run, *outcomes: Outcome) -> Answer:
    return answer(RunView(run=replace(run, outcomes=outcomes)))


def found(run, *outcomes: Outcome) -> str:
    ((model, sentences),) = answer_of(run, *outcomes).findings
    assert model == "first net"
    return " ".join(sentences)


def test_it_asks_the_question_of_targets_models_and_concepts(run):
    asked = answer_of(run, *run.outcomes).asked
    assert asked == (
        "What raises “playing tennis” in the first net and second net: swing, court or nothing? "
        "4 claims were written down before the run."
    )


def test_effects_are_sentences_with_a_factor_of_the_odds(run, plain):
    assert found(run, plain) == "Swing (moving clips) raises “playing tennis”: it multiplies the odds by 20."
    lowers = replace(plain, concept="court", effect=-1.0, expect="negative")
    assert found(run, lowers) == "Court lowers “playing tennis”: it divides the odds by 2.7."


def test_a_concept_stands_before_its_motion(run, plain):
    motion = replace(
        plain, kind="motion_matters", effect=3.2, claim="the motion of swing/dynamic raises playing tennis"
    )
    expected = "Swing (moving clips) and its motion raise “playing tennis”: they multiply the odds by 20 and 25."
    assert found(run, motion, plain) == found(run, plain, motion) == expected


def test_a_concept_at_several_layers_is_said_once_with_its_largest_effect(run, plain):
    early = replace(plain, layer="stages.1", effect=1.0)
    assert found(run, early, plain) == found(run, plain)
    lowers = replace(plain, layer="stages.0", effect=-1.0, expect="negative")
    assert "lowers “playing tennis”: it divides the odds by 2.7" in found(run, plain, lowers)


def test_effects_that_are_doubted_are_named_in_the_answer(run, plain):
    doubted = replace(plain, concept="court", doubted=True)
    assert found(run, plain, doubted).endswith("Read the caution on court before you rely on this.")
    assert "caution" not in found(run, plain, replace(doubted, verdict="undecided"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"verdict": "contradicted", "effect": 0.1}, "Court does not matter for “playing tennis”."),
        ({"verdict": "contradicted", "effect": -2.0}, "Court lowers “playing tennis”: it divides the odds by 7.4."),
        ({"kind": "does_not_matter", "expect": "either", "effect": 0.1}, "Court does not matter for “playing tennis”."),
        (
            {"kind": "does_not_matter", "expect": "either", "verdict": "contradicted", "effect": 2.0},
            "Court raises “playing tennis”: it multiplies the odds by 7.4.",
        ),
        ({"kind": "more_than", "than": "nothing"}, "Court raises it more than nothing does."),
        (
            {"kind": "more_than", "than": "nothing", "verdict": "contradicted", "effect": -3.0},
            "Nothing raises it more than court does.",
        ),
        (
            {"kind": "more_than", "than": "nothing", "verdict": "contradicted", "effect": 0.1},
            "court and nothing move it to about the same degree.",
        ),
        ({"kind": "same_in", "expect": "either"}, "court counts as much in first net."),
        (
            {"kind": "same_in", "expect": "either", "verdict": "contradicted"},
            "court counts not as much in first net.",
        ),
    ],
)
def test_what_is_decided_is_said_whatever_was_claimed(run, plain, changes, sentence):
    assert found(run, replace(plain, **{"concept": "court", "margin": 0.5, **changes})) == sentence


def test_without_a_decision_it_says_so(run):
    undecided = run.outcomes[2]
    assert found(run, undecided) == "Nothing was decided: see what was not shown."
    assert not any("are decided" in sentence for sentence in answer_of(run, undecided).sure)


def test_it_names_what_is_open_and_counts_the_rest(run):
    undecided, absent = run.outcomes[2:]
    first, second, last = answer_of(run, undecided, absent).not_shown
    assert first.startswith("Undecided in the first net: swing/dynamic raises playing tennis. About 31 more clips")
    assert second.startswith(
        "Open in the first net, as the layer does not tell these clips from random ones: swing/dyn"
    )
    assert last.startswith("What editing a video would do.") and "layer stages.1" in last
    assert "2 more claims: see below." in answer_of(run, *[undecided] * 5).not_shown


def test_how_sure_it_is_has_the_weakest_p_the_sample_and_the_cautions(run, plain):
    weaker = replace(plain, p_adjusted=0.03)
    sentences = " ".join(answer_of(run, plain, weaker, run.outcomes[2]).sure)
    assert sentences.startswith("2 of 3 claims are decided, the weakest with adjusted p = 0.03.")
    assert "The smallest concept has 7 independent groups of clips, which is few." in sentences
    assert "Cautions: 1 warning; 2 concepts not represented; few groups; do not rely on the t-test." in sentences


def test_the_p_that_decided_is_that_of_the_claim(plain):
    p_values = {"p_adjusted": 0.01, "equivalence_p_adjusted": 0.02, "beyond_p_adjusted": 0.03}
    outcome = replace(plain, **p_values)
    assert deciding_p(outcome) == ("adjusted p", 0.01)
    nil = replace(outcome, kind="does_not_matter", expect="either", effect=0.1)
    assert deciding_p(nil) == ("equivalence p", 0.02)
    assert deciding_p(replace(nil, verdict="contradicted", effect=3.0)) == ("beyond p", 0.03)
    assert deciding_p(replace(outcome, verdict="contradicted", effect=0.1)) == ("equivalence p", 0.02)


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (2.39, "multiplies the odds by 11"),
        (-1.0, "divides the odds by 2.7"),
        (7.7, "multiplies the odds by 2,200"),
        (0.01, "leaves the odds as they are"),
        (-0.2, "divides the odds by 1.2"),
        (2.29, "multiplies the odds by 9.9"),
        (2.302, "multiplies the odds by 10"),
        (20.0, "multiplies the odds by more than a million"),
        (1e6, "multiplies the odds by more than a million"),
    ],
)
def test_an_effect_is_a_factor_of_the_odds(effect, text):
    assert odds_text(effect) == text
