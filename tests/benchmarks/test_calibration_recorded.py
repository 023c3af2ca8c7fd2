"""Recorded models of `benchmarks.calibration`: own causes, a confounded pool, real clips; and its commands."""

import sys

import numpy as np
import pytest
from benchmarks.calibration.__main__ import app
from benchmarks.calibration.causes import cause_tables
from benchmarks.calibration.confounded import confounded_table, log_odds_of_pool
from benchmarks.calibration.real_clips import RealRecording, real_clips_table, record_real_clips
from benchmarks.calibration.rendered_recording import record_world
from typer.testing import CliRunner

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.gram.gram import Gram
from video_tcav.rendered import rule_of

MODEL = "rendered:r2plus1d-scene"


@pytest.fixture(scope="module")
def recording():
    return record_world(
        vt.load_model(MODEL, device="cpu"), rule_of("scene"), pool_clips=560, class_clips=4, seed=3, twins=False,
        targets=("playing tennis",),
    )  # fmt: skip


def test_own_causes_are_found_and_shifted_ones_are_not(recording):
    rows, gate = cause_tables([recording], draws=10, jobs=1)
    power = [row for row in rows if row.what == "power"]
    assert len(power) == 4
    assert all(row.both == 1 and row.wrong_sign == 0 for row in power)
    shifted = [row for row in rows if row.what == "shifted"]
    assert all(row.both < 0.3 for row in shifted)
    assert gate.represented < 0.3


def test_in_a_confounded_pool_baseline_and_effect_err_unless_the_cause_is_taken_out(recording):
    odds = log_odds_of_pool(vt.load_model(MODEL, device="cpu"), recording, "playing tennis")
    rows = confounded_table(recording, odds, (0.0, 0.1), draws=10)
    confounded = next(row for row in rows if row.correlation == 0.9 and not row.matched and row.at == "random")
    matched = next(row for row in rows if row.correlation == 0.9 and row.matched and row.at == "random")
    assert confounded.baseline > 5
    assert confounded.effect > 3
    assert abs(confounded.projected) < 0.5
    assert abs(matched.effect) < 1.5


def test_meaningless_groups_of_clips_are_split_by_group():
    generator = np.random.default_rng(0)
    rows, gradients = generator.standard_normal((48, 20)), generator.standard_normal((5, 20))
    recording = RealRecording(
        grams={"deep": Gram(kernel=rows @ rows.T, cross=gradients @ rows.T)},
        groups=tuple(f"p{i % 16}" for i in range(48)),
    )
    (row,) = real_clips_table(recording, draws=20)
    assert (row.concept_groups, row.random_groups) == (4, 12)
    assert row.both < 0.3
    few = RealRecording(grams=recording.grams, groups=tuple("abcdefgh" * 6))
    with pytest.raises(InputError, match="`clips` must come from at least 12 groups. Got 8"):
        real_clips_table(few, draws=1)


@pytest.mark.assets
def test_nothing_is_found_among_real_clips(assets):
    """Clips of people who walk or run, split by person, in a published network."""
    models = assets / "models" / "mini_r2plus1d"
    model = vt.load_model(
        f"file:{models / 'mini_r2plus1d.py'}:build",
        weights=models / "mini_r2plus1d_weizmann.safetensors",
        device="cpu",
    )
    clips = assets / "clips" / "weizmann"
    recording = record_real_clips(model, "wave2", str(clips / "[b-v]*" / "*.avi"), str(clips / "wave2"))
    assert len(recording.groups) > 60
    rows = real_clips_table(recording, draws=40)
    assert np.mean([row.both for row in rows]) < 0.15
    assert np.mean([row.represented for row in rows]) < 0.15


def test_designs_is_a_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["calibration"])
    ended = CliRunner().invoke(app, ["designs", "--sets", "1", "--jobs", "1", "--out", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "designs.md").read_text().startswith("### Designs")
    assert (tmp_path / "designs.png").stat().st_size > 20_000
