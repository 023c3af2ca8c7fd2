"""Logging: warnings of results are logged once, and a silenced logger shows no progress."""

import logging

import pytest

import video_tcav as vt
from video_tcav.core.cache_folder import cache_folder
from video_tcav.core.logs import LOGGER, is_quiet
from video_tcav.core.progress import progress_bar
from video_tcav.rendered import render, sample_factors


@pytest.fixture
def level():
    """Sets the level of the library's logger for a test."""
    before = LOGGER.level
    yield LOGGER.setLevel
    LOGGER.setLevel(before)


def test_what_a_result_warns_of_is_logged_once(tmp_path, caplog):
    (factors,) = sample_factors(1, seed=1)
    vt.write_video(tmp_path / "good.mp4", render(factors).clip, fps=16)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "good.mp4").read_bytes()[:300])
    model = vt.load_model("rendered:r2plus1d-motion", device="cpu")
    with caplog.at_level(logging.INFO, logger="video_tcav"):
        result = vt.predict(model, str(tmp_path))
        explained = vt.explain(model, str(tmp_path), check=False)
    assert len(result.predictions) == len(explained.explanations) == 1
    lines = [(record.name, record.getMessage()) for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [("video_tcav.results", str(result.skipped[0])), ("video_tcav.results", str(explained.skipped[0]))]
    assert lines[1][1].startswith(f"{tmp_path}/cut.mp4: ")


def test_loading_says_model_and_device(caplog):
    with caplog.at_level(logging.INFO, logger="video_tcav"):
        vt.load_model("rendered:r2plus1d-motion", device="cpu")
    assert "model rendered:r2plus1d-motion: 16 frames of (64, 64) pixels, on cpu" in caplog.messages


def test_a_silenced_logger_shows_no_progress(level, capsys):
    for name, quiet in (("ERROR", True), ("WARNING", False)):
        level(name)
        assert is_quiet() is quiet
        with progress_bar("passing", 2, visible=True) as advance:
            advance(2)
        assert ("passing" in capsys.readouterr().err) is not quiet


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"VIDEO_TCAV_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/video-tcav"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/x/.cache/video-tcav"),
        ({"VIDEO_TCAV_CACHE": ""}, "/home/x/.cache/video-tcav"),
        ({"VIDEO_TCAV_CACHE": "~/c"}, "/home/x/c"),
    ],
)
def test_the_default_cache_folder(monkeypatch, variables, folder):
    for name in ("VIDEO_TCAV_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/x", **variables}.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == folder
