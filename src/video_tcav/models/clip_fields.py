"""Clip settings as users write them (options, `clip_spec`, metadata of weights), parsed into fields of a `ClipSpec`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter

from video_tcav.core.clip_spec import ClipSpec, InputLayout, OutputKind, Sampling, Short
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.limits import excerpt, finite

_MOST_NUMBERS = 3  # of a colour; sizes have two


def parse_clip_fields(
    values: Mapping[str, Any], *, source: str, error: type[VideoTcavError] = InputError
) -> dict[str, Any]:
    """Fields of a `ClipSpec`, and `outputs`, out of loosely typed values; what is `None` or no such field is left out.

    Args:
        values: numbers, sequences, or their text as it stands in the metadata of weights ("112", "0.45,0.45,0.45").
        source: where the values come from, for the message.
        error: raised where a value cannot be read.
    """
    fields: dict[str, Any] = {}
    for name, (parse, rule) in _PARSERS.items():
        if values.get(name) is None:
            continue
        try:
            fields[name] = parse(values[name])
        except (TypeError, ValueError) as reason:
            raise error(
                f"`{name}` of {source} must be {rule}. Got {excerpt(values[name])}. Correct it or leave it out."
            ) from reason
    return fields


def merge_fields(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Clip settings, later sources over earlier ones; a new size drops an earlier resize, a new stride an earlier `fps`."""
    merged: dict[str, Any] = {}
    for fields in sources:
        for name, dependent in (("size", "resize"), ("stride", "fps")):
            if name in fields:
                merged.pop(dependent, None)
        merged |= fields
    return merged


def merge_clip_spec(spec: ClipSpec, fields: Mapping[str, Any]) -> ClipSpec:
    """The clip with some fields replaced, as `merge_fields` does."""
    merged = merge_fields(vars(spec), fields)
    return ClipSpec(**{name: value for name, value in merged.items() if name in CLIP_FIELDS})


def _integer(value: Any) -> int:
    if finite(value) != int(value):
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
    sides = _resize(value)
    return (sides, sides) if isinstance(sides, int) else sides


def _resize(value: Any) -> tuple[int, int] | int:
    sides = [_integer(number) for number in _numbers(value)]
    if len(sides) == 1:
        return sides[0]
    height, width = sides
    return height, width


def _triple(value: Any) -> tuple[float, float, float]:
    numbers = _numbers(value)
    red, green, blue = numbers * 3 if len(numbers) == 1 else numbers
    return red, green, blue


def _word_of(kind: Any) -> tuple[Callable[[Any], Any], str]:
    *words, last = get_args(kind)
    return TypeAdapter(kind).validate_python, f"{', '.join(words)} or {last}"


_PARSERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "frames": (_integer, "a whole number"),
    "stride": (_integer, "a whole number"),
    "fps": (finite, "a number"),
    "sampling": _word_of(Sampling),
    "short": _word_of(Short),
    "size": (_size, "pixels, (height, width), or native"),
    "resize": (_resize, "pixels or (height, width)"),
    "mean": (_triple, "one number or three"),
    "std": (_triple, "one number or three"),
    "layout": _word_of(InputLayout),
    "outputs": _word_of(OutputKind),
}
"""By field: its parser, which raises a ValueError or TypeError, and the rule that an error states."""
MODEL_FIELDS = tuple(_PARSERS)
"""What a module's `clip_spec`, the metadata of weights and the options may say: the clip, and what the outputs are."""
CLIP_FIELDS = MODEL_FIELDS[:-1]
