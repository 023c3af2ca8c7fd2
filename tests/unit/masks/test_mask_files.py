"""Masks from files: run lengths, COCO, folders of PNGs, the rendered world's own, and what is said about bad ones."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import video_tcav as vt
from video_tcav.core.errors import InputError, MediaError, MissingExtraError, ShapeError
from video_tcav.masks import parse_mask_source
from video_tcav.media import load_clips, write_video
from video_tcav.media.coco_masks import VideoMasks, mask_of_run_lengths, run_lengths, write_coco_masks
from video_tcav.rendered import Factors, Nuisance, render, write_world

SPEC = vt.ClipSpec(frames=4, stride=2, size=(32, 32))


def loaded_clip(path, spec=SPEC):
    (loaded,) = load_clips(vt.find_videos(path), spec)
    return loaded


@pytest.fixture
def video(tmp_path):
    """Eight frames of 32x40 in a folder of a class."""
    clip = torch.randint(0, 255, (8, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "run").mkdir()
    return write_video(tmp_path / "run" / "a.mp4", clip, fps=8) or tmp_path / "run" / "a.mp4"


def planted(frames=8, height=32, width=40):
    """A person who moves right by a pixel a frame, and an object on their head."""
    person, held = np.zeros((2, frames, height, width), bool)
    for frame in range(frames):
        person[frame, 10:30, 5 + frame : 12 + frame] = True
        held[frame, 6:10, 5 + frame : 9 + frame] = True
    return person, held


@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_run_lengths_are_those_of_columns_and_give_the_mask_back(mask):
    lengths = run_lengths(mask)
    pixels = [mask[row, column] for column in range(mask.shape[1]) for row in range(mask.shape[0])]
    slow = [value for number, length in enumerate(lengths) for value in [bool(number % 2)] * length]
    assert slow == pixels and all(length > 0 for length in lengths[1:])
    np.testing.assert_array_equal(mask_of_run_lengths({"size": list(mask.shape), "counts": lengths}), mask)


def test_run_lengths_must_fill_the_picture():
    with pytest.raises(ShapeError, match="`counts` must add up to the size 4x5. Got 2 lengths of 19 pixels"):
        mask_of_run_lengths({"size": [4, 5], "counts": [10, 9]})


def test_compressed_run_lengths_are_read_by_pycocotools_or_name_the_extra():
    segmentation = {"size": [3, 4], "counts": "272J"}  # runs of 2, 7, 2 and 1 pixels, as pycocotools writes them
    if find_spec("pycocotools") is None:
        with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[masks\]"'):
            mask_of_run_lengths(segmentation)
    else:
        mask = mask_of_run_lengths(segmentation)
        np.testing.assert_array_equal(mask, mask_of_run_lengths({"size": [3, 4], "counts": [2, 7, 2, 1]}))


def test_coco_masks_are_those_of_the_frames_that_a_clip_shows(tmp_path, video):
    person, held = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="run/a.mp4", masks={"person": person, "object": held})])
    source = parse_mask_source(tmp_path / "m.json")
    loaded = loaded_clip(video)
    (masks,) = source.masks(loaded)
    np.testing.assert_array_equal(masks.person, person[loaded.frame_indices[0]])
    np.testing.assert_array_equal(masks.object, held[loaded.frame_indices[0]])
    assert set(loaded.frame_indices[0].tolist()) < set(range(8))
    assert len(source.settings["digest"]) == 64


def test_the_rendered_worlds_masks_are_its_truth(tmp_path):
    clips = [
        Factors(motion="run", object=thing, scene="lawn", nuisance=Nuisance(detail=1)) for thing in ("racket", "none")
    ]
    manifest = write_world(tmp_path, clips, ["run", "run"], masks=True)
    source = parse_mask_source(str(tmp_path / "masks.json"))
    for factors, loaded in zip(
        clips, load_clips(vt.find_videos(manifest), vt.ClipSpec(frames=16, size=(64, 64))), strict=True
    ):
        (masks,) = source.masks(loaded)
        assert torch.equal(masks.person, render(factors).mask("figure"))
        assert torch.equal(masks.object, render(factors).mask("object"))
    write_world(tmp_path / "other", clips[::-1], ["run", "run"], masks=True)
    (loaded, *_) = load_clips(vt.find_videos(tmp_path / "other"), vt.ClipSpec(frames=16, size=(64, 64)))
    with pytest.raises(
        InputError, match="must be of the videos that are audited. Got .*other/run/0000.* is another file"
    ):
        parse_mask_source(tmp_path / "masks.json").masks(loaded)
    write_world(tmp_path / "without", clips[:1], ["run"])
    assert not (tmp_path / "without" / "masks.json").exists()


@pytest.mark.parametrize("first", [0, 1, 3])
def test_frames_by_name_count_from_the_first(tmp_path, video, first):
    """FFmpeg calls the first frame 1: taken as index 1, masks would be those of the frame before."""
    person, _ = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="run/a", masks={"person": person})])

    def by_name(content):
        content.pop("videos")
        for image in content["images"]:
            image["file_name"] = f"run/a/img2_{image.pop('frame_index') + first:05d}.jpg"
            image.pop("video_id")

    edited(tmp_path / "m.json", by_name)
    if first > 1:
        with pytest.raises(InputError, match="frames of run/a that are numbered from 3, not from 0 or 1"):
            parse_mask_source(tmp_path / "m.json")
        return
    spec = vt.ClipSpec(frames=3, size=(32, 32), sampling="dense")
    loaded = loaded_clip(video, spec)
    assert loaded.frame_indices.min() > 0  # the missing frame 0 would not be noticed
    (masks,) = parse_mask_source(tmp_path / "m.json").masks(loaded)
    np.testing.assert_array_equal(masks.person, person[loaded.frame_indices[0]])


def test_masks_fit_segments_and_windows_by_the_frames_of_the_file(tmp_path, video):
    person, _ = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="run/a", masks={"person": person})])
    segment = vt.VideoSource(path=video, kind="video", start_s=0.25, end_s=1.0)
    (loaded,) = load_clips([segment], vt.ClipSpec(frames=2, stride=2, size=(32, 32)), windows=2)
    assert loaded.frame_indices.min() >= 2
    for mask, frames in zip(parse_mask_source(tmp_path / "m.json").masks(loaded), loaded.frame_indices, strict=True):
        np.testing.assert_array_equal(mask.person, person[frames])


def test_one_entry_is_not_taken_for_two_videos(tmp_path, video):
    person, _ = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="a.mp4", masks={"person": person})])
    source = parse_mask_source(tmp_path / "m.json")
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "a.mp4").write_bytes(video.read_bytes())
    assert source.masks(loaded_clip(video)) and source.masks(loaded_clip(video))
    with pytest.raises(
        InputError, match=r"must have an entry for each video. Got a.mp4 in .* for .*run.a.mp4 and .*walk.a"
    ):
        source.masks(loaded_clip(tmp_path / "walk"))


def edited(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["categories"].append({"id": 3, "name": "dog"}),
            "must have the categories person and object alone. Got dog",
        ),
        (lambda c: c["categories"].pop(0), "must be COCO JSON .* Got: no 1"),
        (lambda c: c.pop("annotations"), "must be COCO JSON .* Got: no 'annotations'"),
        (lambda c: c["images"].pop(), "must be COCO JSON"),
    ],
)
def test_coco_files_of_another_form_are_refused(tmp_path, change, message):
    person, held = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="run/a.mp4", masks={"person": person, "object": held})])
    with pytest.raises(InputError, match=message):
        parse_mask_source(edited(tmp_path / "m.json", change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, 4]]), "a segmentation without size and counts"),
        (
            lambda c: c["annotations"][0]["segmentation"].update(size=[40, 32]),
            "the size of their video, 32x40. Got 40x32",
        ),
    ],
)
def test_masks_of_a_frame_that_cannot_be_used_are_refused(tmp_path, video, change, message):
    person, _ = planted()
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="a.mp4", masks={"person": person})])
    with pytest.raises(InputError, match=message):
        parse_mask_source(edited(tmp_path / "m.json", change)).masks(
            loaded_clip(video, vt.ClipSpec(frames=8, size=(32, 32)))
        )


def test_frames_without_an_image_are_refused_and_without_an_annotation_are_empty(tmp_path, video):
    person, _ = planted()
    person[3] = False
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="a", masks={"person": person})])
    every_frame = vt.ClipSpec(frames=8, size=(32, 32))
    (masks,) = parse_mask_source(tmp_path / "m.json").masks(loaded_clip(video, every_frame))
    assert not masks.person[3].any() and masks.person[2].any()
    short = [VideoMasks(name="a", masks={"person": person[:5]})]
    write_coco_masks(tmp_path / "short.json", short)
    with pytest.raises(InputError, match="must have an image for each frame of a. Got none for frame"):
        parse_mask_source(tmp_path / "short.json").masks(loaded_clip(video, every_frame))


def test_videos_are_matched_by_all_of_their_names(tmp_path, video):
    person, _ = planted()

    def masks_named(*names):
        write_coco_masks(tmp_path / "m.json", [VideoMasks(name=name, masks={"person": person}) for name in names])
        return parse_mask_source(tmp_path / "m.json").masks(loaded_clip(video))

    for names in (("a",), ("run/a.mp4",), ("walk/a.mp4", "run/a.mp4"), ("a.avi", "b")):
        assert masks_named(*names)[0].person.any()
    with pytest.raises(MediaError, match="no masks of that name"):
        masks_named("walk/a.mp4", "run/b")
    with pytest.raises(InputError, match="must have one entry for .* Got run/a.mp4, run/a.avi"):
        masks_named("run/a.mp4", "run/a.avi")


def test_nobody_in_a_clip_is_an_error_of_that_video(tmp_path, video):
    write_coco_masks(tmp_path / "m.json", [VideoMasks(name="a", masks={"person": np.zeros((8, 32, 40), bool)})])
    with pytest.raises(MediaError, match="a.mp4: no person was found in the clip"):
        parse_mask_source(tmp_path / "m.json").masks(loaded_clip(video))


def write_pngs(folder, labels, *, first=0, mode="L"):
    folder.mkdir(parents=True)
    for number, frame in enumerate(labels):
        picture = Image.fromarray(frame.astype(np.uint8), mode="L")
        if mode == "P":
            picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        picture.save(folder / f"{number + first:05d}.png")


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("first", "mode"), [(0, "L"), (1, "L"), (0, "P")])
def test_pngs_are_label_maps_by_frame(tmp_path, video, first, mode):
    person, held = planted()
    write_pngs(tmp_path / "masks" / "run" / "a", np.where(person, 1, np.where(held, 2, 0)), first=first, mode=mode)
    loaded = loaded_clip(video)
    (masks,) = parse_mask_source(tmp_path / "masks").masks(loaded)
    np.testing.assert_array_equal(masks.person, person[loaded.frame_indices[0]])
    np.testing.assert_array_equal(masks.object, (held & ~person)[loaded.frame_indices[0]])


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_binary_pngs_tell_persons_alone(tmp_path, video):
    person, _ = planted()
    write_pngs(tmp_path / "masks" / "a", 255 * person)
    (masks,) = parse_mask_source(tmp_path / "masks").masks(loaded_clip(video))
    assert masks.object is None and masks.person.any()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_label_maps_without_any_object_tell_persons_alone(tmp_path, video):
    person, _ = planted()
    write_pngs(tmp_path / "masks" / "a", person)
    (masks,) = parse_mask_source(tmp_path / "masks").masks(loaded_clip(video))
    assert masks.object is None and masks.person.any()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_pngs_that_cannot_be_used_are_refused(tmp_path, video):
    person, _ = planted()

    def masks_of(labels, **options):
        folder = tmp_path / f"masks{len(list(tmp_path.iterdir()))}"
        write_pngs(folder / "a", labels, **options)
        return parse_mask_source(folder).masks(loaded_clip(video))

    with pytest.raises(InputError, match="must have the size of their video, 32x40. Got 16x40 in .*png"):
        masks_of(person[:, :16])
    with pytest.raises(InputError, match="must have the values 0 scene, 1 person and 2 object.* Got 0, 7 in"):
        masks_of(7 * person)
    with pytest.raises(InputError, match="must be numbered from 0 or 1, without gaps. Got 5 to 12, 8 files"):
        masks_of(person, first=5)
    with pytest.raises(InputError, match="must have a PNG for each frame of a. Got none for frame"):
        masks_of(person[:2])
    with pytest.raises(InputError, match="must be a folder with a folder of numbered PNGs for each video"):
        parse_mask_source(tmp_path / "run")
    (tmp_path / "broken" / "a").mkdir(parents=True)
    for number in range(8):
        (tmp_path / "broken" / "a" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="must be PNGs that can be read"):
        parse_mask_source(tmp_path / "broken").masks(loaded_clip(video))
    with pytest.raises(InputError, match="must be a folder of PNGs or a COCO JSON file. Got .*a.mp4"):
        parse_mask_source(video)
