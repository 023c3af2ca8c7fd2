"""Concepts in words in experiment files: verdicts of their own rules, apart from those about clips; bad input is one line."""

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

import video_tcav.reports as reports
from tests.unit.experiments.files import SMALL, write
from tests.unit.words import scenes
from video_tcav.cli.run import outcomes as print_outcomes
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import check_experiment, diff_runs, load_run, read_experiment, run_experiment, write_junit
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.text_claims import decide_text, text_cautions, text_evidence

IN_WORDS = """\
title: Does it go by the court?
model: rendered:r2plus1d-scene
targets:
  playing tennis: {rendered: {count: 6, seed: 1, scene: court}}
concepts:
  court: {rendered: {count: 8, seed: 2, scene: court}}
random: {rendered: {count: 60, seed: 6}}
words:
  encoder: file:scenes.py:build
  texts: [a court, a lawn]
  checked_by: {a court: court}
layers: [stages.3]
statistics: {permutations: 499, bootstraps: 200, random_sets: 20}
interventions: {intervene: none}
check_effects: false
shown: 0
hypotheses:
  - text_matters: {text: a court, target: playing tennis}
  - text_matters: {text: a  lawn, target: playing tennis}
    expect: negative
  - matters: {concept: court, target: playing tennis}
    family: clips
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in-words")
    shutil.copy(Path(scenes.__file__), folder / "scenes.py")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDEO_TCAV_CACHE", str(folder / "cache"))
        yield run_experiment(write(folder, IN_WORDS), out=folder / "run")


@pytest.fixture(autouse=True)
def cache(monkeypatch, folder):
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(folder / "cache"))


def test_the_planted_cause_is_supported_in_words_and_borne_out_by_its_clips(run):
    court, lawn, of_clips = run.outcomes
    assert (court.verdict, lawn.verdict, of_clips.verdict) == ("supported", "undecided", "supported")
    assert court.is_in_words and not of_clips.is_in_words
    assert court.claim == "“a court” in words raises playing tennis"
    assert court.unit == "log-odds for one standard deviation of the random clips"
    row = run.texts[0].result.get("a court", "stages.3")
    assert (court.effect, court.p_value, court.margin) == (row.effect, row.p_value, 0)
    assert f"its clips bear it out: cosine +{row.cosine:.2f} with their CAV" in court.reason
    assert not court.doubted
    assert "caution: not checked against clips" in lawn.reason
    assert lawn.doubted
    assert court.family_size == 2  # Holm over the claims of the family
    assert court.p_adjusted == pytest.approx(min(1, 2 * court.p_value))


def test_verdicts_are_shown_apart_from_those_about_clips(run, capsys, folder):
    print_outcomes(run)
    printed = capsys.readouterr().out
    assert (
        printed.index("court raises playing tennis")
        < printed.index("In words, through scenes")
        < printed.index("“a court”")
    )
    reports.write_report(run, folder / "report.html")
    note = (folder / "report.md").read_text()
    claims, words = note.split("## The claims")[1].split("## In words")
    assert "in words" not in claims
    assert "not checked" in words
    assert "“a court” raises “playing tennis”" in note.split("## The claims")[0]
    assert "made of words alone" in note
    page = (folder / "report.html").read_text()
    assert page.index('id="verdicts"') < page.index('id="words"')
    cases = list(ElementTree.parse(write_junit(run.outcomes, folder / "junit.xml", suite="words")).iter("testcase"))
    assert [case.attrib["classname"].endswith(".in words") for case in cases] == [True, True, False]


def test_files_of_a_run_hold_every_text_and_two_runs_are_compared(run, folder):
    frame = pd.read_parquet(run.path / "text_results.parquet")
    assert set(frame["text"]) == {"a court", "a lawn"}
    assert math.isnan(frame.set_index("text").loc["a lawn", "cosine"])
    changes = diff_runs(run, load_run(run.path))
    assert changes.verdicts[0].claim == "“a court” in words raises playing tennis"
    assert not changes.other_clips


def test_a_run_goes_on_with_the_same_encoder_and_words_alone(run, folder):
    results = next((run.path / "texts").iterdir()) / "text_results.json"
    written = results.stat().st_mtime_ns
    shutil.rmtree(run.path / "shown")  # so that something is left to do
    encoder = folder / "scenes.py"
    text = encoder.read_text()
    encoder.write_text(text.replace('"scenes 1"', '"scenes 2"'))
    with pytest.raises(ExperimentError, match="must go on with the same encoder and other words"):
        run_experiment(folder / "small.yaml", out=run.path, resume=True)
    encoder.write_text(text)
    assert run_experiment(folder / "small.yaml", out=run.path, resume=True).to_frame().equals(run.to_frame())
    assert results.stat().st_mtime_ns == written


def test_an_experiment_may_have_texts_alone(folder):
    text = re.sub(r"concepts:\n.*\n", "", IN_WORDS).replace("  checked_by: {a court: court}\n", "")
    path = write(folder, text[: text.index("  - matters")])
    assert not check_experiment(path).tests_concepts


def _decided(result, row, expect="positive", p_adjusted=0.01):
    hypothesis = Hypothesis.model_validate({"text_matters": {"text": "a court", "target": "t"}, "expect": expect})
    measured = text_evidence(hypothesis, replace(result, results=(row,)), row.layer)
    return decide_text(hypothesis, measured, p_adjusted, level=0.05, unit="log-odds"), text_cautions(measured)


def test_rules_of_verdicts_on_texts(run):
    result = run.texts[0].result
    row = replace(result.get("a court", "stages.3"), effect=1.0)
    assert _decided(result, row)[0][0] == "supported"
    assert _decided(result, row, expect="negative")[0][0] == "contradicted"
    assert _decided(result, row, expect="either")[0][0] == "supported"
    assert _decided(result, row, p_adjusted=0.06)[0][0] == "undecided"
    # clips of the concept that do not lie along it outweigh its p-value
    (verdict, reason), _ = _decided(result, replace(row, cosine=-0.2))
    assert verdict == "undecided"
    assert "do not bear it out" in reason
    # the gate comes first: an effect of what the layer does not represent says nothing
    (verdict, reason), cautions = _decided(result, replace(row, represented=False, r_squared=-0.1))
    assert (verdict, cautions) == ("not represented", ())
    assert "embeddings predict nothing of it (R² -0.10)" in reason
    assert _decided(result, replace(row, cosine=math.nan))[1][0].startswith("not checked against clips")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[a court, a lawn]", "[a court, a  court]", r"words.texts.*each must come once"),
        (
            "{text: a court,",
            "{text: a cort,",
            r"`text` must be one that the experiment names. Got 'a cort'. Did you mean a court",
        ),
        ("{a court: court}", "{a court: lawn}", r"`checked_by` must be one that the experiment names. Got 'lawn'"),
        ("{a court: court}", "{a cort: court}", r"`checked_by` must be one that the experiment names. Got 'a cort'"),
        ("file:scenes.py:build", "file:none.py:build", r"`words.encoder`: .*none.py"),
        ("file:scenes.py:build", "scenes", r"`words.encoder`: `encoder` must be"),
        ("  checked_by", "  others: none.txt\n  checked_by", r"`words.others`: `words` must be a text file"),
        ("    expect: negative\n", "    least_agreement: 0.5\n", r"text_matters has no least_agreement"),
        ("    expect: negative\n", "    layer: stages.1\n", r"`layer` must be one that the experiment names"),
        (
            "target: playing tennis}\n    expect",
            "target: golf}\n    expect",
            r"`target` must be one that the experiment names",
        ),
        (
            "random: {rendered: {count: 60, seed: 6}}\n",
            "",
            r"targets, concepts, random must be given together. Got no random",
        ),
    ],
)
def test_mistakes_are_one_line_with_their_place(folder, before, after, message):
    assert before in IN_WORDS
    with pytest.raises(ExperimentError, match=message) as caught:
        check_experiment(write(folder, IN_WORDS.replace(before, after, 1)))
    assert "\n" not in str(caught.value)


def test_a_claim_in_words_needs_texts(tmp_path):
    text = SMALL + "  - text_matters: {text: a swing, target: playing tennis}\n"
    with pytest.raises(ExperimentError, match="`text_matters` must be about texts of the file. Got no words"):
        read_experiment(write(tmp_path, text))
