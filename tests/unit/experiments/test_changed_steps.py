"""Comparison of two runs: steps beside effects, and shares as shares."""

import math
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.unit.reports.sample_run import Sample, write_run
from tests.unit.reports.test_interventions_section import edited
from video_tcav.cli.app import app
from video_tcav.experiments import diff_runs

SMALL = Sample(
    models=("only",), concepts=("court", "nothing"), twins=False, tests=("studentised",), shown=0, previews=0
)


def run_with_step(folder, step: float, error: float = 0.3):
    low, high = step - 2 * error, step + 2 * error
    edits = (edited("step", effect=step, effect_low=low, effect_high=high, standard_error=error),)
    return write_run(folder, replace(SMALL, edits=edits, steps={"court": (step, low, high)}))


def test_a_changed_step_is_shown_where_the_effect_is_as_before(tmp_path):
    before, after = run_with_step(tmp_path / "before", 4.0), run_with_step(tmp_path / "after", -2.0)
    changes = diff_runs(before, after)
    (court,) = [row for row in changes.effects if math.isfinite(row.step_p_adjusted)]
    assert (court.concept, court.change, court.step_before, court.step_after) == ("court", 0.0, 4.0, -2.0)
    assert court.step_p_adjusted < 1e-4
    printed = CliRunner().invoke(app, ["diff", str(before.path), str(after.path)]).output
    assert "0 of 4 effects changed, and 1 of 1 steps" in printed
    assert "+4.0 → -2.0*" in printed


def test_steps_that_differ_by_less_than_their_errors_have_not_changed(tmp_path):
    before, after = run_with_step(tmp_path / "before", 4.0), run_with_step(tmp_path / "after", 3.8)
    (court,) = [row for row in diff_runs(before, after).effects if math.isfinite(row.step_p_adjusted)]
    assert court.step_p_adjusted == pytest.approx(0.65, abs=0.05)
    assert "0 of 1 steps" in CliRunner().invoke(app, ["diff", str(before.path), str(after.path)]).output


def test_runs_without_steps_say_nothing_of_them(tmp_path):
    before, after = write_run(tmp_path / "before", SMALL), run_with_step(tmp_path / "after", 3.8)
    assert all(math.isnan(row.step_p_adjusted) for row in diff_runs(before, after).effects)
    assert " steps" not in CliRunner().invoke(app, ["diff", str(before.path), str(after.path)]).output
