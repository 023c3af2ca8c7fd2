"""Requests that mean harm, or make no sense: one plain line with the right status, and the bank as it was."""

import socket
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.studio.banks import make_bank
from tests.studio.test_http import ORIGIN, PORT, SIDES, TOKEN
from video_tcav.concepts.bank import ConceptBank
from video_tcav.media import file_digest
from video_tcav.studio import create_app, open_studio
from video_tcav.studio.security import BODY_LIMIT

UP = "../../../../../../etc/passwd"
JUDGE = '{"ids": [1], "verdict": "accepted"}'
JSON = {"Content-Type": "application/json"}
BIG = 2**63

GETS = [
    ("path up", f"/{UP}", 404),
    ("path up, encoded", f"/static/{quote(UP, safe='')}", 404),
    ("path up, encoded twice", f"/static/{quote(quote(UP, safe=''), safe='')}", 404),
    ("path up with backslashes", "/static/..%5C..%5Cbank.sqlite", 404),
    ("the database by name", "/clips/bank.sqlite", 404),
    ("path up as a clip", f"/clips/{quote(UP, safe='')}", 404),
    ("path up as a source", f"/sources/{quote(UP, safe='')}", 404),
    ("path up as a span", f"/spans/{quote(UP, safe='')}", 404),
    ("path up as details", f"/api/clips/{quote(UP, safe='')}", 404),
    ("absolute path as a clip", "/clips/%2Fetc%2Fpasswd", 404),
    ("NUL in a path", "/static/main.js%00.html", 404),
    ("NUL in an id", "/clips/1%00", 404),
    ("path up as a concept", f"/api/clips?concept={quote(UP, safe='')}", 404),
    ("path up as a label", f"/api/clips?label={quote(UP, safe='')}", 404),
    ("path up as a video", f"/api/clips?video={quote(UP, safe='')}", 404),
    ("path up as a verdict", f"/api/clips?verdict={quote(UP, safe='')}", 422),
    ("path up as a kind", f"/api/clips?kind={quote(UP, safe='')}", 422),
    ("path up as ids", f"/api/clips?ids={quote(UP, safe='')}", 422),
    ("path up as like", f"/api/clips?like={quote(UP, safe='')}", 422),
    ("path up as an offset", f"/api/clips?offset={quote(UP, safe='')}", 422),
    ("SQL as a concept", "/api/clips?concept=x'%20OR%201=1--", 404),
    ("NUL in a filter", "/api/clips?concept=ball%00", 422),
    ("line break in a filter", "/api/clips?label=a%0D%0ASet-Cookie:%20x=1", 422),
    ("a very long filter", f"/api/clips?video={'a' * 5000}", 422),
    ("a parameter that is none", "/api/clips?path=/etc/passwd", 422),
    ("all clips at once", "/api/clips?limit=1000000", 422),
    ("offset below zero", "/api/clips?offset=-1", 422),
    ("a huge offset", f"/api/clips?offset={BIG}", 422),
    ("no such clip", "/clips/999999", 404),
    ("clip 0", "/clips/0", 404),
    ("clip -1", "/sources/-1", 404),
    ("a clip with a fraction", "/clips/1.5", 404),
    ("a huge id", f"/clips/{BIG}", 404),
    ("an id of 5000 digits", f"/api/clips/{'9' * 5000}", 404),
    ("like no clip", "/api/clips?like=999999", 404),
    ("the API's description", "/openapi.json", 404),
    ("a changing address by GET", "/api/verdict", 405),
]
POSTS = [
    ("no JSON", "/api/verdict", "{", 422),
    ("nothing", "/api/verdict", "", 422),
    ("a list", "/api/verdict", "[1]", 422),
    ("null", "/api/undo", "null", 422),
    ("deep JSON", "/api/verdict", "[" * 100_000, 400),
    ("a number of 5000 digits", "/api/verdict", f'{{"ids": [{"9" * 5000}], "verdict": "open"}}', 400),
    ("no such verdict", "/api/verdict", '{"ids": [1], "verdict": "maybe"}', 422),
    ("no ids", "/api/verdict", '{"ids": [], "verdict": "accepted"}', 422),
    ("ids that are text", "/api/verdict", '{"ids": ["1"], "verdict": "accepted"}', 422),
    ("ids that are truths", "/api/verdict", '{"ids": [true], "verdict": "accepted"}', 422),
    ("NaN as an id", "/api/verdict", '{"ids": [NaN], "verdict": "accepted"}', 422),
    ("a huge id", "/api/verdict", f'{{"ids": [{BIG}], "verdict": "accepted"}}', 422),
    ("too many ids", "/api/verdict", f'{{"ids": {list(range(1, 6001))}, "verdict": "accepted"}}', 422),
    ("an id that is not there", "/api/verdict", '{"ids": [1, 999999], "verdict": "accepted"}', 404),
    ("one field too many", "/api/verdict", '{"ids": [1], "verdict": "accepted", "path": "x"}', 422),
    ("path up as a concept", "/api/move", f'{{"ids": [1], "concept": "{UP}"}}', 400),
    ("a hidden concept", "/api/move", '{"ids": [1], "concept": ".ssh"}', 400),
    ("NUL in a concept", "/api/move", '{"ids": [1], "concept": "a\\u0000"}', 422),
    ("half a character", "/api/move", '{"ids": [1], "concept": "\\ud800"}', 422),
    ("a long concept", "/api/concepts", f'{{"name": "{"a" * 81}"}}', 422),
    ("a concept without a name", "/api/concepts", '{"name": ""}', 422),
    ("path up as a new name", "/api/concepts/rename", '{"name": "ball", "new": "..\\\\x"}', 400),
    ("no such concept", "/api/concepts/rename", f'{{"name": "{UP}", "new": "x"}}', 404),
    ("no such address", "/api/delete", "{}", 404),
    ("a file's address", "/clips/1", "{}", 405),
]
HEADERS = [
    ("foreign Host", {"Host": "evil.example"}, 421),
    ("foreign Host with the port", {"Host": f"evil.example:{PORT}"}, 421),
    ("Host that begins like ours", {"Host": f"127.0.0.1.evil.example:{PORT}"}, 421),
    ("other port", {"Host": "127.0.0.1:80"}, 421),
    ("no port", {"Host": "localhost"}, 421),
    ("forwarded Host", {"Host": "evil.example", "X-Forwarded-Host": f"127.0.0.1:{PORT}"}, 421),
    ("foreign Origin", {"Origin": "http://evil.example"}, 403),
    ("Origin of another port", {"Origin": "http://127.0.0.1:1"}, 403),
    ("Origin by https", {"Origin": f"https://127.0.0.1:{PORT}"}, 403),
    ("Origin null", {"Origin": "null"}, 403),
    ("Origin that begins like ours", {"Origin": f"{ORIGIN}.evil.example"}, 403),
    ("empty Origin", {"Origin": ""}, 403),
    ("wrong token", {"Authorization": "Bearer nonsense"}, 403),
    ("token in another scheme", {"Authorization": f"Basic {TOKEN}"}, 403),
    ("no token", {"Authorization": ""}, 403),
    ("token with letters that are not ASCII", {"Authorization": b"Bearer \xff\xfe"}, 403),
    ("a form", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ("plain text, which needs no preflight", {"Content-Type": "text/plain"}, 415),
    ("no type", {"Content-Type": ""}, 415),
    ("no length", {"Content-Length": "many"}, 400),
    ("negative length", {"Content-Length": "-1"}, 400),
    ("huge length", {"Content-Length": "9" * 30}, 413),
]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with make_bank(tmp_path_factory.mktemp("hostile") / "bank") as bank:
        yield bank


@pytest.fixture(scope="module")
def client(bank):
    with TestClient(create_app(bank, port=PORT, token=TOKEN), base_url=ORIGIN, headers=SIDES) as client:
        yield client


@pytest.fixture(autouse=True)
def unchanged(bank):
    """Whatever is asked, the bank's clips, concepts and undo are as they were."""
    before = state(bank)
    yield
    assert state(bank) == before


def state(bank: ConceptBank) -> object:
    files = sorted((path, path.stat().st_size) for path in bank.folder.rglob("clips/*/*"))
    return [(clip.id, clip.concept, clip.verdict) for clip in bank.clips()], bank.concepts(), files


def plain(answer, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1 and answer.text.endswith("\n") and 4 < len(answer.text) < 400
    assert not any(word in answer.text for word in ("Traceback", "site-packages", 'File "', "root:"))
    assert answer.text.isprintable() or answer.text[:-1].isprintable()


@pytest.mark.parametrize(("address", "status"), [one[1:] for one in GETS], ids=[one[0] for one in GETS])
def test_reading(client, address, status):
    plain(client.get(address, follow_redirects=False), status)


@pytest.mark.parametrize(("address", "body", "status"), [one[1:] for one in POSTS], ids=[one[0] for one in POSTS])
def test_changing(client, address, body, status):
    plain(client.post(address, content=body, headers=JSON, follow_redirects=False), status)


@pytest.mark.parametrize(("headers", "status"), [one[1:] for one in HEADERS], ids=[one[0] for one in HEADERS])
def test_headers(client, headers, status):
    plain(client.post("/api/verdict", content=JUDGE, headers={**JSON, **headers}), status)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_methods(client, method):
    answer = client.request(method, "/api/verdict", content=JUDGE, headers=JSON)
    plain(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


def test_a_head_request_has_no_body_and_changes_nothing(client):
    assert client.head("/clips/1").status_code == 405


def test_two_hosts_or_two_origins(client):
    for name in ("Host", "Origin"):
        ours = {"Host": f"127.0.0.1:{PORT}", "Origin": ORIGIN}[name]
        given = [(name, ours), (name, "http://evil.example"), ("Content-Type", "application/json")]
        plain(client.post("/api/verdict", content=JUDGE, headers=given), 421 if name == "Host" else 403)


def test_the_token_in_the_address_of_anything_but_the_page(bank):
    with TestClient(create_app(bank, port=PORT, token=TOKEN), base_url=ORIGIN, headers={"Origin": ORIGIN}) as stranger:
        plain(stranger.get("/api/bank", params={"token": TOKEN}), 403)
        plain(stranger.post("/api/verdict", params={"token": TOKEN}, content=JUDGE, headers=JSON), 403)
        plain(stranger.get("/", params={"token": TOKEN[:-1]}), 403)
        plain(stranger.get("/", headers={"Cookie": f"video_tcav_studio_{PORT}=; video_tcav_studio_1={TOKEN}"}), 403)


def test_a_body_that_is_too_large(client):
    plain(client.post("/api/verdict", content=b" " * (BODY_LIMIT + 1), headers=JSON), 413)


def test_a_body_that_grows_without_saying_how_large_it_is(client):
    def parts():
        for _ in range(BODY_LIMIT // 1024 + 2):
            yield b" " * 1024

    plain(client.post("/api/verdict", content=parts(), headers=JSON), 413)


def test_ranges_that_make_no_sense(client):
    for given in ("bytes=999999999-", "bytes=5-1", "bytes=x-y", "lines=1-2"):
        answer = client.get("/clips/1", headers={"Range": given})
        assert answer.status_code in (200, 400, 416) and "Traceback" not in answer.text


def test_a_bank_cannot_make_it_serve_a_file_that_is_no_video(bank, client, tmp_path):
    secret = tmp_path / "id_ed25519"
    secret.write_text("secret")
    first = bank.clip(1)
    origin = replace(first.origin, video=str(secret), video_digest=file_digest(secret), start_s=0.123, end_s=2)
    with make_bank(tmp_path / "bad" / "bank", clips=1, videos=1) as bad:
        added = bad.add_file(first.path, concept="ball", origin=origin)
        with TestClient(create_app(bad, port=PORT, token=TOKEN), base_url=ORIGIN, headers=SIDES) as other:
            answer = other.get(f"/sources/{added.id}")
            plain(answer, 404)
            assert "is no video file" in answer.text and "secret" not in answer.text.replace(secret.name, "")


def test_a_link_in_the_bank_does_not_lead_out_of_it(bank, tmp_path):
    with make_bank(tmp_path / "linked" / "bank", clips=1, videos=1) as linked:
        outside = tmp_path / "outside.mp4"
        outside.write_text("secret")
        path = linked.clip(1).path
        path.unlink()
        path.symlink_to(outside)
        with TestClient(create_app(linked, port=PORT, token=TOKEN), base_url=ORIGIN, headers=SIDES) as other:
            answer = other.get("/clips/1")
            assert answer.status_code in (400, 403) and "secret" not in answer.text and answer.text.count("\n") == 1


@pytest.mark.parametrize(
    "raw",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        "GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
        "POST /api/undo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "nonsense\r\n\r\n",
        f"GET /{'a' * 200_000} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["no Host", "absolute", "two Hosts", "NUL", "NUL in header", "two lengths", "nonsense", "long", "websocket"],
)
def test_bytes_that_are_hardly_http(served, raw):
    with socket.create_connection(("127.0.0.1", served), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(raw.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except OSError:  # it hung up before it had heard all
            pass
    assert answer.split(b" ")[1:2] in ([b"400"], [b"403"], [b"421"], []) and b"Traceback" not in answer


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "bank"
    make_bank(folder, clips=1, videos=1).close()
    with open_studio(folder) as studio:
        thread = threading.Thread(target=studio.run)
        thread.start()
        yield studio.port
        studio.server.should_exit = True
        thread.join(timeout=20)


def test_there_are_at_least_thirty():
    assert len(GETS) + len(POSTS) + len(HEADERS) >= 30
    assert Path("/etc/passwd").exists()
