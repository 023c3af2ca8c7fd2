"""`test --check-effects`, as a user meets it."""

import json

from typer.testing import CliRunner

from video_tcav.cli.app import app


def test_the_check_is_printed_and_stands_in_the_json(shapes, shapes_weights, shapes_clips, tmp_path):
    arguments = ["--model", f"file:{shapes.__file__}:build", "--weights", shapes_weights, "--device", "cpu"]
    arguments += ["--target", "right", "--clips", shapes_clips / "right", "--random", shapes_clips / "random"]
    arguments += ["--concept", f"moves-right={shapes_clips / 'moves-right'}", "--layer", "stages.2"]
    arguments += ["--permutations", "199", "--check-effects", "--json", tmp_path / "result.json"]
    done = CliRunner().invoke(app, ["test", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert "Do effects on right predict edits of its clips?" in done.output
    text = " ".join(done.output.split())
    assert "12 edits of 6 clips (6 groups) change right by" in text
    assert "clamp at random clips" in text
    check = json.loads((tmp_path / "result.json").read_text())["effect_check"]
    assert len(check["edits"]) == 12
    assert {each["estimator"] for each in check["agreements"]} == {"slope", "step", "clamp"}


def test_masks_add_edits_and_need_the_check(shapes, shapes_weights, shapes_clips, tmp_path):
    arguments = ["--model", f"file:{shapes.__file__}:build", "--weights", shapes_weights, "--device", "cpu"]
    arguments += ["--target", "right", "--clips", shapes_clips / "right", "--random", shapes_clips / "random"]
    arguments += ["--concept", f"moves-right={shapes_clips / 'moves-right'}", "--layer", "stages.2"]
    arguments += ["--permutations", "199", "--masks", "motion"]
    refused = CliRunner().invoke(app, ["test", *map(str, arguments)])
    assert str(refused.exception).startswith("`--masks` must come with --check-effects. Got 'motion'. Add it")
    done = CliRunner().invoke(
        app, ["test", *map(str, arguments), "--check-effects", "--json", str(tmp_path / "r.json")]
    )
    assert done.exit_code == 0, done.output
    check = json.loads((tmp_path / "r.json").read_text())["effect_check"]
    assert check["masks"] == "motion"
    assert [edit["edit"] for edit in check["edits"]][-3:] == ["person_only", "scene_only", "other_scene"]
    assert "Edits by masks of motion: person_only, scene_only, other_scene." in " ".join(done.output.split())
