import xml.etree.ElementTree as ElementTree

import pytest

from video_tcav.reports import chart_svg
from video_tcav.reports.charts import INK, SERIES, Interval, chart_style, draw_interval, panels


def drawn(words: str, *, name: str = "chart") -> str:
    with chart_style():
        figure, (axes,) = panels()
        draw_interval(axes, Interval(value=1.0, low=0.5, high=1.5), 0, SERIES[0])
        axes.annotate(words, (1.0, 0.0), color=INK)
    return str(chart_svg(figure, name=name, label="a point & its interval"))


@pytest.mark.parametrize("words", ["plain", "$a_1$ and $b", "x < y > z & 'w' \"v\"", "0.1234567", "漢字"])
def test_text_stays_as_it_was(words):
    texts = [element.text for element in ElementTree.fromstring(drawn(words)).iter("text")]
    assert words in texts


def test_its_label_is_escaped():
    assert ElementTree.fromstring(drawn("a")).attrib["aria-label"] == "a point & its interval"


def test_colours_and_font_are_the_page_s_and_nothing_else_is_left():
    text = drawn("a")
    assert "currentColor" in text and "var(--series-0)" in text
    assert not any(left in text for left in ("<style", "<metadata", "http", "font-family", SERIES[0].colour, INK))


def test_two_charts_in_one_page_share_no_names():
    names = []
    for chart in ("first", "second"):
        names += [
            one.attrib["id"] for one in ElementTree.fromstring(drawn("a", name=chart)).iter() if "id" in one.attrib
        ]
    assert names and len(names) == len(set(names))


def test_the_same_chart_is_the_same_text():
    assert drawn("a") == drawn("a")
