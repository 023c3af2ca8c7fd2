"""Content digests of files and sources: the same bytes have the same SHA-256 wherever they lie."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from video_tcav.core.errors import MediaError
from video_tcav.media.container import COPY_AGAIN, check_file
from video_tcav.media.files import VideoSource
from video_tcav.media.memory_clips import InMemorySource, check_names
from video_tcav.media.timeline import frame_files

Digest = Callable[[VideoSource], str]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex; of names and bytes for a folder of frames.

    Raises:
        MediaError: if it cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        return _sha256(path).hexdigest()
    digest = hashlib.sha256()
    for frame in frame_files(path):
        digest.update(f"{frame.name}\0{_sha256(frame).hexdigest()}\n".encode())
    return digest.hexdigest()


def source_digest(source: VideoSource) -> str:
    """SHA-256 of a source in hex: its bytes (pixels, for a clip in memory) and its segment, without label, group and folder.

    Raises:
        MediaError: if it cannot be read.
    """
    content = source.digest if isinstance(source, InMemorySource) else file_digest(source.path)
    return segment_digest(content, source)


def content_digests(sources: Sequence[VideoSource], digest: Digest) -> dict[str, str]:
    """Digest of each source that can be read, by its key."""
    check_names(sources)
    digests: dict[str, str] = {}
    for source in sources:
        if source.key not in digests:
            try:
                digests[source.key] = digest(source)
            except (MediaError, OSError):
                continue  # the decoder will say what is wrong with it
    return digests


def segment_digest(content: str, source: VideoSource) -> str:
    """Digest of a source whose file has the digest `content`."""
    if source.start_s is None and source.end_s is None:
        return content
    end = "" if source.end_s is None else repr(float(source.end_s))
    return hashlib.sha256(f"{content}#t={float(source.start_s or 0)!r},{end}".encode()).hexdigest()


def _sha256(path: Path) -> "hashlib._Hash":
    check_file(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise MediaError(path, f"cannot be read ({error.strerror}); {COPY_AGAIN}") from error
