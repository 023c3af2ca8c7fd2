"""How results look in a terminal."""

from dataclasses import replace

import pytest

import video_tcav as vt
from tests.unit.tcav.test_summaries import ONE
from video_tcav.cli import render


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "<0.0001"), (0.00009, "<0.0001"), (1 / 10_000, "0.0001"), (0.04, "0.0400"), (1.0, "1.0000")],
)
def test_a_tiny_p_is_not_zero(value, text):
    assert render.p_text(value) == text


def test_the_table_of_a_ttest_shows_no_p_of_zero(capsys):
    one = replace(ONE, significance="ttest", correction="bonferroni", p_value=0.0, p_adjusted=0.0)
    render.tcav_result(vt.TcavResult(results=(one,), skipped=(), warnings=(), provenance={}, seconds={}))
    said = capsys.readouterr().out
    assert "<0.0001*" in said
    assert " 0.0000" not in said
