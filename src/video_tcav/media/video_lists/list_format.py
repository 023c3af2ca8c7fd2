"""A format of lists: how it is detected by content, and how its lines become sources."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.limits import excerpt, finite
from video_tcav.core.registry import Registry
from video_tcav.core.text_files import numbered_lines, parse_json, plain_name, read_text
from video_tcav.media.files import VideoSource
from video_tcav.media.manifest import header_separator, read_table, split_cells
from video_tcav.media.video_lists.video_folder import MOST_REMEMBERED, VideoFolder

Identifiers = tuple[tuple[str, str], ...]


class ListFile:
    """A list on disk, read once, in whichever form a format needs."""

    def __init__(self, path: Path) -> None:
        self.path, self.suffix = path, path.suffix.lower()

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return read_text(self.path, error=SourceError)

    @cached_property
    def first_line(self) -> str:
        """The first line that is not blank."""
        return self.lines[0][1] if self.lines else ""

    @cached_property
    def columns(self) -> frozenset[str]:
        """Cells of the first line of a CSV file; none for other files."""
        if self.suffix != ".csv":
            return frozenset()
        return frozenset(plain_name(cell) for cell in split_cells(self.first_line, header_separator(self.first_line)))

    @cached_property
    def content(self) -> Any:
        """The value of a JSON file; `None` for other files, and for text that is no JSON."""
        if self.suffix != ".json":
            return None
        return parse_json(self.text, f"`{self.path}`", error=SourceError)

    @cached_property
    def lines(self) -> list[tuple[int, str]]:
        """Lines that are not blank, with their numbers."""
        return numbered_lines(self.text)

    def matches(self, pattern: re.Pattern[str], example: str) -> Iterator[tuple[str, re.Match[str]]]:
        """Each line as a match of a pattern, with its name for messages."""
        for number, line in self.lines:
            match = pattern.fullmatch(line)
            if match is None:
                raise self.bad(f"line {number},", f"read like `{example}`", line)
            yield f"line {number},", match

    def table(self, *columns: str) -> pd.DataFrame:
        """Text cells of a CSV file with these columns."""
        table = read_table(self.path)
        if missing := [column for column in columns if column not in table.columns]:
            raise SourceError(
                f"`{self.path}` must have the published columns. Got none named {', '.join(missing)}. Use the published file."
            )
        return table

    def rows(self, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Rows of a CSV file with these columns, each with its name for messages."""
        for number, row in enumerate(self.table(*columns).to_dict("records"), start=1):
            yield f"row {number} after the header,", {str(column): cell for column, cell in row.items()}

    def bad(self, where: str, rule: str, value: object, cure: str = "Correct it.") -> SourceError:
        """The error of a line or entry."""
        return SourceError(f"`{self.path}`, {where} must {rule}. Got {excerpt(value)}. {cure}")

    def number(self, where: str, name: str, value: object) -> float:
        """A finite number of a cell or an entry."""
        try:
            return finite(value)
        except (TypeError, ValueError) as error:
            raise self.bad(where, f"have a number as {name}", value) from error

    def whole_number(self, where: str, name: str, value: object) -> int:
        """A whole number, 0 or more."""
        number = self.number(where, name, value)
        if number != int(number) or not 0 <= number < 2**53:
            raise self.bad(where, f"have a whole number as {name}", value)
        return int(number)

    def source(self, where: str, make: Callable[..., VideoSource], **fields: Any) -> VideoSource:
        """A source, or the error of its line, such as for a segment that ends before it starts."""
        try:
            return make(**fields)
        except InputError as error:
            raise SourceError(f"`{self.path}`, {where} cannot be used: {error}") from error

    def beside(self, *patterns: str) -> Path | None:
        """The first file in the list's folder, or the folder above it, whose name fits one of the patterns."""
        folders = (self.path.absolute().parent, self.path.absolute().parent.parent)
        matches = (file for folder in folders for pattern in patterns for file in sorted(folder.glob(pattern)))
        return next((file for file in matches if file.is_file()), None)


@dataclass(frozen=True, kw_only=True)
class ListChoice:
    """What of a list is wanted.

    Attributes:
        split: name of a split; `None` for all.
        labels: which of the format's kinds of labels, such as `noun`; its first if not given.
    """

    split: str | None = None
    labels: str | None = None


class VideoListFormat(ABC):
    """A published format of lists of videos.

    Attributes:
        name: as `format` of `read_annotations` names it.
        help: a line on it.
        identifiers: what the list tells of each video, such as its participant; the first is the group by default.
        labels: kinds of labels to choose from; the first is the default. Empty where there is one kind.
        has_splits: whether one file holds several splits.
        is_per_video: whether each video has a list of its own.
        is_general: whether other formats are tried first, since this one takes whatever names files.
        may_repeat: whether a published list may name a source twice, as where several annotators or objects do.
        source: where the format is described.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    identifiers: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = ()
    has_splits: ClassVar[bool] = False
    is_per_video: ClassVar[bool] = False
    is_general: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = False
    source: ClassVar[str]

    @abstractmethod
    def detects(self, file: ListFile) -> bool:
        """Whether the content of a file is unmistakably of this format."""

    @abstractmethod
    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Sources in the order of the list; a video that is not there has the path where it was expected.

        Raises:
            SourceError: naming the line that is not of the format.
            InputError: if there is no such split or kind of labels.
        """

    def kind_of_labels(self, choice: ListChoice) -> str:
        """The chosen kind of labels, or the first."""
        return choice.labels or self.labels[0]


def checked_split(file: ListFile, splits: Iterable[str], chosen: str | None) -> None:
    """Refuse a split that a list does not have.

    Raises:
        InputError: naming those that it has.
    """
    names = sorted(set(splits))
    if chosen is not None and chosen not in names:
        raise InputError(f"`split` must be one that {file.path} has: {', '.join(names)}. Got {chosen!r}. Choose one.")


def seconds_of(text: str) -> float:
    """Seconds of a time such as `00:01:02.345`, or of a number.

    Raises:
        ValueError: if it is none.
    """
    fields = [finite(field) for field in text.split(":")]
    if len(fields) > 3 or any(field < 0 for field in fields):
        raise ValueError(f"{text} is no time")
    return math.fsum(field * 60**power for power, field in enumerate(reversed(fields)))


def grouped(identifiers: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a source for its identifiers, of which the first is the group."""
    named = _plain_identifiers(tuple(identifiers.items()))
    return {"identifiers": named, "group": named[0][1]} if named else {}


@lru_cache(maxsize=MOST_REMEMBERED)  # a list names each of its videos many times
def _plain_identifiers(identifiers: Identifiers) -> Identifiers:
    plain = ((name, plain_name(value)) for name, value in identifiers)
    return tuple((name, value) for name, value in plain if value)


LIST_FORMATS: Registry[VideoListFormat] = Registry(
    "video_tcav.video_lists",
    "format",
    {
        name: f"video_tcav.media.video_lists.{module}:{name.upper().replace('-', '_')}"
        # in the order in which they are tried
        for name, module in {
            "kinetics": "kinetics",
            "activitynet": "activitynet",
            "finegym": "finegym",
            "diving48": "diving48",
            "ssv2": "something",
            "jester": "something",
            "epic-kitchens": "epic_kitchens",
            "charades": "charades",
            "ava": "ava",
            "cholec80": "cholec80",
            "echonet": "echonet",
            "hmdb51": "ucf_hmdb",
            "ucf101": "ucf_hmdb",
            "haa500": "haa500",
            "training": "training",
        }.items()
    },
    members=("name", "help", "detects", "read"),
)
