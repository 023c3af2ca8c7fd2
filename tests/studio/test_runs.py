"""Results of runs: found, matched by the clips' content, said to be stale, and served; foreign files do no harm."""

import json
import os
import time
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.studio.banks import make_bank
from tests.studio.runs import result_of, write_run
from tests.studio.test_hostile import plain
from tests.studio.test_http import ORIGIN, PORT, SIDES, TOKEN
from video_tcav.core.errors import InputError
from video_tcav.studio import Runs, create_app, open_studio
from video_tcav.studio.runs import SIZE_LIMIT, default_folders
from video_tcav.tcav.concept_result import InterventionNumbers

EVIL = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def bank(tmp_path):
    with make_bank(tmp_path / "bank") as bank:
        yield bank


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def client(bank, folder):
    app = create_app(bank, port=PORT, token=TOKEN, runs=Runs(folders=[folder]))
    with TestClient(app, base_url=ORIGIN, headers=SIDES) as client:
        yield client


def digests(bank, concept: str) -> list[str]:
    return [clip.digest for clip in bank.clips(concept=concept) if clip.kind == "moving"]


def accept(bank, concept: str) -> None:
    bank.set_verdict([clip.id for clip in bank.clips(concept=concept) if clip.kind == "moving"], "accepted")


def results(client, concept: str) -> list[dict]:
    return client.get("/api/runs").json()["concepts"].get(concept, [])


def test_a_concept_has_the_result_of_the_run_that_used_its_clips(client, bank, folder):
    accept(bank, "ball")
    write_run(folder / "first", {"ball": digests(bank, "ball")})
    [found] = results(client, "ball")
    assert (found["run_name"], found["target"], found["model"]) == (
        "runs/first",
        "playing tennis",
        "torchvision:swin3d_t",
    )
    assert (found["best"]["layer"], found["best"]["effect"], found["best"]["p_adjusted"]) == ("layer4", 1.73, 0.0008)
    assert (found["motion"]["effect"], found["layers"]) == (1.25, 2)
    assert found["by_clips"] and not found["stale"] and found["accepted"] == found["used"] == 3
    assert results(client, "racket") == []


def test_the_strongest_layer_is_one_that_represents_the_concept(client, bank, folder):
    rows = [
        result_of("ball", "layer3", -0.8),
        result_of("ball", "layer4", 7.0, represented=False),
        result_of("ball", "layer4", 5.0, twin="motion"),
        result_of("ball", "layer3", 9.0, target="playing squash", represented=False),
    ]
    write_run(folder, {"ball": digests(bank, "ball")}, results=rows)
    tennis, squash = results(client, "ball")
    assert tennis["best"]["effect"] == -0.8 and tennis["motion"] is None
    assert squash["target"] == "playing squash" and squash["best"] is None and squash["layers"] == 1


def test_a_renamed_concept_keeps_its_result_and_another_of_the_name_does_not_get_it(client, bank, folder):
    write_run(folder, {"ball": digests(bank, "ball")})
    bank.rename_concept("ball", "sphere")
    bank.add_concept("ball")
    bank.move([bank.clips(concept="racket")[0].id], "ball")
    [found] = results(client, "sphere")
    assert found["by_clips"] and found["as"] == "ball" and results(client, "ball") == []


def test_by_name_alone_it_is_said_to_be_of_other_clips(client, folder):
    write_run(folder, {"ball": ["0" * 64, "1" * 64, None]})
    [found] = results(client, "ball")
    assert not found["by_clips"] and found["accepted"] == 0
    write_run(folder / "other", {"unknown": ["2" * 64]})
    assert [one["as"] for one in results(client, "ball")] == ["ball"]


def test_a_result_goes_stale_when_the_clips_are_others(client, bank, folder):
    accept(bank, "ball")
    write_run(folder, {"ball": digests(bank, "ball")})
    first = bank.clips(concept="ball", verdict="accepted")[0]
    assert not results(client, "ball")[0]["stale"]
    bank.set_verdict([first.id], "rejected")
    [found] = results(client, "ball")
    assert found["stale"] and (found["accepted"], found["used"], found["since"]) == (2, 3, 0)
    bank.undo()
    new = next(clip for clip in bank.clips(concept="racket") if clip.kind == "moving")
    bank.move([new.id], "ball")
    bank.set_verdict([new.id], "accepted")
    [found] = results(client, "ball")
    assert found["stale"] and (found["accepted"], found["since"]) == (3, 1)
    bank.undo()
    bank.undo()
    still = next(clip for clip in bank.clips(concept="ball") if clip.kind == "still")
    bank.set_verdict([still.id], "accepted")  # a test on the concept takes moving clips: this one changes nothing
    assert not results(client, "ball")[0]["stale"]


def test_runs_are_found_three_folders_deep_newest_first(client, bank, folder):
    for number, place in enumerate(["a", "b/c", "d/analyses/x", "too/deep/to/see", ".hidden"]):
        write_run(folder / place, {"ball": ["0" * 64]}, created=f"2026-01-0{number + 1}T00:00:00+00:00")
    names = [run["name"] for run in client.get("/api/runs").json()["runs"]]
    assert names == ["runs/d/analyses/x", "runs/b/c", "runs/a"]
    write_run(folder / "later", {"ball": ["0" * 64]}, created="2026-02-01T00:00:00+00:00")
    assert client.get("/api/runs").json()["runs"][0]["name"] == "runs/later"  # without a new start


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ('{"experiment": {"title": "Two waving hands?"}}', "Two waving hands? (runs/wave/analyses/001-net)"),
        ('{"experiment": {"title": 3}}', "runs/wave/analyses/001-net"),
        ("[]", "runs/wave/analyses/001-net"),
        ("no JSON", "runs/wave/analyses/001-net"),
        (None, "runs/wave/analyses/001-net"),
    ],
)
def test_an_analysis_of_an_experiment_is_listed_under_its_title(client, folder, record, name):
    write_run(folder / "wave/analyses/001-net", {"ball": ["0" * 64]}, created="2026-01-01T00:00:00+00:00")
    if record is not None:
        (folder / "wave" / "run.json").write_text(record)
    (run,) = client.get("/api/runs").json()["runs"]
    assert run["name"] == name


def test_the_page_of_a_run(client, bank, folder):
    write_run(folder / "first", {"ball": digests(bank, "ball"), "ghost": ["3" * 64]}, warnings=["Few groups."])
    [run] = client.get("/api/runs").json()["runs"]
    assert client.get("/runs").status_code == 200 and client.get(f"/runs/{run['id']}").text.startswith(
        "<!DOCTYPE html>"
    )
    facts = client.get(f"/api/runs/{run['id']}").json()
    assert facts["warnings"] == ["Few groups."] and len(facts["rows"]) == 8 and not facts["report"]
    words = {"effect": "+1.73", "interval": "[+1.33, +2.23]", "unit": "log-odds"}
    words |= {"p": "adjusted p < 0.001 (of 2 tests)", "cav": "AUC 0.93"}
    absent = {"region_auc": None, "p_region": None, "cav_accuracy": None}
    absent |= dict.fromkeys(f.name for f in fields(InterventionNumbers))
    # every field of a result
    assert facts["rows"][1] == asdict(result_of("ball", "layer4", 1.73)) | absent | {"words": words}
    assert facts["matches"]["ball"]["concept"] == "ball" and "ghost" not in facts["matches"]
    plain(client.get(f"/runs/{run['id']}/report"), 404)


def test_what_is_no_direction_may_be_a_region(client, bank, folder):
    absent = {"represented": False, "p_represented": 0.4, "cav_auc": 0.52}
    rows = [
        result_of("ball", "layer4", 0.1, **absent, region_auc=0.86, p_region=0.001),
        result_of("ball", "layer4", 0.1, **absent, region_auc=0.5, p_region=0.7),
    ]
    write_run(folder / "first", {"ball": digests(bank, "ball")}, results=rows)
    [run] = client.get("/api/runs").json()["runs"]
    words = [row["words"]["cav"] for row in client.get(f"/api/runs/{run['id']}").json()["rows"]]
    assert words == ["AUC 0.52, not along one direction, but as a region (AUC 0.86)", "AUC 0.52, not represented"]


def test_a_file_of_version_0_1_has_an_accuracy(client, bank, folder):
    path = write_run(folder / "first", {"ball": digests(bank, "ball")}) / "results.json"
    record = json.loads(path.read_text())
    new = (
        "standard_error",
        "p_perm",
        "p_t",
        "family_size",
        "cav_auc",
        "p_represented",
        "region_auc",
        "p_region",
        "fewest_groups",
        "freedom",
    )
    for row in record["results"]:
        for name in new:
            del row[name]
        row |= {"cav_accuracy": 0.81, "cav_p_value": 0.01, "significance": "permutation"}
    path.write_text(json.dumps(record))
    [run] = client.get("/api/runs").json()["runs"]
    row = client.get(f"/api/runs/{run['id']}").json()["rows"][1]
    assert row["words"]["cav"] == "accuracy 0.81"
    assert row["words"]["p"] == "adjusted p < 0.001"


def test_a_report_runs_as_a_page_of_nobody(client, folder):
    write_run(folder / "study/analyses/one", {"ball": ["0" * 64]})
    (folder / "study/report.html").write_text("<!DOCTYPE html><script>1</script>")
    [run] = client.get("/api/runs").json()["runs"]
    answer = client.get(f"/runs/{run['id']}/report")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "sandbox allow-scripts;" in policy and "allow-same-origin" not in policy and "connect-src 'none'" in policy
    assert "http" not in policy and "*" not in policy and "default-src 'none'" in policy
    assert "unsafe" not in client.get("/runs").headers["content-security-policy"]


def test_a_report_that_is_a_link_out_of_the_folder_is_not_served(client, folder, tmp_path):
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    write_run(folder / "run", {"ball": ["0" * 64]})
    (folder / "run/report.html").symlink_to(secret)
    [run] = client.get("/api/runs").json()["runs"]
    assert not run["report"]
    plain(client.get(f"/runs/{run['id']}/report"), 404)


def test_links_are_not_followed(client, folder, tmp_path):
    outside = write_run(tmp_path / "outside", {"ball": ["0" * 64]})
    (folder / "linked").symlink_to(outside)
    (folder / "file").mkdir()
    (folder / "file/results.json").symlink_to(outside / "results.json")
    (folder / "loop").symlink_to(folder)
    found = client.get("/api/runs").json()
    assert found["runs"] == [] and found["problems"] == ["runs/file/results.json is a link, which is not followed."]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "is no JSON"),
        ("[1, 2]", "is no result of a test"),
        ("{}", "is no result of a test: provenance"),
        ('{"results": 3, "provenance": {}}', "is no result of a test: results"),
        ('{"results": [{"target": "a"}], "provenance": {}}', "is no result of a test: results.0."),
        ('{"results": [], "provenance": {"clips": {"a": {"b": {"c": 1}}}}}', "is no result of a test"),
        ('{"results": [], "provenance": {"created": "\\ud800"}}', "is no result of a test"),
        (json.dumps({"results": [], "provenance": {"clips": {"\x1b[31m\n": 3}}}), "is no result of a test"),
        (b"\xff\xfe\x00", "is no JSON"),
    ],
    ids=[
        "empty",
        "half",
        "deep",
        "digits",
        "list",
        "nothing",
        "number",
        "row",
        "clips",
        "surrogate",
        "escape",
        "bytes",
    ],
)
def test_a_foreign_file_is_one_line_beside_the_others(client, bank, folder, content, words):
    write_run(folder / "good", {"ball": digests(bank, "ball")})
    (folder / "bad").mkdir()
    (folder / "bad/results.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    found = client.get("/api/runs").json()
    assert len(found["runs"]) == 1 and len(results(client, "ball")) == 1
    [line] = found["problems"]
    assert line.startswith("runs/bad/results.json ") and words in line and line.isprintable() and len(line) < 300


def test_a_file_that_is_too_large_or_never_ends(client, folder):
    (folder / "large").mkdir()
    with (folder / "large/results.json").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe/results.json")
    started = time.monotonic()
    found = client.get("/api/runs").json()
    assert time.monotonic() - started < 2 and found["runs"] == []
    assert found["problems"] == [
        f"runs/large/results.json is too large: at most {SIZE_LIMIT // 1024**2} MB are read.",
        "runs/pipe/results.json is no regular file.",
    ]


@pytest.mark.parametrize(
    "address",
    ["/runs/..%2F..%2Fetc", "/runs/../bank", "/runs/abc", "/api/runs/..%2Fx", "/runs/%00/report", f"/runs/{'0' * 16}"],
)
def test_names_of_runs_lead_nowhere_else(client, folder, address):
    write_run(folder / "run", {"ball": ["0" * 64]}, report="x")
    plain(client.get(address, follow_redirects=False), 404)


def test_names_and_words_come_as_they_are(client, bank, folder):
    write_run(folder / EVIL.replace("/", "_"), {EVIL: digests(bank, "ball")}, warnings=[EVIL], model=EVIL, report=EVIL)
    found = client.get("/api/runs").json()
    assert found["concepts"]["ball"][0]["as"] == EVIL and found["runs"][0]["model"] == EVIL


def test_numbers_that_are_none(client, bank, folder):
    nothing = float("nan")
    rows = [result_of("ball", "layer3", nothing, effect_low=nothing, effect_high=float("inf"), p_adjusted=nothing)]
    write_run(folder, {"ball": digests(bank, "ball")}, results=rows)
    raw = (folder / "results.json").read_text().replace('"tcav_score": 0.9', '"tcav_score": NaN')
    (folder / "results.json").write_text(raw)
    [run] = client.get("/api/runs").json()["runs"]
    [row] = client.get(f"/api/runs/{run['id']}").json()["rows"]
    assert row["effect"] is None and row["p_adjusted"] is None and row["tcav_score"] is None
    assert (row["words"]["effect"], row["words"]["interval"], row["words"]["p"]) == ("no number", "", "no p")
    assert results(client, "ball")[0]["best"] is None


def test_the_runs_of_a_bank_are_those_in_its_folder(bank, tmp_path):
    assert default_folders(bank.folder) == []
    write_run(bank.folder / "runs/one", {"ball": ["0" * 64]})
    (bank.folder / "runs/two").mkdir()
    (bank.folder / "runs/two/results.json").write_text("{")
    with open_studio(bank.folder) as studio:
        assert len(studio.problems) == 1 and studio.problems[0].startswith("runs/two/results.json is no JSON")
    (tmp_path / "else").symlink_to(bank.folder / "runs")
    assert default_folders(tmp_path / "nothing") == []
    with pytest.raises(InputError, match="`runs` must be a folder"), open_studio(bank.folder, runs=[Path("missing")]):
        pass


def test_runs_beside_a_bank_without_any(client):
    assert client.get("/api/runs").json() == {"runs": [], "problems": [], "concepts": {}}
