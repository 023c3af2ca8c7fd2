"""The report of a run in a real browser: it plays what is seen, follows the clip's time, and asks for nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chromium import browser as browser
from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.reports import write_report

READ = """const read = (canvas, top, bottom) => {
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return context.getImageData(0, top, canvas.width, bottom - top).data;
};
"""
PIXELS = f"""(canvas) => {{ {READ}
  const found = read(canvas, 0, canvas.height);
  let sum = 0;
  for (let place = 0; place < found.length; place += 1) sum = (sum * 31 + found[place]) % 1000000007;
  return sum;
}}"""
HEAD = "Number(/translate\\(([\\d.]+)/.exec(document.querySelector('#clip-1 .playhead').getAttribute('transform'))[1])"


@pytest.fixture(scope="module")
def link(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("run")
    sample = Sample(title="<script>document.title = 'broken'</script>", size=48, shown=2, previews=3)
    return write_report(write_run(folder, sample), folder / "report.html").as_uri()


@contextmanager
def opened(browser, link: str, **options) -> Iterator:
    """A page that must ask for nothing and must not complain."""
    options.setdefault("viewport", {"width": 1440, "height": 900})
    context = browser.new_context(**options)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda line: wrong.append(line.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(request.url) if not request.url.startswith(("data:", link)) else None
    )
    page.goto(link)
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def until(page, expression: str, *, within_s: float = 30) -> None:
    """Wait for something; the page's own policy allows no code from text, which Playwright's waiting needs."""
    end = time.monotonic() + within_s
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def scroll_to(page, selector: str) -> None:
    page.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'start'}})")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_does_not_complain(browser, link, width, scheme):
    with opened(browser, link, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for step in range(12):
            page.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {step} / 12)")
            page.wait_for_timeout(40)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.title().startswith("<script>")


def test_only_what_is_on_screen_plays(browser, link):
    playing = "[...document.querySelectorAll('video')].filter((one) => !one.paused).length"
    with opened(browser, link) as page:
        page.wait_for_timeout(300)
        assert page.evaluate(playing) == 0
        page.click("button.open-all")
        scroll_to(page, "#clips")
        until(page, f"{playing} > 0")
        scroll_to(page, "h1")
        until(page, f"{playing} === 0")
        scroll_to(page, "#clips")
        until(page, f"{playing} > 0")
        page.click("button.pause")
        until(page, f"{playing} === 0")


def test_the_playhead_follows_the_clip_and_the_slider(browser, link):
    with opened(browser, link) as page:
        scroll_to(page, "#clip-1")
        until(page, "document.querySelector('#clip-1 .play').textContent === 'Pause'")
        before = page.evaluate(HEAD)
        until(page, f"Math.abs({HEAD} - {before}) > 20")
        slider = page.locator("#clip-1 input[type=range]")
        slider.focus()
        page.keyboard.press("Home")
        assert page.inner_text("#clip-1 .play") == "Play"
        assert page.evaluate(HEAD) == 0 and page.inner_text("#clip-1 output") == "2.00 s"
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert page.inner_text("#clip-1 output") == "2.30 s"
        width = page.evaluate("Number(document.querySelector('#clip-1 .playhead').dataset.width)")
        assert page.evaluate(HEAD) == pytest.approx(width * 3 / 7, rel=1e-3)
        assert slider.get_attribute("aria-valuetext") == "frame 4 of 8, 2.30 s"
        page.wait_for_timeout(200)
        assert page.evaluate(HEAD) == pytest.approx(width * 3 / 7, rel=1e-3)  # it stays where it was put


def test_maps_are_chosen_by_keyboard(browser, link):
    with opened(browser, link) as page:
        scroll_to(page, "#clip-1")
        page.locator("#clip-1 input[type=range]").focus()
        page.keyboard.press("Home")
        canvas = page.locator("#clip-1 canvas")
        chosen = "[...document.querySelectorAll('#clip-1 .line.chosen')].map((one) => one.dataset.look).join()"
        page.locator("#clip-1 input[type=radio]").first.focus()
        names = page.locator("#clip-1 label .name").all_inner_texts()
        assert names == ["swing/dynamic", "court", "nothing", "Grad-CAM", "the clip alone"]
        seen = [(canvas.evaluate(PIXELS), page.evaluate(chosen))]
        for _ in names[1:]:
            page.keyboard.press("ArrowDown")
            seen.append((canvas.evaluate(PIXELS), page.evaluate(chosen)))
        assert [look for _, look in seen] == ["1", "2", "3", "", ""]
        pictures = [picture for picture, _ in seen]
        assert pictures[0] != pictures[4] != pictures[1] and pictures[0] != pictures[1]
        assert (
            pictures[2] == pictures[4]
        )  # on the scale of all concepts, one that does nothing leaves the clip as it is
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        page.locator("#clip-1 .same input").focus()
        page.keyboard.press("Space")
        assert canvas.evaluate(PIXELS) != pictures[4]  # on its own scale it is seen


def test_heat_is_where_and_what_the_map_says(browser, link):
    """The upper half raises the class with `swing/dynamic` and lowers it with `court`; the lower half is cold."""
    colour = f"""(canvas) => {{ {READ}
      const mean = (top, bottom) => {{
        const found = read(canvas, top, bottom), sums = [0, 0, 0];
        for (let place = 0; place < found.length; place += 4) for (const part of [0, 1, 2]) sums[part] += found[place + part];
        return sums.map((sum) => sum / (found.length / 4));
      }};
      return [mean(0, 40), mean(56, 96)];
    }}"""
    with opened(browser, link) as page:
        scroll_to(page, "#clip-1")
        page.locator("#clip-1 input[type=range]").focus()
        page.keyboard.press("Home")
        canvas, radios = page.locator("#clip-1 canvas"), page.locator("#clip-1 input[type=radio]")
        found = []
        for number in (0, 1, 4):
            radios.nth(number).check()
            found.append(canvas.evaluate(colour))
        (raises, cold), (lowers, _), (plain, plain_below) = found
        assert raises[0] - plain[0] > 15 > raises[2] - plain[2]  # redder
        assert lowers[2] - lowers[0] > plain[2] - plain[0] + 15  # bluer
        assert cold == pytest.approx(plain_below, abs=3)


def test_nothing_moves_for_those_who_asked_for_that(browser, link):
    with opened(browser, link, reduced_motion="reduce") as page:
        scroll_to(page, "#clip-1")
        page.wait_for_timeout(800)
        assert page.inner_text("#clip-1 .play") == "Play"
        before = page.evaluate(HEAD)
        page.wait_for_timeout(200)
        assert page.evaluate(HEAD) == before
        page.click("#clip-1 .play")
        until(page, f"{HEAD} !== {before}")


def test_the_methods_can_be_copied(browser, link):
    with opened(browser, link) as page:
        page.click("button.open-all")
        page.click("button.copy >> nth=0")
        until(page, "/Copied|Marked/.test(document.querySelector('button.copy').textContent)")


def test_on_paper_clips_stand_still_and_what_is_closed_stays_out(browser, link):
    with opened(browser, link, color_scheme="dark") as page:
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('details')].every((one) => !one.open)")
        assert page.locator("video:visible, button:visible, input[type=range]:visible").count() == 0
        assert page.locator(".clip img:visible").count() == 0 and page.locator("canvas:visible").count() == 2
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.locator(".clip img:visible").count() > 0 and page.locator("button:visible").count() == 0
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        blank = "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.every((one) => !one)"
        assert not page.locator("#clip-2 canvas").evaluate(blank)
