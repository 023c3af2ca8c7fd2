"""Benchmarks as commands, in this process."""

import pytest
from benchmarks.command import run


def benchmark_command(monkeypatch, capsys, function, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run(function)
    seen = capsys.readouterr()
    return ended.value.code, seen.out, seen.err
