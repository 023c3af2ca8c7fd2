"""Checks of arguments: one line that names the argument, the rule and what came instead."""

from collections.abc import Sequence
from typing import Any

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """The value itself, if it is allowed.

    Raises:
        InputError: if it is not.
    """
    if value not in allowed:
        raise InputError(f"`{name}` must be one of {', '.join(allowed)}. Got {excerpt(value)}. Choose one of them.")
    return value


def at_least(name: str, value: int, least: int, most: int = 2**63 - 1) -> int:
    """The value itself, if it is large enough, and not larger than what could be counted or held.

    Raises:
        InputError: if it is not.
    """
    if not value >= least:
        raise InputError(f"`{name}` must be at least {least}. Got {excerpt(value)}. Give a larger number.")
    if value > most:
        raise InputError(f"`{name}` must be at most {most}. Got {excerpt(value)}. Give a smaller number.")
    return value
