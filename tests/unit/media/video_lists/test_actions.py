"""Lists of actions with times: EPIC-Kitchens, Charades, AVA, ActivityNet, FineGym, Cholec80, Diving48."""

import json
import tarfile

import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import find_videos, load_clips, read_annotations
from video_tcav.media.sources import left_out_note

EPIC = """narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,\
narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes
P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:01.37,8,34,open door,open,3,door,3,['door'],[3]
P01_01_1,P01,P01_01,00:00:02.629,00:00:00.60,00:00:01.50,15,37,pick-up knife,pick-up,0,knife,4,['knife'],[4]
P02_01_0,P02,P02_01,00:00:02.629,00:01:02.60,00:01:03,15,37,take knife,take,0,knife,4,['knife'],[4]
"""
CHARADES = """id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length
46GP8,HR43,Kitchen,6,7,Yes,"A person cooks; then, eats.",food,A person cooks.,c092 0.20 1.20;c147 0.00 1.60,2.00
N11GT,0KZ7,Stairs,6,7,Yes,Nothing.,,Nothing.,,2.00
"""
AVA = """-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1
-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,9,1
-5KQ66BBWC4,0902,0.500,0.151,0.783,0.811,9,0
"""
ACTIVITYNET = {
    "version": "VERSION 1.3",
    "taxonomy": [],
    "database": {
        "QOlSCBRmfWY": {
            "duration": 2.0,
            "subset": "training",
            "url": "",
            "annotations": [{"segment": [0.2, 1.2], "label": "Ballet"}, {"segment": [1.4, 2], "label": "Ballet"}],
        },
        "gone0000001": {"subset": "validation", "annotations": [{"segment": [0, 1], "label": "Kayaking"}]},
        "of_test_set": {"subset": "testing", "annotations": []},
    },
}
GYM = {
    "0LtLS9wROrk": {
        "E_000001_000002": {
            "event": 4,
            "segments": {"A_0000_0001": {"stages": 1, "timestamps": [[0.1, 0.5]]}},
            "timestamps": [[1.04, 1.9]],
        }
    }
}


def of(source) -> tuple:
    return source.path.name, source.label, source.start_s, source.end_s, source.group


def test_epic_kitchens_verbs_nouns_and_participants(listed, videos):
    path = listed("EPIC_100_train.csv", EPIC)
    listed("EPIC_100_verb_classes.csv", "id,key,instances,category\n0,take,['take'],retrieve\n3,open,['open'],access\n")
    videos("P01/videos/P01_01.MP4")
    sources = find_videos(path)
    assert [of(source) for source in sources] == [
        ("P01_01.MP4", "open", 0.14, 1.37, "P01"),
        ("P01_01.MP4", "take", 0.6, 1.5, "P01"),  # the class, not the narrated verb `pick-up`
        ("P02_01.MP4", "take", 62.6, 63.0, "P02"),
    ]
    assert sources[0].identifiers == (("participant", "P01"), ("recording", "P01_01"))
    assert [source.label for source in read_annotations(path, labels="noun")] == ["3", "4", "4"]  # no table beside it
    assert find_videos(f"{path}::noun=4") == read_annotations(path, labels="noun")[1:]
    assert find_videos(f"{path}::narration=open door")[0].end_s == 1.37
    assert [source.label for source in find_videos(f"{path}::action=")] == ["open 3", "take 4", "take 4"]
    assert find_videos(f"{path}::take") == sources[1:]
    loaded = list(load_clips(sources, ClipSpec(frames=4, stride=1)))
    assert [clips.error is None for clips in loaded] == [True, True, False]
    assert 4 <= loaded[0].frame_indices.min() < loaded[0].frame_indices.max() < 35
    with pytest.raises(
        InputError, match=r"`labels` must be one of verb, noun, action, narration for epic-kitchens. Got"
    ):
        read_annotations(path, labels="tool")


def test_epic_kitchens_frames_count_from_one(listed, make_images):
    path = listed("EPIC_100_train.csv", EPIC)
    make_images("P01_01", [f"frame_{number:010d}.jpg" for number in range(1, 41)])
    source = find_videos(path)[0]
    (clips,) = load_clips([source], ClipSpec(frames=27, stride=1))
    assert (source.kind, clips.error) == ("frames", None)
    assert clips.frame_indices.tolist() == [list(range(7, 34))]  # frames 8 to 34


def test_epic_kitchens_tars_of_frames(listed, make_images, tmp_path):
    path = listed("EPIC_100_train.csv", EPIC)
    folder = make_images("frames", [f"frame_{number:010d}.jpg" for number in range(1, 41)])
    (tmp_path / "P01/rgb_frames").mkdir(parents=True)
    with tarfile.open(tmp_path / "P01/rgb_frames/P01_01.tar", "w") as tar:
        tar.add(folder, arcname=".")
    source = find_videos(path)[1]
    assert (source.path.name, source.kind) == ("P01_01.tar", "frames")
    (clips,) = load_clips([source], ClipSpec(frames=23, stride=1))
    assert clips.frame_indices.tolist() == [list(range(14, 37))]  # frames 15 to 37


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "P01_01_0,P01,P01_01,,00:00:xx,00:00:01,,,,,0,,0,,",
            "row 1 after the header, must have times such as 00:01:02.345",
        ),
        (
            "P01_01_0,P01,P01_01,,00:00:02,00:00:01,,,,,0,,0,,",
            "row 1 after the header, cannot be used: `end_s` must be later",
        ),
    ],
)
def test_epic_kitchens_bad_rows(listed, row, message):
    with pytest.raises(SourceError, match=message):
        find_videos(listed("EPIC_100_train.csv", f"{EPIC.splitlines()[0]}\n{row}\n"))


def test_charades_subjects_actions_and_scenes(listed, videos):
    path = listed("Charades/Charades_v1_train.csv", CHARADES)
    listed("Charades/Charades_v1_classes.txt", "c092 Holding a dish\nc147 Standing up\n")
    videos("Charades/Charades_v1_480/46GP8.mp4", "Charades/Charades_v1_480/N11GT.mp4")
    assert [of(source) for source in find_videos(path)] == [
        ("46GP8.mp4", "Holding a dish", 0.2, 1.2, "HR43"),
        ("46GP8.mp4", "Standing up", 0.0, 1.6, "HR43"),
    ]
    assert [of(source) for source in find_videos(f"{path}::scene=Stairs")] == [
        ("N11GT.mp4", "Stairs", None, None, "0KZ7")
    ]
    path.write_text(CHARADES.replace("c147 0.00 1.60", "c147 0.00"))
    with pytest.raises(SourceError, match=r"row 1 after the header, must have actions like .* Got 'c147 0.00'"):
        find_videos(path)


def test_ava_in_prepared_quarters_of_an_hour(listed, videos):
    path = listed("annotations/ava_train_v2.2.csv", AVA)
    listed(
        "annotations/ava_action_list_v2.2.pbtxt", 'label {\n  name: "read"\n  label_id: 9\n  label_type: PERSON\n}\n'
    )
    videos("videos_15min/-5KQ66BBWC4.mp4")
    sources = find_videos(path)  # found below the folder above that of lists
    group = "-5KQ66BBWC4"
    assert [of(source) for source in sources] == [
        ("-5KQ66BBWC4.mp4", "80", 0.5, 3.5, group),  # the file begins at 900 s of the film
        *[("-5KQ66BBWC4.mp4", "read", 0.5, 3.5, group)] * 2,
    ]
    assert [dict(source.identifiers)["person"][-1] for source in sources] == ["1", "1", "0"]
    path.write_text(AVA + "-5KQ66BBWC4,0903,0.5,0.1\n")
    with pytest.raises(SourceError, match=r"line 4, must read like .* Got '-5KQ66BBWC4,0903,0.5,0.1'"):
        find_videos(path)


def test_ava_in_whole_films(listed, tmp_path):
    path = listed("ava_train_v2.2.csv", AVA)
    (tmp_path / "-5KQ66BBWC4.mp4").touch()  # no header: nothing is shifted, and the decoder reports it
    assert find_videos(path)[0].start_s == 900.5


def test_activitynet_segments_and_subsets(listed, videos):
    path = listed("activity_net.v1-3.min.json", json.dumps(ACTIVITYNET))
    videos("v_QOlSCBRmfWY.mp4")
    sources = find_videos(path)
    assert [of(source) for source in sources] == [
        ("v_QOlSCBRmfWY.mp4", "Ballet", 0.2, 1.2, "QOlSCBRmfWY"),
        ("v_QOlSCBRmfWY.mp4", "Ballet", 1.4, 2.0, "QOlSCBRmfWY"),
        ("v_gone0000001.mp4", "Kayaking", 0.0, 1.0, "gone0000001"),
    ]
    assert find_videos(f"{path}::split=training") == sources[:2]
    assert find_videos(f"{path}::split=training::Ballet") == sources[:2]
    with pytest.raises(InputError, match="`split` must be one that .* has: testing, training, validation. Got 'val'"):
        find_videos(f"{path}::split=val")
    bad = {"database": {"a": {"annotations": [{"segment": [0.2], "label": "x"}]}}}
    with pytest.raises(SourceError, match="video a, annotation 1, must have a `segment` of two numbers"):
        find_videos(listed("bad.json", json.dumps(bad)))


@pytest.mark.parametrize(
    ("video", "span"),
    [
        ("0LtLS9wROrk_E_000001_000002_A_0000_0001.mp4", (None, None)),
        ("0LtLS9wROrk_E_000001_000002.mp4", (0.1, 0.5)),
        ("0LtLS9wROrk.mp4", (1.04 + 0.1, 1.04 + 0.5)),
    ],
)
def test_finegym_elements_in_trimmed_events_and_whole_videos(listed, videos, video, span):
    path = listed("gym99_train_element_v1.1.txt", "0LtLS9wROrk_E_000001_000002_A_0000_0001 9\n")
    listed("finegym_annotation_info_v1.1.json", json.dumps(GYM))
    listed("gym99_categories.txt", "Clabel: 9; set: 11; Glabel: 78; (UB) giant circle backward\n")
    videos(video)
    (source,) = find_videos(path)
    assert of(source)[:2] == (video, "(UB) giant circle backward")
    assert (source.start_s, source.end_s) == pytest.approx(span) if span[0] else (source.start_s, source.end_s) == span
    assert source.identifiers == (("video", "0LtLS9wROrk"), ("event", "0LtLS9wROrk_E_000001_000002"))


def test_finegym_events_and_bad_lines(listed, videos, tmp_path):
    path = listed("finegym_annotation_info_v1.1.json", json.dumps(GYM))
    videos("0LtLS9wROrk.mp4")
    assert [of(source) for source in find_videos(path)] == [("0LtLS9wROrk.mp4", "4", 1.04, 1.9, "0LtLS9wROrk")]
    elements = listed("gym99_val_element.txt", "0LtLS9wROrk_E_000001_000002_A_0000_0001 9\n0LtLS9wROrk_E_1 2\n")
    with pytest.raises(SourceError, match="line 2, must read like"):
        find_videos(elements)
    elements.write_text("0LtLS9wROrk_E_000001_000002_A_0007_0009 9\n")
    with pytest.raises(SourceError, match="line 1, must have times in .*v1.1.json"):
        find_videos(elements)
    path.unlink()
    with pytest.raises(SourceError, match=r"must have finegym_annotation_info\*.json beside it"):
        find_videos(elements)


def test_cholec80_phases_and_tools_of_a_folder_of_lists(listed, videos, tmp_path):
    phases = ["Preparation"] * 20 + ["CalotTriangleDissection"] * 20 + ["Preparation"] * 10
    rows = "".join(f"{frame}\t{phase}\n" for frame, phase in enumerate(phases))
    for video in ("video01", "video02"):
        listed(f"cholec80/phase_annotations/{video}-phase.txt", f"Frame\tPhase\n{rows}")
    tools = "Frame\tGrasper\tHook\n0\t1\t0\n25\t1\t1\n"
    listed("cholec80/tool_annotations/video01-tool.txt", tools)
    videos("cholec80/videos/video01.mp4", "cholec80/videos/video02.mp4")
    sources = find_videos(tmp_path / "cholec80/phase_annotations")
    assert left_out_note(tmp_path / "cholec80/phase_annotations") is None
    assert [of(source) for source in sources[:3]] == [
        ("video01.mp4", "Preparation", 0.0, 0.8, "video01"),
        ("video01.mp4", "CalotTriangleDissection", 0.8, 1.6, "video01"),
        ("video01.mp4", "Preparation", 1.6, 2.0, "video01"),
    ]
    assert len(find_videos(f"{tmp_path}/cholec80/phase_annotations/*.txt::CalotTriangleDissection")) == 2
    (clips,) = load_clips(sources[1:2], ClipSpec(frames=20, stride=1))
    assert clips.frame_indices.tolist() == [list(range(20, 40))]
    assert [of(source)[1:4] for source in find_videos(tmp_path / "cholec80/tool_annotations/video01-tool.txt")] == [
        ("Grasper", 0.0, 2.0),
        ("Hook", 1.0, 2.0),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0\tPreparation\nx\tPreparation", "line 3, must have a number as frame. Got 'x'"),
        ("1\tPreparation\n1\tPreparation", "line 3, must have a frame after 1. Got '1'"),
        ("0 Preparation", "line 2, must read like"),
    ],
)
def test_cholec80_bad_lines(listed, videos, lines, message):
    videos("video01.mp4")
    with pytest.raises(SourceError, match=message):
        find_videos(listed("video01-phase.txt", f"Frame\tPhase\n{lines}\n"))


def test_cholec80_refuses_frames_that_were_thinned_out(listed, make_images):
    make_images("video01", [f"{number:05d}.jpg" for number in range(4)])
    rows = "".join(f"{frame}\tPreparation\n" for frame in range(100))
    with pytest.raises(SourceError, match="its frames must all be in .* Got '4 of 100'"):
        find_videos(listed("video01-phase.txt", f"Frame\tPhase\n{rows}"))


def test_diving48_whole_videos_parts_and_vocabulary(listed, videos):
    entries = [
        {"vid_name": "_8Vy3dlHg2w_00000", "label": 1, "start_frame": 0, "end_frame": 50},
        {"vid_name": "_8Vy3dlHg2w_00001", "label": 0, "start_frame": 10, "end_frame": 30},
        {"vid_name": "gone", "label": 7, "start_frame": 0, "end_frame": 9},
    ]
    path = listed("Diving48_V2_train.json", json.dumps(entries))
    listed("Diving48_vocab.json", '[["Back", "15som", "05Twis", "FREE"], ["Forward", "Dive", "NoTwis", "PIKE"]]')
    videos("rgb/_8Vy3dlHg2w_00000.mp4", "rgb/_8Vy3dlHg2w_00001.mp4")
    sources = find_videos(path)
    assert [of(source) for source in sources] == [
        ("_8Vy3dlHg2w_00000.mp4", "Forward Dive NoTwis PIKE", None, None, "_8Vy3dlHg2w"),
        ("_8Vy3dlHg2w_00001.mp4", "Back 15som 05Twis FREE", 0.4, 1.2, "_8Vy3dlHg2w"),
        ("gone.mp4", "7", None, None, "gone"),
    ]
    (clips,) = load_clips(sources[1:2], ClipSpec(frames=20, stride=1))
    assert clips.frame_indices.tolist() == [list(range(10, 30))]
    for entry, message in (
        ({"vid_name": "a", "label": "x", "start_frame": 0, "end_frame": 9}, "entry 1, must have a number as label"),
        ({"vid_name": "a", "label": 1, "start_frame": 9, "end_frame": 9}, "entry 1, must end after its start_frame"),
        ({"vid_name": "a", "label": 1}, "entry 1, must have vid_name, label, start_frame and end_frame"),
    ):
        with pytest.raises(SourceError, match=message):
            find_videos(listed("bad.json", json.dumps([entry])))
