"""YAML as plain values with the line of each; depth, alias bombs, tags and long numbers are refused before any value is built."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import LimitError, excerpt, read_bounded

# The path to a value: keys and positions, from the outside in.
YamlPath = tuple[str | int, ...]
# Bytes: far more than a person writes; lists of clips belong into manifests.
LARGEST_FILE = 2**20
# Values and keys, those behind aliases counted as often as they are used: an alias bomb of 0.5 kB stands for 10^9.
MOST_VALUES = 20_000
# Collections within each other; the deepest place of an experiment is 6 down.
DEEPEST = 32
# Characters of a number or date: Python reads 4,300 digits, and slower the longer it is.
LONGEST_NUMBER = 100
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is thirty times as fast
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")
_resolver = yaml.SafeLoader("")


def dotted(path: YamlPath) -> str:
    """A path as messages write it, such as `concepts.swing`."""
    return ".".join(map(str, path))


@dataclass(frozen=True, kw_only=True)
class YamlFile:
    """Values of a YAML file with their lines.

    Attributes:
        path: the file.
        values: plain values, as `yaml.safe_load` gives them.
        lines: line of each value, counted from one, by its path; the line of its key where it has one.
    """

    path: Path
    values: Any
    lines: Mapping[YamlPath, int]

    def line(self, path: YamlPath) -> int:
        """The line of a value, or of the innermost value around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: YamlPath, message: str) -> ExperimentError:
        """An error about a value: file and line, then the message."""
        return ExperimentError(f"{self.path}:{self.line(path)}: {message}")


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file as plain values; refuses duplicate keys, and what would expand without bound.

    Raises:
        ExperimentError: if it cannot be read, is no YAML, or holds a key twice, too many values, or tags.
    """
    text = _text(path)
    try:
        check_events(text, path)  # before anything is built: an alias bomb would exhaust memory
        loader = LOADER(text)
        try:
            node = loader.get_single_node()
            lines = {} if node is None else _lines(node, path)
            values = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
        return YamlFile(path=path, values=values, lines=lines)
    except ExperimentError:
        raise  # it is a ValueError too, and says its line already
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ExperimentError(
            f"{path}:{line}: the file must be YAML. Got: {_excerpt(error.problem or error)}. Fix this line (indent with spaces;"
            " quote text that holds : or #)."
        ) from error
    except yaml.YAMLError as error:
        raise ExperimentError(f"{path}:1: the file must be YAML. Got: {_excerpt(error)}. Fix it.") from error
    except (ValueError, OverflowError) as error:  # a date that does not exist, a number beyond a float
        raise ExperimentError(
            f"{path}:1: the file must hold values that exist. Got: {_excerpt(error)}. Quote what is text."
        ) from error


def _excerpt(error: object) -> str:
    """The message of a library's error, on one line of bounded length."""
    return " ".join(str(error).split())[:200]


def _text(path: Path) -> str:
    try:
        return read_bounded(path, most=LARGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path}:1: the file must be text in UTF-8. Got other bytes. Save it as UTF-8."
        ) from error
    except LimitError as error:
        raise ExperimentError(
            f"{path}:1: the file must be YAML, smaller than 1 MB. Got {error}. Lists of clips belong into manifests."
        ) from error
    except OSError as error:
        raise ExperimentError(
            f"{path}:1: the file must be readable. Got: {error.strerror}. Check the path and its permissions."
        ) from error


def _lines(root: yaml.Node, file: Path) -> dict[YamlPath, int]:
    lines: dict[YamlPath, int] = {}

    def visit(node: yaml.Node, path: YamlPath, line: int) -> None:
        lines[path] = line
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name, key_line = _key(key, file), key.start_mark.line + 1
                if (*path, name) in lines:
                    raise ExperimentError(
                        f"{file}:{key_line}: a key must come once. Got {excerpt(name)} twice, first on line"
                        f" {lines[(*path, name)]}. Remove or rename one."
                    )
                visit(value, (*path, name), key_line)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                visit(value, (*path, index), value.start_mark.line + 1)

    visit(root, (), root.start_mark.line + 1)
    return lines


def _key(node: yaml.Node, path: Path) -> str:
    mistake = f"{path}:{node.start_mark.line + 1}: a key must be text."
    if not isinstance(node, yaml.ScalarNode):
        raise ExperimentError(f"{mistake} Got a list or mapping. Write a name before the colon.")
    if node.tag == "tag:yaml.org,2002:merge":
        raise ExperimentError(f"{mistake} Got <<, a merge. Write out what it stands for.")
    if node.tag != "tag:yaml.org,2002:str":  # such as 1, yes or null
        raise ExperimentError(
            f"{mistake} Got {excerpt(node.value)}, which YAML takes for another value. Put it in quotes."
        )
    return node.value


@dataclass
class _Open:
    """A list or mapping within which the parser is."""

    anchor: str | None
    values: int = 1


@dataclass
class _Count:
    open: list[_Open] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, values: int, anchor: str | None) -> None:
        """Count a finished value for the innermost open collection."""
        if self.open:
            self.open[-1].values += values
        else:
            self.total += values
        if anchor is not None:
            self.sizes[anchor] = values


def check_events(text: str, path: Path) -> None:
    """Refuse a text that would expand without bound, or whose tags would build other than plain values.

    Raises:
        ExperimentError: for the first such event, with its line in the file `path`.
        yaml.YAMLError: if it is no YAML.
    """
    # Events come one by one from the parser: nothing is expanded, so counting costs no memory.
    count = _Count()
    for event in yaml.parse(text, Loader=LOADER):
        for rule in _broken_rules(event, count):
            raise ExperimentError(f"{path}:{event.start_mark.line + 1}: {rule}")


def _broken_rules(event: yaml.Event, count: _Count) -> Iterator[str]:
    """Count an event, and give the rules that it breaks."""
    if isinstance(event, yaml.AliasEvent):
        # Only an open collection can be its own ancestor; PyYAML would build a list that holds itself.
        if any(collection.anchor == event.anchor for collection in count.open):
            yield "a value must not hold itself. Got an alias of its own parent. Remove it."
        count.add(count.sizes.get(event.anchor or "", 1), None)
    elif isinstance(event, yaml.CollectionStartEvent):
        if not event.implicit:
            yield f"the file must be YAML of plain values. Got the tag {str(event.tag)[:60]!r}. Remove it."
        count.open.append(_Open(event.anchor))
        if len(count.open) > DEEPEST:
            yield f"the file must be YAML of {DEEPEST} levels at most. Got deeper ones. Write fewer brackets or indents."
    elif isinstance(event, yaml.CollectionEndEvent):
        collection = count.open.pop()
        count.add(collection.values, collection.anchor)
    elif isinstance(event, yaml.ScalarEvent):
        if event.tag not in _TEXT_TAGS:
            yield f"the file must be YAML of plain values. Got the tag {str(event.tag)[:60]!r}. Remove it."
        # Implicit: a plain scalar, which is resolved to a number; quoted text may be of any length.
        if len(event.value) > LONGEST_NUMBER and event.implicit[0] and _is_number(event.value):
            yield f"a number must have {LONGEST_NUMBER} characters at most. Got {event.value[:20]}…. Quote what is text."
        count.add(1, event.anchor)
    if count.total + sum(collection.values for collection in count.open) > MOST_VALUES:
        yield f"the file must hold {MOST_VALUES:,} values at most. Got more, through aliases or in all."


def _is_number(text: str) -> bool:
    return _resolver.resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str"
