"""Videos below a folder, found by their name without ending: files, folders of frames, and tars of frames."""

import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from video_tcav.core.errors import SourceError
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, VideoSource, files_below, is_tar, kind_of

MOST_REMEMBERED = 100_000
"""Videos, and their names, of which a list has more lines than entries."""


class VideoFolder:
    """The videos below a folder; it is searched when a video is not directly in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # the training list of AVA names each of its 235 films 3,500 times
        self.find_file = lru_cache(maxsize=MOST_REMEMBERED)(self._find_file)
        self._kind_of = lru_cache(maxsize=MOST_REMEMBERED)(kind_of)

    @cached_property
    def _by_name(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """Video files; and tars and folders of frames."""
        files: dict[str, list[Path]] = {}
        frames: dict[str, dict[Path, None]] = {}
        for path in sorted(files_below(self.root)):
            suffix = path.suffix.lower()
            if suffix in VIDEO_SUFFIXES:
                files.setdefault(path.stem, []).append(path)
            elif is_tar(path):
                frames.setdefault(path.stem, {})[path] = None
            elif suffix in IMAGE_SUFFIXES:
                frames.setdefault(path.parent.name, {})[path.parent] = None
        return files, {name: list(paths) for name, paths in frames.items()}

    def _find_file(self, name: str, label: str | None = None) -> Path | None:
        """The video file of that name; of several, one in a folder that is named like the label.

        Segments in seconds need a file: frames in folders and tars have no times, and were extracted at any rate.
        """
        files = _nearest(self._by_name[0].get(name, []), label)
        # copies will do, but `flow/1.mp4` beside `rgb/1.mp4` would be taken since it comes first in the alphabet
        if len({file.stat().st_size for file in files}) > 1:
            raise SourceError(
                f"`{self.root}` must have one video of each name. Got {files[0]} and {files[1]}. "
                "Put the list into the folder of those that are meant."
            )
        return next(iter(files), None)

    def find(self, name: str, label: str | None = None) -> Path | None:
        """The video file of that name, or else its tar or folder of frames."""
        return self.find_file(name, label) or next(iter(_nearest(self._by_name[1].get(name, []), label)), None)

    def find_frames(self, name: str) -> Path | None:
        """A folder of frames of that name directly in this folder, without a search among millions of frames; else any video."""
        folder = self.root / name
        is_direct = bool(name) and Path(name).name == name and os.path.isdir(folder)  # noqa: PTH112  is_dir raises for long names
        return folder if is_direct else self.find(name)

    def source(self, path: Path | None, expected: str, **fields: Any) -> VideoSource:
        """A source of a video, or of where it was expected below this folder."""
        path = self.root / expected if path is None else path
        return VideoSource(path=path, kind=self._kind_of(path) or "video", **fields)


def _nearest(paths: Sequence[Path], label: str | None) -> Sequence[Path]:
    """Those in a folder that is named like the label; all where there is none."""
    folders = {label, label.replace(" ", "_")} if label else set()
    return [path for path in paths if path.parent.name in folders] or paths
