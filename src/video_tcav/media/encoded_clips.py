"""Encoded videos in memory, such as rows of a table hold them: decoded like files, with their own times."""

import atexit
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from video_tcav.core.errors import MediaError
from video_tcav.core.scratch import scratch_folder
from video_tcav.media.memory_clips import InMemorySource


@dataclass(frozen=True, kw_only=True)
class EncodedSource(InMemorySource):
    """A video file's bytes, which are on disk only while they are decoded; its `path` is its name.

    Attributes:
        content: the bytes.
    """

    content: bytes = field(repr=False, compare=False)

    def _content_digest(self) -> str:
        """As of a file with these bytes."""
        return hashlib.sha256(self.content).hexdigest()


@contextmanager
def local_file(source: EncodedSource) -> Iterator[Path]:
    """A file with the bytes of a source; what is wrong with it is said of the source.

    FFmpeg, and the checks of a container's structure, read files: a buffer has no name to tell a stream's format by.
    """
    handle, name = tempfile.mkstemp(suffix=source.path.suffix, dir=_folder(os.getpid()))
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(source.content)
        yield path
    except MediaError as error:
        if error.path != path:
            raise
        raise MediaError(source.path, error.reason) from error
    finally:
        path.unlink(missing_ok=True)


@cache
def _folder(process: int) -> Path:
    """The scratch folder of a process for such files; after a fork the child needs one of its own."""
    stack = ExitStack()
    folder = stack.enter_context(scratch_folder())
    atexit.register(stack.close)
    return folder
