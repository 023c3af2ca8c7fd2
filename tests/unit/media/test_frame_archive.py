"""Frames in a tar: the same as in their folder, and what is refused."""

import gzip
import io
import tarfile

import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, file_digest, find_videos, probe_video, read_clips, read_frames
from video_tcav.media.frame_archive import archived_frames

NAMES = [f"frame_{number:010d}.jpg" for number in range(1, 11)]
SPEC = ClipSpec(frames=4, stride=2)


@pytest.fixture
def folder(make_images):
    return make_images("P01_01", NAMES)


def pack(path, *members, mode="w"):
    """Write a tar of `(name, bytes)` and of ready `TarInfo`."""
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def source(path):
    return VideoSource(path=path, kind="frames")


@pytest.mark.parametrize("prefix", ["", "./", "P01_01/"])
def test_a_tar_gives_the_frames_of_its_folder(folder, tmp_path, prefix):
    members = [(f"{prefix}{name}", (folder / name).read_bytes()) for name in reversed(NAMES)]
    (tmp_path / "tars").mkdir()
    path = pack(tmp_path / "tars" / "P01_01.tar", *members, ("notes.txt", b"x"))
    (found,) = find_videos(path)
    assert (found.path, found.kind) == (path, "frames")
    assert find_videos(tmp_path / "tars") == [found]
    assert read_frames(found, range(10)).equal(read_frames(source(folder), range(10)))
    assert read_clips(found, SPEC).equal(read_clips(source(folder), SPEC))
    assert (probe_video(path).frame_count, probe_video(path).width) == (10, 64)
    assert len(file_digest(path)) == 64
    assert sorted(tmp_path.iterdir()) == [folder, tmp_path / "tars"]  # nothing was unpacked


def test_frames_are_taken_where_they_are(folder, tmp_path):
    path = pack(tmp_path / "a.tar", *((name, (folder / name).read_bytes()) for name in NAMES))
    frames = archived_frames(path)
    assert [frame.name for frame in frames] == NAMES
    assert frames[3].read() == (folder / NAMES[3]).read_bytes()


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def claim(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../000.jpg", b"x"), ("../001.jpg", b"x")], "a tar with a name that leads out of it: '../000.jpg'"),
        ([("/etc/000.jpg", b"x")], "a tar with a name that leads out of it: '/etc/000.jpg'"),
        ([link("000.jpg", "/etc/passwd", tarfile.SYMTYPE)], "a link or sparse file in place of a frame: '000.jpg'"),
        ([link("000.jpg", "001.jpg", tarfile.LNKTYPE)], "a link or sparse file in place of a frame"),
        ([("a/000.jpg", b"x"), ("b/001.jpg", b"x")], "no one sequence of frames: 2 images in 2 folders"),
        ([("000.jpg", b"x"), ("002.jpg", b"x")], "no one sequence of frames: 2 images; pack one video's"),
        ([("000.mp4", b"x")], "no one sequence of frames: 0 images"),
    ],
)
def test_what_is_no_video_or_leads_out_is_refused(tmp_path, members, message):
    path = pack(tmp_path / "a.tar", *members)
    with pytest.raises(MediaError, match=message):
        read_frames(source(path), [0])
    with pytest.raises(MediaError, match=message):
        read_clips(source(path), SPEC)


def test_sizes_that_are_claimed_are_not_believed(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(claim("000.jpg", 10**9).tobuf() + bytes(1024))
    with pytest.raises(MediaError, match="truncated: '000.jpg' has 1,000,000,000 bytes"):
        archived_frames(path)


def test_compressed_broken_and_missing_tars(folder, tmp_path):
    path = pack(tmp_path / "a.tar", *((name, (folder / name).read_bytes()) for name in NAMES))
    packed = tmp_path / "b.tar"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(MediaError, match="a tar that is compressed with gzip; decompress it"):
        archived_frames(packed)
    packed.write_bytes(b"no tar at all" * 100)
    with pytest.raises(MediaError, match="not a tar, or broken beyond reading"):
        archived_frames(packed)
    packed.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MediaError, match="truncated|broken"):
        archived_frames(packed)
    with pytest.raises(MediaError, match="no such file"):
        archived_frames(tmp_path / "gone.tar")


def test_a_broken_frame_is_named(folder, tmp_path):
    contents = [(folder / name).read_bytes() for name in NAMES]
    contents[2] = b""
    path = pack(tmp_path / "a.tar", *zip(NAMES, contents, strict=True))
    with pytest.raises(MediaError, match=r"a.tar/frame_0000000003.jpg: empty file of 0 bytes"):
        read_frames(source(path), [2])
    contents[2] = b"not a picture, but as long as some"
    path = pack(tmp_path / "b.tar", *zip(NAMES, contents, strict=True))
    with pytest.raises(MediaError, match=r"b.tar/frame_0000000003.jpg: not a"):
        read_frames(source(path), [2])
    assert read_frames(source(path), [0]).shape == (1, 3, 48, 64)


def test_a_training_list_may_name_tars(folder, tmp_path):
    pack(tmp_path / "clips.tar", *((name, (folder / name).read_bytes()) for name in NAMES))
    (tmp_path / "list.txt").write_text("P01_01 10 3\nclips 8 4\n")
    first, second = find_videos(tmp_path / "list.txt")
    assert (first.path, first.label) == (folder, "3")
    assert (second.path.name, second.label, second.kind, second.end_s) == ("clips.tar", "4", "frames", 8 / 25)
    (tmp_path / "list.txt").write_text("clips.tar 4\n")
    assert find_videos(tmp_path / "list.txt")[0].path.name == "clips.tar"
