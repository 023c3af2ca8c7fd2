"""Settings of the passes do the same in every entry: tests, CAVs alone, scores, maps, experiment files."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError, InputError
from video_tcav.experiments import check_experiment, run_experiment


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


def learn(model, clips, **settings):
    concepts = {"moves-right": clips / "moves-right"}
    return vt.learn_cavs(model, concepts=concepts, random=clips / "random", layers=["stages.2"], **settings)


@pytest.fixture(scope="module")
def cavs(model, shapes_clips):
    return learn(model, shapes_clips)


def test_cavs_are_the_same_with_a_store_again_from_it_by_workers_and_nearly_with_bfloat16(
    model, shapes_clips, cavs, tmp_path
):
    for settings in ({"store": tmp_path / "store"}, {"store": tmp_path / "store"}, {"workers": 2}, {"threads": 1}):
        (again,) = learn(model, shapes_clips, **settings)
        assert torch.equal(again.vector, cavs[0].vector), settings
        assert again.concept_mean == cavs[0].concept_mean
    (rounded,) = learn(model, shapes_clips, precision="bfloat16")
    assert not torch.equal(rounded.vector, cavs[0].vector)
    assert rounded.vector @ cavs[0].vector > 0.99


def test_cavs_of_sketched_rows_point_where_those_of_whole_rows_do(model, shapes_clips, cavs):
    (sketched,) = learn(model, shapes_clips, sketch=256)
    assert sketched.vector @ cavs[0].vector == pytest.approx(1, abs=1e-4)
    assert sketched.vector.norm().item() == pytest.approx(1, abs=1e-5)
    span, whole = (each.concept_mean - each.random_mean for each in (sketched, cavs[0]))
    assert span == pytest.approx(whole, rel=0.2)  # of sketched inner products


def test_scores_are_the_same_with_a_sketch_a_store_and_workers(model, shapes_clips, cavs, tmp_path):
    def scored(**settings):
        frame = vt.score_clips(model, cavs, shapes_clips / "right", target="right", **settings).to_frame()
        return frame[["presence", "directional_derivative"]].to_numpy()

    whole = scored()
    assert np.allclose(scored(sketch=64), whole, rtol=1e-4, atol=1e-6)
    for settings in ({"store": tmp_path / "store"}, {"store": tmp_path / "store"}, {"workers": 2}):
        assert np.array_equal(scored(**settings), whole), settings
    assert not np.array_equal(scored(precision="bfloat16"), whole)


def test_maps_of_concepts_take_the_settings_of_their_cavs(model, shapes_clips, tmp_path):
    def maps(**settings):
        found = vt.explain(
            model,
            shapes_clips / "right/000.mp4",
            concepts={"moves-right": shapes_clips / "moves-right"},
            random=shapes_clips / "random",
            layers=["stages.2"],
            check=False,
            **settings,
        )
        return found.explanations[0].values

    whole = maps()
    assert torch.allclose(maps(store=tmp_path / "store"), whole)
    assert (tmp_path / "store" / "store.json").exists()
    assert not torch.allclose(maps(cav="ridge"), whole)
    sketched = maps(sketch=256)
    assert torch.corrcoef(torch.stack([sketched.flatten(), whole.flatten()]))[0, 1] > 0.999


def test_experiment_files_hold_them_and_options_stand_in(tmp_path):
    path = write(tmp_path, SMALL + "sketch: 256\nprecision: float32\nthreads: 1\nstore: rows\n")
    assert check_experiment(path).sketch == 256
    assert check_experiment(path, sketch=512).sketch == 512
    run = run_experiment(path, out=tmp_path / "run")
    assert run.analyses[0].record["provenance"]["settings"]["sketch"] == 256
    assert (tmp_path / "rows" / "store.json").exists()
    with pytest.raises(ExperimentError, match="must go on with the same experiment. Got changes in sketch"):
        run_experiment(path, out=tmp_path / "run", resume=True, sketch=512)
    assert run_experiment(path, out=tmp_path / "run", resume=True, threads=2, workers=2).counts() == run.counts()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sketch: 8", "`sketch`.*at least 64|greater than or equal to 64|`sketch` must be at least 64"),
        ("precision: half", "`precision`"),
        ("workers: 0", "`workers`"),
        ("backend: moon", "`backend` must be local, ray or ray:ADDRESS"),
        ("memory: much", "`memory` must be a size"),
    ],
)
def test_bad_settings_of_a_file_are_reported_at_their_line(tmp_path, line, message):
    path = write(tmp_path, SMALL + line + "\n")
    with pytest.raises(ExperimentError, match=rf"small\.yaml:{len(path.read_text().splitlines())}: .*({message})"):
        check_experiment(path)


def test_an_override_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="`override` must be one of windows, memory"):
        check_experiment(write(tmp_path), colour="red")
