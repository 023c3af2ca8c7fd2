"""`python -m benchmarks.calibration`, in this process: a small run, bad input."""

from benchmarks.calibration.__main__ import calibration

from tests.benchmarks.commands import benchmark_command


def test_a_calibration_of_one_model_says_what_was_kept(monkeypatch, capsys, tmp_path):
    code, out, _ = benchmark_command(
        *(monkeypatch, capsys, calibration, "--model", "rendered:r2plus1d-scene", "--cav", "mean"),
        *("--draws", 20, "--jobs", 1, "--out", tmp_path),
    )
    assert code == 0
    assert "power at 40 clips" in out
    assert (tmp_path / "calibration.png").stat().st_size > 20_000
    assert (tmp_path / "calibration.json").is_file()


def test_a_model_without_a_known_cause_is_refused(monkeypatch, capsys, tmp_path):
    code, _, err = benchmark_command(
        monkeypatch, capsys, calibration, "--model", "torchvision:r3d_18", "--out", tmp_path
    )
    assert code == 2
    assert "must be one of the rendered world" in err
