"""Tables of results in a terminal."""

from dataclasses import replace

import video_tcav as vt
from tests.unit.tcav.test_summaries import ONE
from video_tcav.cli import render


def printed(capsys, *rows: vt.ConceptResult) -> str:
    render.tcav_result(vt.TcavResult.of_rows(rows))
    return capsys.readouterr().out


def test_the_table_of_a_ttest_shows_no_p_of_zero(capsys):
    text = printed(capsys, replace(ONE, significance="ttest", correction="bonferroni", p_value=0.0, p_adjusted=0.0))
    assert " < 0.001* " in text and "adjusted p < 0.001" in text
    assert " 0.0000" not in text and " 0* " not in text


def test_a_p_stands_with_its_family_and_a_cav_with_its_auc(capsys):
    text = printed(capsys, ONE, replace(ONE, layer="early", represented=False, p_adjusted=0.3, cav_auc=0.52))
    assert " tests " in text and " AUC" in text and "0.52 (not represented)" in text
    assert "no error bar" in text and "accuracy" not in text
    region = replace(ONE, represented=False, p_adjusted=0.3, cav_auc=0.52, region_auc=0.86, p_region=0.01)
    assert "0.52 (as a region 0.86)" in printed(capsys, region)


def test_a_comparison_is_named_alike_in_the_table_and_the_sentence(capsys):
    text = printed(capsys, replace(ONE, versus="court"))
    assert text.count("swing rather than court") == 3 and " vs " not in text
    assert "60 court clips" in text


def test_layers_lose_the_prefix_that_all_share():
    short = render.without_common_prefix(["net.blocks.1.mlp", "net.blocks.2.mlp", "net.blocks.2.mlp"])
    assert short == {"net.blocks.1.mlp": "…1.mlp", "net.blocks.2.mlp": "…2.mlp"}
    assert render.without_common_prefix(["net.blocks.1"]) == {"net.blocks.1": "…blocks.1"}
    assert render.without_common_prefix(["stem", "net.blocks.1"]) == {"stem": "stem", "net.blocks.1": "net.blocks.1"}
