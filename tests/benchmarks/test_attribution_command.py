"""`python -m benchmarks.attribution_table`, in this process: a small run, bad input."""

import json

import pandas as pd
import pytest
from benchmarks.attribution_table.__main__ import attribution

from tests.benchmarks.commands import benchmark_command


def test_a_small_run_says_where_maps_lie_and_writes_its_files(monkeypatch, capsys, tmp_path):
    code, out, _ = benchmark_command(
        *(monkeypatch, capsys, attribution, "--model", "rendered:r2plus1d-object", "--seed", 2),
        *("--method", "inputxgradient", "--method", "rollout", "--clips", 3, "--jobs", 1, "--out", tmp_path),
    )
    assert code == 0
    table = pd.read_csv(tmp_path / "attribution.csv")
    assert list(table["method"]) == ["truth", "frame difference", "centre", "edges", "inputxgradient", "rollout"]
    lines = {
        line.split()[-11] if "object" in line else line.split()[0]: line for line in out.splitlines() if "%" in line
    }
    assert f"object ({table['area'][0]:.0%})" in out
    assert f"{table['energy'][4]:.0%}" in lines["inputxgradient"]
    assert "! rollout:" in out
    assert json.loads((tmp_path / "attribution.json").read_text())["provenance"]["settings"] == {"clips": 3, "seed": 2}
    assert (tmp_path / "attribution.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "guess"], "`method` must be one of gradcam,"),
        (["--model", "torchvision:r3d_18"], "`model` must be one of rendered:r2plus1d-motion,"),
        (["--clips", "0"], "Invalid value for '--clips'"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path, arguments, message):
    code, _, err = benchmark_command(monkeypatch, capsys, attribution, "--out", tmp_path / "o", *arguments)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
