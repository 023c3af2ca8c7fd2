"""Settings of a clip as users write them: options, modules, metadata of weights."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from video_tcav.core.clip_spec import ClipSpec, Sampling, Short
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.limits import excerpt, finite
from video_tcav.models.class_names import parse_class_names as parse_class_names
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


def _whole(value: Any) -> int:
    number = finite(value)
    if number != int(value):
        raise ValueError("no whole number")
    return int(value)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, str):
        value = value.strip().strip("[]()").replace("x", ",").split(",")
    items = value if isinstance(value, Sequence) and not isinstance(value, bytes) else [value]
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
