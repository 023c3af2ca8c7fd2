"""Regular expressions of users over paths, bounded in size and in time against catastrophic backtracking."""

import re
import time
import warnings

import regex

from video_tcav.core.errors import InputError

_MOST_CHARACTERS = 1000
_MOST_EXPANDED = 2_000_000  # length of a pattern times its repeat counts, which the engine writes out at 300 bytes each
_SEARCH_S = 0.4  # for one path
_MEAN_SEARCH_S = 0.001  # over many paths: a common pattern takes some microseconds

_TOKEN = re.compile(r"\\N\{[^}]*\}|\\.|\{(\d*),?(\d*)\}|(\{)|.", re.DOTALL)
_CURE = "Write, for example, '([a-z]+)_'."


class PathPattern:
    """A regular expression that is searched in paths, in the syntax of Python's `re`.

    It is matched by the `regex` package, whose searches can be ended by the clock. Where the two packages read a text
    differently (sets in sets, braces that are no counts), the pattern is refused.

    Args:
        pattern: the expression.
        argument: what an error calls it.

    Raises:
        InputError: if it is invalid, or too large.
    """

    def __init__(self, pattern: str, argument: str = "group") -> None:
        self._pattern, self._argument = pattern, argument
        self._searches, self._spent_s = 0, 0.0
        self._check_size()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # sets in sets, which `re` and `regex` read differently
                re.compile(pattern)
                self._compiled = regex.compile(pattern, regex.VERSION0)
        except (re.error, regex.error, ValueError, OverflowError, RecursionError, MemoryError, Warning) as error:
            raise self._invalid(" ".join(str(error).split()) or "it nests too deep") from error

    def name_in(self, path: str) -> str | None:
        """The first group of the match in a path, or the whole match; `None` if there is none.

        Raises:
            InputError: if the search takes too long on this path, or on all paths so far.
        """
        self._searches += 1
        # the clock of this thread alone: a machine that is busy, or asleep, makes no pattern slow
        begin, allowed_s = time.thread_time(), _SEARCH_S + _MEAN_SEARCH_S * self._searches - self._spent_s
        try:
            if allowed_s <= 0:
                raise TimeoutError
            match = self._compiled.search(path, timeout=min(_SEARCH_S, allowed_s))
        except (TimeoutError, MemoryError) as error:
            raise InputError(
                f"`{self._argument}` must be a pattern that is quick on every path. Got {self._shown()}, which tries too many"
                f" ways on {path}. Avoid repeats within repeats, such as (.*)*."
            ) from error
        finally:
            self._spent_s += time.thread_time() - begin
        if not match:
            return None
        first = match.group(1) if self._compiled.groups else None
        return first if first is not None else match.group(0)

    def _check_size(self) -> None:
        if len(self._pattern) > _MOST_CHARACTERS:
            raise self._invalid(f"more than {_MOST_CHARACTERS} characters")
        expanded = len(self._pattern)
        for token in _TOKEN.finditer(self._pattern):
            if token.group(2) is not None:
                least, most = token.group(1), token.group(2)
                if max(len(least), len(most)) >= 10:
                    raise self._invalid("repeats that are too large")
                expanded *= max(1, int(least or 0))  # only what must be there is written out
            elif token.group(3):
                raise self._invalid(r"a brace that begins no count, which must be written \{")
            if expanded > _MOST_EXPANDED:
                raise self._invalid("repeats that are too large")

    def _invalid(self, reason: str) -> InputError:
        return InputError(
            f"`{self._argument}` must be video or a regular expression. Got {self._shown()} ({reason}). {_CURE}"
        )

    def _shown(self) -> str:
        return self._pattern if len(self._pattern) <= 100 else f"{self._pattern[:100]}…"
