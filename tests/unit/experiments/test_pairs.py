"""Pairs in experiments: measured once a model and target, beside the effects and verdicts that they are the truth of."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import video_tcav as vt
from tests.unit.experiments.files import write
from video_tcav.cli.run import outcomes
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Run, check_experiment, load_run, read_experiment, run_experiment
from video_tcav.experiments.effect_checks import EffectTrust
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.rendered import render, sample_factors
from video_tcav.reports import write_report
from video_tcav.tcav import PairedEffects

# clips of one seed differ in the scene alone where each side names one
TEXT = """\
title: What does it see?
model: rendered:r2plus1d-scene
targets:
  playing tennis: {rendered: {count: 6, seed: 1, scene: court}}
concepts:
  court: {rendered: {count: 8, seed: 2, scene: court}}
  racket: {rendered: {count: 8, seed: 3, object: racket, scene: [lawn, gym]}}
random: {rendered: {count: 16, seed: 4, object: [ball, none], scene: [lawn, gym, street]}}
pairs:
  court: {without: {rendered: {count: 8, seed: 2, scene: street}}}
  racket:
    with: {rendered: {count: 5, seed: 5, object: racket, scene: lawn}}
    without: {rendered: {count: 5, seed: 5, object: none, scene: lawn}}
layers: [stages.2, stages.3]
statistics: {permutations: 99, bootstraps: 200, random_sets: 20}
check_effects: false
shown: 0
hypotheses:
  - would_change: {concept: court, target: playing tennis, by: 2}
  - matters: {concept: court, target: playing tennis}
  - does_not_matter: {concept: racket, target: playing tennis}
  - motion_matters: {concept: court, target: playing tennis}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return run_experiment(write(folder, TEXT), out=folder / "run")


def test_pairs_are_those_of_the_function(run):
    """Each side rendered anew: the truth is the change that whole passes of both clips show."""
    measured = run.analyses[0].pairs
    assert list(measured) == ["court", "racket"]
    assert [len(measured[name].pairs) for name in measured] == [8, 5]
    model = vt.load_model("rendered:r2plus1d-scene", device="cpu")
    with_concept, without = (
        [render(factors).clip for factors in sample_factors(8, seed=2, scene=scene)] for scene in ("court", "street")
    )
    direct = vt.pairs(
        model, target="playing tennis", with_concept=with_concept, without=without, layers=["stages.2", "stages.3"]
    )
    assert measured["court"].truth == pytest.approx(direct.truth, abs=0.5)  # files are compressed
    assert measured["court"].truth_low > 5
    assert measured["racket"].truth == pytest.approx(0, abs=0.5)


def test_truth_and_paired_estimate_stand_beside_effects(run):
    rows = {(row.concept, row.layer): row for row in run.pairs}
    assert len(rows) == 4
    row, stored = rows["court", "stages.3"], run.analyses[0].get("court", "stages.3")
    measured = run.analyses[0].pairs["court"]
    assert (row.truth, row.n_changed) == (measured.truth, measured.changed)
    assert row.paired == measured.get("stages.3").effect
    assert row.effect == stored.result.effect
    assert row.remark == (measured.remark(row.effect) or "")
    table = pd.read_csv(run.path / "pairs.csv")
    assert table["truth"].tolist() == [each.truth for each in run.pairs]
    assert table["paired"].tolist() == [each.paired for each in run.pairs]
    stored_rows = json.loads((run.path / "pairs.json").read_text())
    assert [(each["model"], each["concept"], len(each["pairs"])) for each in stored_rows] == [
        ("rendered:r2plus1d-scene", "court", 8),
        ("rendered:r2plus1d-scene", "racket", 5),
    ]


def test_verdicts_say_what_pairs_show(run):
    by_kind = {outcome.kind: outcome for outcome in run.outcomes}
    for kind, concept in (("would_change", "court"), ("matters", "court"), ("does_not_matter", "racket")):
        assert run.analyses[0].pairs[concept].truth_text in by_kind[kind].reason
    assert "pairs show" not in by_kind["motion_matters"].reason


@pytest.mark.parametrize(
    ("effect", "word"),
    [(-3.0, "sign of -3.00"), (1.0, "size of +1.00"), (25.0, "size of +25.00"), (9.0, ""), (math.nan, "")],
)
def test_an_effect_that_pairs_contradict_is_doubted(run, effect, word):
    hypothesis = Hypothesis.model_validate({"matters": {"concept": "court", "target": "playing tennis"}})
    truth = {"truth": 10.0, "truth_low": 9.5, "truth_high": 10.5}
    pairs = {"court": replace(run.analyses[0].pairs["court"], **truth)}
    trust = EffectTrust.of(hypothesis, [replace(run.analyses[0], pairs=pairs)], "stages.3", effect)
    told = [text for text in trust.warnings if "pairs show" in text]
    assert told == ([f"8 pairs show +10.00 log-odds [+9.50, +10.50]: the {word} is wrong"] if word else [])
    _, reason = trust.verdict("supported", "because", None)
    assert "because; " in reason and ("caution: 8 pairs" in reason) == bool(word)


def test_small_effects_and_truths_are_not_told_apart(run):
    measured: PairedEffects = replace(run.analyses[0].pairs["court"], truth=0.1, truth_low=0.05, truth_high=0.2)
    assert measured.remark(-0.4) is None
    assert measured.remark(3.0) == "8 pairs show +0.10 log-odds [+0.05, +0.20]: the size of +3.00 is wrong"
    assert replace(measured, truth_low=-4.0, truth_high=5.0).remark(3.0) is None


def test_a_run_is_read_again_and_resumed_with_the_same_pairs(run, folder):
    assert load_run(run.path).pairs == run.pairs
    again = run_experiment(write(folder, TEXT), out=run.path, resume=True)
    assert again.outcomes == run.outcomes


def test_report_and_terminal_show_truth_and_estimates(run, capsys):
    page = write_report(run, run.path / "report.html")
    html, markdown = page.read_text(), page.with_suffix(".md").read_text()
    measured = run.analyses[0].pairs["court"]
    assert "With and without the concept" in html and "### With and without the concept" in markdown
    assert f"{measured.truth:+.2f}" in html and f"{measured.truth:+.2f}" in markdown
    assert f"court and playing tennis: {measured.truth_text}" in html
    assert len(list((run.path / "figures").glob("measured-pairs-*.svg"))) == 2
    outcomes(run)
    text = " ".join(capsys.readouterr().out.split())
    assert "Pairs: the same clips with and without the concept" in text
    assert (
        f"truth {measured.truth:+.2f} [{measured.truth_low:+.2f}, {measured.truth_high:+.2f}] (8 pairs, 8 groups;"
        in text
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "court: {without",
            "curt: {without",
            r"small.yaml:\d+: `pairs` must be one that the experiment names. Got 'curt'. Did",
        ),
        (
            "count: 8, seed: 2, scene: street",
            "count: 7, seed: 2, scene: street",
            r"`pairs.court`: .*one clip each of every",
        ),
        ("without: {rendered: {count: 5", "wihout: {rendered: {count: 5", r"`pairs.racket.wihout` must be a known key"),
        ("{without: {rendered: {count: 8, seed: 2, scene: street}}}", "{without: nowhere}", r"`pairs.court.without`: "),
    ],
)
def test_mistakes_have_their_line(folder, before, after, message):
    assert before in TEXT
    with pytest.raises(ExperimentError, match=message):
        check_experiment(write(folder, TEXT.replace(before, after)))


def test_pairs_need_concepts(folder):
    text = "title: a\nmodel: rendered:r2plus1d-scene\naudit: {clips: {a: x, b: y}}\npairs: {court: {without: b}}\n"
    with pytest.raises(ExperimentError, match="`pairs` must be of concepts of the file. Got no concepts"):
        read_experiment(write(folder, f"{text}hypotheses: [{{background_bias: {{at_most: 0.5}}}}]\n"))
