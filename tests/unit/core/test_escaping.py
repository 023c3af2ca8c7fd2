"""Names are text everywhere, and text is never obeyed."""

import csv
import io
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_tcav.core.escaping import (
    from_spreadsheet_cell,
    one_line,
    printable,
    spreadsheet_cell,
    well_formed,
    workflow_message,
    workflow_property,
    xml_text,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=30)  # lone surrogates too
BYTES_OF_NAMES = [b"sw\xff", b"\x80", b"caf\xe9", b"ok"]


@given(ANY_TEXT)
def test_all_text_can_be_written_and_whole_text_stays(text):
    written = well_formed(text)
    written.encode("utf-8")
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert written == text


def test_no_two_names_become_one():
    names = [name.decode("utf-8", "surrogateescape") for name in BYTES_OF_NAMES]
    assert len({well_formed(name) for name in names}) == len(names)


@given(ANY_TEXT)
def test_a_terminal_gets_no_control(text):
    for safe in (printable(text), one_line(text)):
        assert not any((ord(letter) < 32 and letter not in "\n\t") or 0x7F <= ord(letter) < 0xA0 for letter in safe)
        assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    assert not set(one_line(text)) & set("\n\r\t")


@pytest.mark.parametrize(
    "text",
    ["::error::x", "  ::error::x", "a\n::stop-commands::x", "a\r\n ::add-mask::x", "a\u2028::error::x", "a ##[error]b"],
)
def test_no_line_is_a_workflow_command(text):
    assert not one_line(text).lstrip().startswith("::")
    assert "##[" not in one_line(text)
    assert "\n" not in one_line(text)
    assert r"\n" in one_line(text) or "\n" not in text


@pytest.mark.parametrize("text", ["BANK::swing", "clips/a.csv::swing", "swing", "log_odds: +1.5", "größer", "走る"])
def test_what_is_harmless_stays(text):
    assert one_line(text) == printable(text) == xml_text(text) == spreadsheet_cell(text) == text


def test_a_workflow_command_cannot_be_left():
    assert workflow_message("50%\r\n::error::x\udcff") == r"50%25%0D%0A::error::x\udcff"
    assert workflow_property("a,b:c\n") == "a%2Cb%3Ac%0A"


@given(ANY_TEXT)
def test_xml_can_be_read(text):
    element = ElementTree.Element("a", {"b": xml_text(text)})
    element.text = xml_text(text)
    ElementTree.fromstring(ElementTree.tostring(element))


@pytest.mark.parametrize("text", ["=1+1", "+x", "-cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "-", "=HYPERLINK(1)"])
def test_a_cell_is_no_formula(text):
    assert spreadsheet_cell(text) == f"'{text}"
    assert from_spreadsheet_cell(spreadsheet_cell(text)) == text


@pytest.mark.parametrize("text", ["-0.5", "+1e-3", "-inf", "12"])
def test_numbers_stay_numbers(text):
    assert spreadsheet_cell(text) == from_spreadsheet_cell(text) == text


@given(st.text(max_size=20))
def test_a_cell_comes_back(text):
    if not text.startswith("'"):
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerow([spreadsheet_cell(text)])
        [cell] = next(csv.reader(io.StringIO(buffer.getvalue(), newline="")), [""]) or [""]
        assert from_spreadsheet_cell(cell) == text
