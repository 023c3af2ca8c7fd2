"""An annotator at work in a real browser: one key a tube, cutting by hand, a second person, agreement."""

from pathlib import Path

import numpy as np
import pytest

from tests.chromium import browser as browser
from tests.studio.banks import make_bank, multiply, write_source
from tests.studio.test_browser import opened, press, running, said, until
from video_tcav.concepts.bank import ConceptBank, Origin

KINDS = ("moving", "still", "focus", "scene")


def bank_of_tubes(folder: Path, *, tubes: int, kinds=KINDS) -> ConceptBank:
    """A bank of tubes in several versions, all open, of seven videos."""
    bank = ConceptBank.open(folder, create=True)
    videos = [folder.parent / "videos" / f"match-{number}.mp4" for number in range(7)]
    digests = [write_source(path, number)[0] for number, path in enumerate(videos)]
    for number in range(tubes):
        start_s = 0.1 * (number // 7)
        for kind in kinds:
            times = 1 if kind == "still" else 4
            frames = np.full((times, 3, 32, 32), 60 + 6 * number, np.uint8)
            frames[:, :, :, : 2 + number] = KINDS.index(kind) * 60
            bank.add(
                _tensor(frames),
                fps=10,
                concept="ball",
                kind=kind,
                tube=f"tube-{number}",
                quality=1 - number / 100,
                origin=Origin(
                    video=str(videos[number % 7]),
                    video_digest=digests[number % 7],
                    start_s=start_s,
                    end_s=start_s + 0.4,
                    times_s=tuple(start_s + 0.1 * time for time in range(times)),
                    boxes=((4.0, 30.0, 28.0, 54.0),) * times,
                    label="ball",
                    score=0.5 + number / 100,
                    proposer={"name": "motion"},
                ),
            )
    return bank


def _tensor(array):
    import torch

    return torch.from_numpy(array)


def test_28_tubes_are_judged_with_28_key_presses(browser, tmp_path):
    bank_of_tubes(tmp_path / "bank", tubes=28).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        until(page, "document.getElementById('bank-counts').textContent === '28 open, 0 accepted, 0 rejected'")
        assert page.locator(".tile").count() == 28
        for number in range(28):
            press(page, "r" if number % 7 == 0 else "a")
        until(page, "document.getElementById('bank-counts').textContent === '0 open, 24 accepted, 4 rejected'")
        said(page, "Accepted: 1 clip and 3 other versions. ball: 24 of 8 clips, 6 of 3 videos.")
        assert "✓ enough for a test" in page.inner_text("#concept-list")
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert [bank.count(verdict=verdict) for verdict in ("open", "accepted", "rejected")] == [0, 96, 16]
        assert bank.count(kind="scene", verdict="accepted") == 24


def test_versions_are_there_on_demand_and_judged_alone(browser, tmp_path):
    bank_of_tubes(tmp_path / "bank", tubes=3).close()
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        press(page, "a")
        said(page, "Accepted: 1 clip and 3 other versions.")
        page.click(".tile[data-id='1'] .words")
        press(page, "Enter")
        page.click("#detail .versions summary")
        page.get_by_role("button", name="Reject only the scene version").click()
        said(page, "Rejected: 1 clip.")
        page.select_option("select[name=kind]", "scene")
        page.wait_for_selector(".tile[data-id='4'][data-verdict=rejected]")
        assert page.locator(".tile").count() == 3
        press(page, "ArrowRight")
        page.locator(".tile").nth(1).click()
        press(page, "a")
        said(page, "Accepted: 1 clip.")
        page.select_option("select[name=kind]", "all")
        until(page, "document.querySelectorAll('.tile').length === 12")
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert {clip.kind: clip.verdict for clip in bank.clips(ids=range(1, 5))} == {
            **dict.fromkeys(("moving", "still", "focus"), "accepted"),
            "scene": "rejected",
        }
        assert bank.count(verdict="accepted") == 4


def test_all_in_the_filter_are_chosen_on_the_wall_or_not(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=12, videos=3).close()
    multiply(tmp_path / "bank", 264)
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        press(page, "Control+a")
        said(page, "264 clips chosen.")
        assert page.locator(".tile").count() < 264
        press(page, "Escape")
        assert page.inner_text("#choose-all") == "Choose all 264"
        page.check("input[name=verdict][value=open]", force=True)
        page.click("a.concept:has-text('racket')")
        page.wait_for_url("**/?*concept=racket*")
        page.click("#choose-all")
        said(page, "88 clips chosen.")
        press(page, "a")
        said(page, "Accepted: 88 clips")
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert bank.count(verdict="accepted") == bank.count(concept="racket") == 88


def drag_a_box(page, left: float, top: float, right: float, bottom: float) -> None:
    """Draw on the source video, in pixels of its 128 x 96 picture."""
    area = page.locator("#detail .stage svg").bounding_box()
    point = [
        (area["x"] + x / 128 * area["width"], area["y"] + y / 96 * area["height"])
        for x, y in ((left, top), (right, bottom))
    ]
    page.mouse.move(*point[0])
    page.mouse.down()
    page.mouse.move(*point[1], steps=4)
    page.mouse.up()


def seek(page, time_s: float) -> None:
    page.evaluate(
        f"(() => {{ const v = document.querySelector('#detail video'); v.pause(); v.currentTime = {time_s}; }})()"
    )
    until(
        page, f"(v => !v.seeking && Math.abs(v.currentTime - {time_s}) < 0.06)(document.querySelector('#detail video'))"
    )


def test_trim_box_add_by_hand_undo_and_a_second_person(browser, tmp_path):
    folder = tmp_path / "bank"
    bank_of_tubes(folder, tubes=8, kinds=("moving", "still")).close()
    with running(folder, reviewer="Anna") as studio, opened(browser, studio.link) as page:
        assert page.inner_text("#reviewer-name") == "Anna"
        press(page, "Enter")
        page.wait_for_selector("#detail .editor")
        until(page, "document.querySelector('#detail video')?.videoWidth === 128")
        # trim: begin and end at what the video shows
        seek(page, 0.5)
        press(page, "[")
        seek(page, 1.5)
        press(page, "]")
        # boxes at two moments: the clip moves between them
        press(page, "b")
        drag_a_box(page, 49, 30, 73, 54)
        until(page, "document.querySelector('.editor .rule').textContent.startsWith('1 box drawn')")
        seek(page, 0.5)
        page.click("text=Draw a box")
        drag_a_box(page, 19, 30, 43, 54)
        until(page, "document.querySelector('.editor .rule').textContent.startsWith('2 boxes drawn')")
        page.click("text=Save the cut")
        said(page, "Cut anew: 0.50 to 1.50 s.")
        with ConceptBank.open(folder) as bank:
            clip = bank.clip(1)
            assert (clip.origin.start_s, clip.origin.end_s) == (
                pytest.approx(0.5, abs=0.06),
                pytest.approx(1.5, abs=0.06),
            )
            assert clip.origin.boxes[0] == pytest.approx((19, 30, 43, 54), abs=1.5)
            assert clip.origin.boxes[-1] == pytest.approx((46, 30, 70, 54), abs=3.5)
            assert bank.clip(2).frames == 1 and bank.clip(2).origin.proposer["cut_by"] == "Anna"  # its still
        # a clip by hand
        press(page, "c")
        page.wait_for_selector("#detail .field select")
        page.locator("#detail .field select").first.select_option(label="match-3.mp4")
        chosen = "document.querySelector('#detail .field select').value"
        until(
            page, f"(v => v?.videoWidth === 128 && v.src.includes({chosen}))(document.querySelector('#detail video'))"
        )
        seek(page, 1.0)
        page.click("text=Here [")
        seek(page, 2.0)
        page.click("text=Here ]")
        page.click("text=Add the clip")
        said(page, "Added to ball: 1.00 to 2.00 s of match-3.mp4.")
        until(page, "document.querySelector('.tile.current')?.dataset.id === '17'")
        assert page.inner_text("#bank-counts") == "8 open, 1 accepted, 0 rejected"
        press(page, "Escape", "Escape")
        page.locator(".tile.current").focus()
        press(page, "u")
        said(page, "Undone: 2 clips added.")
        until(page, "document.querySelectorAll('.tile').length === 8")
        press(page, "u")
        said(page, "Undone: 2 clips cut anew.")
        with ConceptBank.open(folder) as bank:
            assert (bank.count(), bank.clip(1).origin.start_s, bank.check()) == (16, 0.0, [])
        press(page, "Home")
        for verdict in "aaaarrrr":
            press(page, verdict)
        until(page, "document.getElementById('bank-counts').textContent === '0 open, 4 accepted, 4 rejected'")
    # a second person, who does not see what the first decided
    with running(folder, reviewer="Ben", blind=True) as studio, opened(browser, studio.link) as page:
        assert page.inner_text("#reviewer-name") == "Ben, blind"
        assert page.inner_text("#bank-counts") == "8 open, 0 accepted, 0 rejected"
        assert page.is_hidden("#agreement") and "Anna" not in page.content()
        for verdict in "aaarrrrr":
            press(page, verdict)
        until(page, "document.getElementById('bank-counts').textContent === '0 open, 3 accepted, 5 rejected'")
        page.click("#reveal")
        page.click("text=End it")
        said(page, "The blind pass is over")
        page.click("#agreement")
        assert page.inner_text("#agreement-rows tbody tr").split("\t") == [
            "Anna and Ben",
            "8 clips",
            "7 (88 %)",
            "0.75",
        ]
        page.click("text=Show disagreements")
        until(page, "document.querySelectorAll('.tile').length === 1")
        assert page.inner_text(".tile .said") == "Anna ✓, Ben ✕"
        press(page, "a")
        said(page, "Settled: accepted: 1 clip and 1 other version.")
    with ConceptBank.open(folder) as bank:
        assert bank.count(verdict="accepted", tubes=True) == 4 and bank.count(disputed=True) == 0
        assert bank.clip(7).settled_by == "Ben" and {review.verdict for review in bank.reviews([7])} == {
            "accepted",
            "rejected",
        }


def test_a_clip_in_two_concepts_search_order_and_notes(browser, tmp_path):
    folder = tmp_path / "bank"
    make_bank(folder, clips=12).close()
    with running(folder) as studio, opened(browser, studio.link) as page:
        press(page, "Shift+Digit2")
        said(page, "Also put into racket: 1 clip, to be judged there.")
        until(page, "document.querySelectorAll('.tile').length === 13")
        press(page, "Enter")
        until(page, "document.querySelector('.facts')?.textContent.includes('ball, also in racket')")
        page.fill("#detail textarea", "Hand covers it")
        page.locator("#detail textarea").blur()
        said(page, "Note written.")
        until(page, "document.querySelector('.tile[data-id=\"1\"] .noted').textContent === '“Hand covers it”'")
        page.fill("input[name=text]", "covers")
        page.wait_for_url("**/?text=covers")
        until(page, "document.querySelectorAll('.tile').length === 1")
        page.fill("input[name=text]", "")
        until(page, "document.querySelectorAll('.tile').length === 13")
        page.select_option("select[name=sort]", "confident")
        until(page, "document.querySelector('.tile')?.dataset.id === '12'")
        page.select_option("select[name=sort]", "unsure")
        until(page, "document.querySelector('.tile')?.dataset.id === '1'")


def test_likeness_is_made_on_request_and_an_error_changes_nothing(browser, tmp_path):
    folder = tmp_path / "bank"
    with make_bank(folder, clips=12) as bank, bank.database.transaction() as change:
        change.execute("DELETE FROM embeddings")
    with running(folder) as studio, opened(browser, studio.link) as page:
        button = page.locator("footer [data-do=like]")
        assert button.get_attribute("aria-disabled") == "true" and "Make embeddings" in button.get_attribute("title")
        press(page, "m")
        said(page, "Clips cannot be compared yet")
        assert page.locator(".tile").count() == 12 and page.url.endswith("/")
        page.click("#embed")
        said(page, "Done: “More like this” works now.")
        until(page, "document.querySelector('footer [data-do=like]').ariaDisabled === 'false'")
        assert page.is_hidden("#embed")
        press(page, "m")
        page.wait_for_url("**/?like=1")
        until(page, "document.querySelectorAll('.tile').length === 12")
        nearest = page.locator(".tile").nth(1).get_attribute("data-id")
        page.select_option("select[name=sort]", "unlike")
        until(page, f"document.querySelectorAll('.tile')[11]?.dataset.id === '{nearest}'")


def test_numbers_of_concepts_stay_when_others_come(browser, tmp_path):
    make_bank(tmp_path / "bank", clips=4, concepts=("motion", "person")).close()
    keys = "[...document.querySelectorAll('a.concept .name')].map(name => name.textContent)"
    with running(tmp_path / "bank") as studio, opened(browser, studio.link) as page:
        until(page, f"({keys}).length === 4")
        assert page.evaluate(keys)[2:] == ["1 motion", "2 person"]
        press(page, "n")
        page.keyboard.type("arms")
        press(page, "Enter")
        said(page, "Moved to arms")
        assert page.evaluate(keys)[2:] == ["1 motion", "2 person", "3 arms"]
        press(page, "3")
        page.reload()
        until(page, f"({keys}).length === 5")
        assert page.evaluate(keys)[2:] == ["1 motion", "2 person", "3 arms"]


def test_a_concept_is_split_merged_and_rejected_and_each_is_taken_back(browser, tmp_path):
    """A component that shows two things: three clips of eight have vectors of their own."""
    folder = tmp_path / "bank"
    with make_bank(folder, clips=16, concepts=("component-1@stages.2",)) as bank:
        ids = [clip.id for clip in bank.clips(concept="component-1@stages.2", order="added")]
        unlike = ids[2:5]
        bank.set_embeddings("model", {id: np.array([1.0, float(id in unlike)]) for id in ids})

    def counts() -> dict[str, tuple[int, int]]:
        with ConceptBank.open(folder) as bank:
            return {count.name: (count.open, count.rejected) for count in bank.concepts()}

    edit = '[data-rename="component-1@stages.2"]'
    with running(folder) as studio, opened(browser, studio.link) as page:
        page.click(edit)
        page.click("#split")
        said(page, "Split component-1@stages.2: 3 clips moved to component-1@stages.2 (2), 5 stayed.")
        assert counts() == {"component-1@stages.2": (5, 0), "component-1@stages.2 (2)": (3, 0)}
        with ConceptBank.open(folder) as bank:
            assert [clip.id for clip in bank.clips(concept="component-1@stages.2 (2)", order="added")] == unlike
        page.click('[data-rename="component-1@stages.2 (2)"]')
        page.fill("#name-input", "racket")
        page.click("#name-dialog [value=rename]")
        said(page, "Renamed component-1@stages.2 (2) to racket.")
        page.click(edit)
        page.fill("#name-input", "racket")
        assert page.inner_text("#name-dialog [value=rename]") == "Merge “component-1@stages.2” into it"
        page.click("#name-dialog [value=rename]")
        said(page, "Merged component-1@stages.2 into racket.")
        assert counts() == {"racket": (8, 0)}
        press(page, "u")
        said(page, "joined with racket")
        assert counts() == {"component-1@stages.2": (5, 0), "racket": (3, 0)}
        page.click("[data-rename=racket]")
        page.click("#reject-all")
        said(page, "Rejected: 3 clips.")
        assert counts() == {"component-1@stages.2": (5, 0), "racket": (0, 3)}
        press(page, "u", "u", "u")
        said(page, "clips moved to component-1@stages.2 (2)")
        assert counts() == {"component-1@stages.2": (8, 0)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 820, 390])
def test_no_page_has_a_fault_that_axe_knows(browser, tmp_path, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core").Axe()
    folder = tmp_path / "bank"
    bank_of_tubes(folder, tubes=6).close()
    with ConceptBank.open(folder) as bank:
        for reviewer, verdict in (("Anna", "accepted"), ("Ben", "rejected")):
            bank.set_verdict(bank.versions([1, 5, 9]), verdict, reviewer=reviewer)
        bank.set_note(1, "What is that?", reviewer="Anna")
    size = {"width": width, "height": 900}
    with (
        running(folder, reviewer="Anna") as studio,
        opened(browser, studio.link, viewport=size, color_scheme=scheme, bypass_csp=True) as page,
    ):
        steps = {
            "wall": lambda: None,
            "agreement": lambda: page.click("#agreement"),
            "disagreements": lambda: page.click("text=Show disagreements"),
            "details": lambda: page.dblclick(".tile .words"),
            "adding": lambda: press(page, "c"),
            "concept": lambda: page.evaluate("document.querySelector('[data-rename]').click()"),
        }
        for name, act in steps.items():
            act()
            page.wait_for_timeout(400)
            found = axe.run(page).response["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
