"""Hypotheses about interventions, from the file to verdicts: the causes of a rendered model are known."""

import math

import pandas as pd
import pytest

from tests.unit.experiments.files import SMALL, write
from video_tcav.core.files import read_json
from video_tcav.experiments import Run, load_run, run_experiment

CLAIMS = """\
hypotheses:
  - would_change: {concept: swing, target: playing tennis, by: 1}
  - would_change: {concept: court, target: playing tennis, by: -1}
  - needed: {concept: court, target: playing tennis, share: 0.6}
  - carries: {concept: swing, target: playing tennis, part: motion, share: 0.2}
  - carries: {concept: court, target: playing tennis, part: motion, share: 0.5}
  - needed: {concept: swing, target: playing tennis, share: 0.5}
"""
# p of 19 relabellings is 0.05 at the least, so that none of these claims may stand for another's
SETTINGS = "interventions: {intervene: step, relabellings: 19}\nlayers: [stages.3]\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("edits")
    head = SMALL.partition("hypotheses:")[0].replace("layers: [stages.2, stages.3]\n", "")
    text = (
        head.replace("count: 8", "count: 12").replace("bootstraps", "correction: none, bootstraps") + SETTINGS + CLAIMS
    )
    return run_experiment(write(folder, text), out=folder / "run")


def test_verdicts_are_the_planted_truth(run):
    swing, court, court_needed, carried, not_carried, swing_needed = run.outcomes
    assert swing.verdict == "supported"
    assert swing.effect > 1
    assert swing.p_value == max(swing.p_perm, swing.p_t)
    assert court.verdict == "contradicted"
    assert abs(court.effect) < 0.1
    assert court_needed.verdict == "contradicted"
    assert court_needed.effect == 0
    assert court_needed.effect_high > 0.2  # of twelve groups none changed, which shows no more
    assert carried.verdict == "supported"
    assert carried.unit == "of what frozen class clips lose"
    assert not_carried.verdict == "contradicted"
    assert swing_needed.verdict == "supported"
    assert swing_needed.effect_low > 0.5
    assert swing_needed.effect == 1


def test_hypotheses_made_the_operations_at_the_deepest_layer_alone(run):
    (analysis,) = run.analyses
    made = {(row.operation, row.layer) for row in analysis.interventions}
    assert made == {(name, "stages.3") for name in ("step", "clamp", "remove", "restore")}
    settings = analysis.record["provenance"]["settings"]
    assert settings["intervene"] == "step,clamp,remove,restore"
    assert settings["relabellings"] == 19


def test_what_is_read_again_from_the_directory_is_what_was_measured(run):
    (analysis,) = load_run(run.path).analyses
    table = pd.read_parquet(run.path / "interventions.parquet")
    assert len(table) == len(analysis.interventions)
    assert "interventions.parquet" in read_json(run.path / "run.json")["digests"]
    for row, effect in zip(table.to_dict("records"), analysis.interventions, strict=True):
        assert row["effect"] == effect.effect
        stored = analysis.get(effect.concept, effect.layer, versus=effect.versus, twin=effect.twin)
        if stored is not None:
            assert getattr(stored.result, effect.operation) == pytest.approx(effect.effect, nan_ok=True)
    plain = analysis.edited("swing", "stages.3", "step")
    assert math.isnan(plain.p_value)
    assert analysis.edited("swing", "stages.2", "step") is None
