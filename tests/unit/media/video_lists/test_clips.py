"""Lists of clips: Kinetics as JSON, Jester, HAA500, EchoNet, Toyota Smarthome's names."""

import json

import pytest

from tests.plugins import installed, make_plugin
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import VideoSource, find_videos, read_annotations
from video_tcav.media.video_lists.list_format import LIST_FORMATS

ECHONET = """FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split
0X100009310A3BD7FC,78.498,14.88,69.21,112,112,50,174,VAL
0X1002E8FBACD08477,35.5,40.38,98.74,112,112,50,215,TRAIN
0X1005D03EED19C65B.avi,39,14.26,36.44,112,112,50,104,TRAIN
"""


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_kinetics_700_as_json(listed, tmp_path):
    facts = {"annotations": {"label": "clay pottery making", "segment": [5.0, 15.0]}, "subset": "train", "url": ""}
    path = listed("train.json", json.dumps({"---QUuC4vJs": facts, "-xTw0gc1h4k": {**facts, "subset": "validate"}}))
    touch(tmp_path, "---QUuC4vJs_000005_000015.mp4", "-xTw0gc1h4k.mp4")
    trimmed, whole = find_videos(path)
    assert (trimmed.label, trimmed.start_s, trimmed.group) == ("clay pottery making", None, "---QUuC4vJs")
    assert (whole.start_s, whole.end_s, whole.identifiers) == (5, 15, (("video", "-xTw0gc1h4k"),))
    assert find_videos(f"{path}::split=validate") == [whole]
    path.write_text(json.dumps({"a": {"annotations": {"label": "x"}}}))
    with pytest.raises(SourceError, match="video a, must have `annotations` with `label` and `segment`"):
        find_videos(path)


def test_jester_folders_of_frames(listed, make_images):
    path = listed("jester-v1-train.csv", "34870;Drumming Fingers\n56557;Zooming In With Two Fingers\n")
    folder = make_images("20bn-jester-v1/34870", [f"{number:05d}.jpg" for number in range(1, 13)])
    present, gone = find_videos(path)
    assert (present.path, present.kind, present.label) == (folder, "frames", "Drumming Fingers")
    assert (gone.path.name, gone.label) == ("56557", "Zooming In With Two Fingers")
    assert read_annotations(path, root=folder.parent)[0] == present
    path.write_text("34870;Drumming Fingers\nDrumming Fingers\n")
    with pytest.raises(SourceError, match="line 2, must read like `34870;Drumming Fingers`. Got 'Drumming Fingers'"):
        find_videos(path)


def test_haa500_lists_and_folders(listed, tmp_path):
    touch(tmp_path, *(f"video/{name}" for name in ("abseiling/abseiling_000.mp4", "yoga_bridge/yoga_bridge_011.mp4")))
    path = listed("trainval.txt", "abseiling/abseiling_000.mp4\nyoga_bridge/yoga_bridge_011.mp4\n")
    assert [source.label for source in find_videos(path)] == ["abseiling", "yoga_bridge"]
    assert find_videos(tmp_path / "video") == find_videos(path)
    path.write_text("abseiling/abseiling_000.mp4\nabseiling/yoga_000.mp4\n")
    with pytest.raises(SourceError, match="line 2, must read like `abseiling/abseiling_000.mp4`"):
        find_videos(path)


def test_echonet_labels_are_numbers(listed, tmp_path):
    path = listed("FileList.csv", ECHONET)
    touch(tmp_path, "Videos/0X100009310A3BD7FC.avi", "Videos/0X1002E8FBACD08477.avi", "Videos/0X1005D03EED19C65B.avi")
    sources = find_videos(path)
    assert [source.number for source in sources] == [78.498, 35.5, 39]
    assert VideoSource(path=path, kind="video", label="a label").number is None
    assert find_videos(f"{path}::EF<39") == sources[1:2]
    assert find_videos(f"{path}::label<=39") == sources[1:]
    assert [source.label for source in find_videos(f"{path}::EDV > 50")] == ["69.21", "98.74"]
    assert find_videos(f"{path}::split=TRAIN::EF>=39") == sources[2:]
    with pytest.raises(SourceError, match="must have a video with EF<10. Got 3 numbers, 35.5 to 78.498"):
        find_videos(f"{path}::EF<10")
    with pytest.raises(SourceError, match="must have numbers to compare behind `::`"):
        find_videos(f"{path}::EF<low")
    path.write_text(ECHONET.replace("35.5", "n/a"))
    with pytest.raises(SourceError, match="row 2 after the header, must have a number as EF. Got 'n/a'"):
        find_videos(path)


def test_numbers_of_a_manifest(listed, tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    path = listed("scores.csv", "path,label\na.mp4,1.5\nb.mp4,20\n")
    assert [source.path.name for source in find_videos(f"{path}::label<3")] == ["a.mp4"]
    with pytest.raises(SourceError, match="must have what is compared: label. Got 'EF'. Choose one."):
        find_videos(f"{path}::EF<3")


def test_a_format_and_a_split_may_be_named(listed, tmp_path):
    touch(tmp_path, "Videos/0X100009310A3BD7FC.avi")
    path = listed("list.txt", ECHONET)
    with pytest.raises(SourceError, match=r"a list whose format is not detected is read as list.txt::format=NAME"):
        find_videos(path)
    (source,) = find_videos(f"{path}::format=echonet::split=VAL::EF>70")
    assert source.path == tmp_path / "Videos/0X100009310A3BD7FC.avi"
    assert find_videos(f"{path}::split=VAL::format=echonet") == [source]
    with pytest.raises(InputError, match="`format` must be one of kinetics, "):
        find_videos(f"{path}::format=imagenet")
    with pytest.raises(
        SourceError, match="must be a published list for a split. .* before: ::format=NAME, of kinetics, "
    ):
        find_videos(f"{path}::split=VAL")
    with pytest.raises(SourceError, match="must be a list for a split or format. Got another path"):
        find_videos(f"{tmp_path}::split=VAL")
    with pytest.raises(InputError, match="`split` must be left out for haa500"):
        find_videos(f"{listed('haa.txt', 'a/a_000.mp4')}::split=x")


def test_frames_without_times_are_no_segments(listed, make_images):
    make_images("abcdefghijk", [f"{number:03d}.jpg" for number in range(30)])
    path = listed("k.csv", "label,youtube_id,time_start,time_end,split\na,abcdefghijk,0,1,val\n")
    with pytest.raises(SourceError, match="must list videos that exist"):  # extracted at an unknown rate
        find_videos(path)


def test_labels_with_signs_stay_labels(listed, tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    path = listed("list.csv", "path,label\na.mp4,x=1\nb.mp4,y\n")
    assert [source.path.name for source in find_videos(f"{path}::x=1")] == ["a.mp4"]


def test_smarthome_names_hold_class_person_and_camera(tmp_path):
    touch(tmp_path, "mp4/Cook.Cleandishes_p02_r00_v02_c03.mp4", "mp4/WatchTV_p18_r00_v14_c06.mp4", "mp4/other.mp4")
    cook, tv, other = find_videos(tmp_path / "mp4")
    assert (cook.label, cook.group, cook.identifiers) == (
        "Cook.Cleandishes",
        "p02",
        (("person", "p02"), ("camera", "c03")),
    )
    assert (tv.label, other.label, other.group) == ("WatchTV", "mp4", None)


def test_formats_are_refused_by_name_only(listed):
    path = listed("notes.csv", "a,b\n1,2\n")
    with pytest.raises(
        SourceError, match="Name its `format`, one of kinetics, activitynet, .* training, or write a manifest"
    ):
        read_annotations(path)
    with pytest.raises(InputError, match="`format` must be one of kinetics, "):
        read_annotations(path, format="imagenet")
    with pytest.raises(SourceError, match="must have the published columns. Got none named FileName, EF"):
        read_annotations(path, format="echonet")
    with pytest.raises(SourceError, match="must be a JSON list of dives"):
        read_annotations(path, format="diving48")


def test_each_format_says_where_it_is_described():
    formats = LIST_FORMATS.values()
    assert [each.name for each in formats] == list(LIST_FORMATS.names())
    assert all(each.help and each.source for each in formats)


PLUGIN = """
from video_tcav.media.video_lists.list_format import VideoListFormat


class Lines(VideoListFormat):
    name, help, source = "lines", "a file a line behind a title", "an example"

    def detects(self, file):
        return file.first_line == "LINES v1"

    def read(self, file, videos, choice):
        return [videos.source(videos.find(line), line, label=f"line {number}") for number, line in file.lines[1:]]
"""


def test_another_package_adds_a_format(listed, tmp_path):
    touch(tmp_path, "a.mp4", "b 7.mp4")
    path = listed("list.txt", "LINES v1\na\nb 7\n")
    with installed(make_plugin(tmp_path, "video_tcav.video_lists", "lines", PLUGIN, "Lines"), LIST_FORMATS):
        assert [(source.path.name, source.label) for source in find_videos(path)] == [
            ("a.mp4", "line 2"),
            ("b 7.mp4", "line 3"),
        ]
        assert len(find_videos(f"{path}::format=lines::line 3")) == 1
    vars(LIST_FORMATS).pop("_added", None)


def test_two_videos_of_one_name_are_refused_and_copies_are_not(listed, videos, tmp_path):
    """Optical flow beside pictures: the first in the alphabet would be taken."""
    path = listed("lists/ssv2.json", '[{"id": "1", "template": "Putting [something]"}]')
    videos("lists/rgb/1.mp4", "lists/flow/1.mp4")
    (source,) = read_annotations(path)
    assert source.path.name == "1.mp4"
    videos("lists/flow/1.mp4", frames=30)
    with pytest.raises(SourceError, match=r"must have one video of each name. Got .*flow/1.mp4 and .*rgb/1.mp4"):
        read_annotations(path)
