"""What stands behind a path: `PATH::LABEL`, `PATH::noun=knife`, `PATH::split=test::EF<40`, `PATH::format=jester`."""

import difflib
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.errors import SourceError
from video_tcav.core.limits import finite, shortened
from video_tcav.media.files import VideoSource

_MOST_LABELS = 10
_OPTION = re.compile(r"(?P<name>split|format)=(?P<value>.+)", re.DOTALL)
_COMPARED = re.compile(r"(?P<kind>[A-Za-z_]\w*)\s*(?P<sign><=|>=|<|>|=)\s*(?P<value>.*?)\s*", re.DOTALL)
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ANY_KIND = "label"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A path, and which of its sources are wanted.

    Attributes:
        path: as it was written.
        label: of the sources, or a comparison; `None` for all.
        split: of a published list; `None` for all.
        format: of a published list; `None` to detect it.
    """

    path: str
    label: str | None = None
    split: str | None = None
    format: str | None = None

    def kind_of_labels(self, kinds: Sequence[str]) -> str | None:
        """Which of a list's kinds of labels the label names; `None` for the first."""
        match = self._comparison()
        return match["kind"] if match and match["kind"] in kinds else None

    def choose(self, sources: list[VideoSource], kinds: Sequence[str] = ()) -> list[VideoSource]:
        """The sources with the label, or whose label fits the comparison; labels are of the kind that it names.

        Raises:
            SourceError: if there is none, or labels that are compared are no numbers.
        """
        if self.label is None:
            return sources
        match = self._comparison()
        is_label = any(source.label == self.label for source in sources)  # which may hold such a sign
        if match is None or is_label or (match["sign"] == "=" and match["kind"] not in kinds):
            return self._with_label(sources, self.label)
        if match["kind"] not in (*kinds, _ANY_KIND):
            names = ", ".join(dict.fromkeys((*kinds, _ANY_KIND)))
            raise SourceError(f"`{self.path}` must have what is compared: {names}. Got {match['kind']!r}. Choose one.")
        if match["sign"] == "=":
            return self._with_label(sources, match["value"]) if match["value"] else sources
        return self._of_size(sources, match["sign"], match["value"])

    def _comparison(self) -> re.Match[str] | None:
        return None if self.label is None else _COMPARED.fullmatch(self.label)

    def _with_label(self, sources: list[VideoSource], label: str) -> list[VideoSource]:
        labelled = [source for source in sources if source.label == label]
        if labelled:
            return labelled
        labels = sorted({source.label for source in sources if source.label is not None})
        if not labels:
            raise SourceError(
                f"`{self.path}` must have labels for ::{label}. Got none. Add a column `label`, or leave it out."
            )
        labels.sort(key=lambda other_label: -difflib.SequenceMatcher(None, other_label.lower(), label.lower()).ratio())
        listed = shortened(labels, _MOST_LABELS)
        raise SourceError(f"`{self.path}` must have the label after `::`. Got {label!r}. Choose one of: {listed}.")

    def _of_size(self, sources: list[VideoSource], sign: str, value: str) -> list[VideoSource]:
        """Sources whose label is a number on one side of a bound."""
        numbers = [source.number for source in sources]
        try:
            bound = finite(value)
            measured = [number for number in numbers if number is not None]
            if len(measured) < len(numbers):
                raise ValueError(f"the label {next(each.label for each in sources if each.number is None)!r}")
        except ValueError as error:
            raise SourceError(
                f"`{self.path}` must have numbers to compare behind `::`. Got {error}. Choose a label instead."
            ) from error
        compare = _COMPARISONS[sign]
        chosen = [source for source, number in zip(sources, measured, strict=True) if compare(number, bound)]
        if not chosen:
            span = f"{min(measured):g} to {max(measured):g}"
            raise SourceError(
                f"`{self.path}` must have a video with {self.label}. Got {len(measured)} numbers, {span}. Change the bound."
            )
        return chosen


def parse_selection(text: str) -> Selection:
    """Path and selection of a text; a path that exists is one, whatever it holds."""
    path, chosen, options = text, None, dict[str, str]()
    while True:
        head, label = _split_label(path)
        match = None if label is None else _OPTION.fullmatch(label)
        if match is not None:
            options.setdefault(match["name"], match["value"])
        elif label is not None and chosen is None and not options:  # a label comes last
            chosen = label
        else:
            return Selection(path=path, label=chosen, split=options.get("split"), format=options.get("format"))
        path = head


def _split_label(text: str) -> tuple[str, str | None]:
    head, mark, label = text.rpartition("::")
    if not mark or not head or Path(text).expanduser().exists():
        return text, None
    return head, label
