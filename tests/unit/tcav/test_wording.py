"""Figures are printed by one module."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

import video_tcav
from tests.unit.tcav.test_summaries import ONE
from video_tcav.tcav.wording import (
    comparison_name,
    effect_text,
    effect_with_p,
    interval,
    p_equals,
    p_text,
    percent,
    signed,
    units,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.4, "0.4"), (0.0999, "0.1"), (0.04, "0.04"), (0.00161, "0.0016"), (0.001, "0.001"),
     (0.000999, "< 0.001"), (0.0, "< 0.001")],
)  # fmt: skip
def test_a_p_value_has_two_digits_and_is_never_zero(value, text):
    assert p_text(value) == text
    assert p_equals(value) == (text if text.startswith("<") else f"= {text}")


def test_a_p_value_that_was_not_computed_is_no_small_one():
    assert p_text(math.nan) == p_equals(math.nan) == "–"


def test_numbers_of_pages():
    assert [signed(value) for value in (1, -0.5, -0.001, 0)] == ["+1.00", "−0.50", "0.00", "0.00"]
    assert signed(12.34, 1) == "+12.3"
    assert interval(-1, 2) == "−1.00 to +2.00"
    assert [percent(0.5), percent(0.055, 1), percent(float("nan"))] == ["50\xa0%", "5.5\xa0%", "–"]


def test_small_effects_have_the_decimals_that_they_need():
    tiny = replace(ONE, effect=0.00012, effect_low=-0.00001, effect_high=0.00034)
    assert effect_text(ONE) == ("+2.00", "[+1.00, +3.00]")
    assert effect_text(tiny) == ("+0.00012", "[-0.00001, +0.00034]")
    assert effect_text(replace(ONE, effect=0.0, effect_low=0.0, effect_high=0.0))[0] == "+0.00"


def test_an_effect_has_its_unit_and_p():
    assert effect_with_p(ONE) == "+2.00 log-odds [+1.00, +3.00], adjusted p = 0.004 (of 6 tests)"
    assert effect_with_p(replace(ONE, correction="none")).endswith("], p = 0.004 (of 6 tests, uncorrected)")
    assert effect_with_p(replace(ONE, family_size=1)).endswith("], p = 0.004")
    assert [units(against) for against in ("log_odds", "number", "logit")] == [
        "log-odds",
        "units of the output",
        "logits",
    ]


def test_comparisons_are_rather_than():
    assert comparison_name("swing", "random") == "swing"
    assert comparison_name("swing", "court") == "swing rather than court"


def test_no_other_module_prints_comparisons_or_p_values():
    package = Path(video_tcav.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"\} vs \{|p_(value|adjusted):[.\d]+[gf]", text), path
        assert path.name == "wording.py" or "< 0.001" not in text, path
    for script in (package / "studio" / "static").glob("*.js"):  # the studio is sent words
        assert "< 0.001" not in script.read_text(), script
