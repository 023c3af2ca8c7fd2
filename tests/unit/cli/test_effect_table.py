"""What `test` prints: sentences, one row a concept, and with --all every layer and twin."""

from dataclasses import replace

import pytest

import video_tcav as vt
from tests.unit.tcav.test_summaries import NOT_FOUND, ONE
from video_tcav.cli import render
from video_tcav.cli.effect_table import bars, print_result


def printed(capsys, *rows: vt.ConceptResult, every: bool = False) -> str:
    print_result(vt.TcavResult.of_rows(rows), every=every)
    return capsys.readouterr().out


def test_a_p_of_zero_is_printed_as_a_bound(capsys):
    text = printed(capsys, replace(ONE, significance="ttest", correction="bonferroni", p_value=0.0, p_adjusted=0.0))
    assert " < 0.001*" in text and "adjusted p < 0.001" in text
    assert " 0.0000" not in text and " 0* " not in text


def test_sentences_come_first_and_a_concept_has_the_row_of_its_strongest_layer(capsys):
    rows = [ONE, replace(ONE, layer="early", effect=9.0, represented=True, p_adjusted=0.4), replace(ONE, twin="motion")]
    text = printed(capsys, *rows)
    assert text.startswith("• swing: raises tennis")
    table = text[text.index("Effects on tennis") :]
    assert "deep" in table and "early" not in table and "motion" not in table
    assert "--all prints 2 more rows" in " ".join(text.split())


def test_all_prints_every_layer_and_twin_with_spread_and_auc(capsys):
    region = replace(ONE, layer="middle", represented=False, p_adjusted=0.3, region_auc=0.86, p_region=0.01)
    weak = replace(ONE, layer="early", represented=False, cav_auc=0.52)
    text = printed(capsys, ONE, region, weak, replace(ONE, twin="motion"), every=True)
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("—")}
    assert "1.00 ± 0.00" in rows["deep"] and "0.004*" in rows["deep"]
    assert "region" in rows["middle"] and "0.004*†" in rows["early"] and "0.52" in rows["early"]
    assert "no error bar" in text and "weak CAV" in text and "motion" in text and "--all" not in text


def test_what_is_not_represented_has_no_p_and_no_bar(capsys):
    absent = replace(ONE, concept="court", represented=False, **NOT_FOUND)
    text = printed(capsys, ONE, absent)
    (line,) = (line for line in text.splitlines() if line.startswith("court "))
    assert "not represented" in line and "0.6" not in line and "━" not in line
    assert "–: not represented" in text


@pytest.mark.parametrize("every", [False, True])
def test_eighty_columns_break_no_number(capsys, monkeypatch, every):
    monkeypatch.setattr(render.out, "width", 80)
    long = replace(
        ONE, concept="a concept with a long name", layer="encoder.blocks.11.mlp", effect=123.45, effect_low=-100.25,
        effect_high=1150.75, versus="another long name",
    )  # fmt: skip
    text = printed(capsys, ONE, long, replace(long, layer="encoder.blocks.3.mlp", effect=-12.0), every=every)
    assert max(map(len, text.splitlines())) <= 80
    assert "+123.45" in text and text.count("[-100.25, +1150.75]") >= 2


def test_a_comparison_is_named_alike_in_the_table_and_the_sentence(capsys):
    text = printed(capsys, replace(ONE, versus="court"))
    assert text.count("swing rather than court") == 3 and " vs " not in text
    assert "60 court clips" in text


def test_bars_have_one_scale_and_one_zero():
    assert bars([4.0, 2.0, 0.0], cells=4) == ["━━━━", "━━  ", "    "]
    assert bars([-4.0, -1.0], cells=4) == ["━━━━", "   ━"]
    assert bars([3.0, -1.0, 1.0], cells=8) == ["  ━━━━━━", "━━      ", "  ━━    "]
    # however small, a bar stands on its side
    assert bars([1000.0, -1e-9], cells=4) == [" ━━━", "━   "]
