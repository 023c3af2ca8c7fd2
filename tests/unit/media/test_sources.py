"""Files, folders, globs, manifests and labels lead to the right videos, or say why not."""

from pathlib import Path

import pandas as pd
import pytest

from video_tcav.concepts.concept import as_sources
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import VideoSource, file_digest, find_videos, source_digest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ["run/b.mp4", "run/a.AVI", "walk/deep/c.webm", "walk/notes.txt", "walk/.d.mp4", ".git/e.mp4", "f.gif"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def found(sources: list[VideoSource], root: Path) -> list[tuple]:
    return [(str(source.path.relative_to(root)), source.kind, source.label) for source in sources]


def test_file(tree):
    assert found(find_videos(tree / "run" / "b.mp4"), tree) == [("run/b.mp4", "video", "run")]


def test_folder_of_folders_is_labelled_and_sorted(tree):
    assert found(find_videos(str(tree)), tree) == [
        ("f.gif", "video", "root"),
        ("run/a.AVI", "video", "run"),
        ("run/b.mp4", "video", "run"),
        ("walk/deep/c.webm", "video", "deep"),
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("run/*.mp4", ["run/b.mp4"]),
        ("**/*.webm", ["walk/deep/c.webm"]),
        ("*", ["f.gif", "run/a.AVI", "run/b.mp4", "walk/deep/c.webm"]),
        ("**/*", ["f.gif", "run/a.AVI", "run/b.mp4", "walk/deep/c.webm"]),
        ("**", ["f.gif", "run/a.AVI", "run/b.mp4", "walk/deep/c.webm"]),
        ("r?n/[ab].*", ["run/a.AVI", "run/b.mp4"]),
    ],
)
def test_glob(tree, pattern, names):
    assert [name for name, _, _ in found(find_videos(tree / pattern), tree)] == names


def test_name_with_brackets_is_a_file_before_it_is_a_glob(tree):
    path = (tree / "f.gif").rename(tree / "f[1]::x.gif")
    assert [source.path for source in find_videos(path)] == [path]


def test_links_to_folders_are_followed_once(tree):
    (tree / "run" / "again").symlink_to(tree)
    (tree / "linked").symlink_to(tree / "run")
    assert len(find_videos(tree)) == 4


def test_label_keeps_its_sources(tree):
    assert found(find_videos(f"{tree}::run"), tree) == [("run/a.AVI", "video", "run"), ("run/b.mp4", "video", "run")]
    with pytest.raises(SourceError, match=r"Got 'walking'. Choose one of: .*deep"):
        find_videos(f"{tree}::walking")
    with pytest.raises(SourceError, match=r"Got 'runn'. Choose one of: run, root, deep\.$"):
        find_videos(f"{tree}::runn")


def test_nothing_there(tree, tmp_path):
    (tmp_path / "bare").mkdir()
    with pytest.raises(SourceError, match=r"Got none in the folder \S+/bare. Looked for videos \(mp4, avi"):
        find_videos(tmp_path / "bare")
    with pytest.raises(SourceError, match=r"must be a file, folder or glob. Got no such path; \S+/root exists"):
        find_videos(tree / "runs" / "b.mp4")
    with pytest.raises(SourceError, match=r"Got none in the files that match \S+\*.mkv"):
        find_videos(tree / "**" / "*.mkv")
    with pytest.raises(SourceError, match=r"Got the ending \.txt"):
        find_videos(tree / "walk" / "notes.txt")


@pytest.mark.parametrize("path", ["a" * 300, f"{'b' * 5000}/a.mp4", "~nobody-of-that-name/a.mp4"])
def test_what_the_system_takes_for_no_path_is_said_in_one_line(path):
    with pytest.raises(SourceError, match=r"must be a file, folder or glob. Got: .*(too long|home directory)") as error:
        find_videos(path)
    assert len(str(error.value)) < 600


def test_folder_that_may_not_be_read(tree, monkeypatch):
    listed = Path.iterdir

    def refuse(self):
        if self.name == "walk":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refuse)  # tests may run as root, who may read all
    with pytest.raises(SourceError, match=r"walk` must be a readable folder. Got: Permission denied. Check its perm"):
        find_videos(tree)


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (["img_00001.jpg", "img_00002.jpg"], True),
        (["frame-000012.png", "frame-000013.png", "frame-000014.png"], True),
        (["00001.jpg", "00002.jpg"], True),
        (["image001.jpg", "image002.jpg"], True),
        (["img_00001.jpg"], False),
        (["img_00001.jpg", "img_00003.jpg"], False),
        (["img_00001.jpg", "img_00002.jpg", "cover.jpg"], False),
        (["01.jpg", "02.jpg"], False),
        (["099.jpg", "0100.jpg"], False),
        (["cat_001.jpg", "cat_002.jpg"], False),
    ],
)
def test_numbered_images_are_frames_of_one_video(tmp_path, names, frames):
    folder = tmp_path / "run" / "shot"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    expected = (
        [("run/shot", "frames", "run")] if frames else [(f"run/shot/{name}", "still", "shot") for name in sorted(names)]
    )
    assert found(find_videos(tmp_path), tmp_path) == expected
    assert found(find_videos(tmp_path / "**" / "*.*"), tmp_path) == expected


def test_part_of_a_sequence_is_stills(tmp_path):
    for number in range(4):
        (tmp_path / f"{number:03d}.png").touch()
    assert [source.kind for source in find_videos(tmp_path / "00[12].png")] == ["still", "still"]


ROWS = pd.DataFrame(
    {
        "path": ["run/b.mp4", "walk/deep/c.webm", "gone.mp4"],
        "label": ["NA", "go", ""],
        "start_s": ["1.5", "", ""],
        "end_s": ["4", "", ""],
        "group": ["ann", "", ""],
        "pair": ["", "take 1", ""],
        "remark": ["x", "y", "z"],
    }
)


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.parquet"])
def test_manifest(tree, name):
    if name.endswith("parquet"):
        ROWS.assign(start_s=[1.5, None, None], end_s=[4.0, None, None]).to_parquet(tree / name)
    else:
        ROWS.to_csv(tree / name, sep="\t" if name.endswith("tsv") else ",", index=False, encoding="utf-8-sig")
    first, second, third = find_videos(tree / name)
    assert first == VideoSource(path=tree / "run/b.mp4", kind="video", label="NA", start_s=1.5, end_s=4.0, group="ann")
    assert second == VideoSource(path=tree / "walk/deep/c.webm", kind="video", label="go", pair="take 1")
    assert third == VideoSource(path=tree / "gone.mp4", kind="video")  # the decoder will say that it is missing
    assert find_videos(f"{tree / name}::go") == [second]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,label\na.mp4,x\n", "must have a column `path`. Got the columns file, label"),
        ("path,start_s\nrun/b.mp4,1\nf.gif,soon\n", "row 2 after the header, .*`start_s` must be a number .*'soon'"),
        ("path,start_s,end_s\nrun/b.mp4,5,4\n", "row 1 after the header, .*`end_s` must be later than `start_s`"),
        ("path,start_s\nrun/b.mp4,-1\n", "row 1 .*`start_s` must be 0 or more"),
        ("path,label\nrun/b.mp4,x\n,y\n", "row 2 after the header, must name a file in `path`"),
        ("path,label\nrun/b.mp4,x\nf.gif,y,z,w\n", "must be a readable table. Got: .*line 3"),
        ("path,label\nrun/b.mp4,x,y\nf.gif,y,z\n", "must be a readable table. Got: .*line 2"),
        ("path,label,label\nrun/b.mp4,x,y\n", "must name each column once. Got 'label' twice"),
        ("Path,path\nrun/b.mp4,f.gif\n", "must name each column once. Got 'path' twice"),
        ("path,label\nrun/b.mp4,x\nrun/b.mp4, x \n", "Got row 2 the same as row 1"),
        ("path,label\nrun/b.mp4,x\nrun/b.mp4,x\n", "Got row 2 the same as row 1"),
        ("path,pair\nrun/b.mp4,x\nrun/b.mp4,y\n", "Got row 2 the same as row 1"),
        ('path,pair\nrun/b.mp4,"x\ny"\n', "row 1 .* must be one line. Got a line break in `pair`"),
        ("path\n", "Got a header only"),
        ("path,start,end\nrun/b.mp4,1,2\n", "must name its times `start_s` and `end_s`. Got start, end. Rename them"),
        ("path,End_Time\nrun/b.mp4,2\n", "must name its times .* Got End_Time"),
        ("path,start_s,end\nrun/b.mp4,1,2\n", "must name its times .* Got end. Rename"),
        ("path,end_s,Start_Frame\nrun/b.mp4,1,2\n", "must name its times .* Got Start_Frame"),
        ("path,start_frame,stop_frame\nrun/b.mp4,1,20\n", "must name its times .* Got start_frame, stop_frame"),
        ("path,begin_s,frame_end,stop_ms\nrun/b.mp4,1,20,3\n", "Got begin_s, frame_end, stop_ms"),
        ('path,label\nrun/b.mp4,"x\nf.gif,y"\nf.gif,z\n', "row 1 .* must be one line. Got a line break in `label`"),
        ("", "must be a readable table. Got: No columns"),
        ("path\nx.mp4\n", "Got 1 rows, no file; the first is .*x.mp4"),
    ],
)
def test_malformed_manifest_names_the_row(tree, content, message):
    (tree / "list.csv").write_text(content)
    with pytest.raises(SourceError, match=message) as caught:
        find_videos(tree / "list.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ", ", ";", " ; ", "\t"])
def test_manifests_as_spreadsheets_and_editors_save_them(tree, encoding, line_end, separator):
    rows = [["Path", "Label", "group"], ["run/b.mp4", '"zwölf, drei; vier"', " p1"], ["f.gif", "b  c", '"p1 "']]
    text = line_end.join(separator.join(row) for row in rows) + line_end
    (tree / "list.csv").write_bytes(text.encode(encoding))
    first, second = find_videos(tree / "list.csv")
    assert (first.path, first.label, second.label) == (tree / "run/b.mp4", "zwölf, drei; vier", "b c")
    assert first.group == second.group == "p1"


def test_one_group_whatever_its_spaces_and_accents(tree):
    rows = [
        "path,label,group",
        "run/b.mp4,x,Ren\u00e9 1",
        "f.gif,x, Rene\u0301  1 ",
        "run/a.AVI,x,\u200bRen\u00e9\u00a01",
    ]
    (tree / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    assert {source.group for source in find_videos(tree / "list.csv")} == {"Ren\u00e9 1"}


@pytest.mark.parametrize(
    "content", ["path,label\nrun/b.mp4,zwölf\n".encode("latin-1"), "path\nf.gif".encode("utf-16-le")]
)
def test_manifest_in_an_encoding_that_nothing_tells(tree, content):
    (tree / "list.csv").write_bytes(content)
    with pytest.raises(SourceError, match=r"list.csv` must be text in UTF-8. Got (other bytes in line 2|zero bytes)"):
        find_videos(tree / "list.csv")


def test_manifest_of_windows_names_folders_with_backslashes(tree):
    (tree / "list.csv").write_text("path\nrun\\b.mp4\n")
    assert find_videos(tree / "list.csv")[0].path == tree / "run/b.mp4"


def test_label_of_a_manifest_without_labels(tree):
    (tree / "list.csv").write_text("path\nrun/b.mp4\n")
    with pytest.raises(SourceError, match=r"must have labels for ::run. Got none"):
        find_videos(f"{tree / 'list.csv'}::run")


def test_key_tells_segments_of_one_file_apart():
    path = Path("a.mp4")
    assert VideoSource(path=path, kind="video").key == "a.mp4"
    assert VideoSource(path=path, kind="video", start_s=1.5).key == "a.mp4#t=1.5"
    assert VideoSource(path=path, kind="video", end_s=4.0).key == "a.mp4#t=0,4"


@pytest.mark.parametrize("segment", [{"start_s": -1.0}, {"start_s": float("nan")}, {"start_s": 2.0, "end_s": 2.0}])
def test_impossible_segment(segment):
    with pytest.raises(InputError, match=r"`(start|end)_s` must be"):
        VideoSource(path=Path("a.mp4"), kind="video", **segment)


def test_digest_is_of_content_and_segment(tree):
    one, two = tree / "run/b.mp4", tree / "copy.mp4"
    two.write_bytes(one.read_bytes())
    assert file_digest(one) == file_digest(two)
    assert file_digest(one) != file_digest(tree / "f.gif")
    assert source_digest(VideoSource(path=one, kind="video", label="x")) == file_digest(two)
    segments = [{}, {"start_s": 1.0}, {"start_s": 1.0, "end_s": 2.0}, {"end_s": 2.0}]
    digests = [source_digest(VideoSource(path=one, kind="video", **segment)) for segment in segments]
    assert len(set(digests)) == 4
    assert digests[1] == source_digest(VideoSource(path=two, kind="video", start_s=1.0))


def test_digest_of_a_frame_folder_is_of_names_and_bytes(make_images):
    names = ["001.png", "002.png"]
    one, two = make_images("one", names), make_images("two", names)
    assert file_digest(one) == file_digest(two)
    (two / "001.png").write_bytes((two / "002.png").read_bytes())
    assert file_digest(one) != file_digest(two)


def test_texts_of_a_parquet_table_that_are_no_text_are_refused_in_one_line(tree):
    ROWS.assign(label="archery").to_parquet(tree / "list.parquet", compression=None)
    content = (tree / "list.parquet").read_bytes()
    (tree / "list.parquet").write_bytes(content.replace(b"archery", b"arch\xe9ry"))
    with pytest.raises(SourceError, match="must be a readable table") as error:
        find_videos(tree / "list.parquet")
    assert "\n" not in str(error.value)


def test_columns_without_a_name_and_other_columns_are_left_alone(tree):
    (tree / "list.csv").write_text("path,start_s,start,,\nrun/b.mp4,1,12:30,a,b\n")
    (source,) = find_videos(tree / "list.csv")
    assert (source.start_s, source.path.name) == (1.0, "b.mp4")


def test_a_clip_with_two_labels_counts_once_in_a_set(tree):
    (tree / "list.csv").write_text("path,label\nrun/b.mp4,x\nrun/b.mp4,y\nf.gif,y\n")
    assert [source.path.name for source in as_sources(tree / "list.csv")] == ["b.mp4", "f.gif"]
    assert len(as_sources(f"{tree / 'list.csv'}::y")) == 2
