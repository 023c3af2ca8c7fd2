"""Rows of a dataset as clips: videos by path and by bytes, labels, segments and groups, and what is refused."""

import pickle

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.concepts import as_sources
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError, SourceError
from video_tcav.media import VideoSource, iter_frames, load_clips, read_clips, read_frames, source_digest, write_video
from video_tcav.media.encoded_clips import EncodedSource
from video_tcav.media.memory_clips import refuse_memory
from video_tcav.media.timeline import read_timeline
from video_tcav.recording.cache.file_digests import FileDigests

SPEC = ClipSpec(frames=4, stride=2)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.mp4" for number in range(3)]
    for number, path in enumerate(paths):
        clip = np.random.default_rng(number).integers(0, 256, (20, 3, 16, 16), dtype=np.uint8)
        write_video(path, torch.from_numpy(clip), fps=10)
    return paths


@pytest.fixture
def datasets():
    return pytest.importorskip("datasets")


def table(datasets, column, feature, values, **columns):
    table = datasets.Dataset.from_dict({column: values, **columns})
    return table.cast(datasets.Features({**table.features, column: feature}))


def test_bytes_in_memory_are_the_video_of_their_file(files):
    source = EncodedSource(path=files[0], kind="video", content=files[0].read_bytes(), start_s=0.5)
    file = VideoSource(path=files[0], kind="video", start_s=0.5)
    files[0].unlink()
    assert source.key == file.key
    copy = pickle.loads(pickle.dumps(source))
    files[0].write_bytes(copy.content)
    assert source_digest(source) == source_digest(file) == FileDigests().source_digest(copy)
    assert (
        read_timeline(source).timestamps_s == read_timeline(file).timestamps_s
    ).all()  # at 10 fps, not a nominal rate
    assert read_clips(source, SPEC).equal(read_clips(file, SPEC))
    assert read_frames(source, [7, 3]).equal(read_frames(file, [7, 3]))
    assert len(list(iter_frames(source))) == 20
    with pytest.raises(SourceError, match="`videos` must be files for Ray"):
        refuse_memory([source], "Ray")


@pytest.mark.parametrize("content", [b"", b"no video", b"cut"])
def test_broken_bytes_are_reported_under_their_name(files, content):
    content = files[0].read_bytes()[:900] if content == b"cut" else content
    source = EncodedSource(path=files[0].with_name("row 7.mp4"), kind="video", content=content)
    (loaded,) = load_clips([source], SPEC)
    assert isinstance(loaded.error, MediaError)
    assert loaded.error.path == source.path
    assert "/tmp" not in loaded.error.reason


def test_rows_of_paths_are_files(files, datasets):
    labels = datasets.ClassLabel(names=["walk", "run"])
    rows = table(
        datasets, "video", datasets.Video(), [str(file) for file in files], label=[0, 1, 0], group=["p1", "p2", ""]
    )
    sources = as_sources(rows.cast_column("label", labels))
    assert [(source.path, source.label, source.group) for source in sources] == [
        (files[0], "walk", "p1"),
        (files[1], "run", "p2"),
        (files[2], "walk", None),
    ]
    assert type(sources[0]) is VideoSource
    assert as_sources(rows.cast_column("label", labels).to_iterable_dataset()) == sources
    assert as_sources([rows.select([0]), rows.select([1, 2]), files[0]])[1].label == "1"


def test_rows_of_bytes_are_clips_in_memory(files, datasets):
    content = [file.read_bytes() for file in files]
    rows = table(datasets, "clip", datasets.Value("binary"), content, start_s=[None, 0.5, 0.0], end_s=[None, 1.5, None])
    sources = as_sources(rows.with_format("torch"), clip_name="court clip")
    assert [source.key for source in sources] == ["court clip 0", "court clip 1#t=0.5,1.5", "court clip 2#t=0"]
    assert read_clips(sources[1], SPEC).equal(
        read_clips(VideoSource(path=files[1], kind="video", start_s=0.5, end_s=1.5), SPEC)
    )
    videos = [{"bytes": each, "path": f"/elsewhere/{name}.mp4"} for name, each in zip("abc", content, strict=True)]
    embedded = datasets.Dataset.from_dict({"video": videos}, features=datasets.Features({"video": datasets.Video()}))
    assert [source.path.name for source in as_sources(embedded)] == ["a.mp4", "b.mp4", "c.mp4"]
    assert read_frames(as_sources(embedded)[2], [0]).equal(read_frames(VideoSource(path=files[2], kind="video"), [0]))


def test_predictions_of_rows_are_those_of_their_files(files, datasets):
    model = vt.load_model("rendered:r2plus1d-motion")
    rows = table(datasets, "video", datasets.Value("binary"), [file.read_bytes() for file in files])
    in_memory, of_files = vt.predict(model, rows), vt.predict(model, files)
    assert [each.labels for each in in_memory] == [each.labels for each in of_files]


def test_what_is_no_table_of_videos(files, datasets):
    paths = [str(file) for file in files]
    with pytest.raises(SourceError, match="one column of videos or bytes. Got the columns text. Choose it"):
        as_sources(datasets.Dataset.from_dict({"text": ["a"]}))
    with pytest.raises(SourceError, match="Got 2 of them: path, video"):
        as_sources(datasets.Dataset.from_dict({"video": paths, "path": paths}))
    with pytest.raises(SourceError, match="must be one split of a dataset. Got all of them: train, test"):
        as_sources(datasets.DatasetDict(dict.fromkeys(("train", "test"), datasets.Dataset.from_dict({"path": paths}))))
    with pytest.raises(
        SourceError, match="row 1 of the dataset, cannot be used: `video` must be bytes or a path. Got None"
    ):
        as_sources(datasets.Dataset.from_dict({"path": [paths[0], None]}))
    with pytest.raises(SourceError, match="row 0 of the dataset, cannot be used: `label` must be one label"):
        as_sources(datasets.Dataset.from_dict({"path": paths[:1], "labels": [[1, 2]]}))
    with pytest.raises(SourceError, match="row 0 of the dataset, cannot be used: `end_s` must be later"):
        as_sources(datasets.Dataset.from_dict({"path": paths[:1], "start_s": [2.0], "end_s": [1.0]}))
    with pytest.raises(SourceError, match="`clips` must name its times `start_s` and `end_s`. Got start, end. Rename"):
        as_sources(datasets.Dataset.from_dict({"path": paths[:1], "start": [0.0], "end": [1.0]}))


def test_a_mapping_is_no_list_of_paths(files):
    with pytest.raises(SourceError, match="must be paths, arrays or datasets. Got a mapping with video, label"):
        as_sources({"video": files[0], "label": 1})
