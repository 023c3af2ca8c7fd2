"""The published annotation files, in their published form."""

import json
from pathlib import Path

import pytest

from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import find_videos, read_annotations

KINETICS = """label,youtube_id,time_start,time_end,split,is_cc
playing tennis,-AbC_123xyz,3,13,train,0
"massaging person's head",whole000001,20,30,train,0
archery,gone0000001,0,10,val,1
"""


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_kinetics_trimmed_files_whole_videos_and_missing_ones(tmp_path):
    touch(tmp_path, "train/playing_tennis/-AbC_123xyz_000003_000013.mkv", "whole000001.webm")
    touch(tmp_path, "other/-AbC_123xyz_000003_000013.mkv")  # the folder of the label comes first
    path = tmp_path / "kinetics.csv"
    path.write_text(KINETICS)
    trimmed, whole, gone = find_videos(path)
    assert trimmed.path == tmp_path / "train/playing_tennis/-AbC_123xyz_000003_000013.mkv"
    assert (trimmed.label, trimmed.start_s, trimmed.group) == ("playing tennis", None, "-AbC_123xyz")
    assert (whole.path, whole.start_s, whole.end_s) == (tmp_path / "whole000001.webm", 20, 30)
    assert whole.label == "massaging person's head"
    assert gone.path == tmp_path / "archery/gone0000001_000000_000010.mp4"
    assert read_annotations(path, split="train") == [trimmed, whole]
    assert find_videos(f"{path}::playing tennis") == [trimmed]
    with pytest.raises(InputError, match=r"`split` must be one that .* has: train, val. Got 'test'"):
        read_annotations(path, split="test")


def test_kinetics_of_the_test_set_has_no_label(tmp_path):
    touch(tmp_path, "abcdefghijk_000001_000011.mp4")
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end,split\nabcdefghijk,1,11,test\n")
    assert [source.label for source in find_videos(tmp_path / "test.csv")] == [None]


def test_kinetics_malformed_row(tmp_path):
    (tmp_path / "k.csv").write_text("label,youtube_id,time_start,time_end,split\na,b,1,11,val\na,b,one,11,val\n")
    with pytest.raises(SourceError, match=r"row 2 after the header, must have seconds .* Got 'one' and '11'"):
        find_videos(tmp_path / "k.csv")


def test_ucf101(tmp_path):
    videos = tmp_path / "UCF-101"
    touch(videos, "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "v_Archery_g09_c02.avi")
    train, test = tmp_path / "trainlist01.txt", tmp_path / "testlist01.txt"
    lines = [
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
        "Archery/v_Archery_g09_c02.avi",
        "Archery/v_Archery_g10_c01.avi",
    ]
    train.write_text("".join(f"{line} {number}\r\n" for number, line in enumerate(lines, start=1)))
    test.write_text("".join(f"{line}\n" for line in lines))
    sources = read_annotations(train, root=videos)
    assert sources == read_annotations(test, root=videos)
    assert find_videos(train)[:2] == sources[:2]  # found below the folder of the list
    assert [source.label for source in sources] == ["ApplyEyeMakeup", "Archery", "Archery"]
    assert [source.group for source in sources] == ["ApplyEyeMakeup_g08", "Archery_g09", "Archery_g10"]
    assert sources[1].path == videos / "v_Archery_g09_c02.avi"
    assert not sources[2].path.exists()
    with pytest.raises(InputError, match=r"`split` must be left out for ucf101"):
        read_annotations(train, split="train")
    test.write_text("Archery/v_Archery_g09_c02.avi\nArchery g09\n")
    with pytest.raises(SourceError, match=r"line 2, must read like `Class/v_Class_g01_c01.avi 1`. Got 'Archery g09'"):
        find_videos(test)


def test_hmdb51(tmp_path):
    names = [
        "April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
        "Blonde_brush_hair_u_nm_np2_le_goo_0.avi",
        "X_brush_hair_1.avi",
    ]
    touch(tmp_path, *(f"brush_hair/{name}" for name in names))
    path = tmp_path / "brush_hair_test_split1.txt"
    path.write_text("".join(f"{name} {mark} \n" for name, mark in zip(names, "120", strict=True)))
    sources = find_videos(path)
    assert [source.path.name for source in sources] == names[:2]
    assert {source.label for source in sources} == {"brush_hair"}
    assert [source.group for source in sources] == ["April_09", "Blonde"]
    assert read_annotations(path, split="train") == sources[:1]
    assert read_annotations(path, split="test") == sources[1:]
    with pytest.raises(InputError, match=r"`split` must be train or test"):
        read_annotations(path, split="val")


def test_something_something_v2(tmp_path):
    entries = [
        {
            "id": "78687",
            "label": "holding potato next to vicks vaporub bottle",
            "template": "Holding [something] next to [something]",
            "placeholders": ["potato", "vicks vaporub bottle"],
        },
        {"id": "42326"},
    ]
    path = tmp_path / "something-something-v2-train.json"
    path.write_text(json.dumps(entries, indent=1))
    touch(tmp_path, "videos/78687.webm")
    first, second = find_videos(path)
    assert (first.path, first.label) == (tmp_path / "videos/78687.webm", "Holding something next to something")
    assert (second.path, second.label) == (tmp_path / "42326.webm", None)
    path.write_text('[{"label": "x"}]')
    with pytest.raises(SourceError, match=r"entry 1, must be an object with an `id`"):
        find_videos(path)
    path.write_text('[{"id": "1"')
    with pytest.raises(SourceError, match=r"must be JSON. Got: "):
        find_videos(path)


def test_no_listed_video_there(tmp_path):
    (tmp_path / "k.csv").write_text(KINETICS)
    with pytest.raises(
        SourceError, match=r"Got 3 listed, none is under \S+. Give the folder with the videos as `root`"
    ):
        find_videos(tmp_path / "k.csv")
    with pytest.raises(SourceError, match=r"`root` must be a folder with videos. Got .*none"):
        read_annotations(tmp_path / "k.csv", root=tmp_path / "none")
    with pytest.raises(SourceError, match=r"must be an annotation file. Got no such file"):
        read_annotations(tmp_path / "l.csv")


def test_other_content_is_not_guessed(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(SourceError, match=r"must be an annotation file of Kinetics, UCF101"):
        read_annotations(tmp_path / "notes.txt")


SAVED = [("utf-8-sig", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r"), ("utf-16", "\r\n")]
LISTS = {
    "kinetics.csv": ["label,youtube_id,time_start,time_end,split", "a b, one, 1, 11, val", "a b,two,1,11,val "],
    "trainlist01.txt": ["wave/v_wave_g01_c01.avi 1", " wave/v_wave_g02_c01.avi 1 "],
    "wave_test_split1.txt": ["a_wave_u_cm_np1_ba_med_0.avi 1", "b_wave_u_cm_np1_ba_med_0.avi 2  "],
    "ssv2.json": [
        '[{"id": "78687", "template": "Moving [something]"},',
        '{"id": 42326, "template": " Moving  something "}]',
    ],
}


@pytest.mark.parametrize(("encoding", "line_end"), SAVED)
@pytest.mark.parametrize("name", LISTS)
def test_lists_as_editors_save_them_mean_the_same(tmp_path, name, encoding, line_end):
    touch(tmp_path, "a b/one_000001_000011.mp4", "a b/two_000001_000011.mp4", "78687.webm", "42326.webm")
    touch(tmp_path, *(f"wave/v_wave_g0{number}_c01.avi" for number in "12"))
    touch(tmp_path, *(f"wave/{letter}_wave_u_cm_np1_ba_med_0.avi" for letter in "ab"))
    (tmp_path / name).write_bytes((line_end * 2).join(["", *LISTS[name], ""]).encode(encoding))
    sources = find_videos(tmp_path / name)
    assert [source.path.exists() for source in sources] == [True, True]
    assert len({source.label for source in sources}) == 1
    assert len(find_videos(f"{tmp_path / name}::{sources[0].label}")) == 2


def test_joined_lists_keep_no_mark_inside(tmp_path):
    touch(tmp_path, *(f"Bowling/v_Bowling_g0{number}_c01.avi" for number in "12"))
    (tmp_path / "testlist.txt").write_text("".join(f"\ufeffBowling/v_Bowling_g0{number}_c01.avi\n" for number in "12"))
    assert [source.label for source in find_videos(tmp_path / "testlist.txt")] == ["Bowling"] * 2


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("trainlist01.txt", ["wave/v_wave_g01_c01.avi 1"] * 2, "each source once. Got entry 2 the same as entry 1"),
        ("ssv2.json", ['[{"id": "1"}, {"id": "2"}, {"id": "1"}]'], "each source once. Got entry 3 the same as entry 1"),
        ("ssv2.json", ['[{"id": "1", "id": "2"}]'], "must be JSON. Got: the name 'id' twice in one object"),
        ("ssv2.json", ["[" * 100_000], "must be JSON. Got: values that nest too deep"),
        ("trainlist01.txt", ["a/v_" * 50_000], "must be a video, an image, a manifest"),
    ],
)
def test_doubles_and_nonsense_in_lists(tmp_path, name, lines, message):
    touch(tmp_path, "wave/v_wave_g01_c01.avi", "1.webm", "2.webm")
    (tmp_path / name).write_text("\n".join(lines))
    with pytest.raises(SourceError, match=message):
        find_videos(tmp_path / name)
