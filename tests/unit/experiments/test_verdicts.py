"""What becomes of a hypothesis: the rules, one by one."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from video_tcav.experiments import annotations, write_junit
from video_tcav.experiments.decisions import PValues, claim_text, decide, unit_of
from video_tcav.experiments.evidence import Evidence, beyond_p, equivalence_p
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.outcome import Outcome
from video_tcav.experiments.sample_size import MOST_GROUPS, groups_to_decide
from video_tcav.experiments.verdicts import more_clips_text

ABOUT = {"concept": "swing", "target": "tennis"}
MARGIN, LEVEL = 0.5, 0.05


def hypothesis(kind: str = "matters", expect: str = "positive", **about) -> Hypothesis:
    more = {
        "more_than": {"than": "court"},
        "same_in": {"models": ["a", "b"]},
        "would_change": {"by": MARGIN},
        "needed": {"share": MARGIN},
        "carries": {"share": MARGIN, "part": "motion"},
    }.get(kind, {})
    return Hypothesis.model_validate({kind: ABOUT | more | about, "expect": expect})


def seen(effect: float, *, represented: bool = True, standard_error: float = 0.2) -> Evidence:
    return Evidence(
        effect=effect,
        low=effect - 0.4,
        high=effect + 0.4,
        standard_error=standard_error,
        freedom=19,
        p_value=0.5,
        represented=represented,
        concept_groups=20,
        concept_clips=40,
    )


@pytest.mark.parametrize(
    ("kind", "expect", "effect", "p_values", "represented", "verdict"),
    [
        # of no effect, of one as large as the margin, of one no larger than it
        ("matters", "positive", 2.0, (0.01, 1.0, 0.01), True, "supported"),
        (
            "matters",
            "positive",
            0.6,
            (0.01, 0.7, 0.3),
            True,
            "supported",
        ),  # an effect is shown, its size is an estimate
        ("matters", "positive", -2.0, (0.01, 1.0, 0.01), True, "contradicted"),
        ("matters", "negative", -2.0, (0.01, 1.0, 0.01), True, "supported"),
        ("matters", "negative", 2.0, (0.01, 1.0, 0.01), True, "contradicted"),
        ("matters", "either", -2.0, (0.01, 1.0, 0.01), True, "supported"),
        ("matters", "positive", 2.0, (0.06, 1.0, 0.2), True, "undecided"),
        ("matters", "positive", 0.3, (0.01, 0.2, 0.8), True, "undecided"),  # there, but perhaps too small to matter
        ("matters", "positive", 0.1, (0.01, 0.001, 1.0), True, "contradicted"),  # there, and too small to matter
        ("matters", "positive", 0.1, (0.8, 0.001, 1.0), True, "contradicted"),
        ("matters", "positive", 0.1, (0.8, 0.2, 0.8), True, "undecided"),
        ("matters", "positive", 0.1, (0.8, 0.001, 1.0), False, "not represented"),  # which is not "does not matter"
        ("matters", "positive", 2.0, (0.01, 1.0, 0.01), False, "supported"),  # a weak CAV with a clear effect
        ("more_than", "positive", 2.0, (0.01, 1.0, 0.01), True, "supported"),
        ("more_than", "positive", -2.0, (0.01, 1.0, 0.01), True, "contradicted"),
        ("motion_matters", "positive", 2.0, (0.01, 1.0, 0.01), True, "supported"),
        ("order_matters", "positive", 0.1, (0.9, 0.01, 1.0), True, "contradicted"),
        ("does_not_matter", "positive", 0.1, (0.8, 0.01, 1.0), True, "supported"),
        (
            "does_not_matter",
            "positive",
            0.1,
            (0.001, 0.01, 1.0),
            True,
            "supported",
        ),  # there, but below the margin for sure
        ("does_not_matter", "positive", 2.0, (0.01, 1.0, 0.01), True, "contradicted"),
        ("does_not_matter", "positive", -2.0, (0.01, 1.0, 0.01), True, "contradicted"),
        ("does_not_matter", "positive", 2.0, (0.01, 1.0, 0.01), False, "contradicted"),
        ("does_not_matter", "positive", 0.6, (0.001, 0.7, 0.3), True, "undecided"),  # estimated, not shown to be beyond
        ("does_not_matter", "positive", 0.1, (0.8, 0.2, 0.8), True, "undecided"),
        ("does_not_matter", "positive", 0.1, (0.8, 0.01, 1.0), False, "not represented"),
        ("same_in", "positive", 0.1, (0.8, 0.01, 1.0), True, "supported"),
        ("same_in", "positive", 0.6, (0.01, 0.7, 0.3), True, "undecided"),
        ("same_in", "positive", -2.0, (0.01, 1.0, 0.01), True, "contradicted"),
    ],
)
def test_the_rules(kind, expect, effect, p_values, represented, verdict):
    directed = "positive" if kind in ("does_not_matter", "same_in") else expect
    measured = seen(effect, represented=represented)
    word, reason = decide(
        hypothesis(kind, directed), measured, PValues(*p_values), margin=MARGIN, level=LEVEL, unit="log-odds"
    )
    assert word == verdict
    assert f"{effect:+.2f} log-odds" in reason


@pytest.mark.parametrize(
    ("expect", "effect", "p_values", "words"),
    [
        (
            "positive",
            2.0,
            (0.01, 1.0, 0.01),
            "the effect in the claimed direction is shown.*larger than the margin of 0.5, too",
        ),
        (
            "positive",
            0.6,
            (0.01, 0.7, 0.3),
            "estimate is at least the margin of 0.5; that it is itself so large is not shown",
        ),
        ("positive", -0.6, (0.01, 0.7, 0.3), "in the opposite direction is shown"),
        ("positive", 0.3, (0.01, 0.2, 0.8), "estimate is below the margin of 0.5, but .*so small is not shown"),
        ("either", 0.2, (0.4, 0.2, 0.8), "that there is one is not shown .*nor that it is smaller"),
    ],
)
def test_reasons_say_what_is_shown_and_what_is_not(expect, effect, p_values, words):
    _, reason = decide(
        hypothesis("matters", expect), seen(effect), PValues(*p_values), margin=MARGIN, level=LEVEL, unit="log-odds"
    )
    assert re.search(words, reason)


@pytest.mark.parametrize(
    ("kind", "changes", "effect", "p_values", "verdict", "words"),
    [
        ("would_change", {}, 2.0, (0.01, 1.0, 0.01), "supported", "clamp effect in the claimed direction is shown"),
        ("would_change", {}, 2.0, (0.01, 1.0, 0.01), "supported", "larger than the claimed size of 0.5, too"),
        ("would_change", {}, -2.0, (0.01, 1.0, 0.01), "contradicted", "in the opposite direction is shown"),
        ("would_change", {"by": -0.5}, -2.0, (0.01, 1.0, 0.01), "supported", "in the claimed direction is shown"),
        ("would_change", {"by": -0.5}, 2.0, (0.01, 1.0, 0.01), "contradicted", "in the opposite direction is shown"),
        ("would_change", {"expect": "either"}, -2.0, (0.01, 1.0, 0.01), "supported", "the clamp effect is shown"),
        ("would_change", {}, 0.4, (0.01, 0.4, 0.8), "undecided", "estimate is below the claimed size of 0.5"),
        ("needed", {}, 0.6, (0.01, 0.8, 0.2), "supported", "is shown to be more than along CAVs of permuted labels: 60% "),
        ("needed", {}, 0.6, (0.01, 0.8, 0.2), "supported", "estimate is at least the claimed share of 50%; that it is itself"),
        ("needed", {}, 0.6, (0.2, 0.8, 0.2), "undecided", "it is more than along CAVs of permuted labels is not shown"),
        ("needed", {}, 0.1, (0.2, 0.01, 1.0), "contradicted", "smaller than the claimed share of 50%: 10% of the class"),
        ("carries", {}, 0.8, (0.01, 1.0, 0.01), "supported", "to be more than nothing: 80% of what frozen class clips lose"),
        ("carries", {"part": "order"}, 0.1, (0.4, 0.01, 1.0), "contradicted", "10% of what reversed class clips lose"),
        ("carries", {}, -0.8, (0.01, 1.0, 0.01), "contradicted", "-80% of what frozen"),
    ],
)  # fmt: skip
def test_claims_about_interventions(kind, changes, effect, p_values, verdict, words):
    expect = changes.pop("expect", "positive") if "expect" in changes else "positive"
    claim = hypothesis(kind, expect, **changes)
    assert claim.stated_size == MARGIN
    word, reason = decide(
        claim, seen(effect), PValues(*p_values), margin=MARGIN, level=LEVEL, unit=unit_of(claim, "log_odds")
    )
    assert word == verdict
    assert words in reason


@pytest.mark.parametrize(
    ("kind", "changes", "claim"),
    [
        ("would_change", {}, "having swing raises tennis by 0.5 log-odds or more"),
        ("would_change", {"by": -0.5}, "having swing lowers tennis by 0.5 log-odds or more"),
        ("needed", {}, "without swing, 50% or more of the clips of tennis get another first class"),
        ("carries", {}, "50% or more of what frozen clips of tennis lose goes through swing"),
    ],
)
def test_the_claim_in_words(kind, changes, claim):
    assert claim_text(hypothesis(kind, **changes), margin=MARGIN, against="log_odds") == claim


def test_equivalence_needs_the_whole_effect_below_the_margin():
    assert equivalence_p(0.0, 0.1, 19, 0.5) < 0.001
    assert equivalence_p(0.5, 0.1, 19, 0.5) == pytest.approx(0.5)
    assert equivalence_p(-0.5, 0.1, 19, 0.5) == pytest.approx(0.5)
    assert equivalence_p(0.9, 0.1, 19, 0.5) > 0.99
    assert equivalence_p(0.2, 0.0, 19, 0.5) > 0  # a p is never 0


@pytest.mark.parametrize("effect", [-0.9, -0.5, 0.2, 0.7])
def test_beyond_the_margin_is_the_opposite_question(effect):
    assert beyond_p(effect, 0.1, 19, 0.5) == pytest.approx(1 - equivalence_p(effect, 0.1, 19, 0.5))


def needed(effect: float, *, claims_nil: bool = False, **settings) -> int | None:
    usual = {"margin": MARGIN, "level": LEVEL, "power": 0.8, "tests": 1}
    return groups_to_decide(seen(effect), claims_nil=claims_nil, **(usual | settings))


def test_more_groups_are_needed_near_the_margin_in_large_families_and_for_more_certainty():
    assert needed(0.2) < needed(0.35) < needed(0.5)
    assert needed(0.2) == needed(-0.2)
    assert needed(0.2, tests=10) > needed(0.2)
    assert needed(0.2, power=0.9) > needed(0.2)
    assert needed(0.5, claims_nil=True) > needed(0.5)  # an effect at the margin is not below it, nor beyond it
    assert needed(0.5, claims_nil=True, power=0.99) is None  # more than `MOST_GROUPS`
    assert needed(0.5, claims_nil=True) < MOST_GROUPS


OUTCOME = Outcome(
    number=1,
    line=12,
    name="the court, which must not count: 100%",
    claim="court does not matter",
    kind="does_not_matter",
    verdict="contradicted",
    reason="the effect is +9.00 log-odds\nand so on",
    model="m",
    target="tennis",
    concept="court",
    than="",
    layer="stages.3",
    expect="positive",
    margin=0.5,
    effect=9.0,
    effect_low=8.0,
    effect_high=10.0,
    standard_error=0.5,
    p_value=0.001,
    p_adjusted=0.002,
    equivalence_p=1.0,
    equivalence_p_adjusted=1.0,
    represented=True,
    concept_clips=20,
    more_clips=None,
    family="all",
)


def test_more_clips_must_be_of_more_groups():
    of_two_clips_each = seen(0.4)
    assert more_clips_text(of_two_clips_each, 6, 0.8).startswith(
        "6 more clips of the concept from 3 more groups, and as many"
    )
    assert more_clips_text(of_two_clips_each, 1, 0.8).startswith("1 more clips of the concept from 1 more group, and")
    of_one_clip_each = replace(of_two_clips_each, concept_clips=20)
    assert more_clips_text(of_one_clip_each, 6, 0.8).startswith(
        "6 more clips of the concept, and as many more of the others"
    )


def test_annotations_stand_at_the_line_and_supported_ones_say_nothing():
    others = [replace(OUTCOME, verdict=word) for word in ("supported", "undecided", "not represented")]
    found = annotations([OUTCOME, *others], "audit/tennis,1.yaml")
    assert [one.split(" ")[0] for one in found] == ["::error", "::warning", "::warning"]
    assert found[0].startswith("::error file=audit/tennis%2C1.yaml,line=12,title=contradicted%3A the court%2C which")
    assert all("\n" not in one for one in found)
    assert "100%25" in found[0]


def test_junit_fails_what_is_contradicted_and_skips_what_is_open(tmp_path):
    others = [replace(OUTCOME, verdict=word, name=f"a\x07{word}") for word in ("supported", "undecided")]
    path = write_junit([OUTCOME, *others], tmp_path / "junit.xml", suite="an <audit>")
    root = ElementTree.parse(path).getroot()
    assert root.attrib == {"tests": "3", "failures": "1", "skipped": "1", "errors": "0"}
    cases = root.findall("./testsuite/testcase")
    assert [[child.tag for child in case] for case in cases] == [["failure"], [], ["skipped"]]
    assert cases[0].attrib["name"] == OUTCOME.name
