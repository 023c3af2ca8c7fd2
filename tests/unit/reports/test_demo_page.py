import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.unit.reports.samples import sample_demo
from video_tcav.reports import write_demo_page
from video_tcav.tcav import TcavResult

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
FOREIGN = {"svg", "g", "path", "use", "text", "defs", "circle", "rect", "clippath", "tspan", "line", "polyline"}
HOSTILE = "<script>alert(\"$x_1$\")</script> & 'quoted'"


class Page(HTMLParser):
    """Every element with its attributes, the text outside of script and style, and whether all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID | FOREIGN, f"<{tag}/> does not close itself in HTML"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo-out")
    return write_demo_page(sample_demo(folder), folder / "index.html")


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text())


def test_it_is_whole_and_small(written, page):
    assert page.open == []
    assert written.stat().st_size < 5e6
    assert {path.name for path in written.parent.iterdir()} == {"index.html", "clips"}


def test_it_leads_with_the_question_and_the_answer(page):
    headings = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in pairwise(headings))
    question = page.text.index("Did it see the swing, or only the court?", page.text.index("A trained model says"))
    verdicts = [
        page.text.index(f"Model {sentence}") for sentence in ("A relies on the swing (+7.5", "B relies on the court")
    ]
    assert question < min(verdicts) < max(verdicts) < page.text.index("The clips")


def test_the_cards_tell_what_happens_without_the_cause(page):
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    card = text[text.index("Model B relies") : text.index("The clips")]
    assert re.search(r"on the court 4 of 4 .*away from the court 0 % .*no racket 95 %", card)
    widths = [attributes["style"] for attributes in page.all("i")]
    assert widths == [f"width: {share}%" for share in ("100.0", "100.0", "0.0", "100.0", "0.0", "95.0")]


def test_models_that_answer_alike_are_not_called_different(tmp_path, page):
    assert "cannot tell the models apart" in page.text and "do not look at the same thing" in page.text
    demo = sample_demo(tmp_path)
    first = demo.models[0]
    twice = replace(demo, models=(first, replace(first, letter="B")), shown={})
    same = Page(write_demo_page(twice, tmp_path / "index.html").read_text()).text
    assert "cannot tell the models apart" not in same and "do not look at the same thing" not in same


def test_it_asks_for_nothing(page):
    allowed = re.compile(r"data:|#")
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action", "background"):
            assert allowed.match(attributes.get(name, "#")), f"{tag} {name}"
        for value in attributes.values():
            assert not re.search(r"url\((?!#)", value)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_its_style_and_script_ask_for_nothing(written):
    for part in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", written.read_text(), re.DOTALL):
        assert not re.search(r"https?:|//|@import|url\(|fetch|XMLHttp|WebSocket", part)


def test_clips_loop_and_pictures_stand_still(page):
    videos, pictures = page.all("video"), page.all("img")
    assert len(videos) == 2 * 3 + 2 + 5 and len(pictures) == 2 * 6 + 1
    for video in videos:
        assert {"autoplay", "loop", "muted", "playsinline"} <= video.keys()
        assert video["src"].startswith("data:video/mp4;base64,") and video["aria-label"]
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in pictures) and "court" in pictures[-1]["alt"]
    assert [one["class"] for one in page.all("button")] == ["pause", "open-all"]


def test_it_shows_where_and_when_each_model_looked(page):
    text = page.text
    look = text[text.index("Where and when each model looked") : text.index("The clips")]
    # of eight frames, the hottest one of each model takes the place of that of its share
    assert re.search(r"Model A (0\.\d\d s ){3}0\.62 s most .*Model B 0\.12 s most (0\.\d\d s ){4}", look), look
    labels = [one["aria-label"] for one in page.all("svg") if "Share of each model" in one.get("aria-label", "")]
    assert labels == ["Share of each model's heat over the clip: model A most at 0.62 s, model B most at 0.12 s."] * 2


def test_charts_say_what_they_show_and_follow_the_page(written, page):
    charts = [one for one in page.all("svg") if one["class"] == "chart"]
    assert len(charts) == 5 and all(one["role"] == "img" for one in charts)
    assert "model A, swing +7.50 (+6.90 to +8.10)" in charts[1]["aria-label"]
    narrow = [one["aria-label"] for one in page.all("svg") if one["class"] == "chart narrow"]
    assert narrow == [one["aria-label"] for one in charts]  # the same for phones
    drawn = "".join(re.findall(r'<svg class="chart".*?</svg>', written.read_text(), re.DOTALL))
    assert "currentColor" in drawn and "var(--series-1)" in drawn
    assert not re.search(r"#[0-9a-f]{6}|<style|DejaVu", drawn)


def test_no_name_is_given_twice(page):
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    used = [attributes["href"][1:] for _, attributes in page.elements if attributes.get("href", "").startswith("#")]
    assert len(names) == len(set(names)) and set(used) <= set(names)


def test_false_alarms_are_counted(page):
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "a false alarm in 138 of 200 cases" in text
    assert "A plain permutation test does so in 11; it keeps its promise here" in text
    assert "(studentised) does so in 7. Within its error, that is no more than the 5 % that it promises." in text


def test_every_result_is_in_the_table(page):
    assert page.text.count("frozen") >= 2 * 2 * 2
    assert "−2.90" in page.text and "+6.90 to +8.10" in page.text and "0123456789abcdef" in page.text
    assert len(page.all("caption")) == len(page.all("table")) == 4


def test_the_commands_repeat_it(written, page):
    folder = written.parent
    assert f"video-tcav demo --out {folder} --seed 7" in page.text
    assert f"--model rendered:r2plus1d-scene --target 'playing tennis' \\ --clips {folder}/clips/class" in page.text
    assert f"--concept racket={folder}/clips/racket" in page.text and "--twin frozen --twin reversed" in page.text


def test_a_hostile_name_is_only_text(tmp_path):
    path = write_demo_page(sample_demo(tmp_path, other=HOSTILE), tmp_path / "index.html")
    hostile = Page(path.read_text())
    # of the same length and with the same spaces: charts break long names into two lines
    harmless = re.sub(r"[^\w ]", "x", HOSTILE)
    page = Page(write_demo_page(sample_demo(tmp_path, other=harmless), tmp_path / "harmless.html").read_text())
    assert hostile.open == [] and len(hostile.all("script")) == 1
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in page.elements]
    assert HOSTILE in hostile.text


def test_the_same_demo_gives_the_same_page(tmp_path, written):
    demo = replace(sample_demo(tmp_path), folder=written.parent)
    pages = (write_demo_page(demo, tmp_path / "index.html"), written)
    first, second = (re.sub(r"data:video/mp4;base64,[^\"]+", "", page.read_text()) for page in pages)
    assert first == second


def test_a_demo_without_clips_or_twins_still_makes_a_page(tmp_path):
    demo = sample_demo(tmp_path)
    bare = []
    for model in demo.models:
        results = tuple(one for one in model.result.results if one.twin == "none")
        bare.append(replace(model, result=TcavResult.of_rows(results)))
    path = write_demo_page(replace(demo, models=tuple(bare), shown={}), tmp_path / "index.html")
    page = Page(path.read_text())
    assert len(page.all("video")) == 2 and "Motion, or picture?" not in page.text  # the maps alone


def test_a_browser_shows_it(written, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium")
    picture = tmp_path / "page.png"
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000",
            "--window-size=1280,1000",
            f"--screenshot={picture}",
            written.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = cv2.imread(str(picture))
    assert pixels is not None and pixels.shape == (1000, 1280, 3)
    colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    assert len(colours) > 500 and counts.max() < 0.95 * counts.sum()
