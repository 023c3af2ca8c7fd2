"""Reviewers, versions, notes and hand-made cuts over the studio's HTTP interface."""

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.studio.banks import make_bank, write_source
from tests.studio.test_http import ORIGIN, PORT, SIDES, TOKEN
from video_tcav.concepts.bank import ConceptBank
from video_tcav.core.errors import InputError
from video_tcav.proposals import HandCut, add_by_hand
from video_tcav.studio import create_app
from video_tcav.studio.session import video_key


@pytest.fixture
def bank(tmp_path):
    with make_bank(tmp_path / "bank") as bank:
        yield bank


def client_of(bank: ConceptBank, **options) -> TestClient:
    return TestClient(create_app(bank, port=PORT, token=TOKEN, **options), base_url=ORIGIN, headers=SIDES)


def test_a_blind_reviewer_is_told_nothing_of_what_others_said(bank):
    bank.set_verdict([1, 2], "accepted", reviewer="Anna")
    bank.set_verdict([4], "rejected", reviewer="Carl")
    bank.settle([4], "accepted", reviewer="Anna")
    bank.set_note(1, "surely a racket", reviewer="Anna")
    with client_of(bank, reviewer="Ben", blind=True) as client:
        client.post("/api/verdict", json={"ids": [1], "verdict": "rejected"})
        answers = [
            client.get(path)
            for path in ("/api/bank", "/api/clips", "/api/clips/1", "/api/clips/4", "/api/ids?verdict=accepted")
        ]
        answers.append(client.post("/api/verdict", json={"ids": [2], "verdict": "open"}))
        assert all(answer.status_code == 200 for answer in answers)
        text = "".join(answer.text for answer in answers)
        assert "Anna" not in text and "Carl" not in text and "surely" not in text and '"accepted":1' not in text
        facts = answers[0].json()
        assert facts["verdicts"] == {"open": 11, "accepted": 0, "rejected": 1} and facts["disputed"] == 0
        assert answers[4].json() == {"ids": [], "total": 0}
        assert client.get("/api/clips", params={"text": "surely"}).json()["total"] == 0
        for path in ("/api/agreement", "/api/clips?disputed=true"):
            assert client.get(path).status_code == 403
        assert client.post("/api/undo", json={}).json()["said"] == "Undone: clip 1 rejected."
        client.post("/api/verdict", json={"ids": [1], "verdict": "rejected"})
        assert client.post("/api/reveal", json={}).json()["bank"]["disputed"] == 1
        assert client.get("/api/agreement").json()["pairs"][0]["disputed"] == [1]
        assert client.get("/api/clips/1").json()["reviews"][0]["reviewer"] == "Anna"


def test_a_blind_pass_needs_a_name(bank):
    with pytest.raises(InputError, match="`blind` must go with a reviewer. Got True. Name one: --reviewer NAME"):
        create_app(bank, port=PORT, token=None, blind=True)


def test_all_that_pass_a_filter_can_be_named(bank):
    with client_of(bank) as client:
        answer = client.get("/api/ids", params={"concept": "ball"}).json()
        assert answer == {"ids": [1, 4, 7, 10], "total": 4}
        assert client.get("/api/ids", params={"like": 6}).json()["ids"][0] == 6


def test_likeness_goes_both_ways_and_from_any_version(bank):
    with client_of(bank) as client:
        alike = [clip["id"] for clip in client.get("/api/clips", params={"like": 6}).json()["clips"]]
        unlike = [clip["id"] for clip in client.get("/api/clips", params={"like": 6, "sort": "unlike"}).json()["clips"]]
        assert alike[0] == unlike[0] == 6 and alike[1:] == unlike[:0:-1]


def test_a_clip_is_cut_anew_and_a_new_one_is_added_over_http(bank, tmp_path):
    extra = tmp_path / "more" / "court.mp4"
    write_source(extra, 3)
    with client_of(bank, reviewer="Anna", videos=[extra]) as client:
        names = {video["name"]: video["key"] for video in client.get("/api/videos").json()["videos"]}
        assert set(names) == {"court.mp4", "match-0.mp4", "match-1.mp4", "match-2.mp4"}
        facts = client.get(f"/api/videos/{names['court.mp4']}").json()
        assert (facts["width"], facts["height"]) == (128, 96)
        assert client.get(facts["url"]).content == extra.read_bytes()
        window = client.get(f"/api/videos/{names['court.mp4']}/window", params={"start_s": 1}).json()
        assert window["offset_s"] == 1 and client.get(window["url"]).content[4:8] == b"ftyp"
        assert client.get(f"/api/videos/{names['court.mp4']}/window", params={"start_s": 99}).status_code == 404
        box = {"time_s": 0.5, "left": 19, "top": 30, "right": 43, "bottom": 54}
        body = {"video": names["court.mp4"], "concept": "ball", "start_s": 0.5, "end_s": 1.0, "boxes": [box]}
        answer = client.post("/api/clips/new", json=body).json()
        assert answer["said"] == "Added to ball: 0.50 to 1.00 s of court.mp4."
        clip = bank.clip(answer["added"][0])
        assert (clip.concept, clip.verdict, clip.origin.video) == ("ball", "accepted", str(extra))
        answer = client.post("/api/cut", json={"id": 1, "start_s": 0.7, "end_s": 1.0}).json()
        assert answer["said"] == "Cut anew: 0.70 to 1.00 s." and answer["clips"][0]["id"] == 1
        assert not answer["clips"][0]["comparable"]
        assert client.post("/api/undo", json={}).json()["said"] == "Undone: clip 1 cut anew."
        for wrong, status, words in (
            (body | {"video": "0" * 16}, 404, "There is no such video in this bank"),
            (body | {"end_s": 0.1}, 400, "`end_s` must be after `start_s`"),
            (body | {"start_s": 50, "end_s": 51}, 404, "no frame in the segment"),
            (body | {"video": "../../etc/passwd"}, 422, "is not valid"),
            (body | {"start_s": -1}, 422, "is not valid"),
            (body | {"boxes": [box | {"left": 1e9}]}, 422, "is not valid"),
        ):
            answer = client.post("/api/clips/new", json=wrong)
            assert answer.status_code == status and words in answer.text and answer.text.count("\n") == 1


def test_a_video_that_is_none_of_the_banks_is_not_served(bank, tmp_path):
    secret = tmp_path / "secret.mp4"
    write_source(secret, 0)
    with client_of(bank) as client:
        for path in ("/videos/{}", "/api/videos/{}", "/api/videos/{}/window", "/videos/{}/window"):
            assert client.get(path.format(video_key(secret))).status_code == 404
        Path(bank.videos()[0]).unlink()
        assert "is not there any more" in client.get(f"/videos/{video_key(Path(bank.videos()[0]))}").text


def test_verdicts_go_to_all_versions_unless_one_is_judged_alone(bank, tmp_path):
    cut = HandCut(start_s=0.5, end_s=1.0, boxes=((0.5, (19, 30, 43, 54)),))
    ids = [clip.id for clip in add_by_hand(bank, bank.videos()[0], cut, concept="ball")]
    assert len(ids) == 2  # the kinds that the bank has
    with client_of(bank) as client:
        said = client.post("/api/verdict", json={"ids": ids[:1], "verdict": "rejected"}).json()["said"]
        assert said == "Rejected: 1 clip and 1 other version."
        client.post("/api/verdict", json={"ids": ids[1:], "verdict": "accepted", "alone": True})
        assert [bank.clip(id).verdict for id in ids] == ["rejected", "accepted"]
        client.post("/api/move", json={"ids": ids[:1], "concept": "racket"})
        assert {bank.clip(id).concept for id in ids} == {"racket"}
        assert client.get("/api/clips", params={"kind": "all"}).json()["total"] == 14
        assert client.get("/api/clips").json()["total"] == 13 == client.get("/api/bank").json()["total"]


def test_embeddings_are_made_while_the_review_goes_on(bank):
    with bank.database.transaction() as change:
        change.execute("DELETE FROM embeddings")
    with client_of(bank) as client:
        assert client.get("/api/clips", params={"like": 1}).status_code == 400
        client.post("/api/embeddings", json={})
        end = time.monotonic() + 20
        while (facts := client.get("/api/embeddings").json())["running"]:
            assert time.monotonic() < end
            client.post("/api/verdict", json={"ids": [1], "verdict": "accepted"})
        assert facts == {"running": False, "done": 12, "total": 12, "error": ""}
        assert client.get("/api/clips", params={"like": 1}).json()["total"] == 12
