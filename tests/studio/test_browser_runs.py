"""Results of runs in a real browser, odd clips and sources on the wall, and how the browser is opened."""

import shlex
import stat
import sys
import webbrowser
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.chromium import browser as browser
from tests.studio.banks import make_bank
from tests.studio.runs import result_of, write_run
from tests.studio.test_browser import opened, press, running, said, until
from tests.studio.test_runs import EVIL, accept, digests
from tests.studio.test_sources import HEIGHT, WIDTH, left_at, origin_of, write_avi, write_uneven
from video_tcav.concepts.bank import ConceptBank
from video_tcav.studio import browser_opened

REPORT = """<!DOCTYPE html><title>waiting</title><style>h1 { color: rgb(1, 2, 3) }</style><h1>Report</h1>
<img id="dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="><script>
const headers = {'Content-Type': 'application/json'}, body = '{"ids":[1],"verdict":"rejected"}';
const post = () => fetch('/api/verdict', {method: 'POST', headers, body});
const outside = new Image(); outside.onerror = () => { outside.failed = true; }; outside.src = 'http://127.0.0.1:9/x.png';
post().then(() => { document.title = 'got through'; }, () => { document.title = 'kept in'; });
</script>"""


@pytest.fixture
def study(tmp_path):
    """A bank with accepted clips of `ball`, and a folder of runs that tested it."""
    with make_bank(tmp_path / "bank", clips=30) as bank:
        accept(bank, "ball")
        write_run(
            tmp_path / "runs/first",
            {"ball": digests(bank, "ball"), "racket": digests(bank, "racket"), "ghost": ["0" * 64]},
            warnings=["Few groups."],
            report=REPORT,
        )
    (tmp_path / "runs/bad").mkdir()
    (tmp_path / "runs/bad/results.json").write_text("{")
    return tmp_path


@contextmanager
def at_work(browser, study: Path, **options):
    with running(study / "bank", runs=[study / "runs"]) as studio, opened(browser, studio.link, **options) as page:
        yield page


def test_results_stand_beside_their_concept_and_go_stale(browser, study):
    with at_work(browser, study) as page:
        of_ball = page.locator("li:has(a.concept:has-text('ball')) .results")
        of_ball.locator("summary").focus()
        press(page, "Enter")  # by keyboard
        assert of_ball.locator("summary").inner_text() == "playing tennis +1.73"
        words = of_ball.locator("li").inner_text()
        for part in (
            "runs/first",
            "playing tennis, torchvision:swin3d_t",
            "+1.73 log-odds [+1.33, +2.23], adjusted p < 0.001 (of 2 tests) at layer4",
            "motion effect +1.25 [+0.85, +1.75], adjusted p = 0.02 (of 2 tests)",
            "8 of the run's 8 clips are accepted now",
        ):
            assert part in words
        page.click("a.concept:has-text('ball')")
        page.click("#wall .tile >> nth=0")
        page.keyboard.press("r")
        said(page, "Rejected: 1 clip.")
        until(page, "document.querySelector('.results[open]')?.textContent.includes('7 of the run')")
        assert "stale" in of_ball.locator("summary").inner_text()
        assert page.inner_text("#runs-link") == "1 run of a test; 1 file is no result"


def test_the_pages_of_runs(browser, study):
    with at_work(browser, study) as page:
        page.click("#runs-link")
        page.wait_for_url("**/runs")
        page.wait_for_selector(".run")
        assert "runs/bad/results.json is no JSON" in page.inner_text(".warnings")
        page.get_by_role("link", name="runs/first").click()
        page.wait_for_selector(".effects")
        table = page.get_by_role("table", name="Effects on playing tennis")
        assert table.get_by_role("row").count() == 1 + 3 + 3 * 4
        assert table.get_by_role("columnheader").all_inner_texts()[:3] == ["Layer", "Clips", "Effect in log-odds"]
        assert page.get_by_role("region", name="Warnings").inner_text().endswith("Few groups.")
        assert "not represented" in table.inner_text() and "rather than other" in table.inner_text()
        places = page.evaluate(
            "[...document.querySelectorAll('.effects tr:not(.concept-head) svg')].map(svg => {"
            " const [bar, zero] = ['rect', '.zero'].map(one => svg.querySelector(one).getBoundingClientRect());"
            " return [bar.width, bar.x + bar.width / 2 - zero.x]; })"
        )
        effects = [0.5, 1.73, 9.0, 1.25, -0.5, -0.27, 9.0, 0.25, -1.5, -2.27, 9.0, -0.75]
        widths, sides = np.array(places).T
        assert (np.sign(sides) == np.sign(effects)).all()
        assert np.allclose(widths / widths[2], np.abs(effects) / 9, atol=0.02)
        heads = page.locator(".concept-head").all_inner_texts()
        assert "no clips of it in this bank" in heads[2]
        page.get_by_role("link", name="ball").click()
        page.wait_for_url("**/?concept=ball")
        until(page, "document.querySelectorAll('.tile').length === 10")


def test_a_report_runs_but_reaches_nothing(browser, study):
    with running(study / "bank", runs=[study / "runs"]) as studio:
        context = browser.new_context()
        page = context.new_page()
        asked: list[str] = []
        page.on("requestfinished", lambda request: asked.append(request.url))
        page.goto(studio.link)
        page.goto(f"http://127.0.0.1:{studio.port}/runs")
        page.get_by_role("link", name="runs/first").click()
        page.click("#report")
        until(page, "document.title !== 'waiting'")
        assert page.title() == "kept in"
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
        assert page.evaluate("document.getElementById('dot').naturalWidth") == 1
        assert page.evaluate("window.origin") == "null"
        assert all(url.startswith((f"http://127.0.0.1:{studio.port}/", "data:")) for url in asked)
        assert not any(url.endswith("/api/verdict") for url in asked)
        context.close()
    with ConceptBank.open(study / "bank") as bank:
        assert bank.clip(1).verdict == "accepted"


def test_html_in_names_is_text(browser, tmp_path):
    with make_bank(tmp_path / "bank", clips=6) as bank:
        write_run(
            tmp_path / "runs" / EVIL,
            {EVIL: digests(bank, "ball")},
            results=[result_of(EVIL, EVIL, 1.0, target=EVIL, versus="random")],
            warnings=[EVIL],
            model=EVIL,
        )
    with at_work(browser, tmp_path) as page:
        page.locator(".results summary").click()
        assert EVIL in page.inner_text(".results")
        page.click(".results a")
        page.wait_for_selector(".effects")
        assert page.locator("main img, .results img").count() == 0 and EVIL in page.inner_text(".warnings")
        page.click("#all-runs")
        page.wait_for_selector(".run")
        assert page.locator("main img").count() == 0 and EVIL in page.inner_text(".run h2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (768, 1024), (390, 844)])
def test_nothing_of_the_results_sticks_out(browser, study, width, height, scheme):
    with ConceptBank.open(study / "bank") as bank:
        name = "a_layer.with.a_very.long.name.and_no_place_to_break_it" * 2
        rows = [result_of("x" * 80, name, 1.0, target="y" * 120)]
        write_run(study / "runs" / ("z" * 100), {"x" * 80: digests(bank, "racket")}, results=rows, model="m" * 200)
    size = {"width": width, "height": height}
    with at_work(browser, study, viewport=size, color_scheme=scheme) as page:
        if width < 768:
            page.click("#concepts > summary")
        for summary in page.locator(".results summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        panel = page.locator("#concepts")
        assert panel.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        page.goto(f"{page.url.partition('?')[0]}runs")
        page.wait_for_selector(".run")
        for link in [one.get_attribute("href") for one in page.locator(".run a").all()]:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.goto(f"http://{page.url.split('/')[2]}{link}")
            page.wait_for_selector(".effects")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_clips_that_the_browser_does_not_play_are_shown(browser, tmp_path):
    film = tmp_path / "old.avi"
    write_avi(film)
    foreign = tmp_path / "foreign.mp4"  # MPEG-4 part 2, which Chromium does not decode
    write_uneven(foreign, np.arange(0, 1000, 40), codec="mpeg4")
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        bank.add_file(film, concept="ball")
        bank.add_file(foreign, concept="ball")
    with running(tmp_path / "bank") as studio:
        page = browser.new_page()
        page.goto(studio.link)
        playing = (
            "[...document.querySelectorAll('.tile video')].filter(v => v.videoWidth && !v.paused)"
            ".map(v => v.src.includes('/encoded/'))"
        )
        until(page, f"{playing}.join() === 'true,true'")
        page.close()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_box_lies_on_pixels_that_are_not_square(browser, tmp_path, suffix):
    source = tmp_path / f"wide{suffix}"
    write_uneven(source, np.arange(0, 3000, 40), aspect=Fraction(2))
    with make_bank(tmp_path / "bank", clips=1, videos=1) as bank:
        origin = origin_of(source)
        square = tuple((2 * left, top, 2 * right, bottom) for left, top, right, bottom in origin.boxes)
        bank.set_verdict([1], "rejected")
        bank.add_file(bank.clip(1).path, concept="ball", verdict="open", origin=replace(origin, boxes=square))
    with running(tmp_path / "bank") as studio, opened(browser, f"{studio.link}&verdict=open") as page:
        press(page, "Enter")
        until(page, "document.querySelector('#detail rect')?.getAttribute('visibility') === 'visible'")
        until(page, "document.querySelector('#detail video').readyState >= 2")  # the first picture is there
        page.evaluate("document.querySelector('#detail video').pause()")
        page.wait_for_timeout(200)
        found = page.evaluate(
            "(() => { const of = name => document.querySelector(name).getBoundingClientRect();"
            " const v = document.querySelector('#detail video'), stage = of('#detail video'), box = of('#detail rect');"
            " return { time: v.currentTime, aspect: stage.width / stage.height, left: (box.x - stage.x) / stage.width,"
            " width: box.width / stage.width, top: (box.y - stage.y) / stage.height }; })()"
        )
        assert found["aspect"] == pytest.approx(2 * WIDTH / HEIGHT, rel=0.05)
        assert found["left"] == pytest.approx(left_at(found["time"]) / WIDTH, abs=0.03)
        assert found["width"] == pytest.approx(16 / WIDTH, abs=0.03) and found["top"] == pytest.approx(
            40 / HEIGHT, abs=0.05
        )


def test_the_browser_is_opened_without_the_secret_in_its_command_line(browser, tmp_path):
    """A small program stands for the browser and notes the command line that all users could see."""
    noted = tmp_path / "noted"
    program = tmp_path / "browser.py"
    program.write_text(f"import sys, pathlib; pathlib.Path({str(noted)!r}).write_text(' '.join(sys.argv))")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))} %s"
    webbrowser.register("noting", None, webbrowser.get(command), preferred=True)
    make_bank(tmp_path / "bank", clips=3).close()
    try:
        with running(tmp_path / "bank") as studio:
            token = studio.link.partition("token=")[2]
            with browser_opened(studio.link) as file:
                assert token not in noted.read_text() and noted.read_text().endswith(file.as_uri())
                assert stat.S_IMODE(file.stat().st_mode) == 0o600
                assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
                page = browser.new_page()
                page.goto(file.as_uri())
                page.wait_for_url(f"http://127.0.0.1:{studio.port}/")  # it went on, and the page took the secret away
                page.wait_for_selector(".tile.current")
                page.close()
            assert not file.parent.exists()
    finally:
        webbrowser._tryorder.remove("noting")  # pyright: ignore[reportAttributeAccessIssue]
