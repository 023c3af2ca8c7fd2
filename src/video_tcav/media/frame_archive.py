"""Frames of one video in a tar: listed by their headers and read where they are, never unpacked."""

import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from video_tcav.core.errors import MediaError
from video_tcav.media.container import COPY_AGAIN, check_file
from video_tcav.media.files import IMAGE_SUFFIXES, is_frame_sequence

_MOST_MEMBERS = 1_000_000  # ten hours at 25 fps
_LARGEST_FRAME_BYTES = 300_000_000  # of a still of 100 megapixels without compression
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}


@dataclass(frozen=True, kw_only=True)
class ArchivedFrame:
    """A frame in a tar: its name, and where its bytes are."""

    archive: Path
    name: str
    offset: int
    size: int

    @property
    def path(self) -> Path:
        """What messages call it."""
        return self.archive / self.name

    def read(self) -> bytes:
        """Its bytes."""
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def archived_frames(archive: Path) -> tuple[ArchivedFrame, ...]:
    """The frames of a tar, in order.

    Raises:
        MediaError: if it cannot be read, is compressed or truncated, has links, names that lead out of it, or frames that are no
            numbered sequence of one folder.
    """
    check_file(archive)
    state = archive.stat()
    return _listed(archive, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)  # a tar is listed for its timeline, and again for its pictures
def _listed(archive: Path, size: int, modified_ns: int) -> tuple[ArchivedFrame, ...]:
    frames: list[ArchivedFrame] = []
    try:
        # "r:" reads no compression: what a header claims can never be more than the file has
        with tarfile.open(archive, "r:") as tar:
            for count, member in enumerate(tar):
                if count >= _MOST_MEMBERS:
                    raise MediaError(archive, f"a tar of more than {_MOST_MEMBERS:,} members; split it, a video a tar")
                frames += _frame_of(archive, member, size)
    except MediaError:
        raise
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError) as error:
        raise MediaError(archive, _reason(archive, error)) from error
    # members may be in any order; names have the same number of digits, so that text sorts as numbers do
    frames.sort(key=lambda frame: frame.name)
    _check_sequence(archive, frames)
    return tuple(frames)


def _frame_of(archive: Path, member: tarfile.TarInfo, archive_size: int) -> list[ArchivedFrame]:
    """The frame of a member, or none for folders and other files."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or "\\" in member.name:
        raise MediaError(archive, f"a tar with a name that leads out of it: {member.name!r:.80}; make it anew")
    if name.suffix.lower() not in IMAGE_SUFFIXES or name.name.startswith(".") or member.isdir():
        return []
    if not member.isreg() or member.issparse():
        raise MediaError(
            archive, f"a tar with a link or sparse file in place of a frame: {member.name!r:.80}; make it anew"
        )
    if not 0 <= member.size <= _LARGEST_FRAME_BYTES or member.offset_data + member.size > archive_size:
        raise MediaError(archive, f"truncated: {member.name!r:.80} has {member.size:,} bytes; {COPY_AGAIN}")
    return [ArchivedFrame(archive=archive, name=str(name), offset=member.offset_data, size=member.size)]


def _check_sequence(archive: Path, frames: list[ArchivedFrame]) -> None:
    folders = {PurePosixPath(frame.name).parent for frame in frames}
    if len(folders) > 1 or not is_frame_sequence([Path(frame.name) for frame in frames]):
        where = f" in {len(folders)} folders" if len(folders) > 1 else ""
        raise MediaError(
            archive,
            f"a tar that holds no one sequence of frames: {len(frames)} images{where}; pack one video's img_00001.jpg, …",
        )


def _reason(archive: Path, error: Exception) -> str:
    try:
        with archive.open("rb") as file:
            head = file.read(8)
    except OSError:
        head = b""
    for mark, method in _COMPRESSED.items():
        if head.startswith(mark):
            return f"a tar that is compressed with {method}; decompress it, its frames are compressed already"
    return f"not a tar, or broken beyond reading ({' '.join(str(error).split())[:80]}); {COPY_AGAIN}"
