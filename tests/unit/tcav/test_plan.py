"""What can be known about the clips before any pass."""

from pathlib import Path

import pytest

from video_tcav.core.errors import InputError
from video_tcav.tcav.comparison import grouping
from video_tcav.tcav.plan import Plan, make_plan


def folder(place: Path, contents: str) -> Path:
    """A folder with one file for each character, which is its content."""
    place.mkdir()
    for index, content in enumerate(contents):
        (place / f"p{index % 4}_{index}.mp4").write_text(content)
    return place


def plan(place: Path, *, swing: str = "abcd", random: str = "efgh", clips: str = "x", group: str = "video") -> Plan:
    folders = {
        name: folder(place / name, text) for name, text in {"swing": swing, "random": random, "clips": clips}.items()
    }
    concepts = {"swing": folders["swing"]}
    return make_plan(folders["clips"], concepts, folders["random"], (), (), windows=1, group_of=grouping(group))


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
        make_plan(many, {"few": few}, many, (), (), windows=3, group_of=grouping("video"))


def test_relative_comparisons_are_checked_too(tmp_path):
    sets = {name: folder(tmp_path / name, text) for name, text in {"a": "cdefg", "b": "fgh", "random": "rstu"}.items()}
    with pytest.raises(InputError, match="`concept b` must have at least 3 clips that can be used. Got 1"):
        make_plan(
            sets["random"],
            {name: sets[name] for name in "ab"},
            sets["random"],
            [("a", "b")],
            (),
            windows=1,
            group_of=grouping("video"),
        )


def test_copies_within_a_set_are_told(tmp_path):
    found = plan(tmp_path, swing="abcabca", clips="xx").copies(grouping("video"))
    assert [warning.split(",")[0] for warning in found] == [
        "class: 1 of 2 videos are copies of others",
        "concept swing: 4 of 7 videos are copies of others",
    ]


def test_copies_of_one_group_count_once_and_are_no_matter(tmp_path):
    found = plan(tmp_path, swing="abcdabcd", group=r"(p\d)_")
    assert found.copies(grouping(r"(p\d)_")) == ()
    assert found.copies(grouping("video")) != ()
