"""YAML that knows on which line each of its values stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from video_tcav.core.errors import ExperimentError

Place = tuple[str | int, ...]
"""Where a value is: keys and positions, from the outside in."""
LARGEST_FILE = 2**20


@dataclass(frozen=True, kw_only=True)
class YamlFile:
    """Values of a YAML file, and where they stand.

    Attributes:
        path: the file.
        values: plain values, as `yaml.safe_load` gives them.
        lines: line of each value, counted from one, by its place; the line of its key where it has one.
    """

    path: Path
    values: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of a value, or of the innermost value around it that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, place: Place, message: str) -> ExperimentError:
        """An error about a value, with file and line in front."""
        return ExperimentError(f"{self.path}:{self.line(place)}: {message}")


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file with `safe_load`; keys that come twice are refused.

    Raises:
        ExperimentError: if it cannot be read, is no YAML, or holds a key twice.
    """
    text = _text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = {} if node is None else _lines(node, path)
        return YamlFile(path=path, values=yaml.safe_load(text), lines=lines)
    except ExperimentError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ExperimentError(
            f"{path}:{line}: the file must be YAML. Got: {error.problem or error}. Mend this line (indent with spaces; quote text"
            " that holds : or #)."
        ) from error
    except yaml.YAMLError as error:
        raise ExperimentError(
            f"{path}:1: the file must be YAML. Got: {' '.join(str(error).split())}. Mend it."
        ) from error
    except ValueError as error:  # a date that does not exist, and the like
        raise ExperimentError(
            f"{path}:1: the file must hold values that exist. Got: {error}. Quote what is text."
        ) from error


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise ExperimentError(
                f"{path}:1: the file must be an experiment in YAML. Got a folder. Name the file in it."
            )
        if path.stat().st_size > LARGEST_FILE:
            raise ExperimentError(
                f"{path}:1: the file must be smaller than 1 MB. Got a larger one. Put clips into manifests."
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExperimentError(f"{path}:1: the file must exist. Got no such file. Check the path.") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path}:1: the file must be text in UTF-8. Got other bytes. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise ExperimentError(
            f"{path}:1: the file must be readable. Got: {error.strerror}. Check its permissions."
        ) from error


def _lines(root: yaml.Node, path: Path) -> dict[Place, int]:
    lines: dict[Place, int] = {}

    def visit(node: yaml.Node, place: Place, line: int, above: tuple[int, ...]) -> None:
        if id(node) in above:
            raise ExperimentError(
                f"{path}:{line}: a value must not hold itself. Got an alias of its own parent. Remove it."
            )
        lines[place] = line
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = yaml.safe_load(yaml.serialize(key)) if not isinstance(key, yaml.ScalarNode) else _scalar(key)
                if (*place, name) in lines and key.tag != "tag:yaml.org,2002:merge":
                    raise ExperimentError(
                        f"{path}:{key.start_mark.line + 1}: a key must come once. Got {name!r} twice, first on line"
                        f" {lines[(*place, name)]}. Remove or rename one."
                    )
                visit(value, (*place, name), key.start_mark.line + 1, (*above, id(node)))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                visit(value, (*place, index), value.start_mark.line + 1, (*above, id(node)))

    visit(root, (), root.start_mark.line + 1, ())
    return lines


def _scalar(node: yaml.ScalarNode) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
