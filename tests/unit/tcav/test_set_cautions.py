"""What sets of clips share: copies, groups, and people that file names give away."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.tcav.test_plan import planned
from video_tcav.core.errors import InputError
from video_tcav.tcav.set_cautions import set_cautions

PEOPLE = ("daria", "denis", "eli", "ido", "ira")


def files(folder: Path, names: list[str], contents: str | None = None) -> Path:
    """Files of these names, whose contents are their paths if not given."""
    folder.mkdir(parents=True)
    for index, name in enumerate(names):
        (folder / name).write_text(contents[index] if contents else str(folder / name))
    return folder


def cautions_of(concept: Path | str, random: Path | str, *, group: str = "video", **question: Any) -> tuple[str, ...]:
    plan = planned({"wave": concept}, random, group=group, **question)
    return set_cautions(plan, at=question.get("at", "class"), group=group)


def sets(folder: Path, concept: list[str], random: list[str], clips: list[str]) -> dict[str, Path]:
    return {
        "concept": files(folder / "wave", concept),
        "random": files(folder / "random", random),
        "clips": files(folder / "class", clips),
    }


def test_sets_of_numbered_clips_share_nothing(tmp_path):
    names = [f"{number:03d}.mp4" for number in range(8)]
    assert cautions_of(**sets(tmp_path, names, names, names)) == ()


@pytest.mark.parametrize(
    ("concept", "random"),
    [
        ("wave_{:02d}.mp4", "random_{:02d}.mp4"),
        ("{:03d}_wave.mp4", "{:03d}_other.mp4"),
        ("clip_{:03d}.mp4", "clip_{:03d}.mp4"),
        ("ball-{}.mp4", "dog-{}.mp4"),
    ],
)
def test_running_numbers_and_names_of_sets_are_no_people(tmp_path, concept, random):
    numbers = range(8)
    folders = sets(tmp_path, [concept.format(n) for n in numbers], [random.format(n) for n in numbers], ["class_1.mp4"])
    assert cautions_of(**folders) == ()


def test_people_in_several_sets_are_named_with_the_pattern_that_tells_them_apart(tmp_path):
    random = [f"{name}_{action}.avi" for name in PEOPLE for action in ("jack", "run")]
    folders = sets(tmp_path, [f"{name}_wave1.avi" for name in PEOPLE], random, ["lena_wave2.avi"])
    [line] = cautions_of(**folders)
    assert "daria_jack.avi in random and daria_wave1.avi in concept wave" in line
    assert "5 such names" in line
    pattern = line.split("--group '")[1].split("'")[0]
    assert cautions_of(**folders, group=pattern) == ()
    plan = planned({"wave": folders["concept"]}, folders["random"], clips=folders["clips"], group=pattern)
    assert {plan.group_of(source) for source in plan.random} == set(PEOPLE)


@pytest.mark.parametrize(
    "name",
    ["boxing_person{:02d}.avi", "v_Ball_g{:02d}_c01.avi", "ab_c-{}_000010_000020.mp4", "S001C001P{:03d}R001A001.avi"],
)
def test_names_of_data_sets_are_told_apart(tmp_path, name):
    second = {"_c01": "_c02", "_000010_000020": "_000020_000030", "boxing": "running", "A001": "A002"}
    others = [name.format(n) for n in range(5)]
    for old, new in second.items():
        others += [name.format(n).replace(old, new) for n in range(5) if old in name]
    folders = sets(tmp_path, [name.format(n) for n in range(10, 14)], others, [name.format(20)])
    [line] = cautions_of(**folders)
    pattern = line.split("--group '")[1].split("'")[0]
    assert cautions_of(**folders, group=pattern) == ()
    plan = planned({"wave": folders["concept"]}, folders["random"], clips=folders["clips"], group=pattern)
    assert len({plan.group_of(source) for source in plan.random}) == 5


def test_a_random_clip_that_is_set_aside_is_of_the_random_set(tmp_path):
    random = [f"{action}_{number}.mp4" for action in ("golf", "run", "jump", "swim") for number in range(4)]
    folders = sets(tmp_path, [f"wave_{number}.mp4" for number in range(4)], random, ["unused.mp4"])
    assert cautions_of(folders["concept"], folders["random"], at="random") == ()


def test_class_and_concept_clips_of_one_group(tmp_path):
    people = r"([a-z]+)_[^/]*$"
    random = [f"{name}_run.avi" for name in ("moshe", "shahar", "lyova")]
    folders = sets(tmp_path, [f"{name}_wave1.avi" for name in PEOPLE], random, ["daria_wave2.avi", "lena_wave2.avi"])
    [line] = cautions_of(**folders, group=people)
    assert line.startswith("class clips and clips of wave share 1 of 2 groups (daria)")
    assert "Use class clips of other groups, or --at random." in line
    apart = sets(tmp_path / "apart", [f"{name}_wave1.avi" for name in PEOPLE], random, ["lena_wave2.avi"])
    assert cautions_of(**apart, group=people) == ()


def test_one_clip_in_two_roles_is_said_once(tmp_path):
    folders = sets(tmp_path, [f"{n}.mp4" for n in range(4)], [f"{n}.mp4" for n in range(4)], ["0.mp4"])
    [line] = cautions_of(folders["concept"], folders["random"], clips=folders["concept"])
    assert line.startswith("4 of 4 class videos are also concept or random clips")


def test_copies_within_a_set(tmp_path):
    def lines(folder: Path, concept: str, clips: str, group: str = "video") -> list[str]:
        names = [f"p{index % 4}_{index}.mp4" for index in range(8)]
        sources = {
            name: files(folder / name, names[: len(text)], text)
            for name, text in {"concept": concept, "random": "efgh", "clips": clips}.items()
        }
        return [line for line in cautions_of(**sources, group=group) if "copies" in line]

    assert [line.split(",")[0] for line in lines(tmp_path / "both", "abcabca", "xx")] == [
        "class: 1 of 2 videos are copies of others",
        "concept wave: 4 of 7 videos are copies of others",
    ]
    # copies of one group count once
    assert lines(tmp_path / "one", "abcdabcd", "x", group=r"(p\d)_") == []
    assert lines(tmp_path / "each", "abcdabcd", "x") != []


HEADER = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,verb_class"


def kitchens(folder: Path) -> str:
    """A list of 12 actions by 4 participants, each in a recording of its own; 6 of verb 0 and 6 of verb 1."""
    rows = []
    for number in range(12):
        recording = f"P{number % 4}_{number % 6}"
        rows.append(f"{number},P{number % 4},{recording},0:{number},0:{number + 1},{number // 6}")
        (folder / f"{recording}.mp4").write_text(recording)
    (folder / "epic.csv").write_text("\n".join([HEADER, *rows]))
    return f"{folder}/epic.csv"


def test_groups_of_a_list_are_used_and_said(tmp_path):
    path = kitchens(tmp_path)
    random = files(tmp_path / "random", [f"{letter}{letter}.mp4" for letter in "abcdef"])
    clips = files(tmp_path / "class", ["one clip.mp4"])
    *_, line = cautions_of(clips=clips, concept=f"{path}::0", random=random)
    assert line == "groups: 6 clips are of 4 groups by participant, as their list says; --group recording names others."
    *_, line = cautions_of(clips=f"{path}::0", concept=f"{path}::0", random=f"{path}::1", group="recording")
    assert line == "groups: 12 clips are of 12 groups by recording, as --group says; --group participant names others."
    with pytest.raises(InputError, match="Got kitchen, which is not in .* or name one of participant, recording"):
        cautions_of(clips=f"{path}::0", concept=f"{path}::0", random=f"{path}::1", group="kitchen")
    with pytest.raises(InputError, match="Got participant, which is not in .*random/aa.mp4. Change the pattern."):
        cautions_of(clips=f"{path}::0", concept=f"{path}::0", random=random, group="participant")
