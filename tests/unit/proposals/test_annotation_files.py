"""Annotation files of other tools: samples as their makers publish them, and a bank's clips there and back."""

import json
from xml.etree import ElementTree

import pytest

from tests.studio.banks import write_source
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import BankError, InputError, SourceError
from video_tcav.proposals import HandCut, add_by_hand, export_annotations, import_annotations
from video_tcav.proposals.annotation_files.annotation import ANNOTATION_FORMATS

# as CVAT's documentation shows the format, with the parts that matter here
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>1</id><name>tennis</name><size>30</size><mode>interpolation</mode><source>match-0.mp4</source></task></meta>
  <track id="0" label="ball" source="manual">
    <box frame="5" outside="0" occluded="0" keyframe="1" xtl="19.00" ytl="30.00" xbr="43.00" ybr="54.00" z_order="0"/>
    <box frame="14" outside="0" occluded="0" keyframe="1" xtl="46.00" ytl="30.00" xbr="70.00" ybr="54.00" z_order="0"/>
    <box frame="15" outside="1" occluded="0" keyframe="1" xtl="46.00" ytl="30.00" xbr="70.00" ybr="54.00" z_order="0"/>
    <box frame="20" outside="0" occluded="0" keyframe="1" xtl="64.00" ytl="30.00" xbr="88.00" ybr="54.00" z_order="0"/>
    <box frame="24" outside="0" occluded="0" keyframe="1" xtl="76.00" ytl="30.00" xbr="100.00" ybr="54.00" z_order="0"/>
  </track>
</annotations>
"""
TAO = {
    "videos": [{"id": 3, "name": "train/match-0.mp4", "width": 128, "height": 96}],
    "images": [{"id": 10 + frame, "video_id": 3, "frame_index": frame} for frame in (5, 14)],
    "tracks": [{"id": 7, "category_id": 1, "video_id": 3}],
    "categories": [{"id": 1, "name": "ball"}],
    "annotations": [
        {"id": 1, "image_id": 15, "track_id": 7, "category_id": 1, "bbox": [19, 30, 24, 24], "iscrowd": 0},
        {"id": 2, "image_id": 24, "track_id": 7, "category_id": 1, "bbox": [46, 30, 24, 24], "iscrowd": 0},
    ],
}
ACTIVITYNET = {
    "version": "VERSION 1.3",
    "taxonomy": [],
    "database": {
        "match-0": {
            "duration": 3.0,
            "subset": "training",
            "annotations": [{"segment": [0.5, 1.5], "label": "ball"}, {"segment": [2, 2.5], "label": "a/serve"}],
        }
    },
}
SAMPLES = {"cvat": CVAT, "coco": json.dumps(TAO), "activitynet": json.dumps(ACTIVITYNET)}
ENDINGS = {"cvat": "xml", "coco": "json", "activitynet": "json"}


@pytest.fixture
def folder(tmp_path):
    write_source(tmp_path / "videos" / "match-0.mp4", 0)
    for name, text in SAMPLES.items():
        (tmp_path / f"{name}.{ENDINGS[name]}").write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_sample_is_cut_into_the_bank(folder, name):
    path = folder / f"{name}.{ENDINGS[name]}"
    with ConceptBank.open(folder / "bank", create=True) as bank:
        imported = import_annotations(bank, path, format=name, videos=folder / "videos", reviewer="Anna")
        first = bank.clips(concept="ball", kind="moving", order="added")[0]
        assert (first.origin.start_s, first.origin.end_s) == pytest.approx((0.5, 1.5))
        assert (first.verdict, first.frames) == ("accepted", 10)
        assert first.origin.proposer["name"] == "import" and first.origin.proposer["format"] == name
        again = import_annotations(bank, path, format=name, videos=folder / "videos", reviewer="Anna")
        assert (again.added, again.known) == (0, imported.added) and bank.undo(reviewer="Anna") is None
        if name == "activitynet":
            assert first.origin.boxes == () and {count.name for count in bank.concepts()} == {"ball", "a-serve"}
        else:
            assert first.origin.boxes[0] == pytest.approx((19, 30, 43, 54)) and first.origin.boxes[3] == pytest.approx(
                (28, 30, 52, 54)
            )
        if name == "cvat":  # outside of the picture between
            second = bank.clips(concept="ball", kind="moving", order="added")[1]
            assert (second.origin.start_s, second.origin.end_s) == pytest.approx((2.0, 2.5))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_bank_goes_there_and_back(folder, name):
    video = folder / "videos" / "match-0.mp4"
    with ConceptBank.open(folder / "bank", create=True) as bank:
        add_by_hand(
            bank,
            video,
            HandCut(start_s=0.5, end_s=1.5, boxes=((0.5, (19, 30, 43, 54)), (1.4, (46, 30, 70, 54)))),
            concept="ball",
        )
        add_by_hand(bank, video, HandCut(start_s=2.0, end_s=2.6), concept="court")
        bank.set_verdict(
            [clip.id for clip in add_by_hand(bank, video, HandCut(start_s=0, end_s=1), concept="ball")], "rejected"
        )
        out = export_annotations(bank, folder / "out", format=name)
        [path] = out.iterdir()
        with ConceptBank.open(folder / "other", create=True) as other:
            import_annotations(other, path, format=name, videos=folder / "videos")
            spans = {clip.concept: (clip.origin.start_s, clip.origin.end_s) for clip in other.clips(kind="moving")}
            assert spans == {"ball": pytest.approx((0.5, 1.5)), "court": pytest.approx((2.0, 2.6))}
            ours, theirs = (
                which.clips(concept="ball", verdict="accepted", kind="moving")[0] for which in (bank, other)
            )
            if name != "activitynet":
                assert theirs.origin.boxes == tuple(pytest.approx(box, abs=0.02) for box in ours.origin.boxes)
        with pytest.raises(BankError, match="must have accepted clips to export. Got none in tree"):
            export_annotations(bank, folder / "none", format=name, concepts=["tree"])


def test_files_are_as_the_formats_have_them(folder):
    with ConceptBank.open(folder / "bank", create=True) as bank:
        cut = HandCut(start_s=0.5, end_s=1.0, boxes=((0.5, (19, 30, 43, 54)),))
        add_by_hand(bank, folder / "videos" / "match-0.mp4", cut, concept="ball & <net>")
        root = ElementTree.parse(export_annotations(bank, folder / "cvat", format="cvat") / "match-0.xml").getroot()
        assert root.findtext("version") == "1.1" and root.findtext("meta/task/source") == "match-0.mp4"
        [track] = root.iterfind("track")
        boxes = [(box.attrib["frame"], box.attrib["outside"], box.attrib["xtl"]) for box in track]
        assert track.attrib["label"] == "ball & <net>"
        assert boxes == [(str(frame), "0", "19.00") for frame in range(5, 10)] + [("10", "1", "19.00")]
        coco = json.loads((export_annotations(bank, folder / "coco", format="coco") / "annotations.json").read_text())
        assert coco["videos"][0] | {"fps": 10} == {
            "id": 1,
            "name": "match-0.mp4",
            "fps": 10,
            "width": 128,
            "height": 96,
        }
        first = coco["annotations"][0]
        assert (first["bbox"], first["area"], first["iscrowd"], len(coco["images"])) == ([19, 30, 24, 24], 576, 0, 5)
        net = json.loads(
            (export_annotations(bank, folder / "net", format="activitynet") / "annotations.json").read_text()
        )
        assert net["database"]["match-0"]["annotations"] == [{"segment": [0.5, 1.0], "label": "ball & <net>"}]
        assert net["database"]["match-0"]["duration"] == 3.0


def test_long_annotations_are_cut_into_pieces(folder):
    with ConceptBank.open(folder / "bank", create=True) as bank:
        import_annotations(bank, folder / "cvat.xml", format="cvat", videos=folder / "videos", piece_s=0.5)
        assert [clip.frames for clip in bank.clips(kind="moving")] == [5, 5, 5]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cvat", "<annotations><image/></annotations>", "with tracks. Got: <annotations> without tracks"),
        ("cvat", "<annotations>", "must be a file of CVAT for video 1.1"),
        ("cvat", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "XML without a document type"),
        ("cvat", CVAT.replace('xtl="19.00"', ""), "Got: 'xtl'"),
        ("coco", '{"images": [], "annotations": [], "categories": []}', "Got: no 'videos'. Boxes of single images"),
        ("coco", "[]", "must be COCO JSON with videos"),
        (
            "activitynet",
            '{"database": {"a": {"annotations": [{"segment": [1], "label": "b"}]}}}',
            "must be ActivityNet JSON",
        ),
        ("activitynet", "{", "must be|not JSON|JSON"),
        (
            "activitynet",
            '{"database": {"elsewhere": {"annotations": [{"segment": [1, 2], "label": "b"}]}}}',
            "none has its video",
        ),
    ],
)
def test_another_file_is_refused_in_one_line(folder, name, text, words):
    path = folder / f"wrong.{ENDINGS[name]}"
    path.write_text(text)
    with pytest.raises(SourceError, match=words):
        import_annotations(folder / "bank", path, format=name, videos=folder / "videos")
    assert not (folder / "bank").exists()


def test_frames_that_a_video_does_not_have_are_skipped_with_the_reason(folder):
    (folder / "long.xml").write_text(CVAT.replace('frame="24"', 'frame="99"'))
    imported = import_annotations(folder / "bank", folder / "long.xml", format="cvat", videos=folder / "videos")
    assert imported.added == 4 and "has 30 frames" in imported.skipped[0].reason
    assert ANNOTATION_FORMATS.names() == ("cvat", "coco", "activitynet")
    with pytest.raises(InputError, match="`format` must be one of cvat, coco, activitynet. Got 'voc'"):
        import_annotations(folder / "bank", folder / "long.xml", format="voc")
