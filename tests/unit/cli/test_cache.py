"""`video-tcav cache` on a small store, and `video-tcav test --cache` on the example world."""

import json

import pytest
import torch
from typer.testing import CliRunner

import video_tcav as vt
from video_tcav.cli.app import app
from video_tcav.core.errors import InputError, StoreError
from video_tcav.recording.cache import RowKind


@pytest.fixture
def store(tmp_path):
    kind = RowKind(model="file:m.py:build", model_digest="d", space="flatten", role="activation")
    with vt.ActivationStore.open(tmp_path / "store") as opened:
        for number in range(3):
            opened.add(kind, [bytes([number]) * 32, bytes([number + 9]) * 32], {"stages.1": torch.ones(2, 1000)})
    return tmp_path / "store"


def call(*arguments: object, code: int = 0) -> str:
    found = CliRunner().invoke(app, ["cache", *map(str, arguments)])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == code, found.output
    return found.output


def test_info_says_what_is_there(store, tmp_path):
    said = call("info", store, "--json", tmp_path / "info.json")
    for words in ("blocks     3", "clips      6", "file:m.py:build", "stages.1", "last used  20"):
        assert words in said
    found = json.loads((tmp_path / "info.json").read_text())
    assert (found["blocks"], found["clips"], found["rows"], found["layers"]) == (3, 6, 6, ["stages.1"])


def test_verify_names_what_is_damaged_and_repairs_it(store):
    assert "3 blocks, all unchanged" in call("verify", store)
    victim = sorted((store / "blocks").glob("*/*"))[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    assert f"{victim}: has changed values at layer stages.1" in call("verify", store, code=1)
    assert ": deleted" in call("verify", store, "--repair", code=1)
    assert "2 blocks, all unchanged" in call("verify", store)


def test_prune_says_what_it_does(store):
    before = sorted((store / "blocks").glob("*/*"))
    assert "2 blocks (17.0 kB) would be deleted, 1 block (8.5 kB) left" in call(
        "prune", store, "--max-size", "10kB", "--dry-run"
    )
    assert sorted((store / "blocks").glob("*/*")) == before
    assert "0 blocks (0 bytes) deleted, 3 blocks" in call("prune", store, "--older-than", "1.5h")
    assert "2 blocks (17.0 kB) deleted, 1 block (8.5 kB) left" in call("prune", store, "--max-size", "10kB")
    assert "1 block (8.5 kB) deleted, 0 blocks (0 bytes) left" in call("prune", store, "--all")
    assert "none" in call("info", store)


@pytest.mark.parametrize("arguments", [(), ("--all", "--max-size", "1GB"), ("--all", "--older-than", "1d")])
def test_what_to_prune_must_be_said_once(store, arguments):
    with pytest.raises(InputError, match="`--all` must be given, or --max-size or --older-than"):
        call("prune", store, *arguments)


@pytest.mark.parametrize("time", ["30", "d", "thirty days", "-1d", "1.2.3d", "1y"])
def test_what_is_no_time(store, time):
    with pytest.raises(InputError, match="`--older-than` must be a time. Got"):
        call("prune", store, "--older-than", time)


@pytest.mark.parametrize("command", ["info", "verify", "prune"])
def test_no_store_is_made_by_looking(tmp_path, command):
    with pytest.raises(StoreError, match="`store` must be a folder with store.json"):
        call(command, tmp_path / "none", *(["--all"] if command == "prune" else []))
    assert not (tmp_path / "none").exists()


def test_a_test_with_a_cache_fills_it_and_says_the_same_again(shapes, shapes_weights, shapes_clips, tmp_path):
    words = ["test", "--model", f"file:{shapes.__file__}:build", "--weights", str(shapes_weights), "--target", "right"]
    words += ["--clips", str(shapes_clips / "right"), "--concept", f"green={shapes_clips / 'green'}"]
    words += [
        "--random",
        str(shapes_clips / "random"),
        "--layer",
        "stages.2",
        "--permutations",
        "99",
        "--random-sets",
        "10",
    ]
    said = []
    for number in range(2):
        arguments = [*words, "--cache", str(tmp_path / "store"), "--out", str(tmp_path / str(number))]
        assert CliRunner().invoke(app, arguments).exit_code == 0
        said.append((tmp_path / str(number) / "results.parquet").read_bytes())
    assert said[0] == said[1]
    assert "clips      36" in call("info", tmp_path / "store")
