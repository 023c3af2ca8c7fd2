"""The studio in a real browser: what a person sees and does, and what stays when everything is started again."""

import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chromium import browser as browser
from tests.studio.banks import make_bank, multiply
from video_tcav.concepts.bank import ConceptBank
from video_tcav.studio import Need, Studio, open_studio

NEED = Need(effect=3, at_least=8)  # 3 videos show an effect that large
FOCUSED = "document.activeElement?.dataset?.id"


@contextmanager
def running(folder: Path, *, port: int = 0, runs: Sequence[Path] | None = None, **options) -> Iterator[Studio]:
    with open_studio(folder, port=port, need=NEED, runs=runs, **options) as studio:
        thread = threading.Thread(target=studio.run)
        thread.start()
        try:
            yield studio
        finally:
            studio.server.should_exit = True
            thread.join(timeout=20)


@contextmanager
def opened(browser, link: str, **options) -> Iterator:
    """A page that must stay on this machine and must not complain; the wall is there."""
    options.setdefault("viewport", {"width": 1440, "height": 900})
    context = browser.new_context(**options)
    page = context.new_page()
    wrong: list[str] = []
    host = link.partition("?")[0]
    page.on("console", lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(host) else None)
    page.goto(link)
    page.wait_for_selector(".tile.current")
    # on a bank's page what stands beside the wall comes by an answer of its own
    until(page, "document.getElementById('bank-counts')?.textContent !== ''")
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def until(page, expression: str, *, within_s: float = 30) -> None:
    """Wait for a condition; Playwright's own way needs `eval` in the page, which its policy forbids."""
    end = time.monotonic() + within_s
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not within {within_s} s: {expression}"
        page.wait_for_timeout(30)


def said(page, words: str) -> None:
    until(page, f"document.getElementById('said').textContent.includes({json.dumps(words)})")


def verdicts(folder: Path) -> dict[str, int]:
    with ConceptBank.open(folder) as bank:
        return {verdict: bank.count(verdict=verdict) for verdict in ("open", "accepted", "rejected")}


def test_review_by_keyboard_and_nothing_is_lost(browser, tmp_path):
    folder = tmp_path / "bank"
    make_bank(folder, clips=36).close()
    with running(folder) as studio:
        with opened(browser, studio.link) as page:
            assert "token" not in page.url
            for number in range(30):
                press(page, "r" if number % 3 == 2 else "a")
            said(page, "Rejected: 1 clip.")
            until(page, "document.getElementById('bank-counts').textContent.startsWith('6 open, 20')")
            assert verdicts(folder) == {"open": 6, "accepted": 20, "rejected": 10}
            assert page.evaluate(FOCUSED) == "31"

            press(page, "u")
            said(page, "Undone: clip 30 rejected")
            until(page, f"{FOCUSED} === '30'")
            assert verdicts(folder)["rejected"] == 9
            press(page, "r")
            said(page, "Rejected: 1 clip.")

            press(page, "Home", "2")
            said(page, "Moved to racket: 1 clip.")
            press(page, "Shift+ArrowRight", "Shift+ArrowRight", "n")
            assert page.inner_text("#name-dialog [value=move]") == "Move 3 clips there"
            page.keyboard.type("forehand")
            press(page, "Enter")
            said(page, "Moved to forehand: 3 clips.")

            page.click("a.concept:has-text('forehand')")
            page.wait_for_url("**/?concept=forehand")
            until(page, "document.querySelectorAll('.tile').length === 3")
            page.click("[data-rename=forehand]")
            page.keyboard.type("backhand")
            press(page, "Enter")
            said(page, "Renamed forehand to backhand.")
            page.check("input[name=verdict][value=accepted]", force=True)
            page.wait_for_url("**/?concept=backhand&verdict=accepted")
            until(page, "document.querySelectorAll('.tile').length === 2")

            page.reload()
            until(page, "document.querySelectorAll('.tile').length === 2")
            assert page.is_checked("input[name=verdict][value=accepted]")
            page.go_back()
            until(page, "document.querySelectorAll('.tile').length === 3")
        port = studio.port
    # the old link is of no use, the new one shows everything
    with running(folder, port=port) as studio, opened(browser, f"{studio.link}&concept=backhand") as page:
        assert page.url.endswith("/?concept=backhand")
        assert page.locator(".tile").count() == 3
        assert page.inner_text("#bank-counts") == "6 open, 20 accepted, 10 rejected"
        press(page, "u")
        said(page, "Undone: concept forehand renamed to backhand")
    assert verdicts(folder) == {"open": 6, "accepted": 20, "rejected": 10}


def test_clips_play_and_stills_are_shown(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=10).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        playing = "[...document.querySelectorAll('.tile video')].filter(v => v.videoWidth > 0 && !v.paused).length"
        until(page, f"{playing} === 8")
        page.evaluate(
            "window.seen = new Map([...document.querySelectorAll('.tile video')].map(v => [v, v.currentTime]))"
        )
        until(page, "[...window.seen].every(([video, time]) => video.currentTime !== time)")
        assert page.evaluate("[...document.querySelectorAll('.tile img')].every(i => i.naturalWidth > 0)")


def test_the_source_plays_its_span_with_the_box_on_it(browser, tmp_path):
    with make_bank(tmp_path / "bank", clips=3) as bank:
        clip = bank.clip(1)
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        press(page, "Enter")
        page.wait_for_selector("#detail video")
        until(page, "document.querySelector('#detail video').videoWidth === 128")
        for _ in range(12):
            time_s, left, shown = page.evaluate(
                "(() => { const v = document.querySelector('#detail video'), r = document.querySelector('#detail rect');"
                "return [v.currentTime, Number(r.getAttribute('x')), r.getAttribute('visibility')]; })()"
            )
            assert clip.origin.start_s - 0.1 < time_s < clip.origin.end_s + 0.2
            if shown == "visible":
                assert abs(left - (4 + 30 * time_s)) < 6  # the square moves 30 pixels a second
            page.wait_for_timeout(60)
        Path(clip.origin.video).write_bytes(b"another file")
        press(page, "ArrowRight", "ArrowLeft")
        until(page, "document.querySelector('.note').textContent.includes('has changed since')")
        press(page, "Escape")
        assert page.is_hidden("#detail")


def test_a_source_that_the_browser_does_not_play_is_transcoded(browser, tmp_path):
    with make_bank(tmp_path / "bank", clips=1, videos=1) as bank:
        clip = bank.clip(1)
        old = Path(clip.origin.video).with_suffix(".avi")
        Path(clip.origin.video).rename(old)
        bank.add_file(clip.path, concept="ball", verdict="open", origin=_elsewhere(clip.origin, old))
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        press(page, "End", "Enter")
        until(page, "document.querySelector('#detail video')?.videoWidth === 128")
        until(page, "document.querySelector('#detail rect').getAttribute('visibility') === 'visible'")
        assert "transcoded" in page.inner_text(".note")


def _elsewhere(origin, path):
    return replace(origin, video=str(path), start_s=origin.start_s + 0.001)


def test_two_browsers_see_each_other(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=12).close()
    with (
        running(tmp_path / "bank") as studio,
        opened(browser, studio.link) as one,
        opened(browser, studio.link) as other,
    ):
        press(one, "a")
        said(one, "Accepted: 1 clip.")
        press(other, "ArrowRight", "ArrowRight", "r")
        until(other, "document.getElementById('bank-counts').textContent === '10 open, 1 accepted, 1 rejected'")
        other.wait_for_selector(".tile[data-id='1'][data-verdict=accepted]")


def test_mouse_choice_marks_and_move(browser, tmp_path):
    folder = tmp_path / "bank"
    make_bank(folder, clips=12).close()
    with running(folder) as studio, opened(browser, studio.link) as page:
        page.click(".tile[data-id='2'] .mark.reject")
        said(page, "Rejected: 1 clip.")
        page.click(".tile[data-id='4'] .words")
        page.click(".tile[data-id='7'] .words", modifiers=["Shift"])
        page.click(".tile[data-id='9'] .words", modifiers=["Control"])
        said(page, "5 clips chosen.")
        page.select_option("#move", "=racket")
        said(page, "Moved to racket: 5 clips.")
        page.click("button.accept[data-do=accept]")
        said(page, "Accepted: 5 clips. racket: 5 of 8 clips, 3 of 3 videos.")
        page.dblclick(".tile[data-id='1'] .words")
        page.wait_for_selector("#detail video")
        page.click("footer [data-do=like]")
        page.wait_for_url("**/?like=1")
        assert page.locator(".tile").first.get_attribute("data-id") == "1"
    with ConceptBank.open(folder) as bank:
        assert {clip.id for clip in bank.clips(verdict="accepted")} == {4, 5, 6, 7, 9}


def test_with_reduced_motion_only_the_clip_in_focus_plays(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=8).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link, reduced_motion="reduce") as page:
        playing = "[...document.querySelectorAll('.tile video')].filter(v => !v.paused).map(v => v.closest('.tile').dataset.id)"
        until(page, f"{playing}.join() === '1'")
        press(page, "ArrowRight")
        until(page, f"{playing}.join() === '2'")


def test_slow_answers_take_back_nothing_and_undo_leads_to_its_clip(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=12).close()
    # what is read next after a change comes late, as it was then
    slow = (
        "{ const fast = window.fetch; let wait_ms = 0; window.fetch = async (path, ...options) => {"
        " const answer = await fast(path, ...options);"
        " if (path === window.slowAfter) { wait_ms = 1200; window.slowAfter = null; }"
        " if (path.includes('ids=') && wait_ms) { const now_ms = wait_ms; wait_ms = 0; window.isWaiting = true;"
        " await new Promise(done => setTimeout(done, now_ms)); window.isWaiting = false; } return answer; }; }"
    )
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        page.context.add_init_script(slow)
        page.reload()
        page.wait_for_selector(".tile.current")
        page.evaluate("window.slowAfter = '/api/verdict'")
        press(page, "a")
        until(page, "window.isWaiting")
        press(page, "a", "r")
        said(page, "Rejected: 1 clip.")
        until(page, "!window.isWaiting")
        verdicts = "[...document.querySelectorAll('.tile')].map(tile => tile.dataset.verdict)"
        assert page.evaluate(verdicts)[:4] == ["accepted", "accepted", "rejected", "open"]
        page.wait_for_timeout(600)  # nothing is on its way

        page.evaluate("window.slowAfter = '/api/undo'")
        press(page, "End", "u")
        until(page, f"{FOCUSED} === '3'")
        assert page.evaluate(verdicts)[:4] == ["accepted", "accepted", "open", "open"]


def test_it_tells_a_screen_reader_what_is_what(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=6).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        clip = page.get_by_role("option", name="racket 1, open, ball, moving, match-0.mp4 at 0.5 s")
        assert clip.get_attribute("aria-posinset") == "1" and clip.get_attribute("aria-setsize") == "6"
        assert page.get_by_role("listbox", name="Clips").count() == 1
        for name in ("Accept", "Reject", "Undo", "Help"):
            assert page.get_by_role("button", name=name).count() == 1
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, select, input')].filter(one => one.offsetParent"
            " && !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).length"
        )
        assert nameless == 0
        press(page, "?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        press(page, "Escape")
        assert page.evaluate(FOCUSED) == "1"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_sticks_out(browser, tmp_path, width, height):
    make_bank(tmp_path / "bank", clips=30, concepts=("ball", "a concept with quite a long name", "x" * 80)).close()
    size = {"width": width, "height": height}
    with running(tmp_path / "bank") as studio, opened(browser, studio.link, viewport=size) as page:
        for _ in range(2):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            sides = page.evaluate(
                "[...document.querySelectorAll('.tile, .top > *, main')].map(one => one.getBoundingClientRect().right)"
            )
            assert max(sides) <= width + 1
            if page.is_hidden("#detail"):
                press(page, "Enter")
                page.wait_for_selector("#detail video")
        # the clip in focus is not under a bar
        press(page, "End")
        tile = page.locator(".tile.current").bounding_box()
        bar = page.locator("footer.bar").bounding_box()
        assert tile["y"] + tile["height"] <= bar["y"] + 1


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thousand") / "bank"
    make_bank(folder, clips=50, videos=10).close()
    multiply(folder, 1000)
    return folder


def _first_page_ms(page) -> float:
    """From the start of the load until every clip on the screen has a picture."""
    page.reload()
    return page.evaluate(
        "new Promise(done => { const look = () => { const shown = [...document.querySelectorAll('.tile video')];"
        " if (shown.length > 10 && shown.every(v => v.readyState >= 2)) done(performance.now());"
        " else requestAnimationFrame(look); }; look(); })"
    )


_JUDGE_MS = (
    "async verdict => { const took = []; for (let id = 500; id < 520; id += 1) { const from = performance.now();"
    " await (await fetch('/api/verdict', {method: 'POST', headers: {'Content-Type': 'application/json'},"
    " body: JSON.stringify({ids: [id], verdict})})).json(); took.push(performance.now() - from); }"
    " return took; }"
)


_SHOWN = (
    "(tiles => tiles.length > 10 && tiles.every(tile => tile.querySelector('video')?.readyState >= 2"
    " || tile.querySelector('img')?.naturalWidth))"
    "([...document.querySelectorAll('.tile')].filter(tile => {"
    " const wall = document.querySelector('main').getBoundingClientRect(), { top, bottom } = tile.getBoundingClientRect();"
    " return bottom > wall.top && top < wall.bottom; }))"
)


def test_clips_that_fly_past_are_not_loaded(browser, thousand):
    with running(thousand) as studio, opened(browser, studio.link) as page:
        until(page, _SHOWN)
        page.evaluate(
            "() => { window.flown = 0; new MutationObserver(changes => changes.forEach(({ addedNodes }) => addedNodes.forEach("
            "one => { window.flown += ['VIDEO', 'IMG'].includes(one.nodeName); }))).observe(document.getElementById('wall'), "
            "{ childList: true, subtree: true }); }"
        )
        # twenty pages of it, a page a frame
        page.evaluate(
            "async () => { const main = document.querySelector('main'); for (let n = 0; n < 20; n += 1) {"
            " main.scrollBy({ top: (n % 2 ? -1 : 1) * 1400, behavior: 'instant' }); await new Promise(requestAnimationFrame); } }"
        )
        assert page.evaluate("window.flown") == 0
        page.evaluate("document.querySelector('main').scrollBy({ top: 1400, behavior: 'instant' })")
        until(page, _SHOWN)
        assert page.evaluate("window.flown") > 10


def test_a_thousand_clips(browser, thousand):
    with running(thousand) as studio, opened(browser, studio.link) as page:
        first_ms = min(_first_page_ms(page) for _ in range(3))  # what else the machine does is not what is measured
        stored_ms = min(
            (page.evaluate(_JUDGE_MS, verdict) for verdict in ("accepted", "rejected", "open") * 2),
            key=statistics.median,
        )
        loaded = "[...document.querySelectorAll('video')].filter(v => v.src).length"
        most = 0
        page.evaluate("document.querySelector('main').scrollTo(0, 0)")
        page.mouse.move(800, 450)
        page.evaluate(
            "window.frames_ms = []; let last = performance.now(); const tick = now => { window.frames_ms.push(now - last);"
            " last = now; requestAnimationFrame(tick); }; requestAnimationFrame(tick);"
        )
        for _ in range(24):
            page.mouse.wheel(0, 900)
            page.wait_for_timeout(40)
            most = max(most, page.evaluate(loaded))
        frames_ms = page.evaluate("window.frames_ms")
        until(page, "document.querySelectorAll('.tile').length >= 180")
        until(page, _SHOWN)  # where the wall comes to rest, each clip is there
        first = page.locator(".tile").first
        assert first.locator("video").count() == 0  # what is off the screen is not loaded
        assert most <= 80
        press(page, *["End"] * 3)
        print(
            f"1,000 clips: first page {first_ms:.0f} ms; verdict {statistics.median(stored_ms):.1f} ms (most "
            f"{max(stored_ms):.1f}); at most {most} videos loaded; frame {statistics.median(frames_ms):.0f} ms, 95 %: "
            f"{statistics.quantiles(frames_ms, n=20)[-1]:.0f} ms"
        )
        assert first_ms < 1000
        assert statistics.median(stored_ms) < 50
        assert statistics.median(frames_ms) < 40
