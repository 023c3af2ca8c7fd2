"""A whole experiment: verdicts equal the planted truth, and a run directory that survives what happens to it."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import video_tcav as vt
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError, OutputError
from video_tcav.experiments import Run, diff_runs, load_run, run_experiment
from video_tcav.experiments.analyses import load_analysis
from video_tcav.experiments.digests import seal
from video_tcav.experiments.evidence import evidence
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.resampling import BootstrapT

FLIPPED = """\
hypotheses:
  - more_than: {concept: court, than: swing, target: playing tennis}
  - does_not_matter: {concept: swing, target: playing tennis}
  - matters: {concept: swing, target: playing tennis}
    expect: negative
  - motion_matters: {concept: court, target: playing tennis}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return run_experiment(write(folder), out=folder / "run")


@pytest.fixture(scope="module")
def flipped(folder) -> Run:
    other = folder / "flipped"
    other.mkdir()
    return run_experiment(write(other, SMALL.partition("hypotheses:")[0] + FLIPPED), out=folder / "run-flipped")


def test_the_verdicts_are_the_planted_truth(run):
    assert [one.verdict for one in run.outcomes] == ["supported"] * 4
    assert run.counts() == {"supported": 4, "contradicted": 0, "undecided": 0, "not represented": 0}
    assert [one.line for one in run.outcomes] == [13, 14, 15, 16]


def test_flipped_hypotheses_are_contradicted_and_a_still_has_no_motion(flipped):
    assert [one.verdict for one in flipped.outcomes] == ["contradicted"] * 3 + ["not represented"]
    assert np.isnan(flipped.outcomes[3].effect)
    assert "do not move" in flipped.outcomes[3].reason


def test_the_first_hypothesis_has_the_numbers_of_run_tcav(run, folder):
    clips = run.path / "clips"
    found = vt.run_tcav(
        vt.load_model("rendered:r2plus1d-motion"),
        target="playing tennis",
        clips=clips / "targets-playing tennis",
        concepts={name: clips / f"concepts-{name}" for name in ("swing", "court")},
        random=clips / "random",
        layers=["stages.2", "stages.3"],
        twins=["frozen"],
        relative=[("swing", "court")],
        permutations=499,
        random_sets=20,
        bootstraps=200,
    )
    table = pd.read_parquet(run.path / "results.parquet").drop(columns="model")
    pd.testing.assert_frame_equal(table, found.to_frame())
    first = run.outcomes[0]
    own = next(one for one in found.results if (one.concept, one.layer, one.twin) == ("swing", "stages.3", "none"))
    assert (first.effect, first.effect_low, first.p_value) == (own.effect, own.effect_low, own.p_value)


def test_a_still_and_a_moving_concept_are_compared_each_with_its_own_negatives(run):
    one = run.outcomes[1]
    (analysis,) = run.analyses
    swing, court = (analysis.get(name, "stages.3") for name in ("swing", "court"))
    assert one.effect == pytest.approx(swing.result.effect - court.result.effect)
    # both have the class clips and frozen or moving versions of the same random clips: the draws are subtracted
    draws = swing.bootstrap - court.bootstrap
    expected = BootstrapT.of_draws(one.effect, draws, 8)
    assert (one.effect_low, one.effect_high) == pytest.approx(expected.interval())
    assert (one.standard_error, one.p_value) == pytest.approx((expected.error, expected.p_value))
    assert np.isnan(one.p_perm)
    assert one.p_t == one.p_value


def test_one_model_differs_from_itself_in_nothing_and_from_another_in_its_cause(run):
    claim = Hypothesis.model_validate(
        {"same_in": {"concept": "swing", "target": "playing tennis", "models": ["a", "b"]}}
    )
    (analysis,) = run.analyses
    found = evidence(claim, [analysis, analysis], "stages.3")
    assert (found.effect, found.standard_error, found.p_value) == (0, 0, 1)


def test_tables_stand_beside(run):
    assert len(pd.read_csv(run.path / "hypotheses.csv")) == 4
    effects = pd.read_parquet(run.path / "clip_effects.parquet")
    own = effects.query("concept == 'swing' and layer == 'stages.3' and twin == 'none' and versus == 'random'")
    assert own["effect"].mean() == pytest.approx(run.outcomes[0].effect)
    assert own["clip"].nunique() == 8


def test_shown_clips_carry_maps_whose_lines_add_up_to_the_derivative(run):
    (shown,) = run.shown
    assert shown.frames.shape[0] == len(shown.times_s) == 16
    swing = next(one for one in shown.concepts if one.name == "swing")
    assert swing.values.shape == (16, *shown.frames.shape[-2:])
    cav = next(
        one
        for one in vt.load_cavs(run.analyses[0].folder / "cavs.safetensors")
        if one.concept == "swing" and one.layer == "stages.3"
    )
    model = vt.load_model("rendered:r2plus1d-motion")
    scores = vt.score_clips(model, [cav], shown.clip, target="playing tennis")
    assert swing.line.sum() == pytest.approx(scores.scores[0].directional_derivative, rel=1e-4)
    assert set(shown.effects) == {"swing", "court"}
    assert len(run.previews) == 6 * 4


def test_a_run_of_a_version_without_a_setting_is_that_of_its_default(run, folder, tmp_path):
    record = json.loads((run.path / "run.json").read_text())
    del record["experiment"]["attribution"], record["digest"]
    (run.path / "run.json").write_text(json.dumps(seal(record)))
    assert run_experiment(folder / "small.yaml", out=run.path, resume=True).outcomes == run.outcomes
    other = write(tmp_path, f"attribution: hirescam\n{SMALL}")
    with pytest.raises(ExperimentError, match="Got changes in attribution"):
        run_experiment(other, out=run.path, resume=True)


def test_a_finished_run_is_read_again_and_nothing_else_may_be_there(run, folder, tmp_path):
    assert run_experiment(folder / "small.yaml", out=run.path, resume=True).outcomes == run.outcomes
    with pytest.raises(ExperimentError, match="a run that is finished.*--resume to read it"):
        run_experiment(folder / "small.yaml", out=run.path)
    changed = write(tmp_path, SMALL.replace("count: 24", "count: 25"))
    with pytest.raises(ExperimentError, match=re.escape("changes in random.rendered.count")):
        run_experiment(changed, out=run.path, resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ExperimentError, match="other files in it"):
        run_experiment(changed, out=tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="must be a folder"):
        run_experiment(changed, out=tmp_path / "file")


def test_what_is_no_finished_run_is_said_so(run, tmp_path):
    with pytest.raises(ExperimentError, match=r"must hold run\.json"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ExperimentError, match=r"run\.json: must be as the run wrote it.*in another folder"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(ExperimentError, match="of a newer video-tcav"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 1, "finished": false}')
    with pytest.raises(ExperimentError, match="--resume"):
        load_run(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    next((copy / "analyses").iterdir()).joinpath("draws.safetensors").write_bytes(b"none")
    with pytest.raises(
        ExperimentError, match=r"draws\.safetensors: must be as the run wrote it.*Delete the folder .*--resume"
    ):
        load_run(copy)


def test_a_run_shows_itself_in_a_notebook(run):
    html = run._repr_html_()
    assert "supported" in html
    assert "swing raises playing tennis" in html


def test_runs_are_compared(run, flipped):
    same = diff_runs(run, run)
    assert not any(one.changed for one in same.verdicts)
    assert not same.settings
    assert not same.other_clips
    assert all(one.change == 0 and one.p_adjusted == 1 for one in same.effects)
    (analysis,) = run.analyses
    stored = analysis.get("swing", "stages.3")
    others = replace(analysis, has_group_weights=False)  # as in runs of version 0.1: nothing is known of common draws
    old = replace(run)
    old.__dict__["analyses"] = (others,)
    errors = {(one.concept, one.layer, one.versus, one.twin): one.standard_error for one in diff_runs(old, run).effects}
    assert errors["swing", "stages.3", "random", "none"] == pytest.approx(math.sqrt(2) * stored.result.standard_error)
    assert all(one.standard_error == 0 for one in same.effects)  # the same clips, drawn alike
    other = diff_runs(run, flipped)
    assert len(other.only_before) == 4
    assert len(other.only_after) == 4
    assert json.dumps(other.to_dict())
    assert len(other.to_frame()) == len(other.effects)


def test_a_run_of_version_0_1_is_read_with_the_columns_of_today(run, tmp_path):
    folder = tmp_path / "analysis"
    shutil.copytree(run.analyses[0].folder, folder)
    frame = pd.read_parquet(folder / "results.parquet")
    new = ["standard_error", "p_perm", "p_t", "cav_auc", "p_represented", "region_auc", "p_region"]
    old = frame.drop(columns=[*new, "fewest_groups", "freedom", "family_size"]).assign(
        cav_accuracy=0.9, cav_p_value=0.01
    )
    old.to_parquet(folder / "results.parquet")
    analysis = load_analysis(folder)
    assert not analysis.has_group_weights
    table = analysis.to_frame()
    assert table["cav_auc"].isna().all()
    same = ["effect", "p_adjusted", "represented", "fewest_groups"]
    pd.testing.assert_frame_equal(table[same], frame[same])
    # version 0.1 corrected each twin by itself, and relative comparisons by themselves
    families = table.groupby(["twin", table["versus"] == "random"])["layer"].transform("size")
    assert (table["family_size"] == families).all()
    # of the fewest groups for all, since a table of 0.1 does not divide the variance among them
    np.testing.assert_allclose(table["standard_error"], frame["standard_error"], rtol=0.15)


def test_verdicts_of_version_0_1_have_no_test_beyond_the_margin(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    rows = json.loads((copy / "hypotheses.json").read_text())
    new = ("p_perm", "p_t", "beyond_p", "beyond_p_adjusted", "family_size", "level")
    rows = [{name: value for name, value in row.items() if name not in new} for row in rows]
    (copy / "hypotheses.json").write_text(json.dumps(rows))
    record = json.loads((copy / "run.json").read_text())
    record["format"] = 1  # of version 0.1, which wrote no digests
    del record["digest"], record["digests"]
    (copy / "run.json").write_text(json.dumps(record))
    outcomes = load_run(copy).outcomes
    assert [one.verdict for one in outcomes] == [one.verdict for one in run.outcomes]
    assert np.isnan(outcomes[0].beyond_p)
