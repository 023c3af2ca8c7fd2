"""The studio's HTTP interface: what a page or a script asks for, and what it gets."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.studio.banks import make_bank
from video_tcav.concepts.bank import ConceptCount
from video_tcav.core.errors import BankError, InputError
from video_tcav.core.escaping import well_formed
from video_tcav.gram import groups_needed
from video_tcav.studio import Need, create_app, open_studio

PORT = 8123
TOKEN = "a-token-for-tests"
ORIGIN = f"http://127.0.0.1:{PORT}"
SIDES = {"Authorization": f"Bearer {TOKEN}", "Origin": ORIGIN}


@pytest.fixture
def bank(tmp_path):
    with make_bank(tmp_path / "bank") as bank:
        yield bank


@pytest.fixture
def client(bank):
    with TestClient(create_app(bank, port=PORT, token=TOKEN), base_url=ORIGIN, headers=SIDES) as client:
        yield client


def test_the_link_gives_the_page_and_a_cookie_that_only_this_page_sends(bank):
    with TestClient(create_app(bank, port=PORT, token=TOKEN), base_url=ORIGIN) as browser:
        assert browser.get("/").status_code == 403
        first = browser.get("/", params={"token": TOKEN})
        cookie = first.headers["set-cookie"]
        assert first.status_code == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert browser.get("/").status_code == 200 and browser.get("/api/bank").status_code == 200


def test_without_a_token_nobody_needs_one(bank):
    with TestClient(create_app(bank, port=PORT, token=None), base_url=ORIGIN) as browser:
        answer = browser.get("/api/bank")
        assert answer.status_code == 200 and "set-cookie" not in answer.headers


def test_every_answer_keeps_the_browser_to_itself(client):
    for path in ("/", "/static/main.js", "/api/bank", "/clips/1", "/sources/1", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "http" not in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_pages_files_name_no_other_host():
    for path in (Path(__file__).parents[2] / "src/video_tcav/studio/static").iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "innerHTML" not in text, path.name


def test_the_bank_in_numbers(client, bank):
    bank.set_verdict([1, 4, 7], "accepted")
    facts = client.get("/api/bank").json()
    ball, racket = facts["concepts"]
    assert (ball["name"], ball["accepted"], ball["open"]) == ("ball", 3, 1) and racket["name"] == "racket"
    assert facts["need"] == {
        "clips": 8,
        "videos": 8,
        "goal": "find an effect of 1 standard deviation in 80 of 100 tests",
    }
    assert (ball["clips_needed"], ball["videos_needed"]) == (7, 7)
    assert facts["unsorted"] == 4 and facts["total"] == 12 and facts["kinds"] == ["moving", "still"]
    assert facts["verdicts"] == {"open": 9, "accepted": 3, "rejected": 0}


def test_the_need_is_that_of_the_test(bank):
    bank.set_verdict([1, 4, 7], "accepted")
    count = bank.concepts()[0]
    assert (count.accepted, count.videos) == (3, 1)
    assert Need().videos == groups_needed(1.0) and Need(effect=0.5).videos == groups_needed(0.5) == 32
    assert Need(power=0.9, random_videos=30).videos == groups_needed(1.0, power=0.9, negatives=30)
    assert Need().missing(count) == (7, 7)
    assert Need(effect=3, at_least=12).missing(count) == (9, 2)
    assert (
        Need(effect=3, at_least=10).words(count)
        == "needs 7 more clips from 2 more videos to find an effect of 3 standard deviations in 80 of 100 tests"
    )
    done = ConceptCount(name="ball", number=1, open=0, accepted=8, rejected=0, videos=8)
    assert Need().words(done) == "enough to find an effect of 1 standard deviation in 80 of 100 tests"
    one = ConceptCount(name="ball", number=1, open=0, accepted=7, rejected=0, videos=8)
    assert Need().words(one).startswith("needs 1 more clip to find")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"effect": 0.01}, "`effect` must be at least 0.05"),
        ({"power": 1.0}, "`power` must be between"),
        ({"at_least": 2}, "`at_least` must be at least 3"),
        ({"random_videos": 5}, "`random_videos` must be enough for a test that can find .* Got 5"),
    ],
)
def test_a_need_that_cannot_be(values, words):
    with pytest.raises(InputError, match=words):
        Need(**values)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"concept": "ball"}, {1, 4, 7, 10}),
        ({"concept": ""}, {3, 6, 9, 12}),
        ({"kind": "still"}, {5, 10}),
        ({"label": "racket"}, {1, 4, 7, 10}),
        ({"verdict": "accepted"}, {2}),
        ({"concept": "ball", "kind": "still"}, {10}),
        ({"ids": "3,2,999"}, {2, 3}),
        ({"offset": 10}, {11, 12}),
    ],
)
def test_filters(client, bank, query, ids):
    bank.set_verdict([2], "accepted")
    found = client.get("/api/clips", params=query).json()
    assert {clip["id"] for clip in found["clips"]} == ids
    assert found["total"] == (12 if "offset" in query else len(ids))


def test_a_video_is_a_filter_too(client, bank):
    found = client.get("/api/clips", params={"video": bank.videos()[1]}).json()
    assert {clip["id"] for clip in found["clips"]} == {2, 5, 8, 11}


def test_more_like_this_begins_with_the_clip_and_goes_on_by_likeness(client):
    found = client.get("/api/clips", params={"like": 6, "limit": 3}).json()
    assert found["clips"][0]["id"] == 6 and {clip["id"] for clip in found["clips"]} == {5, 6, 7}
    moving = client.get("/api/clips", params={"like": 6, "kind": "still"}).json()
    assert [clip["id"] for clip in moving["clips"]] == [5, 10]


def test_a_verdict_is_in_the_bank_before_the_answer(client, bank):
    answer = client.post("/api/verdict", json={"ids": [1, 2], "verdict": "accepted"})
    assert answer.json()["said"] == "Accepted: 2 clips." and answer.json()["bank"]["verdicts"]["accepted"] == 2
    assert {clip.id for clip in bank.clips(verdict="accepted")} == {1, 2}


def test_move_name_join_and_take_back(client, bank):
    client.post("/api/move", json={"ids": [1, 2], "concept": "swing"})
    assert bank.count(concept="swing") == 2
    client.post("/api/concepts", json={"name": "court"})
    client.post("/api/concepts/rename", json={"name": "swing", "new": "racket"})
    assert bank.count(concept="racket") == 5 and [one.name for one in bank.concepts()] == ["ball", "court", "racket"]
    assert "swing" in client.post("/api/undo", json={}).json()["said"] and bank.count(concept="swing") == 2
    client.post("/api/move", json={"ids": [1], "concept": ""})
    assert bank.clip(1).concept == ""
    undone = [client.post("/api/undo", json={}).json()["undone"] for _ in range(4)]
    assert undone == [True, True, True, False] and bank.count(concept="ball") == 4


def test_merge_and_split_say_what_they_did_and_are_taken_back(client, bank):
    said = client.post("/api/concepts/rename", json={"name": "ball", "new": "racket"}).json()["said"]
    assert said == "Merged ball into racket." and [one.name for one in bank.concepts()] == ["racket"]
    answer = client.post("/api/concepts/split", json={"name": "racket"}).json()
    counts = {one.name: one.open for one in bank.concepts()}
    assert answer["concept"] == "racket (2)" and sum(counts.values()) == 8 and min(counts.values()) >= 1
    moved = f"{counts['racket (2)']} clips moved to racket (2), {counts['racket']} stayed"
    assert answer["said"] == f"Split racket: {moved}."
    assert {clip["concept"] for clip in answer["clips"]} == {"racket (2)"}
    undone = [client.post("/api/undo", json={}).json()["undone"] for _ in range(3)]
    assert undone == [True, True, False] and bank.count(concept="ball") == bank.count(concept="racket") == 4
    assert client.post("/api/concepts/split", json={"name": "nothing"}).status_code == 404


def test_a_script_can_accept_every_clip(client, bank):
    clips = client.get("/api/clips", params={"concept": "racket", "verdict": "open"}).json()["clips"]
    client.post("/api/verdict", json={"ids": [clip["id"] for clip in clips], "verdict": "accepted"})
    assert bank.concepts()[1].accepted == 4


def test_a_clips_file_comes_whole_or_in_part(client, bank):
    clip = bank.clip(1)
    whole, part = client.get("/clips/1"), client.get("/clips/1", headers={"Range": "bytes=10-19"})
    assert whole.content == clip.path.read_bytes() and whole.headers["content-type"] == "video/mp4"
    assert part.status_code == 206 and part.content == whole.content[10:20]
    assert client.get("/clips/5").headers["content-type"] == "image/png"


def test_the_source_video_comes_in_part(client, bank):
    source = Path(bank.clip(1).origin.video)
    part = client.get("/sources/1", headers={"Range": "bytes=-7"})
    assert part.status_code == 206 and part.content == source.read_bytes()[-7:]


def test_the_details_of_a_clip(client, bank):
    facts = client.get("/api/clips/1").json()
    assert facts["source_url"] == "/sources/1" and facts["source_note"] == ""
    assert facts["boxes"] == [list(box) for box in bank.clip(1).origin.boxes] and len(facts["times_s"]) == 8
    assert facts["proposer"] == {"name": "motion", "settings": "every_s 0.2", "number": "0"}


def test_a_source_that_changed_is_not_shown(client, bank):
    source = Path(bank.clip(1).origin.video)
    source.write_bytes(source.read_bytes() + b"\0")
    facts = client.get("/api/clips/1").json()
    assert facts["source_url"] is None and "has changed since the clip was cut" in facts["source_note"]
    assert client.get("/sources/1").status_code == 404 and client.get("/api/clips/1/span").status_code == 404
    source.unlink()
    assert "is not there any more" in client.get("/api/clips/1").json()["source_note"]


def test_the_span_of_a_source_that_browsers_do_not_play(client):
    span = client.get("/api/clips/1/span").json()
    assert (span["width"], span["height"], span["offset_s"]) == (128, 96, 0)
    answer = client.get(span["url"])
    assert answer.status_code == 200 and answer.content[4:8] == b"ftyp"


def test_a_missing_file_of_the_bank_is_a_plain_error(client, bank):
    bank.clip(1).path.unlink()
    answer = client.get("/clips/1")
    assert answer.status_code == 404 and "bank check" in answer.text


def test_two_pages_on_one_bank_see_each_other(client, bank):
    with TestClient(create_app(bank, port=PORT, token=None), base_url=ORIGIN, headers={"Origin": ORIGIN}) as other:
        other.post("/api/verdict", json={"ids": [3], "verdict": "rejected"})
        seen = client.post("/api/verdict", json={"ids": [1], "verdict": "accepted"}).json()["bank"]["verdicts"]
    assert seen == {"open": 10, "accepted": 1, "rejected": 1}


def test_it_listens_on_this_machine_only(tmp_path):
    make_bank(tmp_path / "bank", clips=1, videos=1).close()
    with open_studio(tmp_path / "bank") as studio:
        assert studio.listener.getsockname() == ("127.0.0.1", studio.port)
        assert studio.link.startswith(f"http://127.0.0.1:{studio.port}/?token=") and len(studio.link) > 60
        with pytest.raises(InputError, match="`port` must be free"), open_studio(tmp_path / "bank", port=studio.port):
            pass


def test_no_bank_is_a_plain_error(tmp_path):
    with pytest.raises(BankError, match="bank"), open_studio(tmp_path / "nothing"):
        pass


def test_the_command_says_what_is_missing(tmp_path):
    """Without the extra there is one line, and nothing of it is imported before the command runs."""
    blocked = (
        "import sys\n"
        "from video_tcav.cli.app import main\n"
        "assert not {'fastapi', 'starlette', 'uvicorn', 'pydantic'} & set(sys.modules)\n"
        "sys.modules['fastapi'] = None\n"
        f"sys.argv = ['video-tcav', 'studio', {str(tmp_path)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert 'pip install "video-tcav[studio]"' in done.stderr


def test_the_command_prints_a_link_that_answers(tmp_path):
    make_bank(tmp_path / "bank", clips=1, videos=1).close()
    command = [
        sys.executable,
        "-c",
        "from video_tcav.cli.app import main; main()",
        "studio",
        str(tmp_path / "bank"),
        "--no-open",
    ]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None
        try:
            assert "Ctrl+C" in running.stdout.readline()
            link = running.stdout.readline().strip()
            host, port = link.removeprefix("http://").partition("/")[0].split(":")
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                path = link.partition(f":{port}")[2]
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            assert answer.startswith(b"HTTP/1.1 200") and b"<!DOCTYPE html>" in answer
        finally:
            running.terminate()


def test_names_that_are_no_utf8_can_be_sent():
    assert well_formed("caf\udce9.mp4") == "caf\\udce9.mp4" and well_formed("café 球.mp4") == "café 球.mp4"
