"""Argument checks: errors of one line that name the argument, the rule, the value and what to do."""

import difflib
import math
from collections.abc import Collection, Sequence
from numbers import Integral
from typing import Any

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt

MOST_COUNT = 2**63 - 1  # of what 64-bit counters of NumPy and SQLite hold


def require(holds: bool, name: str, rule: str, value: object, cure: str = "Choose one of them.") -> None:
    """Refuse an argument that does not keep its rule.

    Args:
        holds: whether it does.
        name: of the argument.
        rule: what follows "must", such as `be positive`.
        value: of the argument.
        cure: what to do, a sentence.

    Raises:
        InputError: unless `holds`.
    """
    if not holds:
        raise InputError(f"`{name}` must {rule}. Got {excerpt(value)}. {cure}")


def one_of(name: str, value: Any, allowed: Sequence[Any], cure: str = "Choose one of them.") -> Any:
    """The value itself, if it is allowed; see `require`."""
    require(value in allowed, name, f"be one of {', '.join(allowed)}", value, cure)
    return value


def closest_hint(name: str, known: Collection[str]) -> str:
    """What to do about an unknown name: the closest of the known ones, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."


def at_least(name: str, value: Any, least: float, most: float = MOST_COUNT, cure: str = "Give a larger number.") -> Any:
    """The value itself, if it is large enough, and not larger than what could be counted or held; see `require`."""
    require(value >= least, name, f"be at least {least}", value, cure)
    require(value <= most, name, f"be at most {most}", value, "Give a smaller number.")
    return value


def positive(name: str, value: float, cure: str) -> float:
    """The value itself, if it is positive and finite; see `require`."""
    require(0 < value < math.inf, name, "be positive", value, cure)
    return value


def between(name: str, value: float, cure: str, *, least: float = 0, most: float = 1) -> float:
    """The value itself, if it lies strictly between two bounds; see `require`."""
    require(least < value < most, name, f"be between {least} and {most}", value, cure)
    return value


def whole_number(name: str, value: Any) -> int:
    """The value as an `int`, if it is of any integer type; see `require`."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    require(is_whole, name, "be a whole number", value, "Give one without decimals.")
    return int(value)
