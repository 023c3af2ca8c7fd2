"""What becomes of a hypothesis: the rules, one by one."""

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from video_tcav.experiments import annotations, write_junit
from video_tcav.experiments.evidence import Evidence, equivalence_p, groups_to_decide, standard_error, two_sided
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.verdicts import Outcome, decide

ABOUT = {"concept": "swing", "target": "tennis"}
MARGIN, LEVEL = 0.5, 0.05


def hypothesis(kind: str = "matters", expect: str = "positive", **about) -> Hypothesis:
    more = {"more_than": {"than": "court"}, "same_in": {"models": ["a", "b"]}}.get(kind, {})
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
    ("kind", "expect", "effect", "p", "q", "represented", "verdict"),
    [
        ("matters", "positive", 2.0, 0.01, 1.0, True, "supported"),
        ("matters", "positive", -2.0, 0.01, 1.0, True, "contradicted"),
        ("matters", "negative", -2.0, 0.01, 1.0, True, "supported"),
        ("matters", "negative", 2.0, 0.01, 1.0, True, "contradicted"),
        ("matters", "either", -2.0, 0.01, 1.0, True, "supported"),
        ("matters", "positive", 2.0, 0.06, 1.0, True, "undecided"),
        ("matters", "positive", 0.3, 0.01, 0.2, True, "undecided"),  # there, but perhaps too small to matter
        ("matters", "positive", 0.1, 0.01, 0.001, True, "contradicted"),  # there, and too small to matter
        ("matters", "positive", 0.1, 0.8, 0.001, True, "contradicted"),
        ("matters", "positive", 0.1, 0.8, 0.2, True, "undecided"),
        ("matters", "positive", 0.1, 0.8, 0.001, False, "not represented"),  # which is not "does not matter"
        ("matters", "positive", 2.0, 0.01, 1.0, False, "supported"),  # a weak CAV with a clear effect
        ("more_than", "positive", 2.0, 0.01, 1.0, True, "supported"),
        ("more_than", "positive", -2.0, 0.01, 1.0, True, "contradicted"),
        ("motion_matters", "positive", 2.0, 0.01, 1.0, True, "supported"),
        ("order_matters", "positive", 0.1, 0.9, 0.01, True, "contradicted"),
        ("does_not_matter", "positive", 0.1, 0.8, 0.01, True, "supported"),
        ("does_not_matter", "positive", 0.1, 0.001, 0.01, True, "supported"),  # there, but below the margin for sure
        ("does_not_matter", "positive", 2.0, 0.01, 1.0, True, "contradicted"),
        ("does_not_matter", "positive", -2.0, 0.01, 1.0, True, "contradicted"),
        ("does_not_matter", "positive", 0.1, 0.8, 0.2, True, "undecided"),
        ("does_not_matter", "positive", 0.1, 0.8, 0.01, False, "not represented"),
        ("same_in", "positive", 0.1, 0.8, 0.01, True, "supported"),
        ("same_in", "positive", -2.0, 0.01, 1.0, True, "contradicted"),
    ],
)
def test_the_rules(kind, expect, effect, p, q, represented, verdict):
    directed = "positive" if kind in ("does_not_matter", "same_in") else expect
    found, reason = decide(
        hypothesis(kind, directed), seen(effect, represented=represented), p, q, MARGIN, LEVEL, "log-odds"
    )
    assert found == verdict
    assert f"{effect:+.2f} log-odds" in reason


def test_equivalence_needs_the_whole_effect_below_the_margin():
    assert equivalence_p(0.0, 0.1, 19, 0.5) < 0.001
    assert equivalence_p(0.5, 0.1, 19, 0.5) == pytest.approx(0.5)
    assert equivalence_p(-0.5, 0.1, 19, 0.5) == pytest.approx(0.5)
    assert equivalence_p(0.9, 0.1, 19, 0.5) > 0.99
    assert equivalence_p(0.2, 0.0, 19, 0.5) > 0  # a p is never 0
    assert two_sided(1.0, 0.0, 19) > 0
    assert two_sided(0.0, 0.0, 19) == 1


def test_few_groups_make_the_standard_error_larger():
    import numpy as np

    draws = np.random.default_rng(0).normal(size=4000)
    assert standard_error(draws, 2) == pytest.approx(draws.std(ddof=1) * math.sqrt(2))
    assert standard_error(draws, 1000) == pytest.approx(draws.std(ddof=1), rel=1e-3)


def test_four_times_the_groups_for_half_the_effect_and_none_at_the_margin():
    sizes = [groups_to_decide(seen(effect), margin=0.01, level=LEVEL, power=0.8, tests=1) for effect in (0.2, 0.1)]
    assert sizes[1] == pytest.approx(4 * sizes[0], rel=0.03)
    assert groups_to_decide(seen(0.5), margin=0.5, level=LEVEL, power=0.8, tests=1) is not None
    assert groups_to_decide(seen(0.499999), margin=0.5, level=LEVEL, power=0.8, tests=1) > 10**5
    more = groups_to_decide(seen(0.2), margin=0.01, level=LEVEL, power=0.8, tests=10)
    assert more > sizes[0]  # a family shares the level


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
