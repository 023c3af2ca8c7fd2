"""What a terminal or a log shows of hostile names."""

import io
import sys

import pytest
from rich.table import Table

from video_tcav.core.terminal import console, make_streams_lenient

HOSTILE = "a\x1b]0;title\x07\x9b31m\u202eb"


def test_prints_and_cells_show_controls(capsys):
    table = Table("name", title=HOSTILE)
    table.add_row(HOSTILE)
    console().print(HOSTILE, markup=False)
    console().print(table)
    console(error=True).print(HOSTILE)
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not set(text) & set("\x1b\x07\x9b\u202e")
    assert said.out.count(r"\x1b]0;title\x07\x9b31m\u202eb") == 3


@pytest.mark.parametrize("error", [False, True])
def test_no_line_becomes_a_workflow_command(capsys, error):
    screen = console(error=error, width=20)
    screen.print("a\n::error::x\n  ::stop-commands::y", markup=False)
    screen.print("x" * 20 + "::error::folded", markup=False)
    screen.print("twenty letters wide, ::error::wrapped", markup=False)
    said = capsys.readouterr()
    lines = (said.err if error else said.out).splitlines()
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert sum(line.lstrip().startswith(r"\::") for line in lines) == 4


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_any_encoding_prints_all(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    make_streams_lenient()
    console().print("• ✓ sw\udcff 走", markup=False)
    said = raw.getvalue().decode(encoding)
    assert r"\u2713 sw\udcff \u8d70" in said


def test_a_program_without_streams_prints_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    make_streams_lenient()
    console().print("nobody reads this")
