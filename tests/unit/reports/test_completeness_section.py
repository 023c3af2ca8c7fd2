"""The section on completeness: what is explained, by which concept, and how unexplained clips get into the studio."""

import json
from dataclasses import replace

import pytest

from tests.unit.reports.sample_run import Sample, write_run
from tests.unit.reports.test_demo_page import Page
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Run, load_run
from video_tcav.reports import write_report
from video_tcav.tcav.completeness import MANIFEST, NotMeasured, RunCompleteness, ShareOfConcept, UnexplainedClip

SAMPLE = Sample(
    models=("first net", "second net"),
    concepts=("court", "swing/dynamic"),
    tests=("studentised",),
    shown=0,
    twins=False,
)
MEASURED = RunCompleteness(
    target="playing tennis",
    against="log_odds",
    layer="stages.1",
    explained=0.412,
    explained_low=0.301,
    explained_high=0.522,
    relabelled=0.041,
    relabelled_high=0.12,
    all_directions=0.884,
    n_clips=120,
    n_groups=80,
    shares=tuple(
        ShareOfConcept(concept=name, share=share, share_low=share - 0.1, share_high=share + 0.1, sampling_error=0.0)
        for name, share in (("court", 0.35), ("swing/dynamic", 0.062))
    ),
    clips=(
        UnexplainedClip(
            clip="/home/someone/clips/odd/<7>.mp4",
            window=0,
            path="/home/someone/clips/odd/<7>.mp4",
            start_s=None,
            end_s=None,
            group="7",
            said=3.25,
            predicted=-1.5,
            residual=4.75,
        ),
    ),
)


def plain(page: Page) -> str:
    return page.text.replace("\N{NO-BREAK SPACE}", " ")


def with_completeness(run: Run, record: dict, *, manifest: bool = True) -> Run:
    """The run with something noted in its first analysis."""
    folder = run.analyses[0].folder
    results = folder / "results.json"
    results.write_text(json.dumps({**json.loads(results.read_text()), "completeness": record}))
    if manifest:
        (folder / MANIFEST).write_text("path\n")
    return load_run(run.path)


def page_of(run: Run) -> Page:
    return Page(write_report(run, run.path / "report.html").read_text())


def test_what_is_explained_and_by_which_concept_is_in_the_page(tmp_path):
    page = page_of(with_completeness(write_run(tmp_path, SAMPLE), MEASURED.to_dict()))
    text = plain(page)
    assert "Is that all?" in text
    assert "first net stages.1 120 41 % 30 % to 52 % 4 % 88 %" in text
    assert "court first net 35 % 25 % to 45 %" in text
    assert "odd/<7>.mp4 +3.25 -1.50 +4.75" in text.replace("−", "-")
    assert "/home/someone" not in text
    assert f"video-tcav bank import BANK analyses/001-studentised/{MANIFEST} --verdict open" in text


def test_the_markdown_has_the_table(tmp_path):
    run = with_completeness(write_run(tmp_path, SAMPLE), MEASURED.to_dict())
    text = write_report(run, tmp_path / "report.html").with_suffix(".md").read_text()
    assert "| playing tennis | first net | stages.1 | 41 % (30 % to 52 %) | 4 % | 88 % | 120 |" in text


def test_why_it_was_not_measured_is_said_once(tmp_path):
    run = write_run(tmp_path, SAMPLE)
    record = NotMeasured(reason="`clips` of the class are few.").to_dict()
    text = plain(page_of(with_completeness(run, dict(record), manifest=False)))
    assert text.count("was not measured: `clips` of the class are few.") == 1
    assert "bank import" not in text


def test_clips_in_memory_have_no_manifest(tmp_path):
    run = with_completeness(write_run(tmp_path, SAMPLE), MEASURED.to_dict(), manifest=False)
    assert "bank import" not in plain(page_of(run))


def test_runs_without_it_have_no_such_section(tmp_path):
    run = write_run(tmp_path, replace(SAMPLE, models=("net",)))
    assert run.analyses[0].completeness() is None
    assert "Is that all?" not in plain(page_of(run))


def test_a_run_says_it_in_its_sentences(tmp_path):
    run = with_completeness(write_run(tmp_path, SAMPLE), MEASURED.to_dict())
    assert f"first net: {MEASURED.sentence()}" in run.sentences()
    assert run.analyses[0].completeness() == MEASURED


@pytest.mark.parametrize("damage", [{"layer": "stages.1", "sentence": "s"}, {"sentence": 3}, {}, []])
def test_a_damaged_record_is_told(tmp_path, damage):
    run = with_completeness(write_run(tmp_path, SAMPLE), damage)
    with pytest.raises(ExperimentError, match="001-studentised: must be as the run wrote it"):
        page_of(run)
