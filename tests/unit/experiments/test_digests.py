"""A run directory carries digests: whichever file of it is damaged, it is named in one line by all that read it."""

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.unit.experiments.files import write
from video_tcav.cli.app import main
from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import excerpt
from video_tcav.experiments import load_run, run_experiment
from video_tcav.experiments.digests import DIGESTS, check_folder, files_below, is_sealed, seal, write_digests

REPORTS = ("report.html", "report.md", "run.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of an experiment and its finished run."""
    folder = tmp_path_factory.mktemp("digests")
    run_experiment(write(folder), out=folder / "run")
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of the run."""
    return shutil.copytree(finished / "run", tmp_path / "run")


def checked_files(run: Path) -> list[Path]:
    return [path for path in files_below(run) if path.parts[len(run.parts)] not in ("clips", "figures", *REPORTS)]


def flip(path: Path, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def message(error: pytest.ExceptionInfo[ExperimentError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def same_values(path: Path, content: bytes) -> bool:
    try:
        return json.loads(path.read_bytes()) == json.loads(content)
    except ValueError:
        return False


def spoken(monkeypatch, capsys, *arguments: object) -> str:
    """What a command says that ends with an error."""
    monkeypatch.setattr("sys.argv", ["video-tcav", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    return capsys.readouterr().err.replace("\n", " ")


def test_every_file_whose_bit_is_flipped_is_named(run):
    files, generator = checked_files(run), random.Random(0)
    assert {path.relative_to(run).parts[0] for path in files} >= {"analyses", "shown", "hypotheses.json", "results.csv"}
    for path in files:
        content = path.read_bytes()
        flip(path, generator)
        with pytest.raises(ExperimentError, match="must be as the run wrote it") as error:
            load_run(run)
        assert message(error).startswith(f"{path}: ")
        assert "--resume" in message(error)
        path.write_bytes(content)
    load_run(run)


def test_every_file_that_is_cut_emptied_or_gone_is_named(run):
    for path in checked_files(run):
        content = path.read_bytes()
        for damaged in (content[:-1], b"", None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(ExperimentError, match="must be as the run wrote it") as error:
                load_run(run)
            assert message(error).startswith(f"{path}: ")
            path.write_bytes(content)
    load_run(run)


def test_the_record_is_sealed(run):
    path, generator = run / "run.json", random.Random(1)
    content = path.read_bytes()
    for _ in range(100):
        flip(path, generator)
        if same_values(path, content):  # in other words, such as a tab for a space
            load_run(run)
        else:
            with pytest.raises(ExperimentError, match="must be|must hold") as error:
                load_run(run)
            assert message(error).startswith(str(run))
        path.write_bytes(content)
    for old, new in (
        ('"finished": true', '"finished": false'),
        ('"seed": 0', '"seed": 1'),
        ('"format": 2', '"format": 1'),
    ):
        path.write_text(content.decode().replace(old, new, 1))
        assert path.read_bytes() != content
        with pytest.raises(ExperimentError, match=r"run\.json: must be as the run wrote it"):
            load_run(run)
    record = json.loads(content)
    for name in record:
        path.write_text(json.dumps({key: value for key, value in record.items() if key != name}))
        with pytest.raises(ExperimentError, match=r"run\.json: must be (as the run wrote it|readable)"):
            load_run(run)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "[" * 100_000,
            '{"format": "2"}',
            '{"format": 1e400}',
            '{"format": []}',
            '{"format": NaN}',
        ),
        *('{"format": 0}', '{"format": -1}', '{"format": 2}', '{"format": true}', '{"format": 1.5}', "9" * 5000),
    ],
    ids=excerpt,
)
def test_records_that_are_none(run, text):
    (run / "run.json").write_text(text)
    with pytest.raises(ExperimentError, match=r"run\.json: must be (as the run wrote it|readable)") as error:
        load_run(run)
    message(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("left_out", 1.5), ("left_out", [1]), ("digests", False), ("digests", 2.5), ("digests", ["a"])),
        *(("provenance", 3), ("provenance", {"created": []}), ("model_digests", "a"), ("steps", {"model": 1})),
        *(("experiment", "a"), ("title", "\ud800")),
    ],
)
def test_records_of_other_types_are_refused_though_they_are_sealed(run, key, value):
    record = json.loads((run / "run.json").read_text())
    record.pop("digest")
    (run / "run.json").write_text(json.dumps(seal({**record, key: value})))
    with pytest.raises(ExperimentError, match="must be") as error:
        load_run(run)
    message(error)


def test_report_diff_and_resume_name_the_file_too(run, finished, monkeypatch, capsys):
    path = next((run / "analyses").iterdir()) / "draws.safetensors"
    flip(path, random.Random(2))
    for arguments in (
        ("report", run),
        ("diff", run, finished / "run"),
        ("diff", finished / "run", run),
        ("run", finished / "small.yaml", "--out", run, "--resume"),
    ):
        said = spoken(monkeypatch, capsys, *arguments)
        assert f"{path}: must be as the run wrote it" in said
        assert f"Delete the folder {path.parent}" in said
        assert "Traceback" not in said


def test_what_was_deleted_as_damaged_is_made_again(finished):
    run = finished / "run"  # no copy: its clips are known by their paths
    before = load_run(run)
    shutil.rmtree(run / "shown")
    (run / "results.csv").unlink()
    again = run_experiment(finished / "small.yaml", out=run, resume=True)
    assert again.outcomes == before.outcomes
    assert len(again.shown) == len(before.shown)


def test_a_file_that_the_run_did_not_write_is_named(run):
    path = next((run / "analyses").iterdir()) / "diagnostics-more.parquet"
    path.write_bytes(b"")
    with pytest.raises(ExperimentError, match="a file that the run did not write. Delete it") as error:
        load_run(run)
    assert message(error).startswith(f"{path}: ")


def test_a_run_of_version_0_1_is_read_without_digests(run):
    record = json.loads((run / "run.json").read_text())
    old = {name: value for name, value in record.items() if name not in ("digest", "digests")}
    (run / "run.json").write_text(json.dumps({**old, "format": 1}))
    for path in run.rglob(DIGESTS):
        path.unlink()
    assert len(load_run(run).outcomes) == 4
    (run / "run.json").write_text(json.dumps({**old, "format": 1, "digest": "x"}))
    with pytest.raises(ExperimentError, match="other values than its digest says"):
        load_run(run)


def test_digests_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("b")
    (tmp_path / ".lock").write_text("")
    write_digests(tmp_path)
    assert list(json.loads((tmp_path / DIGESTS).read_text())) == ["a/b"]
    check_folder(tmp_path, "Cure.")
    for text in (
        "",
        "[]",
        "{",
        '{"a/b": 3}',
        '{"a/b": null}',
        '{"gone": "0"}',
        '{"a": "0"}',
        '{"a\\u0000": "0"}',
        "{}",
    ):
        (tmp_path / DIGESTS).write_text(text)
        with pytest.raises(ExperimentError, match="must be as the run wrote it. Got: .* Cure.$") as error:
            check_folder(tmp_path, "Cure.")
        message(error)


def test_a_seal_is_broken_by_any_change():
    record = seal({"a": [1, 2.5, None], "b": {"c": "\udce9"}})
    assert is_sealed(record)
    assert is_sealed(json.loads(json.dumps(record)))
    assert not is_sealed({**record, "a": [1, 2.5, 0]})
    assert not is_sealed({**record, "d": 1})
    assert not is_sealed({"a": 1})
