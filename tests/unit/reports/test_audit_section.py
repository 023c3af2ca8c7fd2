"""A run's report with audits: verdicts on models in the answer, versions, and three witnesses; from files alone."""

import pytest

from tests.unit.reports.sample_audit import write_audited
from video_tcav.reports import write_report


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
