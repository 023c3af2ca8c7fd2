"""Effect checks in experiments: made once, kept, and beside every verdict that rests on effects."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

import video_tcav as vt
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Run, read_experiment, run_experiment
from video_tcav.experiments.effect_checks import EffectTrust
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.verdicts import judge


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return run_experiment(write(folder), out=folder / "run")


def test_effects_are_checked_once_a_model_and_target_and_the_check_is_kept(run):
    (analysis,) = run.analyses
    check = analysis.effect_check
    assert check is not None
    assert {(each.layer, each.estimator) for each in check if each.at == "class"} == {
        ("stages.2", "slope"),
        *(("stages.3", estimator) for estimator in ("slope", "step", "clamp")),
    }
    # this network's only cause is the motion: effects at its deepest stage are right
    slope = check.get("stages.3", space="flatten", at="class")
    assert slope is not None and slope.is_above_chance
    assert [one.agreement for one in run.outcomes] == [slope.right / slope.counted] * 4
    assert not any("edits" in one.reason for one in run.outcomes)


def judged(run: Run, check: vt.EffectCheck | None, **changes) -> tuple:
    """Verdicts on the run's hypotheses, were this its effect check."""
    hypotheses = tuple(one.model_copy(update=changes) for one in run.experiment.hypotheses)
    experiment = run.experiment.model_copy(update={"hypotheses": hypotheses})
    analyses = [replace(analysis, effect_check=check) for analysis in run.analyses]
    return judge(experiment, analyses, [1] * len(hypotheses))


def test_no_verdict_is_supported_without_the_warning_that_effects_do_not_predict_edits(run):
    check = run.analyses[0].effect_check
    wrong = replace(check, agreements=tuple(replace(each, right=3, signs_low=0.2) for each in check.agreements))
    warning = wrong.warning("stages.3", space="flatten", at="class")
    for outcome in judged(run, wrong):
        assert outcome.verdict == "supported"
        assert outcome.reason.endswith(f"; caution: {warning}")
    unmade = vt.EffectCheck.not_made("playing tennis", "log_odds", "clips of one video")
    assert all("not checked by edits: clips of one video" in one.reason for one in judged(run, unmade))


def test_a_slope_that_a_step_does_not_bear_out_is_never_supported_without_a_word(run):
    # here the two agree
    assert not any("whole step" in outcome.reason or outcome.doubted for outcome in run.outcomes)
    (analysis,) = run.analyses
    contrary = {"step": -1.5, "step_low": -2.0, "step_high": -1.0}
    found = tuple(
        replace(stored, result=replace(stored.result, **contrary)) if stored.result.concept == "swing" else stored
        for stored in analysis.found
    )
    outcomes = judge(run.experiment, [replace(analysis, found=found)], [1] * len(run.outcomes))
    about_swing = [outcome for outcome in outcomes if outcome.concept == "swing"]
    assert about_swing
    for outcome in about_swing:
        assert outcome.doubted
        assert "caution: a whole step at random clips gives -1.5" in outcome.reason
        assert "the slope does not tell what the model would say" in outcome.reason


def test_a_step_is_made_at_the_layer_of_every_hypothesis(folder):
    early = SMALL.replace(
        "  - matters: {concept: swing, target: playing tennis}",
        """\
  - matters: {concept: swing, target: playing tennis}
    layer: stages.2""",
    )
    experiment, _ = read_experiment(write(folder, early))
    settings = experiment.intervention_settings("model", "playing tennis")
    assert settings.intervene_at.split(",") == ["deepest", "stages.2", "stages.3"]
    assert settings.intervene == "step"


def test_an_effect_beyond_the_range_of_the_target_is_said_beside_its_verdict(run):
    narrow = replace(run.analyses[0].effect_check, target_low=0.0, target_high=1.0)
    first, *_ = judged(run, narrow)
    assert (
        "more than the whole range of playing tennis over all clips, plain and edited: +0.00 to +1.00" in first.reason
    )


def test_a_hypothesis_may_ask_for_a_least_agreement(run):
    check = run.analyses[0].effect_check
    half = replace(check, agreements=tuple(replace(each, right=4, counted=8) for each in check.agreements))
    for outcome in judged(run, half, least_agreement=0.7):
        assert outcome.verdict == "undecided"
        assert "4 of 8 signs of edits are right there, below the least agreement of 0.7" in outcome.reason
    assert [one.verdict for one in judged(run, half, least_agreement=0.5)] == ["supported"] * 4
    assert all("could not be checked by edits" in one.reason for one in judged(run, None, least_agreement=0.5))


def test_a_least_agreement_needs_the_check(tmp_path):
    text = SMALL.replace("shown: 1", "shown: 1\ncheck_effects: false") + "    least_agreement: 0.7\n"
    with pytest.raises(ExperimentError, match="`least_agreement` must not be asked for without check_effects"):
        read_experiment(write(tmp_path, text))


def test_a_check_may_be_left_out(folder):
    other = folder / "unchecked"
    other.mkdir()
    run = run_experiment(write(other, SMALL.replace("shown: 1", "shown: 0\ncheck_effects: false")), out=other / "run")
    assert run.analyses[0].effect_check is None
    assert all(math.isnan(one.agreement) for one in run.outcomes)


def test_hypotheses_about_interventions_have_the_warning_of_clamps(run):
    check = run.analyses[0].effect_check
    wrong = tuple(
        replace(each, right=3, signs_low=0.2) if each.estimator == "clamp" else each for each in check.agreements
    )
    analyses = [replace(run.analyses[0], effect_check=replace(check, agreements=wrong))]
    about = {"concept": "swing", "target": "playing tennis"}
    change = Hypothesis.model_validate({"would_change": {**about, "by": 1.0}})
    (warning,) = EffectTrust.of(change, analyses, "stages.3", 2.0).warnings
    assert "at stages.3 of this model clamps predict edits no better than chance: 3 of" in warning
    matters = Hypothesis.model_validate({"matters": about})
    assert EffectTrust.of(matters, analyses, "stages.3", 2.0).warnings == ()
