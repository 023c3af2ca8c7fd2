"""What can be known about the clips before any pass."""

from pathlib import Path
from typing import Any

import pytest

import video_tcav as vt
from tests.unit.recording.test_fast_paths import Net
from video_tcav.core.errors import InputError
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.plan import Plan, Question, make_plan


def folder(place: Path, contents: str) -> Path:
    """A folder with one file for each character, which is its content."""
    place.mkdir(parents=True)
    for index, content in enumerate(contents):
        (place / f"p{index % 4}_{index}.mp4").write_text(content)
    return place


def planned(concepts: dict[str, Path], random: Path, *, windows: int = 1, **question: Any) -> Plan:
    asked = Question(target=0, concepts=concepts, random=random, layers=["stages.0"], **question)
    return make_plan(vt.load_model(Net(), device="cpu"), asked, RecordingSettings(windows=windows))


def plan(place: Path, *, swing: str = "abcd", random: str = "efgh", clips: str = "x", group: str = "video") -> Plan:
    folders = {
        name: folder(place / name, text) for name, text in {"swing": swing, "random": random, "clips": clips}.items()
    }
    return planned({"swing": folders["swing"]}, folders["random"], clips=folders["clips"], group=group)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"swing": "ab"}, "`concept swing` must have at least 3 clips that can be used. Got 2"),
        ({"random": "ef"}, "`random clips` must have at least 3 clips that can be used. Got 2"),
        ({"random": "efabcd"}, "`random clips` must have at least 3 clips that can be used. Got 2"),
        (
            {"group": "swing|random|clips"},
            "`concept swing` must come from at least 3 independent groups. Got 4 clips in 1",
        ),
    ],
)
def test_too_few_clips_or_groups_are_found_in_the_sources(tmp_path, sets, message):
    with pytest.raises(InputError, match=message.replace("|", r"\|")):
        plan(tmp_path, **sets)


def test_windows_of_a_video_are_clips_but_no_groups(tmp_path):
    few, many = folder(tmp_path / "few", "ab"), folder(tmp_path / "many", "cdefg")
    with pytest.raises(
        InputError, match="`concept few` must come from at least 3 independent groups. Got 6 clips in 2"
    ):
        planned({"few": few}, many, clips=many, windows=3)


def test_relative_comparisons_are_checked_too(tmp_path):
    sets = {name: folder(tmp_path / name, text) for name, text in {"a": "cdefg", "b": "fgh", "random": "rstu"}.items()}
    with pytest.raises(InputError, match="`concept b` must have at least 3 clips that can be used. Got 1"):
        planned({name: sets[name] for name in "ab"}, sets["random"], clips=sets["random"], relative=[("a", "b")])


def test_wrong_clips_can_be_left_out_at_class_clips_alone(tmp_path):
    swing, random = folder(tmp_path / "swing", "abcd"), folder(tmp_path / "random", "efghijkl")
    assert planned({"swing": swing}, random, clips=swing, only_right=True).only_right
    with pytest.raises(InputError, match="`only_right` must not be given with --at random"):
        planned({"swing": swing}, random, at="random", only_right=True)
