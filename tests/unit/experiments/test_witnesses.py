"""Three witnesses of one claim: each judged by its own test, and what is said where they do not agree."""

import json
import math

import pandas as pd
import pytest

from tests.unit.auditing.result_by_hand import audited
from tests.unit.experiments.audited_world import AUDIT, write_audit
from video_tcav.experiments import Witness, load_run, run_experiment
from video_tcav.experiments.witnesses import compare, edit_witness

CONCEPTS = """\
targets:
  playing tennis: {rendered: {count: 6, seed: 1, motion: swing, object: racket, scene: court}}
concepts:
  court: {rendered: {count: 8, seed: 4, scene: court}}
random: {rendered: {count: 16, seed: 6, scene: [lawn, gym]}}
layers: [stages.3]
statistics: {permutations: 199, bootstraps: 100, random_sets: 5}
check_effects: false
shown: 0
"""
CLAIMS = """\
hypotheses:
  - matters: {concept: court, target: playing tennis}
  - background_bias: {at_most: 0.5}
"""


def said(says, by="slope"):
    return Witness(by=by, value=math.nan, low=math.nan, high=math.nan, p_value=math.nan, says=says)


@pytest.mark.parametrize(
    ("slope", "step", "edit", "verdict", "look_at"),
    [
        ("raises", "raises", "raises", "agree", ""),
        ("does not matter", "does not matter", "does not matter", "agree", ""),
        ("raises", "lowers", "lowers", "disagree", "Believe the step"),
        ("raises", "does not matter", "unclear", "disagree", "Believe the step"),
        ("raises", "raises", "does not matter", "disagree", "clips lose nothing without the scene"),
        ("does not matter", "does not matter", "raises", "disagree", "Look at the clips of person_only"),
        ("not represented", "not measured", "raises", "open", "Not decided by slope"),
        ("lowers", "lowers", "raises", "disagree", "in opposite directions"),
        ("raises", "raises", "not measured", "open", r"person_only \(not measured\)"),
    ],
)
def test_where_they_do_not_agree_it_says_what_to_look_at(slope, step, edit, verdict, look_at):
    words = compare("court", "scene", said(slope), said(step, "step"), said(edit, "person_only"))
    assert words[0] == verdict
    assert pd.Series([words[1]]).str.contains(look_at).all()
    assert bool(words[1]) == bool(look_at)


@pytest.mark.parametrize(("margin", "says"), [(0.5, "raises"), (5, "does not matter"), (2.25, "unclear")])
def test_an_edit_is_judged_by_its_interval_and_the_margin(margin, says):
    lost = [2.0, 2.4] * 10
    result = audited({}, log_odds={"original": [5] * 40, "person_only": [5 - each for each in lost] + [9] * 20})
    of_run = edit_witness(result, "scene", "run", bootstraps=400, seed=0, margin=margin)
    assert (of_run.by, of_run.says) == ("person_only", says)
    assert of_run.value == pytest.approx(2.2)
    assert of_run.low < 2.2 < of_run.high
    of_walk = edit_witness(result, "scene", "walk", bootstraps=400, seed=0, margin=0.5)
    assert (of_walk.says, of_walk.value) == ("lowers", pytest.approx(-4))
    assert edit_witness(result, "motion", "run", bootstraps=400, seed=0, margin=margin).says == "not measured"


def test_an_object_is_removed_by_a_coalition_of_clips_whose_masks_tell_it():
    alone = "only order+motion+scene+person"
    log_odds = {"original": [5] * 40, alone: [2] * 10 + [9] * 30}
    objects = [True] * 10 + [False] * 30
    result = audited({}, log_odds=log_odds, objects=objects, coalitions=(alone,))
    edit = edit_witness(result, "object", "run", bootstraps=400, seed=0, margin=0.5)
    assert (edit.by, edit.says, edit.value) == ("without_object", "raises", 3)
    assert edit_witness(result, "object", "walk", bootstraps=400, seed=0, margin=0.5).says == "not measured"


def test_a_model_of_scenes_is_told_by_all_three(tmp_path):
    audit = AUDIT.replace("shares:", "witnesses: {court: scene}, shares:")
    run = run_experiment(
        write_audit(tmp_path, "scene", audit=audit, claims=CLAIMS, more=CONCEPTS), out=tmp_path / "run"
    )
    (row,) = run.witnesses
    assert (row.concept, row.target, row.player, row.verdict) == ("court", "playing tennis", "scene", "agree")
    assert [each.says for each in row.witnesses] == ["raises"] * 3
    assert [each.by for each in row.witnesses] == ["slope", "step", "person_only"]
    assert row.effect.value == run.outcomes[0].effect
    assert row.edit.value == run.audits[0].result.version("person_only", "playing tennis").log_odds_lost
    assert [outcome.verdict for outcome in run.outcomes] == ["supported", "contradicted"]
    assert run.outcomes[0].family_size == 2
    # the claim about the model is of another question: the p of an effect is corrected for one claim alone
    assert run.outcomes[0].p_adjusted == run.outcomes[0].p_value
    table = pd.read_parquet(run.path / "witnesses.parquet")
    assert table.loc[0, "edit_value"] == row.edit.value
    assert json.loads((run.path / "witnesses.json").read_text())[0]["intervention"]["says"] == "raises"
    assert load_run(run.path).witnesses == run.witnesses
