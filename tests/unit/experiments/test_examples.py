"""The experiments that come with the project: one is run, the other is read."""

from pathlib import Path

import pytest

from video_tcav.experiments import Run, read_experiment, run_experiment

EXAMPLES = Path(__file__).parents[3] / "examples"
TRUTH = {"motion model": 4, "scene model": 4}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Run:
    return run_experiment(EXAMPLES / "playing_tennis_rendered.yaml", out=tmp_path_factory.mktemp("example") / "run")


def test_all_verdicts_are_the_planted_truth(rendered):
    """What each model was trained on is supported; the last hypothesis of each names what it never sees."""
    for model, count in TRUTH.items():
        verdicts = [one.verdict for one in rendered.outcomes if one.model == model]
        assert verdicts == ["supported"] * count + ["not represented"]


def test_the_papers_test_stands_beside_and_says_what_it_is(rendered):
    assert {one.which.test for one in rendered.analyses} == {"studentised", "ttest"}
    assert any("anti-conservative" in text for text in rendered.warnings())
    frames = [one.to_frame() for one in rendered.analyses if one.which.test == "ttest"]
    assert all((frame["correction"] == "bonferroni").all() for frame in frames)


def test_the_source_papers_experiment_is_a_valid_file():
    experiment, _ = read_experiment(EXAMPLES / "playing_tennis.yaml")
    assert list(experiment.all_concepts()) == [
        f"{name}/{version}" for name in ("racket", "ball", "court", "player") for version in ("static", "dynamic")
    ]
    assert experiment.statistics.tests == ("studentised", "ttest")
    assert experiment.all_models()["torchvision:swin3d_t"].weights == "KINETICS400_V1"
