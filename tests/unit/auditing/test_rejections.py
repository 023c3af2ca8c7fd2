"""Files of rejected clips."""

from pathlib import Path

import pytest

from video_tcav.auditing import is_rejected, read_rejections, unknown_names
from video_tcav.auditing.rejections import MaskVerdicts, read_verdicts, rejected_keys, write_verdicts
from video_tcav.core.errors import InputError
from video_tcav.media import VideoSource


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.json", '["run/a.mp4", "b"]'),
        ("r.json", '{"rejected": ["run/a.mp4", "b"]}'),
        ("r.csv", "why,clip\nblurred,run/a.mp4\n,b\n"),
        ("r.txt", "run/a.mp4\n\nb\n"),
    ],
)
def test_rejections_of_each_form(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    names = read_rejections(tmp_path / name)
    assert names == {"run/a.mp4", "b"}
    source = VideoSource(path=Path("/videos/run/a.mp4"), kind="video")
    assert is_rejected(source, names) and not is_rejected(
        VideoSource(path=Path("/videos/walk/a.mp4"), kind="video"), names
    )
    assert not is_rejected(VideoSource(path=Path("/videos/rerun/a.mp4"), kind="video"), names)
    assert unknown_names([source], names) == ["b"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.json", '{"clips": []}', "must be a JSON list of names"),
        ("r.json", "[1]", "must be a JSON list of names"),
        ("r.json", "[", "must be JSON"),
        ("r.csv", "name\na\n", "must have a column `clip`"),
    ],
)
def test_rejections_of_another_form_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_rejections(tmp_path / name)


def test_verdicts_are_read_as_written_and_as_rejections(tmp_path):
    path = tmp_path / "rejected.json"
    assert read_verdicts(path) == MaskVerdicts()
    verdicts = MaskVerdicts(rejected=frozenset({"run/a.mp4"}), accepted=frozenset({"run/b.mp4"}))
    write_verdicts(path, verdicts)
    assert read_verdicts(path) == verdicts and read_rejections(path) == {"run/a.mp4"}
    path.write_text('["c.mp4"]')
    assert read_verdicts(path) == MaskVerdicts(rejected=frozenset({"c.mp4"}))
    path.write_text('{"rejected": [], "accepted": [3]}')
    with pytest.raises(InputError, match="must be a JSON list of names"):
        read_verdicts(path)
    with pytest.raises(InputError, match="`file` must be a JSON file"):
        read_verdicts(tmp_path / "rejected.csv")


def test_a_whole_key_names_one_clip_though_others_end_alike():
    sources = [VideoSource(path=Path(name), kind="video") for name in ("run/a.mp4", "b/run/a.mp4", "c.mp4")]
    assert rejected_keys(sources, frozenset({"run/a.mp4"})) == {"run/a.mp4"}
    assert rejected_keys(sources, frozenset({"a.mp4"})) == {"run/a.mp4", "b/run/a.mp4"}
