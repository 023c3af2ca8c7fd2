"""CAVs that a run has saved score clips that it has not seen."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import video_tcav as vt
from tests.unit.tcav.test_run import rows, run
from video_tcav.core import errors


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


@pytest.fixture(scope="module")
def saved(model, shapes_clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(model, shapes_clips, layers=["stages.2"], out=out)
    return vt.load_cavs(out / "cavs.safetensors")


def test_saved_cavs_score_new_clips(model, shapes, shapes_clips, tmp_path):
    run(model, shapes_clips, layers=["stages.2"], out=tmp_path / "out")
    cavs = vt.load_cavs(tmp_path / "out/cavs.safetensors")
    assert [(cav.concept, cav.layer) for cav in cavs] == [("moves-right", "stages.2"), ("green", "stages.2")]
    assert all(cav.vector.norm().item() == pytest.approx(1, abs=1e-5) for cav in cavs)
    shapes.write_clips(tmp_path / "new/right", ["right"] * 5, seed=20)
    shapes.write_clips(tmp_path / "new/up", ["up"] * 5, seed=21)
    scores = vt.score_clips(model, cavs, tmp_path / "new", target="right").to_frame()
    presence = scores[scores.concept == "moves-right"].groupby(scores.path.str.contains("/right/")).presence.mean()
    assert presence[True] > presence[False] + 0.5
    assert np.isfinite(scores.directional_derivative).all()


def test_presence_is_one_for_concept_and_zero_for_random_clips(model, shapes_clips, tmp_path):
    found = run(model, shapes_clips, layers=["stages.2"], out=tmp_path)
    cavs = [cav for cav in vt.load_cavs(tmp_path / "cavs.safetensors") if cav.concept == "moves-right"]
    concept = vt.score_clips(model, cavs, shapes_clips / "moves-right").to_frame().presence
    random = vt.score_clips(model, cavs, shapes_clips / "random").to_frame().presence
    assert concept.mean() == pytest.approx(1, abs=1e-3)
    assert random.mean() == pytest.approx(0, abs=1e-3)
    scores = vt.score_clips(model, cavs, shapes_clips / "right", target="right").to_frame()
    derivative = scores.directional_derivative
    (own,) = rows(found, concept="moves-right")
    assert (derivative > 0).mean() == own.tcav_score
    assert derivative.mean() == pytest.approx(own.tcav_magnitude, rel=1e-3)


def test_cavs_of_other_weights_are_refused(model, shapes, shapes_clips, tmp_path):
    run(model, shapes_clips, layers=["stages.2"], out=tmp_path)
    cavs = vt.load_cavs(tmp_path / "cavs.safetensors")
    other = vt.load_model(shapes.build(), classes=list(shapes.DIRECTIONS))
    with pytest.raises(errors.ModelError, match="CAVs of other weights: moves-right at stages.2"):
        vt.score_clips(other, cavs, shapes_clips / "right")
    with pytest.raises(errors.InputError, match="must be a readable safetensors file"):
        vt.load_cavs(tmp_path / "results.json")


def test_files_that_cannot_be_used_are_listed_and_stop_only_a_strict_scoring(model, saved, shapes_clips, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    with pytest.raises(errors.InputError, match=r"Got 1 that cannot, the first: .*broken\.mp4: "):
        vt.score_clips(model, saved, tmp_path)
    shutil.copy(shapes_clips / "right/000.mp4", tmp_path)
    found = vt.score_clips(model, saved, tmp_path, target="right")
    assert [Path(one.path).name for one in found.skipped] == ["broken.mp4"]
    assert [(Path(one.path).name, one.concept) for one in found.scores] == [
        ("000.mp4", "moves-right"),
        ("000.mp4", "green"),
    ]
    with pytest.raises(errors.MediaError, match=r"broken\.mp4"):
        vt.score_clips(model, saved, tmp_path, strict=True)


def test_the_derivative_is_a_column_only_where_there_is_a_target(model, saved, shapes_clips):
    video = shapes_clips / "right/000.mp4"
    columns = ["path", "window", "layer", "concept", "versus", "presence"]
    assert [*vt.score_clips(model, saved, video).to_frame().columns] == columns
    with_target = vt.score_clips(model, saved, video, target="right").to_frame()
    assert [*with_target.columns] == [*columns, "directional_derivative"]


def test_cavs_of_several_feature_spaces_are_refused(model, saved, shapes_clips):
    mixed = (saved[0], replace(saved[1], space="spacetime"))
    places = r"Got flatten \(moves-right at stages.2\) and spacetime \(green at stages.2\)"
    with pytest.raises(errors.InputError, match=f"`cavs` must be of one feature space. {places}"):
        vt.score_clips(model, mixed, shapes_clips / "right")


def test_cavs_of_another_clip_size_are_refused_by_name(model, saved, shapes_clips):
    short = replace(saved[1], vector=saved[1].vector[:-1])
    with pytest.raises(errors.ShapeError, match=r"values \(green at stages.2\) and clips that give"):
        vt.score_clips(model, [saved[0], short], shapes_clips / "right/000.mp4")


def test_a_bad_target_is_found_before_the_passes(model, saved):
    with pytest.raises(errors.ClassNotFoundError, match="Closest: right"):
        vt.score_clips(model, saved, "nowhere", target="rihgt")


def test_a_cav_without_direction_has_no_presence(model, saved, shapes_clips):
    lost = replace(saved[0], vector=saved[0].vector * 0, concept_mean=0.0, random_mean=0.0)
    (one,) = vt.score_clips(model, [lost], shapes_clips / "right/000.mp4", target="right").scores
    assert np.isnan(one.presence)
    assert one.directional_derivative == 0
