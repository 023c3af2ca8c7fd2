"""Class names: lists of them in the formats that data sets and training code ship (lines, numbered lines, JSON)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.text_files import numbered_lines, parse_json, plain_name, read_text

# "0 name", "0,name", "0: name"; and "name,0", where a space alone would not do: names may end with a number.
# Nine digits at most, so that no text becomes an integer of thousands of digits.
_NUMBER_FIRST = re.compile(r'"?(?P<number>\d{1,9})"?(?:\s*[,;:\t]\s*|\s+)(?P<name>\S.*)')
_NUMBER_LAST = re.compile(r'(?P<name>[^,;\t].*?)[,;\t]\s*"?(?P<number>\d{1,9})"?')
_HEADER_WORDS = frozenset(
    {"id", "idx", "index", "number", "label_id", "class_id", "class_idx", "class_index"}
    | {"name", "label", "class", "label_name", "class_name"}
)


def read_classes(classes: str | Path | Sequence[str] | None) -> tuple[str, ...] | None:
    """Class names out of a file that `parse_class_names` reads, or the given list; `None` stays `None`."""
    if classes is None:
        return None
    if isinstance(classes, str | Path):
        return check_class_names(parse_class_names(read_text(Path(classes)), str(classes)), str(classes))
    return check_class_names(tuple(plain_name(str(name)) for name in classes), "the given list")


def check_class_names(names: tuple[str, ...], source: str) -> tuple[str, ...]:
    """The names, if there are some, none is empty and none comes twice, whatever the spaces in it."""
    doubled = [name for name, count in Counter(map(plain_name, names)).items() if count > 1]
    if not names or doubled or not all(plain_name(name) for name in names):
        problem = f"{doubled[0]!r} twice" if doubled and doubled[0] else "an empty name" if names else "none"
        raise InputError(f"`classes` must name each class once. Got {problem} in {source}. Correct the list.")
    return names


def classes_by_simple_name(classes: Sequence[str]) -> dict[str, str]:
    """Classes by their simple names; without those that two classes share."""
    counts = Counter(map(simple_name, classes))
    return {simple_name(name): name for name in classes if counts[simple_name(name)] == 1}


def class_of_label(classes: Sequence[str], label: str) -> str | None:
    """The class that a label means: by a name that is spelled alike, or else by its number; `None` if there is none."""
    label = well_formed(label)
    name = classes_by_simple_name(classes).get(simple_name(label), label)
    if name in classes:
        return name
    # where classes are called `1`, `2`, …, a label `0` that is none of them says that labels count otherwise than names do
    if any(known.isdecimal() for known in classes):
        return None
    number = _integer(name)
    return classes[number] if 0 <= number < len(classes) else None


def simple_name(name: str) -> str:
    """A name without what folders and lists spell differently: `Playing_Tennis` and `playing tennis` are one class."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def check_class_count(classes: Sequence[str] | None, outputs: int) -> None:
    """Refuse names whose number differs from that of the model's outputs."""
    if classes is not None and len(classes) != outputs:
        raise InputError(
            f"`classes` must name the {outputs} outputs of the model. Got {len(classes)} names."
            " Give the list that the model was trained with."
        )


def order_notes(classes: Sequence[str] | None, published: Sequence[str], source: str) -> tuple[str, ...]:
    """A note where the user's names are those of the model in another order: each output then gets another's name."""
    names, others = ([simple_name(name) for name in each] for each in (classes or (), published))
    if names == others or sorted(names) != sorted(others):
        return ()
    output = next(number for number, (name, other) in enumerate(zip(names, others, strict=True)) if name != other)
    return (
        f"The given classes are those of {source} in another order: output {output} is {(classes or ())[output]!r} here, and"
        f" {published[output]!r} there. Leave them out if its order is right.",
    )


def numbered_names(outputs: int) -> tuple[str, ...]:
    """Names of outputs without names: "0", "1" and so on."""
    return tuple(map(str, range(outputs)))


def parse_class_names(text: str, source: str) -> tuple[str, ...]:
    """Class names in the order of the model's outputs.

    Read are a JSON list, a JSON object `{name: number}` or `{number: name}`, one name a line, and numbered lines
    (`0 name`, `0,name`, `name,0`, with or without a header), which are put in the order of their numbers.

    Raises:
        InputError: if JSON holds anything else, or the numbers do not run from 0 or 1 on.
    """
    if text.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return _names_of_json(parse_json(text, f"`classes` in {source}"), source)
    lines = [line for _, line in numbered_lines(text)]
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        body = lines[1:] if lines and _is_header(lines[0]) else lines
        matches = [pattern.fullmatch(line) for line in body]
        numbered = [match for match in matches if match]
        if body and len(numbered) == len(body):
            return _in_order([(int(match["number"]), match["name"]) for match in numbered], source)
        if len(numbered) > len(body) / 2:
            line = body[matches.index(None)]
            raise InputError(f"`classes` must number all lines or none. Got {line!r} in {source}. Correct the list.")
    return tuple(_unquoted(line) for line in lines)


def _names_of_json(content: Any, source: str) -> tuple[str, ...]:
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return tuple(_unquoted(name) for name in content)
    if isinstance(content, Mapping) and content:
        by_name = [(_integer(number), name) for name, number in content.items()]
        by_number = [(_integer(number), name) for number, name in content.items()]
        orders = [pairs for pairs in (by_name, by_number) if all(n >= 0 and isinstance(name, str) for n, name in pairs)]
        if len(orders) == 1:  # {"0": "1"} can be read both ways: it is refused
            return _in_order(orders[0], source)
    raise InputError(
        f"`classes` must be a JSON list of names, or an object of names and numbers. Got other values in {source}. Correct it."
    )


def _in_order(pairs: Sequence[tuple[int, str]], source: str) -> tuple[str, ...]:
    """Names in the order of their numbers, which must run from 0 or 1 on without gap or double."""
    numbers = sorted(number for number, _ in pairs)
    first = min(numbers[0], 1)
    wrong = next((number for rank, number in enumerate(numbers, start=first) if number != rank), None)
    if wrong is not None:
        problem = f"{wrong} twice" if numbers.count(wrong) > 1 else f"{wrong} after a gap"
        raise InputError(
            f"`classes` must be numbered from 0 or 1 on, each number once. Got {problem} in {source}. Correct the list."
        )
    return tuple(_unquoted(name) for _, name in sorted(pairs))


def _is_header(line: str) -> bool:
    cells = [_unquoted(cell).lower().replace(" ", "_") for cell in re.split(r"[,;\t]", line)]
    # Two words at least: a lone "name" or "label" may be the name of a class.
    cells = line.lower().split() if len(cells) == 1 else cells
    return len(cells) == 2 and set(cells) <= _HEADER_WORDS


def _unquoted(name: str) -> str:
    """A name without the quotes that tables, and the class names of Kinetics in JSON, have around it."""
    name = plain_name(name)
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return plain_name(name[1:-1].replace('""', '"')) if quoted else name


def _integer(value: object) -> int:
    """The class number that a value or its text is; −1 if it is none."""
    return int(str(value)) if not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,9}", str(value)) else -1
