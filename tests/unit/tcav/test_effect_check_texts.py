"""What an effect check says in sentences, cautions, the terminal and a report."""

import json
from dataclasses import replace

import pytest

import video_tcav as vt
from tests.unit.reports.sample_run import Sample, write_run
from tests.unit.tcav.checks import effect_check
from tests.unit.tcav.test_summaries import ONE
from video_tcav.cli.effect_check_table import print_check
from video_tcav.experiments import load_run
from video_tcav.reports import write_report
from video_tcav.tcav.effect_check.cautions import effect_check_cautions
from video_tcav.tcav.wording import MINUS

DOUBT = (
    "at deep of this model effects predict edits no better than chance: 5 of 10 signs right, rank +0.12; "
    "step at class clips at early: 9 of 10"
)


@pytest.fixture
def check() -> vt.EffectCheck:
    return effect_check("tennis", "early", "deep")


def test_a_sentence_ends_with_the_doubt_and_the_estimate_that_does_better(check):
    (sentence,) = vt.sentences([replace(ONE, at="class", layer="deep")], check)
    assert sentence.endswith(f"; {DOUBT}.")
    assert vt.sentences([ONE]) == vt.sentences([ONE], replace(check, agreements=()))


def test_between_chance_and_trust_the_intervals_are_shown(check):
    text = check.warning("early", space="flatten", at="class")
    assert text == (
        "at early of this model it is not shown that effects predict edits: 7 of 10 signs [0.39, 0.98], rank +0.40 "
        "[-0.20, +0.95]; step at class clips at early: 9 of 10"
    )
    assert check.warning("early", space="flatten", at="class", estimator="step") is None
    assert check.warning("early", space="time", at="class") is None  # not measured


def test_no_edit_that_changes_the_target_is_no_proof(check):
    unmoved = replace(check, agreements=tuple(replace(each, right=0, counted=0) for each in check.agreements))
    text = unmoved.warning("deep", space="flatten", at="class")
    assert text is not None
    assert "no edit changes tennis by more than 0.5 log-odds, so effects are unchecked" in text


def test_cautions_are_one_line_an_estimator(check):
    rows = [replace(ONE, at="class", layer=layer, effect=effect) for layer, effect in (("early", 1.0), ("deep", 29.8))]
    assert effect_check_cautions(check, rows) == (
        "steps and clamps could not be checked at stages.1: it runs twice",
        "Effects on tennis predict what plain edits of its clips do: no better than chance at deep (5 of 10 signs right, rank "
        "+0.12); not shown to do so beyond chance at early (7 of 10 signs right, rank +0.40). Step at class clips does at early "
        "(9 of 10 signs right, rank +0.80).",
        "swing: at deep an effect of +29.80 is more than the whole range of tennis over all clips, plain and edited: -9.00 to "
        "+6.00.",
    )


def test_the_terminal_has_a_row_an_estimate(check, capsys):
    print_check(check)
    text = " ".join(capsys.readouterr().out.split())
    assert "4 edits of 20 clips (16 groups) change tennis by -7.50 to +1.40 log-odds; 3 by more than 0.5" in text
    assert "always guessing the commoner direction has 2 of 3 signs" in text
    assert "slope at class clips no 5/10 [0.24, 0.98] +0.12" in text
    assert "step at class clips yes 9/10" in text
    assert "! steps and clamps could not be checked" in text


def test_the_report_has_a_table_of_estimates_and_one_of_edits(tmp_path):
    run = write_run(tmp_path / "run", Sample(models=("only",), tests=("studentised",), shown=0, previews=0))
    (folder,) = (run.path / "analyses").iterdir()
    record = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps({**record, "effect_check": effect_check().to_dict()}))
    run = load_run(run.path)
    page = write_report(run, run.path / "report.html").read_text()
    assert "Do effects predict edits of the clips?" in page
    for text in ("slope at class clips", "5 of 10", "no better than chance", f"{MINUS}7.50", "it runs twice"):
        assert text in page, text
    assert "Effects were checked by 4 plain edits of up to 20 clips of each class" in page
    assert "stages.1: slope at class clips no better than chance" in (run.path / "report.md").read_text()
    assert any("it is not shown that effects predict edits: 7 of 10" in sentence for sentence in run.sentences())


def test_a_report_without_a_check_has_no_such_section(tmp_path):
    run = write_run(tmp_path / "run", Sample(models=("only",), tests=("studentised",), shown=0, previews=0))
    page = write_report(run, run.path / "report.html").read_text()
    assert "Do effects predict edits" not in page
