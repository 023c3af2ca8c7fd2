"""Texts and tables in a terminal."""

import pytest

from video_tcav.cli import render


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(render.out, "width", 40)


def test_layers_lose_the_prefix_that_all_share():
    short = render.without_common_prefix(["net.blocks.1.mlp", "net.blocks.2.mlp", "net.blocks.2.mlp"])
    assert short == {"net.blocks.1.mlp": "…1.mlp", "net.blocks.2.mlp": "…2.mlp"}
    assert render.without_common_prefix(["net.blocks.1"]) == {"net.blocks.1": "…blocks.1"}
    assert render.without_common_prefix(["stem", "net.blocks.1"]) == {"stem": "stem", "net.blocks.1": "net.blocks.1"}


def test_a_paragraph_is_never_broken_inside_of_an_interval_a_p_or_a_count(capsys, narrow):
    render.paragraph(
        "It raises the class by +16.67 log-odds [+13.49, +19.88], adjusted p = 0.003 (of 30 tests)", bullet="• "
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(len(line) <= 40 for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])
    for unbroken in ("[+13.49, +19.88]", "p = 0.003", "of 30 tests", "+16.67 log-odds"):
        assert any(unbroken in line for line in lines), unbroken


def test_a_paragraph_stays_on_one_line_in_a_file_of_no_known_width(capsys, monkeypatch):
    monkeypatch.setattr(render.out, "width", render.PLAIN_WIDTH)
    render.paragraph("word " * 100, bullet="! ")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_numbers_of_a_table_are_not_broken_where_names_are(capsys, narrow):
    table = render.table("a name", "shape", "sum", numbers=("sum", "mean"), unbroken=("shape",))
    table.add_row("one name of several words", "1 × 16 × 2", "+1.00", "-2.50 ± 0.25")
    render.out.print(table)
    text = capsys.readouterr().out
    assert "1 × 16 × 2" in text and "+1.00" in text and "-2.50 ± 0.25" in text
    assert max(map(len, text.splitlines())) <= 40


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("a/b/c/d/e.mp4", "…/c/d/e.mp4"),
        ("e.mp4", "e.mp4"),
        (f"a/{'b' * 40}/c/e.mp4", "…/c/e.mp4"),
        (f"a/b/{'c' * 50}.mp4", f"…{'c' * 31}.mp4"),
    ],
)
def test_a_path_keeps_its_end(path, short):
    assert render.shortened(path) == short
