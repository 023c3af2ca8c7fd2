"""Report and demo page for every reader: accessible, whole on a phone, short on paper, and explained by keyboard."""

import re
from dataclasses import replace

import pytest
import torch

from tests.browser.test_report import opened, until
from tests.chromium import browser as browser
from tests.unit.auditing.result_by_hand import audited
from tests.unit.reports.discovery_sample import sample_discovery
from tests.unit.reports.sample_run import Sample, write_run
from tests.unit.reports.samples import sample_demo
from video_tcav.auditing import AuditExample
from video_tcav.reports import write_audit_page, write_demo_page, write_discovery_page, write_report

WIDTHS = (390, 820, 1440)


@pytest.fixture(scope="module")
def links(tmp_path_factory) -> dict[str, str]:
    run, demo = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("demo")
    report = write_report(write_run(run, Sample(size=48, previews=1)), run / "report.html")
    found = tmp_path_factory.mktemp("discovery")
    return {
        "report": report.as_uri(),
        "demo": write_demo_page(sample_demo(demo), demo / "index.html").as_uri(),
        "discovery": write_discovery_page(sample_discovery(found), found / "report.html").as_uri(),
        "audit": write_audit_page(audited_with_pictures(), tmp_path_factory.mktemp("audit") / "report.html").as_uri(),
    }


def audited_with_pictures():
    """An audit with the longest names of versions, two telling clips and one clip in all versions."""
    result = audited({"swap": ["walk"] * 20 + ["run"] * 20}, log_odds={"original": [5] * 40})
    rows = [row for row in result if row.label is None]
    longest = replace(rows[-1], version="person_on_stripes_still")
    frames = torch.randint(0, 256, (4, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    names = ("original", "masks", "swap")
    told = [telling.clip for telling in result.telling()][:2]
    examples = tuple(AuditExample(clip=clip, version=name, frames=frames, fps=8.0) for clip in told for name in names)
    provenance = {**result.provenance, "video_tcav": "0.1.0", "created": "2026-01-01"}
    return replace(result, versions=(*result.versions, longest), examples=examples, provenance=provenance)


@pytest.mark.parametrize("name", ["report", "demo", "discovery", "audit"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser, links, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core").Axe()
    for width in WIDTHS:
        # axe is a script of its own, which the page's policy would refuse
        with opened(
            browser, links[name], viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        ) as page:
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            violations = axe.run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["target"]) for one in violations] == []


@pytest.mark.parametrize(("name", "charts"), [("report", 4), ("demo", 4), ("discovery", 1), ("audit", 1)])
def test_no_chart_is_cut(browser, links, name, charts):
    cut = "[...document.querySelectorAll('figure .scroll')].filter((one) => one.scrollWidth > one.clientWidth).length"
    outside = """[...document.querySelectorAll('svg.chart')].filter((one) => one.clientWidth).some((one) => {
      const box = one.getBoundingClientRect();
      return [...one.querySelectorAll('text')].some((word) => {
        const { left, right } = word.getBoundingClientRect();
        return left < box.left - 2 || right > box.right + 2;
      });
    })"""
    for width in WIDTHS:
        with opened(browser, links[name], viewport={"width": width, "height": 900}) as page:
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert page.locator("svg.chart:visible").count() >= charts
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(cut) == 0 and not page.evaluate(outside), width


@pytest.mark.parametrize("name", ["report", "demo", "discovery", "audit"])
def test_the_button_for_clips_comes_first_and_lies_over_nothing(browser, links, name):
    for width in WIDTHS:
        with opened(browser, links[name], viewport={"width": width, "height": 900}) as page:
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "pause"
            bottom = "document.querySelector('.pause').getBoundingClientRect().bottom"
            assert page.evaluate(f"{bottom} <= document.querySelector('h1').getBoundingClientRect().top")
            page.evaluate("scrollTo(0, 2000)")
            assert page.evaluate(f"{bottom} < 0")


def test_pictures_of_an_audit_have_a_larger_view_by_keys(browser, links):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core").Axe()
    title = "document.querySelector('.larger-view h2').textContent"
    for width in (390, 1440):
        with opened(browser, links["audit"], viewport={"width": width, "height": 900}, bypass_csp=True) as page:
            button = page.locator(".trio .larger").first
            small = page.locator(".trio video").first.bounding_box()["width"]
            button.focus()
            page.keyboard.press("Enter")
            assert page.locator(".larger-view").is_visible() and page.evaluate(title) == "original"
            assert page.evaluate("document.activeElement.ariaLabel") == "Close the larger view"
            stage, video = (page.locator(f".larger-view {name}").bounding_box() for name in (".stage", "video"))
            assert 2.5 * small < video["width"] <= stage["width"] and video["height"] <= stage["height"]
            assert axe.run(page).response["violations"] == []
            page.keyboard.press("ArrowLeft")
            assert page.evaluate(title) == "original"
            page.keyboard.press("ArrowRight")
            page.locator(".larger-view [data-turn='1']").click()
            page.keyboard.press("ArrowRight")  # there are three
            assert page.evaluate(title) == "swap"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.keyboard.press("Escape")
            until(page, "document.querySelector('.larger-view .stage').childElementCount === 0")
            assert not page.locator(".larger-view").is_visible()
            assert page.evaluate("document.activeElement.dataset.title") == "swap"


def test_names_of_rows_are_whole_on_a_phone(browser, links):
    with opened(browser, links["audit"], viewport={"width": 390, "height": 900}) as page:
        words = page.evaluate(
            "[...document.querySelectorAll('svg.chart')].filter((one) => one.clientWidth)[0].textContent"
        )
    assert "person onstripes still" in " ".join(words.split()) and "…" not in words


def test_a_word_is_explained_on_focus_and_escape_hides_it(browser, links):
    with opened(browser, links["report"]) as page:
        term = page.locator(".answer a.term").first
        term.focus()
        tip = page.locator(".tip")
        word = term.get_attribute("href").removeprefix("#")
        definition = page.evaluate(f"document.querySelector('#{word} dd').textContent")
        assert tip.inner_text() == definition and term.get_attribute("aria-describedby") == word
        page.keyboard.press("Escape")
        assert not tip.is_visible()
        term.hover()
        assert tip.is_visible()
        term.click()  # leads to the glossary, and opens it
        assert page.locator(f"#{word}").is_visible()


@pytest.mark.parametrize("name", ["report", "discovery"])
def test_it_answers_on_the_first_screen(browser, links, name):
    with opened(browser, links[name]) as page:
        for heading in ("Asked", "Answer", "How sure", "Not shown"):
            box = page.locator(".answer dt", has_text=heading).bounding_box()
            assert box is not None and box["y"] + box["height"] < 900, heading


def test_it_is_short_on_paper(browser, links, tmp_path):
    with opened(browser, links["report"]) as page:
        printed = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
