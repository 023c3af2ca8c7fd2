"""YAML with line numbers: plain values, and the line of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import LimitError, excerpt, read_bounded
from video_tcav.experiments.yaml_events import LOADER, YamlMistake, check_events

# The path to a value: keys and positions, from the outside in.
YamlPath = tuple[str | int, ...]
# Bytes: far more than a person writes; lists of clips belong into manifests.
LARGEST_FILE = 2**20


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
        check_events(text)  # before anything is built: an alias bomb would exhaust memory
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
    except YamlMistake as error:
        raise ExperimentError(f"{path}:{error.line}: {error.rule}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ExperimentError(
            f"{path}:{line}: the file must be YAML. Got: {excerpt_of(error.problem or error)}. Fix this line (indent with spaces;"
            " quote text that holds : or #)."
        ) from error
    except yaml.YAMLError as error:
        raise ExperimentError(f"{path}:1: the file must be YAML. Got: {excerpt_of(error)}. Fix it.") from error
    except (ValueError, OverflowError) as error:  # a date that does not exist, a number beyond a float
        raise ExperimentError(
            f"{path}:1: the file must hold values that exist. Got: {excerpt_of(error)}. Quote what is text."
        ) from error


def excerpt_of(error: object) -> str:
    """The message of a library's error, on one line of bounded length."""
    return " ".join(str(error).split())[:200]


def _text(path: Path) -> str:
    try:
        return read_bounded(path, most=LARGEST_FILE).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ExperimentError(f"{path}:1: the file must exist. Got no such file. Check the path.") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path}:1: the file must be text in UTF-8. Got other bytes. Save it as UTF-8."
        ) from error
    except LimitError as error:
        raise ExperimentError(
            f"{path}:1: the file must be an experiment in YAML, smaller than 1 MB. Got {error}. Name its file, and put clips into"
            " manifests."
        ) from error
    except OSError as error:
        raise ExperimentError(
            f"{path}:1: the file must be readable. Got: {error.strerror}. Check its permissions."
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


def _key(node: yaml.Node, path: Path) -> Any:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise ExperimentError(
            f"{path}:{line}: a key must be text. Got a list or mapping. Write a name before the colon."
        )
    if node.tag == "tag:yaml.org,2002:merge":
        raise ExperimentError(f"{path}:{line}: a key must be text. Got <<, a merge. Write out what it stands for.")
    # A key is built by the rules of values: 1 is a number, and equal to 1.0, when duplicates are looked for.
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
