"""An annotation as files hold it: a video by name, a label, a span in seconds or boxes by frame."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from video_tcav.concepts.bank.records import Box
from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.registry import Registry
from video_tcav.core.text_files import parse_json, read_text


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One thing in one video.

    Attributes:
        video: name of the video's file, or what it is called without its ending.
        label: what it shows.
        span_s: begin and end in seconds; `None` where frames say it.
        boxes: index of a frame of the video, and left, top, right, bottom in pixels there; between two frames the box moves
            evenly. None for the whole picture.
        end_frame: the frame after the last; `None` for the last of the boxes.
    """

    video: str
    label: str
    span_s: tuple[float, float] | None = None
    boxes: tuple[tuple[int, Box], ...] = ()
    end_frame: int | None = None


@dataclass(frozen=True, kw_only=True)
class AnnotatedVideo:
    """A video, and what is annotated in it, to be written.

    Attributes:
        path: of the video.
        width: in pixels.
        height: in pixels.
        fps: frames per second.
        frames: how many it has.
        duration_s: how long it is.
        annotations: what is in it, with span, frames and boxes.
    """

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    annotations: Sequence[Annotation]


@contextmanager
def json_content(path: Path, form: str, cure: str) -> Iterator[Any]:
    """The content of a JSON file; what raises where it is not of the form is a `SourceError` of one line."""
    content = parse_json(read_text(path, error=SourceError), f"`{path}`", error=SourceError)
    try:
        yield content
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"`{path}` must be {form}. Got: {reason}. {cure}") from error


class AnnotationFormat(ABC):
    """A format of annotation files.

    Attributes:
        name: that options take.
        help: one line.
    """

    name: ClassVar[str]
    help: ClassVar[str]

    @abstractmethod
    def read(self, path: Path) -> list[Annotation]:
        """The annotations of a file.

        Raises:
            SourceError: if the file cannot be read, or is of another format.
        """

    @abstractmethod
    def write(self, folder: Path, videos: Sequence[AnnotatedVideo]) -> None:
        """Write files of the format into a folder that exists."""


def distinct_stems(videos: Sequence[AnnotatedVideo]) -> None:
    """Refuse two videos that a file would name alike."""
    paths: dict[str, Path] = {}
    for video in videos:
        namesake = paths.setdefault(video.path.stem, video.path)
        if namesake != video.path:
            raise InputError(
                f"`videos` must have names of their own in such a file. Got {namesake} and {video.path}. Rename one of them, or "
                "export one concept at a time."
            )


ANNOTATION_FORMATS: Registry[AnnotationFormat] = Registry(
    "video_tcav.annotation_formats",
    "format",
    {
        "cvat": "video_tcav.proposals.annotation_files.cvat:CVAT",
        "coco": "video_tcav.proposals.annotation_files.coco:COCO",
        "activitynet": "video_tcav.proposals.annotation_files.activitynet:ACTIVITYNET",
    },
    members=("name", "help", "read", "write"),
)
