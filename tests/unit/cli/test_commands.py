"""The commands as a user meets them: in a process of their own."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.unit.reports.discovery_sample import sample_discovery
from video_tcav.cli.app import main
from video_tcav.discovery.result_files import save_discovery

ROOT = Path(__file__).resolve().parents[3]


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "video_tcav", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def model(shapes, shapes_weights) -> list[object]:
    return ["--model", f"file:{shapes.__file__}:build", "--weights", shapes_weights, "--device", "cpu"]


@pytest.fixture(scope="module")
def data(shapes_clips) -> list[object]:
    return [
        *("--target", "right", "--clips", shapes_clips / "right", "--random", shapes_clips / "random"),
        *("--concept", f"moves-right={shapes_clips / 'moves-right'}", "--layer", "stages.2", "--permutations", "199"),
    ]


def test_test_prints_a_table_a_sentence_and_writes_the_agreed_json(model, data, tmp_path):
    done = command("test", *model, *data, "--twin", "frozen", "--twin", "reversed", "--json", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    assert "moves-right: raises right at stages.2" in done.stdout
    assert "model passes (videos)" in done.stderr
    written = json.loads((tmp_path / "result.json").read_text())
    assert {"provenance", "skipped", "results"} <= set(written)
    agreed = (
        "target concept twin layer space cav against tcav_score tcav_score_std effect effect_low effect_high standard_error z "
        "p_value p_perm p_t p_adjusted family_size correction significance cav_auc p_represented represented region_auc "
        "p_region n_class_clips n_concept_clips n_random_clips n_groups fewest_groups"
    )
    for result in written["results"]:
        assert set(agreed.split()) <= set(result)
    assert {result["twin"] for result in written["results"]} == {"none", "frozen", "reversed", "motion", "order"}


def test_test_writes_a_page_that_report_diff_and_score_take_with_the_folder(call, model, data, shapes_clips, tmp_path):
    run = tmp_path / "run"
    code, out, error = call("test", *model, *data, "--out", run, "--twin", "frozen")
    assert code == 0, error
    assert out.startswith("• moves-right: raises right") and f"The report: {run / 'report.html'}" in out
    assert "moves-right: raises right" in (run / "report.html").read_text()
    assert {path.suffix for path in (run / "figures").iterdir()} == {".svg", ".png"}
    assert call("report", run, "--out", tmp_path / "page.html")[0] == 0
    assert "moves-right: raises right" in (tmp_path / "page.html").read_text()
    code, out, error = call("diff", run, run)
    assert code == 0 and "0 of 3 effects changed" in out and "verdict" not in out, error
    code, out, error = call("score", *model, "--cavs", run, shapes_clips / "right" / "000.mp4")
    assert code == 0 and "moves-right" in out, error


def test_report_makes_the_page_of_a_discovery_again(call, tmp_path):
    save_discovery(tmp_path / "found", sample_discovery(tmp_path))
    code, out, error = call("report", tmp_path / "found")
    assert code == 0 and f"The report: {tmp_path / 'found/report.html'}" in out, error
    assert "2 of 4 components are confirmed." in (tmp_path / "found/report.html").read_text()
    assert {path.name for path in (tmp_path / "found/figures").iterdir()} == {"components.png", "components.svg"}
    (tmp_path / "found/maps.safetensors").write_bytes(b"no maps")
    code, _, error = call("report", tmp_path / "found", "--out", tmp_path / "page.html")
    assert code == 2 and "must hold the result of a discovery" in error and not (tmp_path / "page.html").exists()


def test_predict_says_how_many_are_right_and_prints_one_line_a_video_of_many(call, model, shapes_clips, tmp_path):
    for label, clip in (("right", "right/000.mp4"), ("LEFT", "right/001.mp4"), ("unknown", "right/002.mp4")):
        (tmp_path / label).mkdir()
        for number in range(4):
            shutil.copy(shapes_clips / clip, tmp_path / label / f"{number}.mp4")
    code, out, error = call("predict", *model, tmp_path)
    assert code == 0, error
    assert out.count(".mp4") == 12 and out.count("✗ left") == 4
    assert "4 of 8 right" in out and "4 more are of no known class" in out and "left taken for right (4)" in out
    assert len(call("predict", *model, tmp_path, "--top", 2)[1].splitlines()) >= 24


def test_predict_writes_the_agreed_json(model, shapes_clips, tmp_path):
    video = shapes_clips / "right/000.mp4"
    done = command("predict", *model, video, "--top", 2, "--json", tmp_path / "p.json")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads((tmp_path / "p.json").read_text())
    assert one["path"] == str(video)
    assert one["predictions"][0]["label"] == "right"
    assert one["predictions"][0]["probability"] > 0.5
    assert len(one["predictions"]) == 2


def test_layers_writes_the_agreed_json(model, tmp_path):
    done = command("layers", *model, "--json", tmp_path / "l.json")
    assert done.returncode == 0, done.stderr
    found = {layer["name"]: layer for layer in json.loads((tmp_path / "l.json").read_text())}
    assert found["stages.0"]["shape"] == [1, 8, 8, 24, 24]
    assert found["stages.0"]["axes"] == ["clip", "channel", "time", "height", "width"]
    assert all(layer["axes"] is None or len(layer["axes"]) == len(layer["shape"]) for layer in found.values())


def test_a_sketched_test_says_how_good_the_sketch_is(model, data, tmp_path):
    done = command("test", *model, *data, "--sketch", 256, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "moves-right: raises right at stages.2" in done.stdout
    assert "CAV accuracies are estimates from sketched rows" in done.stdout
    assert "Tables are in" in done.stdout


def test_score_reads_the_cavs_that_test_has_saved(call, model, data, shapes_clips, tmp_path):
    assert call("test", *model, *data, "--out", tmp_path / "run")[0] == 0
    code, _, error = call(
        *("score", *model, "--cavs", tmp_path / "run/cavs.safetensors", shapes_clips / "right", "--target", "right"),
        *("--json", tmp_path / "s.json"),
    )
    assert code == 0, error
    assert len(json.loads((tmp_path / "s.json").read_text())) == 6
    shutil.copy(shapes_clips / "right/000.mp4", tmp_path)
    (tmp_path / "cut.mp4").write_bytes((shapes_clips / "right/000.mp4").read_bytes()[:500])
    arguments = ("score", *model, "--cavs", tmp_path / "run/cavs.safetensors", tmp_path / "*.mp4", "--windows", 2)
    done = command(*arguments, "--json", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    assert "1 file could not be used" in done.stdout
    assert "cut.mp4" in done.stdout
    assert [one["window"] for one in json.loads((tmp_path / "s.json").read_text())] == [0, 1]
    assert done.stdout.split()[:5] == ["video", "window", "layer", "concept", "presence"]
    assert call(*arguments, "--strict")[0] == 2


def in_this_process(*arguments: object, capsys, monkeypatch) -> tuple[int, list[str]]:
    """Exit code and what was said on standard error."""
    monkeypatch.setattr(sys, "argv", ["video-tcav", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().err.strip().splitlines()


def test_bad_input_is_one_line_in_a_process_of_its_own_too(model, data):
    done = command("test", *model, *data, "--target", "lefft")
    assert done.returncode == 2
    assert done.stderr.startswith("error: `target` must be one of")
    assert len(done.stderr.strip().splitlines()) == 1


def test_bad_input_ends_with_one_line_and_exit_code_2(model, data, shapes_clips, tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    evil = tmp_path / "evil.pt"
    torch.save({"weights": Runs(tmp_path / "proof")}, evil)
    (tmp_path / "text.safetensors").write_text("not weights")
    cases = [
        (["test", *model, *data, "--concept", f"none={tmp_path / 'empty'}"], "concept none: "),
        (["test", *model, *data, "--concept", "nameless"], "`--concept` must be NAME=PATH"),
        (["test", *model, *data, "--target", "lefft"], "Closest: left"),
        (["test", *model, *data, "--layer", "stages.7"], "stages.7"),
        (["test", *model, *data, "--relative", "a"], "`--relative` must be A:B"),
        (["test", *model, *data, "--json", "/dev/null/result.json"], "must be writable"),
        (["test", *model, *data, "--size", "big"], "`size` of the options must be pixels"),
        (["test", *model, *data, "--sketch", "8"], "`sketch` must be at least 64. Got 8."),
        (["test", *model, *data, "--mean", "grey"], "`mean` of the options must be one number or three"),
        (
            ["layers", "--model", "keras:resnet"],
            "must start with torchvision:, hf:, file:, hub:, timm:, mmaction:, onnx: or rendered:",
        ),
        (["layers", "--model", "torchvision:r3d_81"], "r3d_81"),
        (["layers", *model[:2], "--weights", evil], "must hold tensors only"),
        (["layers", *model[:2], "--weights", tmp_path / "text.safetensors"], "text.safetensors"),
        (["layers", "--model", "torchvision:r3d_18", "--weights", model[3]], "`weights` must fit the model"),
        (["predict", *model, shapes_clips / "missing.mp4"], "missing.mp4"),
        (["score", *model, "--cavs", model[3], shapes_clips / "right"], "must be a file that a run has saved"),
    ]
    for arguments, message in cases:
        code, said = in_this_process(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert code == 2, (arguments, said)
        assert message in said[-1], (message, said)
        assert said[-1].startswith("error: ")
    assert not (tmp_path / "proof").exists()


class Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_broken_video_is_listed_and_the_run_goes_on(call, model, shapes_clips, tmp_path):
    (tmp_path / "cut.mp4").write_bytes((shapes_clips / "right/000.mp4").read_bytes()[:500])
    done = command("predict", *model, tmp_path / "cut.mp4", shapes_clips / "right/001.mp4")
    assert done.returncode == 0
    assert "1 file could not be used" in done.stdout
    assert "cut.mp4" in done.stdout
    assert call("predict", *model, tmp_path / "cut.mp4", "--strict")[0] == 2


def test_predict_without_a_usable_file_ends_with_one_line_and_exit_code_2(model, tmp_path, capsys, monkeypatch):
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).write_bytes(b"no video at all")
    code, said = in_this_process("predict", *model, tmp_path, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2
    assert said[-1].startswith("error: `videos` must hold a file that can be used. Got 2 that cannot, the first: ")
    assert "one.mp4" in said[-1]


def test_predict_warns_of_random_weights(call, model, shapes_clips):
    video = shapes_clips / "right/000.mp4"
    assert "weights are random" in call("predict", *model[:2], video)[1]
    assert "weights are random" not in call("predict", *model, video)[1]


def best_of(runs: int, *arguments: str) -> float:
    """Seconds of processor time: what else runs on the machine must not count."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(seconds() for _ in range(runs))


def test_help_answers_within_a_second():
    assert best_of(5, "-m", "video_tcav", "--help") < 1


def test_import_costs_at_most_a_second_more_than_torch():
    assert best_of(3, "-c", "import video_tcav") < best_of(3, "-c", "import torch") + 1
    best_of(
        1, "-c", "import video_tcav as vt; vt.load_model, vt.run_tcav"
    )  # the engines do load when they are asked for


def test_version():
    done = command("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("video-tcav 0.")
