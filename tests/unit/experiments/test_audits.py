"""Experiments that audit a model: planted shortcuts are contradicted, runs are resumed, and mistakes are one line."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from tests.unit.experiments.audited_world import AUDIT, CLAIMS, write_audit
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import (
    annotations,
    check_experiment,
    diff_runs,
    load_run,
    read_experiment,
    run_experiment,
    write_junit,
)

GO = """
import sys
from video_tcav.experiments import run_experiment
run_experiment(sys.argv[1], out=sys.argv[2], resume=True, store=sys.argv[3])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audited")


@pytest.fixture(scope="module")
def shortcut(folder):
    """The run of a model that goes by the scene."""
    return run_experiment(write_audit(folder, "scene"), out=folder / "run")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The run of a model that goes by the motion."""
    folder = tmp_path_factory.mktemp("sound")
    return run_experiment(write_audit(folder, "motion"), out=folder / "run")


def test_a_shortcut_is_contradicted_and_a_sound_model_is_not(shortcut, sound):
    assert [outcome.verdict for outcome in shortcut.outcomes] == ["contradicted", "supported"]
    assert [outcome.verdict for outcome in sound.outcomes] == ["supported", "supported"]
    bias = shortcut.outcomes[0]
    assert bias.effect == shortcut.audits[0].result.figure("sb_err").value == 1
    assert bias.effect_low == shortcut.audits[0].result.figure("sb_err").low
    assert (bias.concept, bias.layer, bias.place, bias.expect, bias.margin) == ("", "", "pixels", "at most", 0.5)
    assert "100 % [66 %, 100 %] of 10 clips in 10 groups".replace(" %", "\N{NO-BREAK SPACE}%") in bias.reason
    assert bias.claim == "at most 50\N{NO-BREAK SPACE}% of the swapped clips are taken for the scene's class"


def test_versions_are_those_of_the_file_and_of_its_claims(shortcut):
    rows = pd.read_parquet(shortcut.path / "audit.parquet")
    assert set(rows["version"]) == {"original", "swap", "reversed"}
    assert set(rows["model"]) == {"rendered:r2plus1d-scene"}
    assert not (shortcut.path / "results.parquet").exists()
    assert not list(shortcut.path.glob("activations*"))  # the store of an unfinished run, and logits beside it


def test_verdicts_for_continuous_integration(shortcut, folder):
    suite = ElementTree.parse(write_junit(shortcut.outcomes, folder / "junit.xml", suite="audit")).getroot()
    assert [len(case.findall("failure")) for case in suite.iter("testcase")] == [1, 0]
    assert next(suite.iter("testcase")).attrib["classname"] == "rendered:r2plus1d-scene.audit"
    (line,) = annotations(shortcut.outcomes, "audit.yaml")
    assert line.startswith("::error file=audit.yaml,line=5,title=contradicted")
    assert "(rendered:r2plus1d-scene, pixels)" in line


def test_two_checkpoints_are_compared_claim_by_claim(shortcut, sound):
    changes = diff_runs(shortcut, sound)
    assert [(each.before, each.after, each.is_share) for each in changes.verdicts] == [
        ("contradicted", "supported", True),
        ("supported", "supported", True),
    ]
    assert changes.other_clips
    by_name = {each.share: each for each in changes.shares}
    bias = by_name["swap: says the scene's class"]
    assert (bias.before, bias.is_paired, bias.is_changed) == (1, False, True)
    # Newcombe's interval of two independent shares of 0 and 1, each with that of Wilson
    low, high = shortcut.audits[0].result.figure("sb_err").low, sound.audits[0].result.figure("sb_err").high
    assert bias.high == pytest.approx(bias.change + np.hypot(high - bias.after, 1 - low))
    assert not by_name["original: right"].is_changed
    same = diff_runs(shortcut, shortcut)
    assert not same.other_clips
    assert all(each.is_paired and not each.is_changed and each.change == 0 for each in same.shares)


def test_a_run_is_resumed_where_it_was(shortcut, folder):
    again = folder / "again"
    shutil.copytree(shortcut.path, again)
    shutil.rmtree(again / "shown")
    audit = next((again / "audits").iterdir()) / "results.json"
    before = audit.stat().st_mtime_ns
    resumed = run_experiment(folder / "audit.yaml", out=again, resume=True)
    assert resumed.to_frame().equals(shortcut.to_frame())
    assert audit.stat().st_mtime_ns == before
    audit.write_text(audit.read_text().replace("paste", "haste").replace("scene", "scone"))
    with pytest.raises(ExperimentError, match=r"must be as the run wrote it.*Delete the folder .*audits/001"):
        load_run(again)


def test_other_clips_are_refused(shortcut, folder):
    again = folder / "other-clips"
    shutil.copytree(shortcut.path, again)
    shutil.rmtree(again / "shown")
    manifest = folder / "world" / "manifest.csv"
    text = manifest.read_text()
    manifest.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    try:
        with pytest.raises(ExperimentError, match="must go on with the same clips. Got no longer a"):
            run_experiment(folder / "audit.yaml", out=again, resume=True)
    finally:
        manifest.write_text(text)


MISTAKES = {
    "an audit of nothing": (AUDIT, "", 3, "`audit` must be a mapping. Got nothing"),
    "an unknown version": ("[swap]", "[swop]", 3, "versions must be among original, frozen.* Got 'swop'"),
    "masks that are not there": (
        "world/masks.json",
        "gone.json",
        3,
        r"`audit`: `masks` must be motion.*Got '\S*gone.json'",
    ),
    "clips that are not there": ("world/manifest.csv", "gone", 3, r"`audit\.clips`.*gone"),
    "clips without labels": ("world/manifest.csv", "bare.csv", 3, "`audit`: `clips` must have labels"),
    "rendered without a class": (
        "world/manifest.csv",
        "{rendered: {count: 3}}",
        3,
        "clips must have labels. Got rendered",
    ),
    "a class that the model lacks": (
        "world/manifest.csv",
        "{flying: {rendered: {count: 3}}, playing tennis: {rendered: {count: 3}}}",
        3,
        "must be labelled with classes of .*Got 'flying' for 3 of 6",
    ),
    "one class to swap": (
        "world/manifest.csv",
        "{playing tennis: {rendered: {count: 3}}}",
        3,
        "`audit`: .*class",
    ),
    "no clips and no targets": (
        "clips: world/manifest.csv, ",
        "",
        3,
        "`audit.clips` must be of two classes or more. Got none",
    ),
    "a clip to reject that is not there": ("shares:", "reject: [gone.mp4], shares:", 3, "`reject` must name clips"),
    "half of the sets": (
        "title:",
        "random: world\ntitle:",
        1,
        "must be given together. Got no targets and no concepts",
    ),
    "no bound": (
        "background_bias: {at_most: 0.5}",
        "background_bias: {}",
        5,
        "must have at_least or at_most. Got neither",
    ),
    "two bounds": ("{at_most: 0.5}\n  - order", "{at_most: 0.5, at_least: 0.1}\n  - order", 5, "Got both"),
    "a bound of all": ("{at_most: 0.5}\n  - order", "{at_most: 1}\n  - order", 5, "less than 1"),
    "a direction": ("family: order", "expect: negative", 6, "a claim about a model has no expect"),
    "a class without clips": (
        "{at_most: 0.5}\n  - order",
        "{at_most: 0.5, label: flying}\n  - order",
        5,
        "Got 'flying'",
    ),
    "a claim about concepts": (
        "background_bias: {at_most: 0.5}",
        "matters: {concept: court, target: playing tennis}",
        5,
        "`matters` must be about concepts of the file. Got no concepts",
    ),
    "a witness without concepts": ("shares:", "witnesses: {court: scene}, shares:", 3, "Got no concepts"),
    "an unknown player": ("shares:", "witnesses: {court: place}, shares:", 3, "'scene'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line(shortcut, folder, name):
    old, new, line, message = MISTAKES[name]
    (folder / "bare.csv").write_text("path\n" + next(folder.glob("world/*/*.mp4")).relative_to(folder).as_posix())
    path = folder / "mistake.yaml"
    text = (folder / "audit.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ExperimentError, match=rf"mistake\.yaml:{line}: .*{message}") as error:
        check_experiment(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("against", ["logit", "contrast:playing football"])
def test_witnesses_are_of_one_unit(tmp_path, against):
    witnesses = "audit: {clips: world, witnesses: {swing: motion}}\nlayers:"
    text = SMALL.replace("layers:", witnesses)
    assert read_experiment(write(tmp_path, text))[0].audit is not None
    with pytest.raises(ExperimentError, match=rf"`against` must be log_odds with witnesses.*Got {against}") as error:
        read_experiment(write(tmp_path, text.replace("layers:", f"against: {against}\nlayers:")))
    assert "\n" not in str(error.value)


def test_the_clips_of_targets_are_audited_where_none_are_named(tmp_path):
    targets = "  playing football: {rendered: {count: 2, seed: 9}}\nconcepts:"
    text = SMALL.replace("concepts:", targets).replace("layers:", "audit: {}\nlayers:")
    experiment = check_experiment(write(tmp_path, text))
    assert experiment.audit_versions is None
    with pytest.raises(ExperimentError, match=r":9: `audit.clips` must be of two classes or more. Got 1 of targets"):
        check_experiment(write(tmp_path, SMALL.replace("layers:", "audit: {}\nlayers:")))


def test_an_order_of_frames_is_of_a_concept_or_of_the_model(tmp_path):
    claims = CLAIMS + "  - order_matters: {concept: swing, target: playing tennis}\n"
    text = SMALL.partition("hypotheses:")[0] + "audit: {clips: world}\n" + claims
    experiment = read_experiment(write(tmp_path, text))[0]
    of_model, of_concept = experiment.hypotheses[1:]
    assert (of_model.part, of_model.audit_version) == ("whole", "reversed")
    assert (of_concept.part, of_concept.audit_version) == ("order", None)
    assert experiment.all_twins() == ("reversed",)
    assert type(experiment).model_validate(experiment.model_dump(mode="json")) == experiment
    with pytest.raises(ExperimentError, match="must be about the audit of a model. Got no audit.*or name the concept"):
        read_experiment(
            write(tmp_path, re.sub("audit: .*\n", "", text).replace("  - background_bias: {at_most: 0.5}\n", ""))
        )


def test_json_holds_what_the_tables_hold(shortcut):
    rows = json.loads((shortcut.path / "hypotheses.json").read_text())
    assert [row["verdict"] for row in rows] == [outcome.verdict for outcome in shortcut.outcomes]
    assert rows[0]["p_value"] is None


def test_several_models_and_rendered_clips_by_class(tmp_path):
    path = tmp_path / "several.yaml"
    path.write_text("""\
title: Does order matter?
models: {scenes: rendered:r2plus1d-scene, motions: rendered:r2plus1d-motion}
audit:
  clips:
    playing tennis: {rendered: {count: 3, seed: 1, motion: swing, object: racket, scene: court}}
    dancing: {rendered: {count: 3, seed: 2, motion: wave, scene: noise}}
  shares: false
  versions: [shuffled]
  bootstraps: 100
hypotheses:
  - order_matters: {at_most: 0.9, when: shuffled, label: Playing_Tennis}
    model: motions
  - order_matters: {at_most: 0.9, when: shuffled}
    model: scenes
""")
    run = run_experiment(path, out=tmp_path / "run")
    assert [audit.model for audit in run.audits] == ["scenes", "motions"]
    assert [clip.label for clip in run.audits[0].result.answers.clips] == ["playing tennis"] * 3 + ["dancing"] * 3
    assert [(outcome.model, outcome.target, outcome.concept_clips) for outcome in run.outcomes] == [
        ("motions", "Playing_Tennis", 3),
        ("scenes", "", 6),
    ]
    assert {folder.name for folder in (run.path / "clips").iterdir()} == {
        "audit-clips-playing tennis",
        "audit-clips-dancing",
    }
    path.write_text(path.read_text().replace("    model: motions\n", ""))
    with pytest.raises(ExperimentError, match=r":11: `model` must be named where there are several"):
        read_experiment(path)


def test_a_killed_audit_goes_on_with_what_was_passed(shortcut, folder):
    out, store = folder / "killed", folder / "store"
    arguments = [str(folder / "audit.yaml"), str(out), str(store)]
    process = subprocess.Popen([sys.executable, "-c", GO, *arguments])
    passed: list[Path] = []
    while len(passed) < 3 and process.poll() is None:
        time.sleep(0.02)
        passed = list(folder.glob("store-logits/*/*.safetensors"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(out.glob("audits/[!.]*"))
    times = {path: path.stat().st_mtime_ns for path in passed if path.exists()}
    resumed = run_experiment(arguments[0], out=out, resume=True, store=store)
    assert len(times) >= 3
    # a clip has a file of versions without masks, and one of those with them: what is whole is not written again
    assert sum(path.stat().st_mtime_ns == before for path, before in times.items()) >= 2
    assert resumed.audits[0].result.answers.to_frame().equals(shortcut.audits[0].result.answers.to_frame())
