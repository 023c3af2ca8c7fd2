"""Settings of a clip and names of classes as users write them: options, text files, metadata of weights."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from video_tcav.core.clip_spec import ClipSpec, Sampling, Short
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.limits import LimitError, excerpt, finite, parse_json, read_bounded
from video_tcav.models.output_kinds import OUTPUT_KINDS

CLIP_FIELDS = ("frames", "stride", "fps", "sampling", "short", "size", "resize", "mean", "std", "layout")
_MOST_NUMBERS = 3
MODEL_FIELDS = (*CLIP_FIELDS, "outputs")
"""What a module's `clip_spec`, the metadata of weights and the options may say: the clip, and what the outputs are."""


def parse_clip_fields(
    values: Mapping[str, Any], *, source: str, error: type[VideoTcavError] = InputError
) -> dict[str, Any]:
    """Fields of a `ClipSpec`, and `outputs`, out of loosely typed values; what is `None` or no such field is left out.

    Args:
        values: numbers, sequences, or their text as it stands in the metadata of weights ("112", "0.45,0.45,0.45").
        source: where the values come from, for the message.
        error: raised where a value cannot be read.

    Returns:
        Keyword arguments for `ClipSpec`, and `outputs` beside them where it is there.

    Raises:
        VideoTcavError: of the type `error`, naming the field.
    """
    fields: dict[str, Any] = {}
    for name in MODEL_FIELDS:
        if values.get(name) is None:
            continue
        try:
            fields[name] = _READERS[name](values[name])
        except (TypeError, ValueError) as reason:
            raise error(
                f"`{name}` of {source} must be {_RULES[name]}. Got {excerpt(values[name])}. Correct it or leave it out."
            ) from reason
    return fields


def merge_clip_spec(spec: ClipSpec, fields: Mapping[str, Any]) -> ClipSpec:
    """The clip with some fields replaced; a new size takes its own resize with it, a new stride turns `fps` off."""
    changes = {name: value for name, value in fields.items() if name in CLIP_FIELDS}
    if "size" in changes:
        changes.setdefault("resize", None)
    if "stride" in changes:
        changes.setdefault("fps", None)
    return dataclasses.replace(spec, **changes)


def read_classes(classes: str | Path | Sequence[str] | None) -> tuple[str, ...] | None:
    """Class names out of a file (one a line, or a JSON list), or as given.

    Args:
        classes: path of the file, or the names themselves; `None` stays `None`.

    Raises:
        InputError: if the file cannot be read, holds no names, or a name twice.
    """
    if classes is None:
        return None
    if isinstance(classes, str | Path):
        source = str(classes)
        names = parse_class_names(_read_text(Path(classes)), source)
    else:
        source, names = "the given list", tuple(str(name) for name in classes)
    return check_class_names(names, source)


def check_class_names(names: tuple[str, ...], source: str) -> tuple[str, ...]:
    """The names, if there are some, none is empty and none comes twice.

    Args:
        names: of the classes.
        source: where they come from, for the message.

    Raises:
        InputError: naming the first that is wrong.
    """
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if not names or doubled or not all(name.strip() for name in names):
        what = f"{doubled[0]!r} twice" if doubled else "an empty name" if names else "none"
        raise InputError(f"`classes` must name each class once. Got {what} in {source}. Correct the list.")
    return names


def parse_class_names(text: str, source: str) -> tuple[str, ...]:
    """Class names out of a JSON list, or one a line.

    Raises:
        InputError: if the text starts like a JSON list and is none of strings.
    """
    if not text.lstrip().startswith("["):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        names = parse_json(text)
    except ValueError as reason:
        raise InputError(f"`classes` must be a JSON list of names. Got {source}: {reason}. Correct it.") from reason
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"`classes` must be a JSON list of names. Got other values in {source}. Correct it.")
    return tuple(names)


def _read_text(path: Path) -> str:
    try:
        return read_bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise InputError(
            f"`classes` must be a readable text file, one class a line. Got {path}: {type(reason).__name__}. Check it."
        ) from reason
    except LimitError as reason:
        raise InputError(
            f"`classes` must be a readable text file, one class a line. Got {path}: {reason}. Check it."
        ) from reason


def _whole(value: Any) -> int:
    number = finite(value)
    if number != int(value):
        raise ValueError("no whole number")
    return int(value)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, str):
        value = value.strip().strip("[]()").replace("x", ",").split(",")
    items = value if isinstance(value, Sequence) else [value]
    if len(items) > _MOST_NUMBERS:
        raise ValueError("too many numbers")
    return [finite(item) for item in items]


def _size(value: Any) -> tuple[int, int] | None:
    if value == "native":
        return None
    numbers = [_whole(number) for number in _numbers(value)]
    height, width = numbers * 2 if len(numbers) == 1 else numbers
    return height, width


def _resize(value: Any) -> tuple[int, int] | int:
    numbers = [_whole(number) for number in _numbers(value)]
    if len(numbers) == 1:
        return numbers[0]
    height, width = numbers
    return height, width


def _triple(value: Any) -> tuple[float, float, float]:
    numbers = _numbers(value)
    red, green, blue = numbers * 3 if len(numbers) == 1 else numbers
    return red, green, blue


def _word(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(value)
        return value

    return read


_LAYOUTS = ("channels_first", "time_first")


_READERS = {
    "frames": _whole,
    "stride": _whole,
    "fps": finite,
    "size": _size,
    "resize": _resize,
    "mean": _triple,
    "std": _triple,
    "layout": _word(*_LAYOUTS),
    "sampling": _word(*get_args(Sampling)),
    "short": _word(*get_args(Short)),
    "outputs": _word(*OUTPUT_KINDS),
}
_RULES = {
    "frames": "a whole number",
    "stride": "a whole number",
    "fps": "a number",
    "size": "pixels, (height, width), or native",
    "resize": "pixels or (height, width)",
    "mean": "one number or three",
    "std": "one number or three",
    "layout": " or ".join(_LAYOUTS),
    "sampling": " or ".join(get_args(Sampling)),
    "short": ", ".join(get_args(Short)),
    "outputs": f"one of {', '.join(OUTPUT_KINDS)}",
}
