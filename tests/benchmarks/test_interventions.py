"""`benchmarks.interventions`: estimates against whole forwards, planted causes, and its commands on small sets of clips."""

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.calibration.world import random_clips, sample_world
from benchmarks.interventions.__main__ import app
from benchmarks.interventions.agreement import agreement_table, model_table, sign_table
from benchmarks.interventions.cells import BASELINE, cells
from benchmarks.interventions.edited_clips import RealClips, load_edits
from benchmarks.interventions.meaningless import EditedClips, deepest_place, significant
from benchmarks.interventions.rendered_layers import RANDOM_CLIPS, pool_rows, rendered_outputs
from typer.testing import CliRunner

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.recording.rows import SpillSpace
from video_tcav.rendered import rule_of
from video_tcav.rendered.training import rendered_inputs

MODEL, LAYER = "rendered:r2plus1d-order", "stages.2"
POOL, CLIPS = 80, 3
EDITS = """
import numpy as np

def edits(indoor):
    return {
        "frozen": lambda clip, background: np.repeat(clip[len(clip) // 2][None], len(clip), 0),
        "empty": lambda clip, background: np.repeat(background[None], len(clip), 0),
        "indoors": lambda clip, background: np.repeat(indoor[None], len(clip), 0),
    }
"""


@pytest.fixture(scope="module")
def model():
    return vt.load_model(MODEL, device="cpu")


@pytest.fixture(scope="module")
def world(model):
    return sample_world(model, rule_of("order"), pool_clips=POOL, class_clips=CLIPS, seed=0)


@pytest.fixture(scope="module")
def table(model):
    options = {"pool_clips": POOL, "class_clips": CLIPS, "drawing": 0}
    made = cells(model, rule_of("order"), cav_fitter("mean"), **options)
    return pd.DataFrame([cell.row() for cell in made])


def whole_forwards(model, clips, change=lambda output: output):
    """The layer's output, and the log-odds of the first class, with the output changed."""
    outputs, odds = [], []

    def replace(_module, _inputs, output):
        outputs.append(output)
        return change(output)

    handle = model.layer(LAYER).register_forward_hook(replace)
    with torch.no_grad():
        for inputs in rendered_inputs(clips):
            logits = model.module(inputs)
            odds.append(logits[:, 0] - logits[:, 1])  # of two classes
    handle.remove()
    return torch.cat(outputs), torch.cat(odds)


def test_estimates_are_their_definitions_by_whole_forwards(model, world, table):
    outputs, odds = whole_forwards(model, world.pool)
    concept = np.isin(np.arange(len(world.pool)), world.rows("scene", "court"))
    means = outputs[concept].mean(0), outputs[~concept].mean(0)
    d = means[0] - means[1]
    unit = d / d.norm()
    (cell,) = table.query(
        "layer == @LAYER and factor == 'scene' and value == 'court' and target == 'sitting down'"
    ).iloc

    def set_to(mean):
        return lambda h: h + ((mean - h) * unit).flatten(1).sum(1)[:, None, None, None, None] * unit

    others = random_clips(world.rule, RANDOM_CLIPS, seed=0)
    for at, clips in (("class", world.class_clips[0]), ("random", others)):
        step = whole_forwards(model, clips, lambda h: h + d)[1] - whole_forwards(model, clips, lambda h: h - d)[1]
        assert cell[f"step_{at}"] == pytest.approx(float(step.mean()) / 2, abs=1e-3)
        clamp = whole_forwards(model, clips, set_to(means[0]))[1] - whole_forwards(model, clips, set_to(means[1]))[1]
        assert cell[f"clamp_{at}"] == pytest.approx(float(clamp.mean()), abs=1e-3)
        little = (
            whole_forwards(model, clips, lambda h: h + d / 50)[1]
            - whole_forwards(model, clips, lambda h: h - d / 50)[1]
        )
        assert cell[f"slope_{at}"] == pytest.approx(25 * float(little.mean()), abs=0.02)
    assert cell[BASELINE] == pytest.approx(float(odds[concept].mean() - odds[~concept].mean()), abs=1e-3)


def test_agreement_is_near_one_where_the_cause_is_plain(table):
    assert len(table) == 4 * 2 * 11  # stages, classes, values
    rows = {(row.estimator, row.behind): row for row in agreement_table(table)}
    assert rows["step_random", 0].pearson > 0.95
    causes = table[table["is_cause"] & (table["behind"] == 0)]
    assert (np.sign(causes["clamp_class"]) == np.sign(causes["truth"])).all()
    assert rows["slope_random", 3].size < 0.5  # the first stage
    assert rows[BASELINE, 0].pearson == rows[BASELINE, 3].pearson  # no layer
    assert set(model_table(table)["model"]) == {"r2plus1d-order"}


def test_a_confounded_pool_has_objects_and_scenes_that_follow_the_motion(model):
    world = sample_world(model, rule_of("scene"), pool_clips=560, class_clips=1, seed=0, correlation=0.9)
    scenes = [clip.scene for clip in world.pool if clip.motion == "swing"]
    assert np.mean([scene == "court" for scene in scenes]) > 0.8
    plain = sample_world(model, rule_of("scene"), pool_clips=560, class_clips=1, seed=0)
    assert np.mean([clip.scene == "court" for clip in plain.pool if clip.motion == "swing"]) == 0.2


def test_in_a_confounded_pool_the_difference_of_means_calls_the_scene_a_cause(model):
    options = {"pool_clips": POOL, "class_clips": CLIPS, "drawing": 0, "correlation": 0.8}
    made = [cell.row() for cell in cells(model, rule_of("order"), cav_fitter("mean"), **options)]
    confounded = pd.DataFrame(made).query("behind == 0 and factor == 'scene' and value == 'court'")
    assert (confounded["truth"].abs() < 2).all()
    assert (confounded[BASELINE].abs() > 5).all()


def test_the_own_cause_is_significant_where_draws_of_one_pool_are_not(model, world, tmp_path):
    store = pool_rows(model, world, SpillSpace(10**8, tmp_path), world.layers[-1:])[world.deepest]
    place = deepest_place(model, world, store)
    outputs, twins = (
        rendered_outputs(model, world.layers[-1:], world.class_clips[0], twin)[world.deepest]
        for twin in (None, "reversed")
    )
    edited, settings = EditedClips(outputs=outputs, twins=twins), {"relabellings": 39, "seed": 0}
    cause, others = world.rows("motion", "sit down"), world.rows("motion", "stand up")
    found = significant(place, edited, cause, others, **settings)
    assert found["clamp"]
    assert found["remove"]
    assert found["step"]
    assert found["step of a run"]
    mixed = np.concatenate([cause, others])
    assert not significant(place, edited, mixed[::2], mixed[1::2], **settings)["clamp"]


def test_errors_and_order_are_commands(tmp_path):
    command = ["errors", "--model", MODEL, "--draws", "2", "--relabellings", "19", "--pool", "100", "--at", "random"]
    ended = CliRunner().invoke(app, [*command, "--out", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    rows = pd.read_csv(tmp_path / "errors.csv")
    assert list(rows["operation"]) == ["clamp", "remove", "step", "restore", "step of a run"]
    assert (rows["draws"] == 2).all()
    ended = CliRunner().invoke(
        app, ["order", "--clips", "4", "--pool", "80", "--relabellings", "19", "--out", str(tmp_path)]
    )
    assert ended.exit_code == 0, ended.output
    rows = pd.read_csv(tmp_path / "order.csv").set_index(["model", "layer", "concept"])["restored"]
    for model, layer in (("rendered:r2plus1d-order", "stages.3"), ("rendered:transformer-order", "blocks.3")):
        assert rows[model, layer, "motion sit down"] > 0.5
        assert rows[model, layer, "object racket"] < 0.5


@pytest.mark.assets
def test_edits_of_real_clips_beside_what_estimates_say(assets, tmp_path):
    """Few clips of people who walk or run, at the deepest layer of a published network."""
    (tmp_path / "edits.py").write_text(EDITS)
    models = assets / "models" / "real"
    command = ["real", "--model", f"file:{models / 'lrcn.py'}:walk_fight_run", "--target", "walking", "--count", "4"]
    command += ["--weights", str(models / "lrcn_walk_fight_run_b.safetensors"), "--edits", str(tmp_path / "edits.py")]
    command += ["--clips", str(assets / "clips" / "kth30" / "*" / "person0[1-4]*_d[14].mkv"), "--group", r"person\d+"]
    ended = CliRunner().invoke(app, [*command, "--space", "spacetime", "--out", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    rows = pd.read_csv(tmp_path / "real.csv")
    assert len(rows) == 4 * 2 * 3  # layers, places, edits
    deepest = rows[(rows["layer"] == "stages.3") & (rows["at"] == "class")].set_index("edit")
    assert (deepest["truth"] < -3).all()  # nobody walks
    assert (deepest["slope"] < 0).all()
    assert (deepest["step_low"] <= deepest["step"]).all()
    assert set(sign_table(rows)["edits"]) <= {0, 1, 2, 3}


def test_a_file_without_edits_is_refused(tmp_path):
    with pytest.raises(InputError, match="`edits` must be a Python file"):
        load_edits(tmp_path / "none.py", RealClips(frames=(), labels=(), paths=(), groups=()))
