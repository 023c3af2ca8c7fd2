"""Video sources, and the files and folders that hold pictures, by their endings and names."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from video_tcav.core.checks import require
from video_tcav.core.errors import SourceError
from video_tcav.core.escaping import well_formed
from video_tcav.core.limits import finite

SourceKind = Literal["video", "still", "frames"]

# endings of the formats that `container` allows; a test reads a file of each
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".avi", ".webm", ".mkv", ".mov", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp"}
    | {".ts", ".mts", ".m2ts", ".m2t", ".vob", ".asf", ".f4v", ".3g2", ".qt", ".divx", ".dv", ".apng", ".mj2"}
    | {".h264", ".264", ".h265", ".265", ".hevc", ".m2v", ".mjpeg", ".mjpg", ".ivf", ".obu", ".y4m"}
)
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff"}
    | {".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".qoi"}
)

TAR_SUFFIX = ".tar"  # of the frames of one video

# frames of a video are numbered with three digits or more; with fewer they may be a person's numbered photos
_FRAME_STEM_LIKE = re.compile(r"(?:img|image|frame)?[-_ ]?\d+", re.IGNORECASE)
# Toyota Smarthome: class, person, repetition, view, camera (Das et al. 2019, doi:10.1109/ICCV.2019.00092)
_SMARTHOME_STEM = re.compile(r"(?P<label>[A-Za-z][\w.]*?)_(?P<person>p\d{2})_r\d{2}_v\d{2}_(?P<camera>c\d{2})")
_FRAME_STEM = re.compile(r"(?P<prefix>(?:img|image|frame)?[-_ ]?)(?P<number>\d{3,})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class VideoSource:
    """One video, or one segment of it, to take clips from.

    Attributes:
        path: the video file, the image file, or the folder or tar of frames; the name of a clip in memory.
        kind: `video` for a file that plays, `still` for one image, `frames` for a folder or tar of numbered images.
        label: from the folder, manifest or annotation file.
        start_s: start of the segment in seconds; `None` is the start of the video.
        end_s: end of the segment in seconds, exclusive; `None` is the end of the video.
        group: name of the exchangeability block (such as a person or camera); `None` is the file itself.
        pair: name of the pair of clips, with and without a concept, that it belongs to; `None` is none, or as the file is named.
        identifiers: what a published list or name tells of it, such as `(("participant", "P01"), ("recording", "P01_01"))`; the
            first is the group, and `group` of a run may name another.
    """

    path: Path
    kind: SourceKind
    label: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    group: str | None = None
    pair: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        start_s = self.start_s or 0
        exists = 0 <= start_s < math.inf
        require(exists, "start_s", "be 0 or more", start_s, "Give seconds from the start of the video.")
        later = self.end_s is None or self.end_s > start_s
        require(later, "end_s", f"be later than `start_s`, {start_s}", self.end_s, "Swap them.")

    @property
    def number(self) -> float | None:
        """The label as a number, such as a measured ejection fraction; `None` where it is none."""
        try:
            return finite(self.label or "")
        except ValueError:
            return None

    @property
    def key(self) -> str:
        """The path, and the segment where there is one: `clip.mp4#t=1.5,4`."""
        path = well_formed(str(self.path))  # keys stand in tables and on terminals, which hold valid text only
        if self.start_s is None and self.end_s is None:
            return path
        end = "" if self.end_s is None else f",{self.end_s:.15g}"
        return f"{path}#t={self.start_s or 0:.15g}{end}"


def kind_of(path: Path) -> SourceKind | None:
    """Kind of a source by the ending of its path; folders and tars are `frames`, and other files `None`."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in IMAGE_SUFFIXES:
        return "still"
    return "frames" if is_tar(path) or path.is_dir() else None


def is_tar(path: Path) -> bool:
    """Whether a path has the ending of a tar and is no folder."""
    return path.suffix.lower() == TAR_SUFFIX and not path.is_dir()


def media_files(folder: Path) -> list[Path]:
    """All video and image files and tars of frames below a folder, sorted."""
    return sorted(path for path in files_below(folder) if is_media(path))


def is_media(path: Path) -> bool:
    """Whether a path has the ending of a video, an image or a tar of frames."""
    return path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES | {TAR_SUFFIX}


def files_below(folder: Path, visited: set[Path] | None = None) -> Iterator[Path]:
    """All files below a folder, without hidden ones; links are followed once."""
    visited = set() if visited is None else visited
    real = folder.resolve()
    if real in visited:  # links may lead in a circle
        return
    visited.add(real)
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"`{folder}` must be a readable folder. Got: {reason}. Check its permissions.") from error
    for entry in entries:
        if entry.is_dir():
            yield from files_below(entry, visited)
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
    patterns = {(match["prefix"], len(match["number"])) for match in matches if match}
    numbers = sorted(int(match["number"]) for match in matches if match)
    consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return len(patterns) == 1 and consecutive and len({path.suffix.lower() for path in images}) == 1


def is_broken_sequence(images: Sequence[Path]) -> bool:
    """Whether images are named like frames of one video, but with gaps or too few digits."""
    are_numbered = all(_FRAME_STEM_LIKE.fullmatch(path.stem) for path in images)
    return len(images) > 1 and are_numbered and not is_frame_sequence(images)


def named_source(path: Path, label: str | None) -> VideoSource:
    """A source of a file; published names that say what it shows, and of whom, count more than its folder."""
    kind, match = kind_of(path) or "video", _SMARTHOME_STEM.fullmatch(path.stem)
    if match is None:
        return VideoSource(path=path, kind=kind, label=label)
    person, camera = match["person"], match["camera"]
    identifiers = (("person", person), ("camera", camera))
    return VideoSource(path=path, kind=kind, label=match["label"], group=person, identifiers=identifiers)


def sources_of_files(files: Iterable[Path]) -> list[VideoSource]:
    """One source per file, labelled by its folder; a numbered sequence that is all images of its folder is one source."""
    sources: list[VideoSource] = []
    for folder, members in groupby(sorted(files, key=lambda path: (path.parent, path)), key=lambda path: path.parent):
        paths = list(members)
        images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
        if is_frame_sequence(images) and images == images_in(folder):
            sources.append(VideoSource(path=folder, kind="frames", label=folder.absolute().parent.name))
            paths = [path for path in paths if path not in set(images)]
        label = folder.absolute().name
        sources += [named_source(path, label) for path in paths]
    return sorted(sources, key=lambda source: source.path)
