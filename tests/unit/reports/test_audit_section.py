"""A run's report with audits: verdicts on models in the answer, versions, and three witnesses; from files alone."""

import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from tests.unit.audit.result_by_hand import audited
from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.audit.result_files import save_audit
from video_tcav.core.files import write_json
from video_tcav.experiments import load_run
from video_tcav.reports import write_report

CLAIM = {"background_bias": {"at_most": 0.2}, "model": "first net"}


def write_audited(folder, *, concepts=True):
    """The sample run with an audit of both its models; without concepts, with the audit alone."""
    run = write_run(folder, Sample(previews=1, shown=0, effects={"court": 3.0}))
    result = audited({"swap": ["walk"] * 20 + ["run"] * 20}, log_odds={"original": [5] * 40})
    for number, model in enumerate(run.experiment.models, start=1):
        place = folder / "audits" / f"{number:03d}-net"
        place.mkdir(parents=True)
        save_audit(place, replace(result, model=model))
        write_json(place / "model.json", {"model": model})
        _rename_class(place)
    record = json.loads((folder / "run.json").read_text())
    outcome = replace(
        run.outcomes[1],
        name="no shortcut",
        claim="at most 20 % of the swapped clips are taken for the scene's class",
        kind="background_bias",
        reason="the share is 100 %",
        target="",
        concept="",
        layer="",
        expect="at most",
        margin=0.2,
        effect=1.0,
        effect_low=0.9,
        effect_high=1.0,
        p_value=math.nan,
        p_adjusted=math.nan,
        equivalence_p_adjusted=1.0,
        beyond_p_adjusted=0.0002,
        unit="of the swapped clips",
    )
    outcomes = [*run.outcomes, outcome] if concepts else [outcome]
    about = {"concept": "court", "target": "playing tennis"}
    experiment = record["experiment"] | {"audit": {"clips": "clips", "witnesses": {"court": "scene"}}}
    experiment["hypotheses"] = [{"matters": about, "model": "first net"}, CLAIM]
    if not concepts:
        experiment |= {"targets": {}, "concepts": {}, "random": None, "hypotheses": [CLAIM]}
        experiment["audit"] = {"clips": "clips"}
        for path in sorted((folder / "analyses").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    write_json(folder / "run.json", record | {"experiment": experiment})
    write_json(folder / "hypotheses.json", [vars(each) for each in outcomes])
    return load_run(folder)


def _rename_class(folder):
    """Call the class of the audit's first clips as the sample calls its class."""
    results, answers = folder / "results.json", pd.read_parquet(folder / "answers.parquet")
    results.write_text(results.read_text().replace('"run"', '"playing tennis"'))
    answers.replace("run", "playing tennis").to_parquet(folder / "answers.parquet")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Page and Markdown of a run with concepts, and of one that only audits."""
    texts = []
    for concepts in (True, False):
        folder = tmp_path_factory.mktemp("audited")
        path = write_report(write_audited(folder, concepts=concepts), folder / "report.html")
        texts.append((path.read_text(), path.with_suffix(".md").read_text()))
    return texts


def test_the_answer_has_the_verdicts_on_models(pages):
    sentence = "it says the scene's class for 100 % of the swapped clips, which is not what was claimed."
    for page, note in pages:
        assert "What does the model need: the person or the scene" in page
        assert sentence in note
        assert "contradicted" in page
    assert "What raises “playing tennis”" in pages[0][0]
    assert "What raises" not in pages[1][0]


def test_versions_and_figures_stand_in_the_page(pages):
    for page, note in pages:
        assert page.count('aria-label="Table of versions"') == 2  # one a model
        assert "SBErr: of swaps it says the scene" in page
        assert "| paste control | 100" in note
        assert "A warning of the audit." in page
        assert "/home/someone/masks" not in note


def test_three_witnesses_stand_side_by_side_where_there_are_concepts(pages):
    (page, note), (without, _) = pages
    assert "Three witnesses of one claim" in page
    assert "| court | playing tennis | first net | scene | slope: raises (+3.00) | step: not measured | " in note
    assert "person\\_only: raises (+4.00) | open |" in note
    assert "What to look at" in page
    assert "Three witnesses" not in without


def test_an_experiment_that_only_audits_names_no_effect(pages):
    page, note = pages[1]
    assert "Effects" not in note
    assert "CAVs were learned" not in page
    assert "We audited first net and second net on 40 clips of 2 classes in 40 groups" in note
    assert "Masks of the person were those of masks.json." in note
