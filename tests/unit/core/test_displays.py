"""Displays of results in notebooks."""

from video_tcav.core.displays import MOST_ROWS, PlainText, html_heading, html_list, html_table


def test_every_text_is_escaped_and_on_one_line():
    attack = "<script>alert(1)</script>\n\x1b[31m&"
    for html in (html_table([attack], [[attack]]), html_heading(attack), html_list([attack], prefix="<b>")):
        assert "<script>" not in html and "<b>alert" not in html and "\x1b" not in html and "&lt;script&gt;" in html
        assert "&amp;" in html


def test_a_long_table_counts_what_it_leaves_out():
    html = html_table(["n"], [[str(number)] for number in range(MOST_ROWS + 5)], numbers=["n"])
    assert html.count("<tr>") == MOST_ROWS + 1 and "… and 5 more rows." in html
    assert "text-align:right" in html


def test_tables_have_no_colour_that_one_of_light_and_dark_pages_hides():
    html = html_table(["a"], [["b"]])
    assert "color:" not in html and "background" not in html


def test_plain_text_is_shown_with_its_lines():
    assert repr(PlainText("a\nb")) == "a\nb"
