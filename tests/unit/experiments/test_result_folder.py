"""The folder of a test as a run without hypotheses: its page, comparisons, and what a second test leaves of the first."""

import json
import shutil

import pytest

import video_tcav as vt
from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import complete_test_folder, diff_runs, load_run
from video_tcav.reports import write_report


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights)


@pytest.fixture(scope="module")
def sets(shapes_clips):
    return {
        "clips": str(shapes_clips / "right"),
        "concepts": {"moves-right": str(shapes_clips / "moves-right")},
        "random": str(shapes_clips / "random"),
    }


def measure(model, sets, folder, *, completed=True, **changes):
    options = {"layers": ["stages.2"], "permutations": 99, "bootstraps": 50, **changes}
    result = vt.run_tcav(model, target="right", **sets, **options, out=folder, detail=True)
    if completed:
        complete_test_folder(folder, result, model, **sets)
    return result


@pytest.fixture(scope="module")
def folder(model, sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("test")
    measure(model, sets, folder, twins=["frozen"])
    return folder


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


def test_a_test_is_a_run_without_hypotheses(folder):
    run = load_run(folder)
    assert run.outcomes == () and run.experiment.title == "What moves right?"
    (analysis,) = run.analyses
    assert [row.result.twin for row in analysis.found] == ["none", "frozen", "motion"]
    assert len(analysis.clips) == 6 and analysis.has_group_weights and analysis.diagnostics()
    assert run.sentences()[0].startswith("moves-right: ")
    assert {preview.name for preview in run.previews} == {"right", "moves-right", "random"} and run.shown
    assert "moves-right: " in run._repr_html_() and repr(run).endswith("no hypotheses>")


def test_its_page_has_sentences_effects_and_clips_and_no_verdicts(folder, tmp_path):
    page = write_report(load_run(folder), tmp_path / "report.html").read_text()
    assert "What moves right?" in page and load_run(folder).sentences()[0].split(":")[1][:20] in page
    assert "Verdict" not in page and "hypothes" not in page.lower() and "experiment file" not in page
    assert "<video" in page and 'class="player"' in page
    assert {path.name for path in (tmp_path / "figures").glob("*.svg")} >= {"effects-1-right.svg", "twins-1-right.svg"}
    assert (tmp_path / "report.md").read_text().startswith("# What moves right?")


def test_two_tests_are_compared_draw_by_draw(model, sets, folder, tmp_path):
    measure(model, sets, tmp_path)
    changes = diff_runs(load_run(folder), load_run(tmp_path))
    assert changes.verdicts == () and not changes.other_clips
    (effect,) = changes.effects
    # the same clips, model and seed: the draws are the same, so that the difference has next to no error
    stored = load_run(folder).analyses[0].get("moves-right", "stages.2")
    assert effect.change == pytest.approx(0, abs=1e-4)
    assert effect.standard_error < 1e-4 < stored.result.standard_error


def test_a_second_test_in_the_folder_leaves_nothing_of_the_first_and_no_file_of_others(model, sets, copied):
    (copied / "notes.txt").write_text("mine")
    measure(model, sets, copied, layers=["head"])
    run = load_run(copied)
    assert run.experiment.layers == ("head",) and (copied / "notes.txt").read_text() == "mine"
    assert not any(clip.maps for clip in run.shown) and len(run.previews) == 18  # a layer without positions has no maps


def test_results_of_the_function_alone_have_a_page_too(model, sets, copied):
    measure(model, sets, copied, completed=False, seed=1)
    run = load_run(copied)
    (analysis,) = run.analyses
    # the draws of the first test are not taken for those of the second
    assert not analysis.has_group_weights and run.experiment.seed == 1 and not len(analysis.found[0].bootstrap)
    assert "What moves right?" in write_report(run, copied / "report.html").read_text()
    assert diff_runs(run, run).effects[0].standard_error > 0


def test_damage_is_named(copied):
    (copied / "draws.safetensors").write_bytes(b"x")
    with pytest.raises(
        ExperimentError, match=r"draws.safetensors: must be as the run wrote it.*Test again with --out\."
    ):
        load_run(copied)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON"])
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ExperimentError, match=r"must be as the run wrote it.*Test again with --out\."):
        load_run(tmp_path)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ExperimentError, match=r"must hold run.json\. Got none\."):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ExperimentError, match="of a newer video-tcav"):
        load_run(tmp_path)
