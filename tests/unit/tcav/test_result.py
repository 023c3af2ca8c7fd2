"""A result as Python users and notebooks meet it."""

import math
from dataclasses import replace

import pytest

import video_tcav as vt
from tests.unit.tcav.test_summaries import NOT_FOUND, ONE


@pytest.fixture
def result() -> vt.TcavResult:
    absent = {"represented": False, **NOT_FOUND, "p_adjusted": 0.2345}
    rows = [
        replace(ONE, layer="early", effect=1.5),
        ONE,
        replace(ONE, twin="motion"),
        replace(ONE, concept="<b>", **absent),
    ]
    return vt.TcavResult.of_rows(rows, warnings=["Beware of <i>."])


def test_a_result_is_a_sequence_of_its_rows(result):
    assert (
        len(result) == 4 and result[0].layer == "early" and [row.concept for row in result] == ["swing"] * 3 + ["<b>"]
    )
    assert isinstance(result[1:3], vt.TcavResult) and [row.twin for row in result[1:3]] == ["none", "motion"]
    assert result[2:3].summary().startswith("Caution") and len(result[4:]) == 0
    assert repr(result) == "<TcavResult for 'tennis': 4 results, 2 concepts, 2 layers>"


def test_its_summary_is_what_the_command_line_says(result):
    assert result.summary().splitlines() == [*vt.sentences(result), "Caution: Beware of <i>."]
    assert repr(result.summary()) == str(result.summary())


def test_a_notebook_shows_sentences_the_strongest_layers_and_no_p_of_what_is_not_represented(result):
    html = result._repr_html_()
    assert html.index("raises tennis") < html.index("<table") < html.index("Beware of &lt;i&gt;")
    assert "early" not in html[html.index("<table") :] and html.count("<tr>") == 3
    assert "0.23" not in html and "+0.004" not in html and ">0.004<" in html
    assert "<b></" not in html and "&lt;b&gt;" in html


def test_a_plot_shows_each_concept_and_layer_with_its_interval(result):
    figure = result.plot()
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == ["swing", "<b>"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["early", "deep"]
    ends = {tuple(line.get_xdata()) for line in panels[0].lines if len(line.get_xdata()) == 2}
    assert (1.0, 3.0) in ends
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:2] == ["effect", "motion effect"] and "not represented" in legend
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_plot_of_one_layer_has_a_row_a_concept(result):
    figure = result[1:].plot()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["swing", "<b>"]
    assert math.isclose(figure.axes[0].get_ylim()[0], 1.5)
