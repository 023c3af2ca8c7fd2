"""What `test` prints: sentences, one row a concept, and with --all every layer and twin."""

import math
from dataclasses import fields, replace

import pytest

import video_tcav as vt
from tests.unit.tcav.test_summaries import NOT_FOUND, ONE
from video_tcav.cli import render
from video_tcav.cli.effect_table import bars, print_result
from video_tcav.tcav.interventions.effects import InterventionEffect


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


STEP = {"step": 2.4, "step_low": 1.5, "step_high": 3.1}


def test_a_step_stands_beside_the_effect_and_is_marked_where_it_differs(capsys):
    agreeing, shallow = replace(ONE, **STEP), replace(ONE, layer="early", effect=0.5)
    opposite = replace(ONE, concept="court", step=-1.2, step_low=-2.0, step_high=-0.4)
    text = printed(capsys, agreeing, shallow, opposite)
    header, *rows = (line for line in text.splitlines() if line.startswith(("concept ", "swing ", "court ")))
    assert header.split()[-1] == "step"
    assert rows[0].rstrip().endswith("+2.40") and rows[1].endswith("-1.20≠")
    assert "≠ another sign" in " ".join(text.split())
    every = printed(capsys, agreeing, shallow, every=True)
    (early,) = (line for line in every.splitlines() if "early" in line and line.startswith("—"))
    assert " – " in early and "≠" not in every
    assert "step" not in printed(capsys, ONE)
    assert "step: what a whole step along the CAV does" in " ".join(text.split())
    at_random = printed(capsys, replace(agreeing, step_at="random"))
    assert "step: what a whole step at random clips along the CAV does" in " ".join(at_random.split())


def edited(operation: str, **changes) -> InterventionEffect:
    numbers = dict.fromkeys((field.name for field in fields(InterventionEffect)), math.nan)
    about = {"concept": "swing", "versus": "random", "twin": "none", "layer": "deep", "operation": operation}
    size = {"effect": 2.0, "effect_low": 1.0, "effect_high": 3.0, "p_value": 0.005}
    return InterventionEffect(**{**numbers, **about, **size, **changes})


def test_other_operations_have_a_table_where_they_were_made(capsys):
    effects = (
        edited("step"),
        edited("clamp", layer="early", effect=8.0),
        edited("clamp"),
        edited("clamp", twin="motion", effect=7.0),
        edited("remove", changed=0.625, p_value=math.nan),
        edited("restore", effect=0.72, effect_low=0.5, effect_high=0.9),
        edited("restore", twin="order", effect=0.31, effect_low=-0.1, effect_high=0.7),
    )
    result = replace(vt.TcavResult.of_rows([replace(ONE, **STEP)]), interventions=effects)
    print_result(result, every=False)
    text = capsys.readouterr().out
    table = text[text.index("What would it say?") :]
    lines = [" ".join(line.split()) for line in table.splitlines() if line.startswith("swing")]
    assert lines == [
        "swing clamp +2.00 [+1.00, +3.00] 0.005",
        "swing remove +2.00 [+1.00, +3.00] – 62% change class",
        "swing restore +72% [+50%, +90%] 0.005 of frozen",
        "swing restore +31% [-10%, +70%] 0.005 of reversed",
    ]
    print_result(result, every=True)
    assert "+8.00" in capsys.readouterr().out
    assert "What would it say?" not in printed(capsys, replace(ONE, **STEP))


def test_eighty_columns_break_no_usual_name(capsys, monkeypatch):
    monkeypatch.setattr(render.out, "width", 80)
    usual = replace(
        ONE, concept="moves-right", layer="stages.2", effect=16.67, effect_low=13.49, effect_high=19.88,
        **{"step": 16.74, "step_low": 13.36, "step_high": 20.17},
    )  # fmt: skip
    rows = [usual, replace(usual, layer="stages.1"), replace(usual, concept="green", represented=False, **NOT_FOUND)]
    text = printed(capsys, *rows)
    (line,) = (line for line in text.splitlines() if line.startswith("moves-right "))
    assert "stages.2" in line and "[+13.49, +19.88]" in line and "+16.74" in line
    (line,) = (
        line for line in printed(capsys, *rows, every=True).splitlines() if line.startswith("—") and "stages.1" in line
    )
    assert f"{ONE.cav_auc:.2f}" in line


@pytest.mark.parametrize("every", [False, True])
def test_eighty_columns_break_no_number(capsys, monkeypatch, every):
    monkeypatch.setattr(render.out, "width", 80)
    long = replace(
        ONE, concept="a concept with a long name", layer="encoder.blocks.11.mlp", effect=123.45, effect_low=-100.25,
        effect_high=1150.75, versus="another long name", step=-123.45, step_low=-200.0, step_high=-100.0,
    )  # fmt: skip
    text = printed(capsys, ONE, long, replace(long, layer="encoder.blocks.3.mlp", effect=-12.0), every=every)
    assert "-123.45≠" in text
    if every:  # no column is left out for want of room
        assert text.count(f"{ONE.cav_auc:.2f}") == 3
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
