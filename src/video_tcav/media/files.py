"""What a source is, and which files and folders hold pictures."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.escaping import well_formed

SourceKind = Literal["video", "still", "frames"]

# what the formats that `container` allows are usually called; each is read in a test
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".avi", ".webm", ".mkv", ".mov", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp"}
    | {".ts", ".mts", ".m2ts", ".m2t", ".vob", ".asf", ".f4v", ".3g2", ".qt", ".divx", ".dv", ".apng", ".mj2"}
    | {".h264", ".264", ".h265", ".265", ".hevc", ".m2v", ".mjpeg", ".mjpg", ".ivf", ".obu", ".y4m"}
)
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff"}
    | {".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".qoi"}
)

_FRAME_STEM_LIKE = re.compile(r"(?:img|image|frame)?[-_ ]?\d+", re.IGNORECASE)
_FRAME_STEM = re.compile(r"(?P<prefix>(?:img|image|frame)?[-_ ]?)(?P<number>\d{3,})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class VideoSource:
    """One video, or one segment of it, to take clips from.

    Attributes:
        path: the video file, the image file, or the folder of frames.
        kind: `video` for a file that plays, `still` for one image, `frames` for a folder of numbered images.
        label: what the folder, manifest or annotation calls it.
        start_s: begin of the segment in seconds; `None` is the begin of the video.
        end_s: end of the segment in seconds, not part of it; `None` is the end of the video.
        group: what it shares with other sources that are not independent of it; `None` is the file itself.
    """

    path: Path
    kind: SourceKind
    label: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if self.start_s is not None and not 0 <= self.start_s < float("inf"):
            raise InputError(
                f"`start_s` must be 0 or more. Got {self.start_s}. Give seconds from the start of the video."
            )
        if self.end_s is not None and not self.end_s > (self.start_s or 0):
            raise InputError(
                f"`end_s` must be later than `start_s`. Got {self.end_s} for {self.start_s or 0}. Swap them."
            )

    @property
    def key(self) -> str:
        """The path, and the segment where there is one: `clip.mp4#t=1.5,4`."""
        path = well_formed(str(self.path))  # it stands in tables and on terminals, which hold no other text
        if self.start_s is None and self.end_s is None:
            return path
        end = "" if self.end_s is None else f",{self.end_s:.15g}"
        return f"{path}#t={self.start_s or 0:.15g}{end}"


def kind_of(path: Path) -> SourceKind | None:
    """Kind that a path's ending, or its being a folder, speaks for; `None` if it is none of ours."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in IMAGE_SUFFIXES:
        return "still"
    return "frames" if path.is_dir() else None


def media_files(folder: Path) -> list[Path]:
    """All video and image files below a folder, sorted; hidden ones are left out, links are followed once.

    Raises:
        SourceError: if a folder may not be read.
    """
    return sorted(path for path in _walk(folder, set()) if is_media(path))


def other_files(folder: Path) -> list[Path]:
    """All other files below a folder, likewise."""
    return sorted(path for path in _walk(folder, set()) if not is_media(path))


def is_media(path: Path) -> bool:
    """Whether a path has the ending of a video or an image."""
    return path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"`{folder}` must be a readable folder. Got: {reason}. Check its permissions.") from error
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, seen)
        else:
            yield entry


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted by name, hidden ones left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def is_frame_sequence(images: Iterable[Path]) -> bool:
    """Whether images are frames of one video: same prefix and width, numbered without a gap, two or more."""
    images = list(images)
    matches = [_FRAME_STEM.fullmatch(path.stem) for path in images]
    if len(matches) < 2 or not all(matches):
        return False
    found = [match for match in matches if match]
    looks = {(match["prefix"], len(match["number"])) for match in found}
    numbers = sorted(int(match["number"]) for match in found)
    consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return len(looks) == 1 and consecutive and len({path.suffix.lower() for path in images}) == 1


def is_broken_sequence(images: Sequence[Path]) -> bool:
    """Whether images are named like frames of one video, and are none: a number is missing, or digits are."""
    named = all(_FRAME_STEM_LIKE.fullmatch(path.stem) for path in images)
    return len(images) > 1 and named and not is_frame_sequence(images)


def sources_of_files(files: Iterable[Path]) -> list[VideoSource]:
    """One source per file, labelled by its folder; a folder of numbered frames becomes one source.

    Args:
        files: video and image files. A numbered sequence counts as frames if it is all images of its folder.
    """
    sources: list[VideoSource] = []
    for folder, members in groupby(sorted(files, key=lambda path: (path.parent, path)), key=lambda path: path.parent):
        paths = list(members)
        images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
        if is_frame_sequence(images) and images == images_in(folder):
            sources.append(VideoSource(path=folder, kind="frames", label=folder.absolute().parent.name))
            paths = [path for path in paths if path not in set(images)]
        label = folder.absolute().name
        sources.extend(
            VideoSource(path=path, kind="still" if path.suffix.lower() in IMAGE_SUFFIXES else "video", label=label)
            for path in paths
        )
    return sorted(sources, key=lambda source: source.path)
