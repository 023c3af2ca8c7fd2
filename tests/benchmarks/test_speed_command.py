"""`python -m benchmarks.speed` and the options of the passes, in this process: the table, bad input."""

import io

from benchmarks.speed.__main__ import _speeds, speed
from benchmarks.speed.row import SpeedRow
from benchmarks.speed.speed import Speed
from rich.console import Console

from tests.benchmarks.commands import benchmark_command
from tests.unit.cli.test_benchmark import command

ROW = {"model": "r3d_18 16×112×112", "clips": 100, "rounds": 3}
SPEED = Speed(
    rows=(
        SpeedRow(
            **ROW,
            part="passes",
            what="bfloat16",
            against="eager float32",
            seconds=1,
            against_seconds=2.25,
            effect_difference=0.004,
        ),
        SpeedRow(**ROW, part="end to end", what="passes", against="run", seconds=10, against_seconds=10.6, limit=1.1),
        SpeedRow(**ROW, part="end to end", what="passes", against="run", seconds=10, against_seconds=12.6, limit=1.1),
    ),
    provenance={},
)


def test_the_table_says_what_against_what_and_whether_a_limit_is_kept():
    console = Console(file=io.StringIO(), width=200)
    console.print(_speeds(SPEED))
    lines = console.file.getvalue().splitlines()  # pyright: ignore[reportAttributeAccessIssue]
    assert "bfloat16" in lines[1]
    assert {"2.25×", "4.0e-03", "100"} <= set(lines[1].split())
    assert "1.06× kept" in lines[2]
    assert "1.26× not kept" in lines[3]


def test_a_table_that_cannot_be_written_is_refused_before_anything_is_measured(monkeypatch, capsys, tmp_path):
    code, _, err = benchmark_command(monkeypatch, capsys, speed, "--quick", "--out", tmp_path)
    assert code == 2
    assert str(tmp_path.name) in err


def test_an_unknown_precision_is_refused(monkeypatch, capsys):
    code, _, err = command(
        *(monkeypatch, capsys, "test", "--model", "rendered:r2plus1d-motion", "--target", "0", "--concept", "a=b"),
        *("--random", "c", "--precision", "float16"),
    )
    assert code == 2
    assert "Invalid value for '--precision'" in err
