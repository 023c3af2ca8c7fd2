"""Consoles that escape control characters and GitHub workflow commands in names and messages."""

import sys
from typing import Any

from rich._null_file import NULL_FILE
from rich.console import Console
from rich.text import Text

from video_tcav.core.escaping import printable, without_commands


class _Guarded:
    """The current standard stream, with lines that GitHub would take for a workflow command escaped."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _stream(self) -> Any:
        return getattr(sys, self._name) or NULL_FILE  # a program without a console (pythonw) has none

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)

    def write(self, text: str) -> int:
        # `split("\n")`, not `splitlines`: a name may hold a letter that only Python takes for the end of a line
        return self._stream().write("\n".join(_without_command(line) for line in text.split("\n")))


def _without_command(line: str) -> str:
    return without_commands(line) if "##[" in line or line.lstrip().startswith("::") else line


class SafeConsole(Console):
    """A rich console that escapes control characters in texts; its own styles are as usual."""

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
    """Let both standard streams escape characters that their encoding lacks, instead of raising in the middle of a result."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # the streams of a notebook have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
