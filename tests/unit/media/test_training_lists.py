"""Lists that mmaction2, SlowFast, VideoMAE, TSN and TSM are trained with."""

from pathlib import Path

import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import find_videos, read_annotations, read_clips

FILES = ["a.mp4", "x y.mp4", "run, fast/3 4.webm", "deep/.hidden.avi"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in [*FILES, "train.mp4 old/b.mp4"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("name", ["kinetics_train_list.txt", "train.csv", "val.list"])
@pytest.mark.parametrize("form", ["{} {}", "{},{}", "{} , {}", "{};{}", "{}\t{}", '"{}" {}', '"{}",{}', " {}   {} "])
def test_path_and_label(root, form, name, line_end, encoding):
    lines = [form.format(file, number) for number, file in enumerate(FILES)]
    (root / name).write_bytes(line_end.join(lines).encode(encoding))
    sources = find_videos(root / name)
    assert [source.path for source in sources] == [root / file for file in FILES]
    assert [source.label for source in sources] == ["0", "1", "2", "3"]
    assert find_videos(f"{root / name}::2") == sources[2:3]


def test_labels_may_be_names_or_missing(root):
    (root / "list.csv").write_text('a.mp4,playing tennis\nx y.mp4, "jump, high"\n')
    assert [source.label for source in find_videos(root / "list.csv")] == ["playing tennis", "jump, high"]
    (root / "list.txt").write_text("a.mp4 archery\nx y.mp4\ttaking off\ntrain.mp4 old/b.mp4 007\n")
    assert [source.label for source in find_videos(root / "list.txt")] == ["archery", "taking off", "7"]
    (root / "list.txt").write_text("a.mp4\nx y.mp4\n")
    assert [(source.path.name, source.label) for source in find_videos(root / "list.txt")] == [
        ("a.mp4", None),
        ("x y.mp4", None),
    ]


@pytest.mark.parametrize("form", ["{} {} {}", "{},{},{}", "{}\t{}\t{}", '"{}" {} {}'])
def test_folder_frames_and_label(make_images, tmp_path, form, frame_numbers):
    for folder in ("78687", "x y", "clip 3"):
        make_images(f"frames/{folder}", [f"img_{number:05d}.png" for number in range(1, 6)])
    lines = [form.format("frames/78687", 5, 12), form.format("frames/x y", 3, 0), form.format("frames/gone", 40, 7)]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    whole, part, gone = find_videos(tmp_path / "train.txt")
    assert (whole.path, whole.kind, whole.label, whole.end_s) == (tmp_path / "frames/78687", "frames", "12", None)
    assert (part.path, part.label) == (tmp_path / "frames/x y", "0")
    clip = read_clips(part, ClipSpec(frames=3))  # of five frames the list has three
    assert frame_numbers(clip[0]) == [0, 1, 2]
    assert (gone.path, gone.kind, gone.label) == (tmp_path / "frames/gone", "frames", "7")


def test_folder_that_ends_with_a_number(make_images, tmp_path):
    make_images("clip 3", ["001.png", "002.png"])
    for text in ("clip 3 2 9\n", "clip 3 9\n"):
        (tmp_path / "train.txt").write_text(text)
        (source,) = find_videos(tmp_path / "train.txt")
        assert (source.path, source.label) == (tmp_path / "clip 3", "9")


def test_paths_relative_to_another_folder(root):
    (root / "lists").mkdir()
    (root / "lists/train.txt").write_text("fast/3 4.webm 1\na.mp4 0\n")
    (root / "run").mkdir()
    (root / "run, fast").rename(root / "run/fast")
    sources = read_annotations(root / "lists/train.txt", root=root)
    assert [source.path for source in sources] == [root / "run/fast/3 4.webm", root / "a.mp4"]
    (root / "other/fast").mkdir(parents=True)
    (root / "other/fast/3 4.webm").touch()
    with pytest.raises(SourceError, match=r"must hold each listed file once. Got .* for fast/3 4.webm"):
        read_annotations(root / "lists/train.txt", root=root)


def test_absolute_and_windows_paths(root):
    (root / "train.csv").write_text(f"{root / 'a.mp4'} 0\ntrain.mp4 old\\b.mp4 1\n")
    assert [source.path for source in find_videos(root / "train.csv")] == [root / "a.mp4", root / "train.mp4 old/b.mp4"]


def test_clips_of_ucf101_keep_their_group(root):
    (root / "train.txt").write_text("a.mp4 3\nBowling/v_Bowling_g01_c02.avi 4\nBowling/v_Bowling_g01_c03.avi 4\n")
    assert [source.group for source in find_videos(root / "train.txt")] == [None, "Bowling_g01", "Bowling_g01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 1 3\n", r"line 1, must give one label. Got 1 3 behind a.mp4. Several labels are not read"),
        ("a.mp4,1,3\n", r"line 1, must give one label"),
        ("a.mp4 1\nx y.mp4 playing tennis\n", r"line 2, must give one label. Got playing tennis"),
        ("a.mp4,run,fast\n", r"line 1, must give one label"),
        ("deep 12 1 2\n", r"line 1, must read like `path label` or `folder frames label`. Got 12 1 2 behind deep"),
        ("deep 12 1\n", r"must list frames that are there. Got 12 of deep, which has 0"),
        ("a.mp4 1\n\nsomething else\n", r"line 3, must read like .* Got 'something else'"),
        ("a.mp4 1\nx y.mp4 1\na.mp4 2\n", r"Got line 3 the same as line 1"),
        ("gone.mp4 1\nlost.mp4 2\n", r"must list videos that exist. Got 2 listed, none is under"),
        ("a.mp4 " + "1 " * 100_000, r"must give one label"),
        ("a " * 100_000 + "1", r"`path` must be the name of a file. Got a a"),
    ],
)
def test_other_lines_are_refused(root, text, message):
    (root / "train.txt").write_text(text)
    with pytest.raises(SourceError, match=message):
        find_videos(root / "train.txt")


def test_files_that_are_not_there_are_listed(root):
    (root / "train.csv").write_text("a.mp4 1\ngone.mp4 2\n")
    assert [source.path.exists() for source in find_videos(root / "train.csv")] == [True, False]
    with pytest.raises(InputError, match=r"`split` must be left out for training"):
        read_annotations(root / "train.csv", split="train")
