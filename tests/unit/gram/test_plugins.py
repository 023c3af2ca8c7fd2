"""Kinds of other packages: a CAV and a significance test that nothing here knows, from an entry point to the report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import video_tcav as vt
from tests.plugins import installed, make_plugin
from tests.unit.experiments.files import write
from tests.unit.tcav.test_run import RUN, run
from video_tcav.core import errors
from video_tcav.gram import CAV_FITTERS, SIGNIFICANCE_TESTS, cav_fitter, gram_matrices, measure_concept
from video_tcav.gram.cavs.mean import MeanDifference

LDA = '''
"""Linear discriminant analysis with a shrunken covariance: ridge on the labels, with a penalty of its own."""
import numpy as np
from video_tcav.gram import CavFitter

class Lda(CavFitter):
    name, help = "lda", "linear discriminant analysis"
    methods_text = "linear discriminant analysis"

    def fit(self, kernel, labelling):
        kernel = kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()
        shrinkage = 0.5 * kernel.trace() / len(kernel)
        return np.linalg.solve(kernel + shrinkage * np.eye(len(kernel)), labelling.contrast.T).T
'''
SIGN_FLIP = '''
"""Sign flips of the effects at class clips: asks about the class, not about the concept's clips."""
import numpy as np
from video_tcav.gram import SignificanceTest, TestOutcome

class SignFlip(SignificanceTest):
    name, title, help = "signflip", "sign-flip test", "flips signs of the effects at class clips"
    warning = "The sign-flip test says nothing about other clips of the concept. Use it beside the permutation test."
    caution = "Sign flips say nothing about other clips of the concept."

    def methods_text(self, settings):
        return "999 sign flips of the effects at class clips"

    def outcome(self, draws):
        signs = np.random.default_rng(0).choice([-1, 1], (999, len(draws.by_clip)))
        drawn = np.abs((signs * draws.by_clip).mean(1))
        p_value = float((1 + (drawn >= abs(draws.effect) - 1e-12).sum()) / 1000)
        return TestOutcome(statistic=draws.effect, p_value=p_value)
'''
EXPERIMENT = """\
title: Kinds of other packages
model: rendered:r2plus1d-motion
targets:
  playing tennis: {rendered: {count: 4, seed: 1, motion: swing, object: racket, scene: court}}
concepts:
  swing: {rendered: {count: 5, seed: 2, motion: swing, scene: [lawn, gym]}}
random: {rendered: {count: 8, seed: 6, motion: [wave, walk, kick], scene: [lawn, gym]}}
layers: [stages.3]
cav: lda
statistics: {permutations: 99, bootstraps: 100, random_sets: 5, tests: [permutation, signflip]}
shown: 0
hypotheses:
  - matters: {concept: swing, target: playing tennis}
"""
EVERYWHERE = """
import sys
from pathlib import Path
from typer.testing import CliRunner
from video_tcav.cli.app import app
from video_tcav.experiments import json_schema, run_experiment
from video_tcav.reports import write_report

folder, shapes, weights, clips = map(Path, sys.argv[1:])
command = f"test --model file:{shapes}:build --weights {weights} --target right --clips {clips}/right --layer stages.2 "
command += f"--concept green={clips}/green --random {clips}/random --permutations 19 --random-sets 5 --cav lda "
outcome = CliRunner().invoke(app, [*command.split(), "--significance", "signflip", "--json", str(folder / "test.json")])
assert outcome.exit_code == 0, outcome.output
print(outcome.output)
schema = json_schema()
assert "lda" in schema["properties"]["cav"]["enum"]
assert "signflip" in schema["$defs"]["Statistics"]["properties"]["tests"]["items"]["enum"]
run = run_experiment(folder / "small.yaml", out=folder / "run")
write_report(run, folder / "run" / "report.html")
"""


@pytest.fixture
def plugins(tmp_path) -> tuple[Path, Path]:
    return (
        make_plugin(tmp_path, "video_tcav.cavs", "lda", LDA, "Lda"),
        make_plugin(tmp_path, "video_tcav.significance_tests", "signflip", SIGN_FLIP, "SignFlip"),
    )


def test_both_work_in_the_command_line_the_schema_an_experiment_and_its_report(
    plugins, tmp_path, shapes, shapes_weights, shapes_clips
):
    write(tmp_path, EXPERIMENT)
    paths = os.pathsep.join(map(str, [*plugins, *sys.path]))
    arguments = [tmp_path, shapes.__file__, shapes_weights, shapes_clips]
    outcome = subprocess.run(
        [sys.executable, "-c", EVERYWHERE, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "The sign-flip test says nothing about other clips" in " ".join(outcome.stdout.split())
    result = json.loads((tmp_path / "test.json").read_text())
    assert {(row["cav"], row["significance"], row["correction"]) for row in result["results"]} == {
        ("lda", "signflip", "holm")
    }
    page = (tmp_path / "run" / "report.html").read_text()
    assert "linear discriminant analysis" in page
    assert "999 sign flips of the effects at class clips" in page
    assert "Sign flips say nothing about other clips of the concept." in page


def test_objects_do_what_their_names_do(shapes, shapes_weights, shapes_clips):
    model = vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")
    test = SIGNIFICANCE_TESTS.resolve("ttest")
    settings = {"layers": ["stages.2"], "concepts": {"green": shapes_clips / "green"}}
    named = run(model, shapes_clips, cav="mean", significance="ttest", **settings)
    given = run(model, shapes_clips, cav=MeanDifference(), significance=test, **settings)
    assert named.results == given.results
    assert named.provenance["settings"] == given.provenance["settings"]
    assert (given.constants.cav, given.constants.significance, given.constants.correction) == (
        "mean",
        "ttest",
        "bonferroni",
    )


def test_an_installed_kind_is_found_by_its_name(plugins):
    generator = np.random.default_rng(0)
    space = gram_matrices(generator.normal(size=(20, 9)), generator.normal(size=(4, 9)))
    labels = np.arange(20) < 8
    with installed(plugins[0], CAV_FITTERS):
        assert CAV_FITTERS.names() == ("mean", "ridge", "logistic", "svm", "lda")
        assert cav_fitter("lda").methods_text == "linear discriminant analysis"
        found = measure_concept(space, labels, cav="lda", **RUN)
        assert found.effect != measure_concept(space, labels, cav="mean", **RUN).effect
    with pytest.raises(errors.InputError, match="`cav` must be one of mean, ridge, logistic, svm. Got 'lda'"):
        cav_fitter("lda")


@pytest.mark.parametrize(
    ("group", "registry", "message"),
    [
        (
            "video_tcav.cavs",
            CAV_FITTERS,
            "`cav` half must have name, help, methods_text, fit, clip_effects, effects. Got none",
        ),
        ("video_tcav.significance_tests", SIGNIFICANCE_TESTS, "`significance` half must have name, title, help"),
    ],
)
def test_half_a_kind_is_refused(tmp_path, group, registry, message):
    plugin = make_plugin(tmp_path, group, "half", "class Half:\n    name = 'half'\n", "Half")
    with installed(plugin, registry), pytest.raises(errors.PluginError, match=message):
        registry.resolve("half")
