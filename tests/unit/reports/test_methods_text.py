"""The methods text says how frames were spread as it was, not as it was asked for."""

import pytest

from tests.unit.reports.sample_run import write_run
from video_tcav.reports.run.methods_text import clip_form, methods
from video_tcav.reports.run.view import RunView

SPEC = {"frames": 16, "size": [112, 112], "stride": 4, "fps": None, "sampling": "dense", "short": "skip"}
STEPS = {"videos": 9, "strides": {"4": 9}, "shorter": 0, "filled": 0}


@pytest.mark.parametrize(
    ("spec", "steps", "words"),
    [
        ({}, {}, "16 frames of 112 × 112 pixels, one in 4 of the video"),
        ({"stride": 1}, {"strides": {"1": 9}}, "16 frames of 112 × 112 pixels, in a row"),
        (
            {},
            {"strides": {"4": 7, "2": 2, "1": 1}, "shorter": 3},
            "one in 4 in 7 videos, one in 2 in 2 videos and one in 1 in 1 video, as their length allowed"
            " (one in 4 was asked for)",
        ),
        ({}, {"strides": {"2": 9}}, "one in 2 of the video (one in 4 was asked for, and no video is long enough)"),
        ({}, {"strides": {"1": 9}}, "in a row (one in 4 was asked for, and no video is long enough)"),
        ({"sampling": "uniform"}, {"strides": {}}, "16 frames of 112 × 112 pixels, spread over the whole video"),
        ({"fps": 12.5}, {"strides": {}}, "12.5 a second"),
        ({"fps": 12.5}, {"strides": {}, "shorter": 2}, "(closer together in 2 of 9 videos, which are shorter)"),
        ({"short": "pad"}, {"filled": 3}, "in 3 videos with fewer frames, the last frame was repeated"),
        ({"short": "loop"}, {"filled": 3}, "in 3 videos with fewer frames, the video began anew"),
        ({"size": None}, {}, "16 frames, one in 4"),
    ],
)
def test_the_clip_in_words(spec, steps, words):
    assert words in clip_form(SPEC | spec, STEPS | steps)


def test_runs_of_earlier_versions_say_what_was_asked_for():
    old = {name: value for name, value in SPEC.items() if name not in ("sampling", "short")}
    assert clip_form(old, None).endswith("one in 4 of the video, or closer together where it is shorter")
    assert clip_form(None, None) == ""


def test_freezing_is_said_where_random_clips_were_frozen(tmp_path):
    run = write_run(tmp_path / "run")

    def with_negatives(way):
        for one in run.analyses:
            for place in one.found:
                object.__setattr__(place.result, "negatives", way)
        return methods(RunView(run=run))

    assert "the random clips were frozen to match" in with_negatives("frozen")
    assert "was compared with random clips that do" in with_negatives("moving")
    assert "do not move" not in with_negatives("as given")


def test_settings_of_the_passes_that_are_not_the_usual_have_their_sentence(tmp_path):
    run = write_run(tmp_path / "run")
    assert "clips were taken" not in methods(RunView(run=run))
    object.__setattr__(
        run, "experiment", run.experiment.with_overrides({"windows": 3, "sketch": 512, "precision": "auto"})
    )
    run.analyses[0].record["provenance"]["settings"] = {"precision": "bfloat16"}
    text = methods(RunView(run=run))
    assert "From each video, 3 clips were taken." in text
    assert "CountSketches of 512 values a clip" in text
    assert "products in bfloat16" in text
