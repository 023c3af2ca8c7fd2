"""Every mistake in an experiment file is one line with file, line and cure; nothing is computed, nothing is written."""

import json
import re

import pytest

from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Experiment, json_schema, read_experiment, run_experiment
from video_tcav.experiments.file import SCHEMA

MISTAKES = {
    "unknown key": ("shown: 1", "showen: 1", 11, "Did you mean shown"),
    "unknown key deep inside": ("still: true", "stil: true", 7, "Did you mean still"),
    "no title": ("title: What does it see?\n", "", 1, "`title` must be given"),
    "no model": ("model: rendered:r2plus1d-motion\n", "", 1, "Got neither"),
    "model and models": ("shown: 1", "models: {a: rendered:r2plus1d-scene}", 1, "Got both"),
    "unknown model": ("rendered:r2plus1d-motion", "rendered:r2plus1d-motoin", 2, "Choose one"),
    "unknown kind of model": ("model: rendered:r2plus1d-motion", "model: rendred:x", 2, "model rendred:x"),
    "weights that are not there": (
        "model: rendered:r2plus1d-motion",
        "model: {spec: rendered:r2plus1d, weights: gone.safetensors}",
        2,
        r"gone\.safetensors",
    ),
    "unknown class": (SMALL, SMALL.replace("playing tennis", "playing tenis"), 4, "playing tennis"),
    "targets as a list": (
        SMALL,
        re.sub(r"targets:\n.*\n", "targets: [playing tennis]\n", SMALL),
        3,
        "must hold names, each with its value",
    ),
    "an empty list": ("layers: [stages.2, stages.3]", "layers: []", 9, "`layers` must hold at least 1"),
    "a list of settings": (
        "{permutations: 499, bootstraps: 200, random_sets: 20}",
        "[3]",
        10,
        "`statistics` must hold names",
    ),
    "part of a clip": ("shown: 1", "shown: 2.5", 11, r"`shown` must be a valid integer\. Got 2\.5"),
    "target without clips": ("targets:\n", "targets:\n  dancing:\n", 4, "must have clips"),
    "clips that are not there": (
        "  court: {rendered",
        "  net: clips/net\n  court: {rendered",
        7,
        "concepts.net.*Check the spelling",
    ),
    "a bank that is not there": ("  court: {rendered", "  net: gone::net\n  court: {rendered", 7, r"concepts\.net"),
    "no clips at all": ("  court: {rendered", "  net: []\n  court: {rendered", 7, r"concepts\.net.*at least 1"),
    "half a pair": (
        "  court: {rendered",
        "  net: {static: a}\n  court: {rendered",
        7,
        r"concepts\.net\.dynamic` must be given",
    ),
    "unknown motion": ("motion: swing, scene", "motion: swung, scene", 6, "motion must be one of swing, wave"),
    "negative count": ("count: 10, seed: 2", "count: -10, seed: 2", 6, "greater than or equal to 1"),
    "unknown layer": ("layers: [stages.2, stages.3]", "layers: [stages.2, stages.9]", 9, r"stages\.9"),
    "layer twice": ("layers: [stages.2, stages.3]", "layers: [stages.2, stages.2]", 9, "each must come once"),
    "layer of a hypothesis": (
        "  - motion_matters: {",
        "  - layer: stages.1\n    motion_matters: {",
        15,
        "must be one that the experiment names",
    ),
    "unknown concept": (
        "- motion_matters: {concept: swing",
        "- motion_matters: {concept: swng",
        15,
        "Did you mean swing",
    ),
    "unknown target": ("court, target: playing tennis}", "court, target: tennis}", 14, "Did you mean playing tennis"),
    "two kinds": (
        "  - does_not_matter:",
        "  - matters: {concept: swing, target: playing tennis}\n    does_not_matter:",
        16,
        "exactly one of",
    ),
    "no kind": ("  - does_not_matter: {concept: court, target: playing tennis}", "  - name: nothing", 16, "Got none"),
    "compared with itself": ("than: court", "than: swing", 14, "another concept"),
    "negative margin": (
        "court, target: playing tennis}\n  - motion",
        "court, target: playing tennis}\n  - does_not_matter: {concept: court, target: playing tennis, margin: -1}\n  - motion",
        15,
        "greater than 0",
    ),
    "direction of nothing": (
        "  - does_not_matter:",
        "  - expect: negative\n    does_not_matter:",
        16,
        "has no direction",
    ),
    "same in without models": (
        "  - does_not_matter:",
        "  - same_in: {concept: swing, target: playing tennis, models: [a, b]}\n  - does_not_matter:",
        16,
        "'a'",
    ),
    "model of a hypothesis": ("  - does_not_matter:", "  - model: other\n    does_not_matter:", 16, "'other'"),
    "unknown operation": (
        "shown: 1",
        "shown: 1\ninterventions: {intervene: [step, stop]}",
        12,
        "must be one of step, clamp",
    ),
    "interventions at an unknown layer": ("shown: 1", "interventions: {intervene_at: stages.0}", 11, r"stages\.0"),
    "operations of a sketch": ("shown: 1", "sketch: 64\ninterventions: {intervene: clamp}", 12, "step or none with"),
    "no change": (
        "  - does_not_matter:",
        "  - would_change: {concept: swing, target: playing tennis, by: 0}\n  - does_not_matter:",
        16,
        "by must not be 0",
    ),
    "two directions": (
        "  - does_not_matter:",
        "  - would_change: {concept: swing, target: playing tennis, by: 1}\n    expect: negative\n  - does_not_matter:",
        16,
        "Write by with a minus",
    ),
    "a share above 1": (
        "  - does_not_matter:",
        "  - needed: {concept: swing, target: playing tennis, share: 50}\n  - does_not_matter:",
        16,
        "less than or equal to 1",
    ),
    "carries without a part": (
        "  - does_not_matter:",
        "  - carries: {concept: swing, target: playing tennis, share: 0.5}\n  - does_not_matter:",
        16,
        r"carries\.part` must be given",
    ),
    "too few relabellings for a claim": (
        "hypotheses:\n",
        "interventions: {relabellings: 18}\nhypotheses:\n  - needed: {concept: swing, target: playing tennis, share: 0.5}\n",
        12,
        "must be 19 or more for needed",
    ),
    "a claim about an intervention on sketched rows": (
        "hypotheses:\n",
        "sketch: 64\nhypotheses:\n  - needed: {concept: swing, target: playing tennis, share: 0.5}\n",
        14,
        "`sketch` must not be set with needed",
    ),
    "unknown correction": ("permutations: 499", "correction: holms", 10, "'holm', 'bonferroni'"),
    "unknown cav": ("shown: 1", "cav: men", 11, "'mean', 'ridge'"),
    "unknown against": ("shown: 1", "against: odds", 11, "log_odds, logit or contrast"),
    "contrast with an unknown class": ("shown: 1", "against: 'contrast:skiing'", 11, "skiing"),
    "text for a number": ("shown: 1", "seed: one", 11, "integer"),
    "infinite level": ("permutations: 499", "level: .inf", 10, "finite|less than"),
    "bad group": ("shown: 1", "group: '(['", 11, "regular expression"),
    "group that does not match": ("shown: 1", "group: 'person(\\d+)'", 11, "must match every path"),
    "bad memory": ("shown: 1", "memory: lots", 11, "must be a size"),
    "a name that is a number": ("  court: {rendered", "  1: {rendered", 7, "Put it in quotes"),
    "a key twice": ("shown: 1", "shown: 1\nshown: 2", 12, "twice, first on line 11"),
    "no YAML": ("shown: 1", "shown: [1", 12, "must be YAML"),
    "a tab": ("  swing:", "\tswing:", 6, "must be YAML"),
    "a tag that would run code": ("shown: 1", "shown: !!python/object/apply:os.getcwd []", 11, "must be YAML"),
    "a list": (SMALL, "- a\n- b\n", 1, "must be an experiment"),
    "nothing": (SMALL, "", 1, "Got nothing"),
    "a mapping that holds itself": ("shown: 1", "description: &a {b: *a}", 11, "must not hold itself"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_file_line_and_cure(tmp_path, mistake):
    old, new, line, says = MISTAKES[mistake]
    assert old in SMALL
    path = write(tmp_path, SMALL.replace(old, new, 1))
    with pytest.raises(ExperimentError, match=says) as error:
        run_experiment(path, out=tmp_path / "run")
    text = str(error.value)
    assert text.startswith(f"{path}:{line}: ")
    assert "\n" not in text
    assert re.search(r"[.?]$", text)
    if mistake != "group that does not match":  # the paths of rendered clips are known once they are rendered
        assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_there_a_folder_other_bytes_and_a_huge_one(tmp_path):
    with pytest.raises(ExperimentError, match="No such file"):
        read_experiment(tmp_path / "gone.yaml")
    with pytest.raises(ExperimentError, match="Got a folder"):
        read_experiment(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExperimentError, match="UTF-8"):
        read_experiment(other)
    other.write_text("a: " + "x" * 2**20)
    with pytest.raises(ExperimentError, match="smaller than 1 MB"):
        read_experiment(other)


def test_hypotheses_bring_the_operations_the_layers_and_the_twins_that_they_need(tmp_path):
    more = """
  - would_change: {concept: swing, target: playing tennis, by: 1}
  - carries: {concept: swing, target: playing tennis, part: order, share: 0.5}
    layer: stages.2
interventions: {intervene: [step, dose], intervene_at: deepest}
"""
    experiment, _ = read_experiment(write(tmp_path, SMALL.rstrip() + more))
    assert experiment.interventions.intervene == "step,dose"
    assert experiment.all_twins() == ("frozen", "reversed")
    settings = experiment.intervention_settings("rendered:r2plus1d-motion", "playing tennis")
    assert settings.intervene == "step,dose,clamp,restore"
    assert settings.intervene_at == "deepest,stages.3,stages.2"
    for target, judging in (("other", True), ("playing tennis", False)):
        settings = experiment.intervention_settings("rendered:r2plus1d-motion", target, judging=judging)
        assert (settings.intervene, settings.intervene_at) == ("step,dose", "deepest")
    other = experiment.with_overrides({"interventions": {"intervene": "none"}})
    assert experiment.identity() != other.identity()


def test_a_pair_is_two_concepts_and_hypotheses_bring_their_twins(tmp_path):
    path = write(tmp_path, SMALL.replace("  swing: {", "  ball: {static: a, dynamic: [b, c]}\n  swing: {"))
    experiment, file = read_experiment(path)
    assert list(experiment.all_concepts()) == ["ball/static", "ball/dynamic", "swing", "court"]
    assert experiment.all_twins() == ("frozen",)
    assert file.line(("hypotheses", 1)) == 15


def test_a_name_with_a_slash_clashes_with_versions_of_a_pair_alone(tmp_path):
    named = SMALL.replace("  court: {", "  swing/static: a\n  court: {", 1)
    experiment, _ = read_experiment(write(tmp_path, named))
    assert list(experiment.all_concepts()) == ["swing", "swing/static", "court"]
    pair = named.replace("  swing: {", "  swing: {static: b, dynamic: c}\n  ball: {", 1)
    with pytest.raises(ExperimentError, match=r"`concepts\.swing/static` must have a name of its own"):
        read_experiment(write(tmp_path, pair))


def test_the_shipped_schema_is_that_of_the_code():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(json_schema()))


def test_the_schema_knows_every_key(tmp_path):
    experiment, _ = read_experiment(write(tmp_path))
    assert set(json_schema()["properties"]) == set(type(experiment).model_fields) == set(Experiment.model_fields)
