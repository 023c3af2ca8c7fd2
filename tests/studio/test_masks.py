"""The page of masks: made in the background, doubtful first, judged by keys, with verdicts in the file that an audit takes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from starlette.testclient import TestClient

from tests.chromium import browser as browser
from tests.studio.banks import moving_square
from tests.studio.test_browser import opened, press, said, until
from video_tcav.auditing import read_rejections
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError, OutputError
from video_tcav.masks import ClipMasks, MaskSource
from video_tcav.media import find_videos, read_frames, write_video
from video_tcav.rendered import rule_of, write_world
from video_tcav.studio import MaskReview, create_mask_app, open_mask_studio

PORT = 8127
ORIGIN = f"http://127.0.0.1:{PORT}"
SIDES = {"Authorization": "Bearer secret", "Origin": ORIGIN}
SPEC = ClipSpec(frames=6, size=(48, 48))


class SquareMasks(MaskSource):
    """The moving square; of the clips `lost` in half of the frames only, and in `empty` there is nobody."""

    name = "squares"

    def __init__(self, *, lost=(), empty=()):
        self.lost, self.empty = lost, empty

    def masks(self, loaded):
        stem = loaded.source.path.stem
        if stem in self.empty:
            raise MediaError(loaded.source.path, "no person was found in the clip")
        grey = loaded.clips[0][:, :, 40:41, 40:41].int()
        person = (loaded.clips[0].int() - grey).abs().amax(1) > 30
        person[:, :6, :6] = False  # a pixel there tells the number of the clip
        if stem in self.lost:
            person[1::2] = False
        return (ClipMasks(person=person, how="by colour"),)


class GatedMasks(SquareMasks):
    """Masks of run/1.mp4, the first clip, at once, of others when the gate is opened."""

    def __init__(self, **options):
        super().__init__(**options)
        self.gate = threading.Event()

    def masks(self, loaded):
        assert loaded.source.path.stem == "1" or self.gate.wait(30)
        return super().masks(loaded)


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        path = tmp_path / "clips" / ("run" if number % 2 else "walk") / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, moving_square(number + 8), fps=10)  # which never comes to the border
    return tmp_path


def review_of(folder, *, lost=("4",), empty=("5",), **options):
    sources = find_videos(folder / "clips")
    return MaskReview(sources, SquareMasks(lost=lost, empty=empty), SPEC, file=folder / "rejected.json", **options)


@contextmanager
def serving(review):
    app = create_mask_app(review, port=PORT, token="secret")
    with TestClient(app, base_url=ORIGIN, headers=SIDES) as client:
        wait_for(client, review.total)
        yield client


def wait_for(client, made):
    end = time.monotonic() + 20
    while client.get("/api/masks").json()["made"] < made:
        assert time.monotonic() < end
        time.sleep(0.02)


def names(client, **query):
    return [clip["short"] for clip in client.get("/api/clips", params=query).json()["clips"]]


def verdict(client, short, value):
    ids = {clip["short"]: clip["id"] for clip in client.get("/api/clips").json()["clips"]}
    return client.post("/api/verdict", json={"ids": [ids[short]], "verdict": value})


def test_the_doubtful_come_first_and_clips_without_masks_last(folder):
    with serving(review_of(folder)) as client:
        page = client.get("/api/clips").json()
        assert page["total"] == 6
        assert page["clips"][0]["short"] == "4.mp4" and "vanishes in some frames" in page["clips"][0]["doubts"]
        assert page["clips"][-1]["problem"] == "no person was found in the clip"
        assert [clip["doubts"] for clip in page["clips"][1:]] == [[]] * 5
        picture = client.get(page["clips"][0]["url"])
        assert picture.headers["content-type"] == "video/mp4" and len(picture.content) > 500
        assert client.get(f"/masks/{page['clips'][-1]['id']}").status_code == 404


def test_clips_on_the_page_keep_their_places_until_it_is_sorted_anew(folder):
    masks = GatedMasks(lost=("4",))
    review = MaskReview(find_videos(folder / "clips"), masks, SPEC, file=folder / "rejected.json")
    with TestClient(create_mask_app(review, port=PORT, token="secret"), base_url=ORIGIN, headers=SIDES) as client:
        wait_for(client, 1)
        assert names(client) == ["1.mp4"]
        masks.gate.set()
        wait_for(client, 6)
        assert names(client, offset=1)[0] == "4.mp4"
        assert names(client)[:2] == ["4.mp4", "1.mp4"]


def test_the_outline_is_where_the_mask_is(folder):
    with serving(review_of(folder)) as client:
        [clip, *_] = [each for each in client.get("/api/clips").json()["clips"] if each["short"] == "0.mp4"]
        out = folder / "outlined.mp4"
        out.write_bytes(client.get(clip["url"]).content)
    [frame] = read_frames(find_videos(out)[0], [0]).int()
    pink = (frame[0] > 150) & (frame[1] < 110) & (frame[2] > 90)
    rows, columns = pink.nonzero(as_tuple=True)
    # in the first frame that is taken the square is at 11 to 23 of 48 pixels, in rows 12 to 24, shown five times as large
    edges = [int(edge) for edge in (rows.min(), rows.max(), columns.min(), columns.max())]
    assert edges == pytest.approx([60, 120, 55, 115], abs=8)


def test_every_verdict_is_in_the_file_at_once_and_undone_one_by_one(folder):
    file = folder / "rejected.json"
    with serving(review_of(folder)) as client:
        assert verdict(client, "4.mp4", "rejected").json()["said"] == "Rejected: 1 clip."
        [rejected] = read_rejections(file)
        assert rejected.endswith("walk/4.mp4")
        assert verdict(client, "0.mp4", "accepted").json()["status"]["verdicts"] == {
            "open": 4,
            "accepted": 1,
            "rejected": 1,
        }
        assert names(client, verdict="rejected") == ["4.mp4"]
        assert verdict(client, "4.mp4", "accepted").status_code == 200 and not read_rejections(file)
        for left in ({"4.mp4"}, {"4.mp4"}, set()):
            assert "Undone" in client.post("/api/undo", json={}).json()["said"]
            assert {name.rpartition("/")[2] for name in read_rejections(file)} == left
        assert client.post("/api/undo", json={}).json()["said"] == "There is nothing to undo."
        verdict(client, "4.mp4", "rejected")
    with serving(review_of(folder)) as client:  # started again
        assert names(client, verdict="rejected") == ["4.mp4"]


def test_names_of_other_clips_stay_in_the_file_and_short_names_count(folder):
    file = folder / "rejected.json"
    file.write_text('["elsewhere/9.mp4", "run/1.mp4"]')
    with serving(review_of(folder)) as client:
        assert names(client, verdict="rejected") == ["1.mp4"]
        verdict(client, "1.mp4", "open")
        assert read_rejections(file) == {"elsewhere/9.mp4"}
        file.write_text("{")
        answer = verdict(client, "0.mp4", "rejected")
        assert answer.status_code == 400 and "must be JSON" in answer.text and len(answer.text.splitlines()) == 1
        assert file.read_text() == "{"


def test_what_cannot_be_done_is_one_line(folder):
    with pytest.raises(InputError, match="`file` must be a JSON file"):
        MaskReview((), SquareMasks(), SPEC, file=folder / "rejected.csv")
    with pytest.raises(OutputError, match="it is a folder"):
        MaskReview((), SquareMasks(), SPEC, file=folder)
    with serving(review_of(folder)) as client:
        for body, status in (({"ids": [99], "verdict": "rejected"}, 404), ({"ids": [1], "verdict": "no"}, 422)):
            answer = client.post("/api/verdict", json=body)
            assert answer.status_code == status and len(answer.text.splitlines()) == 1
        assert verdict(client, "5.mp4", "accepted").status_code == 409
        assert client.get("/api/clips", headers={"Authorization": "Bearer wrong"}).status_code == 403
        assert client.post("/api/undo", json={}, headers={"Origin": "http://other"}).status_code == 403


@contextmanager
def served(browser, review):
    """The page of a review in a browser."""
    with open_mask_studio(review) as studio:
        thread = threading.Thread(target=studio.run)
        thread.start()
        try:
            with opened(browser, studio.link) as page:
                assert "token" not in page.url
                yield page
        finally:
            studio.server.should_exit = True
            thread.join(timeout=20)


def test_a_verdict_for_a_clip_that_is_still_to_come_does_not_change_the_last_one(browser, folder):
    file = folder / "rejected.json"
    masks = GatedMasks()
    review = MaskReview(find_videos(folder / "clips"), masks, SPEC, file=file)
    try:
        with served(browser, review) as page:
            until(page, "document.querySelector('.tile.current b')?.textContent === '1.mp4'")
            press(page, "a", "r")
            said(page, "The next clip is on its way.")
            until(page, "document.getElementById('counts').textContent === '5 open, 1 accepted, 0 rejected'")
            masks.gate.set()
            until(page, "document.querySelector('.tile.current b').textContent === '3.mp4'")
            press(page, "r")
            until(page, "document.getElementById('counts').textContent === '4 open, 1 accepted, 1 rejected'")
            until(page, "document.querySelectorAll('.tile').length === 6")
    finally:
        masks.gate.set()
    assert [name.rpartition("/")[2] for name in read_rejections(file)] == ["3.mp4"]


def test_judging_by_keys_and_undo(browser, folder):
    review = review_of(folder, next_command="video-tcav audit clips --reject rejected.json")
    with served(browser, review) as page:
        until(page, "document.getElementById('made').textContent === 'All masks are made.'")
        page.reload()
        until(page, "document.querySelector('.tile.current b')?.textContent === '4.mp4'")
        # the wall and what stands beside it come by answers of their own, in either order
        until(page, "document.getElementById('next').innerText === 'video-tcav audit clips --reject rejected.json'")
        press(page, "r", "a", "a")  # faster than the server answers
        until(page, "document.getElementById('counts').textContent === '3 open, 2 accepted, 1 rejected'")
        press(page, "u")
        said(page, "Undone: clip")
        press(page, "Home", "ArrowRight", "r")
        until(page, "document.getElementById('counts').textContent === '4 open, 0 accepted, 2 rejected'")
        until(page, "[...document.querySelectorAll('.tile video')].some((video) => video.currentTime > 0)")
        page.check("input[name=verdict][value=rejected]", force=True)
        until(page, "document.querySelectorAll('.tile').length === 2")
        page.reload()
        until(page, "document.querySelectorAll('.tile').length === 2")
    assert len(json.loads((folder / "rejected.json").read_text())["rejected"]) == 2


def test_the_larger_view_shows_the_clip_in_focus_and_takes_the_same_keys(browser, folder):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core").Axe()
    title, counts = "document.getElementById('view-title').textContent", "document.getElementById('counts').textContent"
    with served(browser, review_of(folder)) as page:
        until(page, "document.getElementById('made').textContent === 'All masks are made.'")
        page.reload()
        until(page, "document.querySelector('.tile.current b')?.textContent === '4.mp4'")
        small = page.locator(".tile.current .view").bounding_box()["width"]
        press(page, "Shift+ArrowRight", "ArrowLeft", "Enter")
        until(page, f"{title} === '4.mp4'")
        assert page.locator("#view-stage video").bounding_box()["width"] > 2.5 * small
        assert "vanishes in some frames" in page.inner_text("#view-doubts")
        press(page, "r")  # this clip alone, and on to the next
        until(page, f"{counts} === '5 open, 0 accepted, 1 rejected' && {title} === '1.mp4'")
        press(page, "ArrowLeft")
        until(page, f"{title} === '4.mp4' && document.getElementById('view-verdict').textContent === 'rejected'")
        page.locator("#view-dialog [data-do=undo]").click()
        until(page, f"{counts} === '6 open, 0 accepted, 0 rejected'")
        assert "Undone" in page.inner_text("#view-said")
        press(page, "Escape")
        until(
            page,
            "document.activeElement.classList.contains('tile') && document.querySelectorAll('dialog[open]').length === 0",
        )
        page.locator(".tile").nth(2).dblclick(position={"x": 20, "y": 40})
        until(page, "document.getElementById('view-dialog').open")
        for width in (1440, 390):
            for scheme in ("light", "dark"):
                page.set_viewport_size({"width": width, "height": 800})
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                stage, video = (page.locator(name).bounding_box() for name in ("#view-stage", "#view-stage video"))
                assert video["height"] <= stage["height"] and video["width"] <= stage["width"]  # nothing is cut off
                assert [(one["id"], one["nodes"][0]["target"]) for one in axe.run(page).response["violations"]] == []


def test_the_command_serves_masks_that_a_killed_studio_does_not_lose_and_the_audit_leaves_out(tmp_path):
    rule = rule_of("scene")
    factors, labels = rule.sample(4, seed=1)
    manifest = write_world(tmp_path / "world", factors, [rule.labels[label] for label in labels], masks=True)
    file = tmp_path / "rejected.json"
    audit = ["audit", "--model", "rendered:r2plus1d-scene", "--device", "cpu", str(manifest), "--no-shares"]
    audit += ["--masks", str(tmp_path / "world" / "masks.json"), "--versions", "scene_only", "--bootstraps", "100"]
    command = [sys.executable, "-m", "video_tcav", *audit, "--judge-masks", str(file), "--no-open"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            link = next(line.strip() for line in process.stdout if line.startswith("http"))
            address, _, token = link.partition("/?token=")
            headers = {"Authorization": f"Bearer {token}", "Origin": address}
            with httpx.Client(base_url=address, headers=headers, timeout=20) as client:
                while (status := client.get("/api/masks").json())["made"] < status["total"]:
                    time.sleep(0.05)
                clips = client.get("/api/clips").json()["clips"]
                client.post("/api/verdict", json={"ids": [clips[0]["id"]], "verdict": "rejected"}).raise_for_status()
        finally:
            process.send_signal(signal.SIGKILL)
    assert read_rejections(file) == {clips[0]["name"]}
    words = shlex.split(status["next"])
    assert words == ["video-tcav", *audit, "--reject", str(file)]
    written = subprocess.run(
        [sys.executable, "-m", "video_tcav", *words[1:], "--json", str(tmp_path / "audit.json")],
        capture_output=True,
        text=True,
    )
    assert written.returncode == 0, written.stderr
    [skipped] = json.loads((tmp_path / "audit.json").read_text())["skipped"]
    assert clips[0]["name"] in json.dumps(skipped) and "rejected" in json.dumps(skipped)
