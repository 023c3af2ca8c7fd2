"""The page of an audit: one file that loads nothing, with the bar, the answer, every version, and clips to look at."""

import re
from dataclasses import replace

import pytest

import video_tcav as vt
from tests.unit.auditing.rendered_audit import ExactMasks, rendered_clips
from tests.unit.reports.test_demo_page import HOSTILE, Page
from video_tcav.media import Skipped
from video_tcav.reports import write_audit_page
from video_tcav.reports.audit.answer import answer
from video_tcav.reports.audit.charts import share_bar, versions_chart
from video_tcav.reports.audit.clips import contact_sheet, telling_cards


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    clips, rendered = rendered_clips("scene", 5)
    model, folder = vt.load_model("rendered:r2plus1d-scene"), tmp_path_factory.mktemp("audit")
    versions = ("reversed", "swap", "swap_still")
    return vt.audit(model, clips, versions=versions, masks=ExactMasks(rendered), bootstraps=200, out=folder)


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    return write_audit_page(result, tmp_path_factory.mktemp("page") / "report.html")


def test_it_is_one_whole_file_that_loads_nothing(written):
    text = written.read_text()
    page = Page(text)
    assert page.open == [] and text.count("<main>") == 1
    outside = [attributes.get("src", "") for _, attributes in page.elements if "src" in attributes]
    assert outside and all(address.startswith("data:") for address in outside)
    assert not re.search(r'(?:href|src)="https?:', text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert sorted(path.name for path in (written.parent / "figures").iterdir()) == ["versions.png", "versions.svg"]


def test_it_leads_with_the_bar_and_answers_first(result, written):
    bar = share_bar(result.shares_of())
    assert bar[0].player == "scene"
    assert sum(piece.width for piece in bar) == pytest.approx(100)
    text = Page(written.read_text()).text
    finding = answer(result).findings[0][1][0]
    assert finding.startswith("The scene most of all:")
    share = bar[0].text.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        text.replace("\N{NO-BREAK SPACE}", " ").index(share) < text.index("The scene most of all") < text.index("SBErr")
    )


def test_telling_swaps_are_shown_with_what_they_were_made_of(result):
    cards = telling_cards(result)
    assert len(cards) == len(result.telling()) > 0
    for card in cards:
        assert card.follows == "scene" and card.answer == card.lender_label != card.label
        assert [picture.name for picture in card.pictures] == ["original", "masks", "swap"]
        assert all(picture.shown.uri.startswith("data:") for picture in card.pictures)


def test_one_clip_is_shown_in_all_versions(result):
    sheet = {version.name: version for version in contact_sheet(result)}
    assert set(sheet) == {"original", "reversed", "swap", "swap still", "masks"}
    assert sheet["original"].shown.moves and not sheet["swap still"].shown.moves


def test_every_version_of_every_class_is_in_a_table(result, written):
    text = Page(written.read_text()).text
    for label in result.labels:
        assert label in text
    assert versions_chart(result).label.count("right") >= 4


def test_without_shares_and_examples_it_says_what_is_missing(result, tmp_path):
    bare = replace(result, shares=(), examples=(), masks="")
    text = Page(write_audit_page(bare, tmp_path / "page.html").read_text()).text
    assert "No example clips were kept" in text
    assert "which were not asked for" in text
    assert share_bar(bare.shares_of()) == ()


def test_names_are_text(result, tmp_path):
    hostile = replace(result, model=HOSTILE, warnings=(HOSTILE,), skipped=(Skipped(path=HOSTILE, reason=HOSTILE),))
    text = write_audit_page(hostile, tmp_path / "page.html").read_text()
    assert HOSTILE not in text
    assert Page(text).open == []


def test_a_figure_for_notebooks(result):
    assert result.plot()._repr_png_().startswith(b"\x89PNG")
    assert "<table" in result._repr_html_()
    assert "scene" in repr(result)
