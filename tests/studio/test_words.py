"""The studio ranks clips by words that a reviewer types: the order, what it means, keys, and a page without faults."""

import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.chromium import browser as browser
from tests.studio.banks import COLOURS, make_bank
from tests.studio.test_browser import opened, press, running, said, until
from video_tcav.concepts.bank import ConceptBank
from video_tcav.core.errors import InputError
from video_tcav.proposals import TextRank
from video_tcav.words import TextVideoEncoder

NAMES = ("red", "green", "blue", "yellow", "purple", "teal")
"""Of the colours of the squares, in their order."""


class SquareEncoder(TextVideoEncoder):
    """Clips by the colour of their square, texts by the colour that they name; other words by their letters."""

    name, frames, digest = "squares", 2, "squares 1"

    def __init__(self):
        self.clips_seen = 0

    def embed_clips(self, clips):
        self.clips_seen += len(clips)
        rows = np.full((len(clips), 14), 0.01)
        for row, clip in zip(rows, clips, strict=True):
            pixels = clip.float().movedim(1, -1).reshape(-1, 3).numpy()
            nearest = np.stack([np.abs(pixels - colour).sum(1) for colour in COLOURS])
            row[:6] += np.bincount(nearest.argmin(0)[nearest.min(0) < 40], minlength=6) / 50
        return rows

    def embed_texts(self, texts):
        rows = []
        for text in texts:
            named = [float(name in text.split()) for name in NAMES]
            letters = np.random.default_rng(list(text.encode())).standard_normal(8)
            rows.append(np.concatenate([named, 0.3 * letters / np.linalg.norm(letters)]))
        return np.stack(rows)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(tmp_path / "cache"))


def test_tubes_are_ranked_by_words_and_embedded_once(tmp_path):
    with make_bank(tmp_path / "bank", clips=18) as bank:
        encoder, steps = SquareEncoder(), []
        rank = TextRank(bank, encoder)
        assert rank.scores("blue").by_tube == {}
        rank.embed(lambda done, total: steps.append((done, total)))
        assert steps[0] == (0, 18)
        assert steps[-1] == (18, 18)
        scores = rank.scores("  blue ")
        best = sorted(scores.by_tube, key=scores.by_tube.__getitem__)[-3:]
        assert set(best) == {"tube-2", "tube-8", "tube-14"}  # every sixth square is blue
        assert scores.stands_out
        assert not rank.scores("an accordion").stands_out
        with pytest.raises(InputError, match="`text` must be 1 to 60 printable characters"):
            rank.scores(" ")
        again = TextRank(bank, encoder)
        again.embed()
        assert encoder.clips_seen == 18  # kept on disk by content
        assert again.scores("blue") == scores


def test_a_clip_that_cannot_be_decoded_is_left_out(tmp_path):
    with make_bank(tmp_path / "bank", clips=6) as bank:
        bank.clip(3).path.write_bytes(b"no video")
        rank = TextRank(bank, SquareEncoder())
        rank.embed()
        assert len(rank.scores("blue").by_tube) == 5


def test_refusals_are_one_line(tmp_path):
    make_bank(tmp_path / "bank", clips=6).close()

    def refused(studio, query):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{studio.port}/api/clips?{query}", timeout=10)
        return caught.value.code, caught.value.read().decode()

    with running(tmp_path / "bank", token=None) as studio:
        assert refused(studio, "words=blue") == (
            400,
            "Clips can be ranked by words where the studio has an encoder: start it with --text-encoder.\n",
        )
    with running(tmp_path / "bank", token=None, text_encoder=SquareEncoder()) as studio:
        assert refused(studio, "words=blue")[0] == 409
        assert refused(studio, "words=" + 61 * "a")[0] == 422


def test_a_reviewer_types_words_and_judges_what_comes_first(browser, tmp_path):
    folder = tmp_path / "bank"
    make_bank(folder, clips=36).close()
    with running(folder, text_encoder=SquareEncoder()) as studio, opened(browser, studio.link) as page:
        until(page, "!document.getElementById('ranking').hidden")
        press(page, "a", "w")
        until(page, "document.activeElement.name === 'words'")
        page.keyboard.type("a blue square")
        press(page, "Enter")
        page.wait_for_url("**words=a+blue+square**")
        until(page, "document.querySelectorAll('.tile').length === 35")  # what is pending: one was accepted
        first = "[...document.querySelectorAll('.tile')].slice(0, 6).map((tile) => (tile.dataset.id - 1) % 6)"
        assert page.evaluate(first) == [2] * 6
        assert page.inner_text("#shown").startswith("35 clips, most like “a blue square” first")
        assert "squares: some clips of this bank stand out for it (p" in page.inner_text("#ranked")
        # the focus is on the first clip: keys judge at once
        press(page, "a", "a", "r")
        said(page, "Rejected: 1 clip.")
        page.select_option("select[name=sort]", "unlike")
        page.wait_for_url("**sort=unlike**")
        until(page, f"!({first}).includes(2)")
        page.reload()
        until(page, "document.querySelector('#ranking input').value === 'a blue square'")
        page.click("#leave-words")
        until(page, "document.getElementById('ranked').hidden && !location.search.includes('words')")
    with ConceptBank.open(folder) as bank:
        assert bank.count(verdict="accepted") == 3
    # an address with words works in a studio that has read nothing yet
    with (
        running(folder, text_encoder=SquareEncoder()) as studio,
        opened(browser, f"{studio.link}&words=red&verdict=open") as page,
    ):
        until(page, "document.getElementById('ranked').textContent.includes('“red”')")


def test_without_an_encoder_there_is_no_field(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=6).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        assert page.locator("#ranking").is_hidden()
        press(page, "w")
        said(page, "started with --text-encoder")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_has_no_fault_that_axe_knows(browser, tmp_path, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core").Axe()
    make_bank(tmp_path / "bank", clips=12).close()
    size = {"width": width, "height": 900}
    with (
        running(tmp_path / "bank", text_encoder=SquareEncoder()) as studio,
        opened(browser, studio.link, viewport=size, color_scheme=scheme, bypass_csp=True) as page,
    ):
        page.fill("#ranking input", "a blue square")
        page.click("#ranking button")
        until(page, "!document.getElementById('ranked').hidden")
        page.wait_for_timeout(300)
        violations = axe.run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
