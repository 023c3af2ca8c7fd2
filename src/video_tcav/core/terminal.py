"""Consoles: what a terminal or the log of a workflow shows of results and errors, whatever names are in them."""

import sys
from typing import Any

from rich._null_file import NULL_FILE
from rich.console import Console
from rich.text import Text

from video_tcav.core.escaping import printable, without_commands


class _Guarded:
    """The standard stream of now, with no line in it that GitHub takes for a command."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _stream(self) -> Any:
        return getattr(sys, self._name) or NULL_FILE  # a program without a terminal has none

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)

    def write(self, text: str) -> int:
        # `split("\n")`, not `splitlines`: a name may hold a letter that only Python takes for the end of a line
        return self._stream().write("\n".join(_without_command(line) for line in text.split("\n")))


def _without_command(line: str) -> str:
    return without_commands(line) if "##[" in line or line.lstrip().startswith("::") else line


class SafeConsole(Console):
    """A console that shows control characters instead of obeying them; its own styles are as usual."""

    def render_str(self, text: str, **options: Any) -> Text:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Every text that is printed, and every cell of a table."""
        return super().render_str(printable(text), **options)


def console(*, error: bool = False, **options: Any) -> SafeConsole:
    """A console on standard output, or on standard error.

    Args:
        error: whether it is the one for errors and progress.
        **options: as rich's `Console` takes them.
    """
    name = "stderr" if error else "stdout"
    return SafeConsole(file=_Guarded(name), highlight=False, **options)  # pyright: ignore[reportArgumentType]


def make_streams_lenient() -> None:
    """Have both standard streams spell out what their encoding lacks: no result is lost for the sake of a bullet."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what a notebook puts there has none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
