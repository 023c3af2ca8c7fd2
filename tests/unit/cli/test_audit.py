"""`audit`, as a user meets it: sentences, a table of 80 columns, JSON, files and their page, and what is refused."""

import json

import pytest

import video_tcav as vt
from video_tcav.rendered import rule_of, write_world

OPTIONS = ("audit", "--model", "rendered:r2plus1d-scene", "--device", "cpu", "--bootstraps", "200")
QUICK = ("--versions", "reversed,scene_only,swap", "--no-shares")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    rule = rule_of("scene")
    factors, labels = rule.sample(5, seed=1)
    return write_world(
        tmp_path_factory.mktemp("audit") / "world", factors, [rule.labels[label] for label in labels], masks=True
    ).parent


def test_sentences_come_first_then_a_row_a_version(call, world, tmp_path):
    files = ("--masks", world / "masks.json", "--json", tmp_path / "audit.json", "--out", tmp_path / "out")
    code, out, error = call(*OPTIONS, world / "manifest.csv", *QUICK, *files)
    assert code == 0, error
    assert out.startswith("• rendered:r2plus1d-scene is right about")
    rows = [
        line.split()[0]
        for line in out.splitlines()
        if line.split()[:1] and "[" in line and "%" in line and "•" not in line
    ]
    assert rows[-4:] == ["original", "reversed", "scene_only", "swap"]
    table = out[out.index("version ") :].splitlines()[:5]
    assert max(map(len, table)) <= 80
    content = json.loads((tmp_path / "audit.json").read_text())
    assert {"provenance", "skipped", "versions", "shares", "sh_acc", "sb_err"} <= set(content)
    assert content["shares"] == dict.fromkeys(("order", "motion", "scene", "person", "object"))
    assert content["sb_err"] > 0.5
    assert (tmp_path / "out" / "report.html").is_file()
    (tmp_path / "out" / "report.html").unlink()
    code, out, error = call("report", tmp_path / "out")
    assert code == 0, error
    assert (tmp_path / "out" / "report.html").is_file()
    assert vt.load_audit(tmp_path / "out").figure("sb_err").value == content["sb_err"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--versions", "backwards"), "`version` must be one of original"),
        (("--masks", "nobody"), "`masks` must be motion"),
        (("--reject", "none.mp4"), "`reject` must name clips of the audit. Got none.mp4"),
        (("--judge-masks", "rejected.csv"), "`file` must be a JSON file. Got 'rejected.csv'"),
        (("--judge-masks", "rejected.json", "--masks", "nobody"), "`masks` must be motion"),
        (("--group", "person"), "`group` must match every path"),
    ],
)
def test_what_cannot_be_done_is_one_line(call, world, options, message):
    code, _, error = call(*OPTIONS, world / "manifest.csv", *options)
    assert code == 2
    assert f"error: {message}" in error
    assert len(error.strip().splitlines()) == 1


def test_clips_of_one_class_and_of_classes_that_the_model_does_not_know_are_one_line(call, world):
    folder = next(path for path in world.iterdir() if path.is_dir())
    code, _, error = call(*OPTIONS, folder)
    assert code == 2
    assert "error: `clips` must be of two classes or more" in error
    code, _, error = call(*[option.replace("-scene", "-order") for option in OPTIONS], world / "manifest.csv")
    assert code == 2
    assert "error: `clips` must be labelled with classes of rendered:r2plus1d-order. Got" in error
