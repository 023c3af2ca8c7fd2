"""Terminal output: tables of results, notes and warnings."""

import itertools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import markup
from rich.table import Table
from rich.text import Text

import video_tcav as vt
from video_tcav.core.errors import UnsavedResultError
from video_tcav.core.escaping import one_line
from video_tcav.core.terminal import console

# Columns where the output is no terminal, as in a log, and COLUMNS does not say how many; rich would take 80.
PLAIN_WIDTH = 120
out = console(
    soft_wrap=False,
    width=None if sys.stdout.isatty() else shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns,
)
# What is not broken: an interval, p with its value, and a number with what it counts.
_BOUND = re.compile(
    r"\[[-+\d.]+, [-+\d.]+\]|[-+−][\d.]+ to [-+−][\d.]+|p(?:_\w+)? [=<] [\d.]+|[-+\d.]+ (?=[^\W\d])|of \d+ \w+"
)
_SPACE = "\x00"  # which no text on one line holds
_NARROWEST = 40
errors = console(error=True, soft_wrap=True)


def line(text: str, style: str | None = None) -> None:
    """Print a line that may hold a path: no markup is read in it, and it is not broken."""
    out.print(text, markup=False, soft_wrap=True, style=style)


def warn(*texts: str) -> None:
    """Print warnings."""
    for text in texts:
        paragraph(text, bullet="! ", style="yellow")


def table(*columns: str, numbers: Sequence[str] = (), unbroken: Sequence[str] = (), **options: Any) -> Table:
    """A table without lines; `numbers` stand on the right, and neither they nor `unbroken` columns are broken.

    `options` are rich's. Texts in the other columns go over several lines where the terminal is narrow.
    """
    # Without a box, columns can be copied, and cut by other programs.
    lineless = Table(box=None, pad_edge=False, **options)
    for name in (*columns, *(name for name in numbers if name not in columns)):
        is_number = name in numbers
        lineless.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=is_number or name in unbroken,
            overflow="ellipsis" if is_number or name in unbroken else "fold",
        )
    return lineless


def paragraph(text: str, *, bullet: str = "", style: str | None = None, bullet_style: str | None = None) -> None:
    """Print a sentence broken at words, but never inside of an interval, or between a number and its sign or unit.

    It stays on one line where the output is a file or a pipe, and COLUMNS does not say how wide. Further lines stand below the
    first one's text, behind the bullet.
    """
    bound = _BOUND.sub(lambda match: match[0].replace(" ", _SPACE), f"{bullet}{one_line(text)}")
    is_wrapped = out.is_terminal or out.width != PLAIN_WIDTH
    lines = textwrap.wrap(
        bound,
        max(out.width, _NARROWEST) if is_wrapped else max(1, len(bound)),
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    styled = Text("\n".join(lines).replace(_SPACE, " "), style=style or "")
    if bullet_style:
        styled.stylize(bullet_style, 0, len(bullet))
    out.print(styled, soft_wrap=True)


def counted(count: int, noun: str) -> str:
    """A number of things: `1 clip`, `2 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def escape(text: str) -> str:
    """A name as rich markup that prints it literally: on one line, without control sequences or workflow commands."""
    return markup.escape(one_line(text))


def shortened(path: str, longest: int = 3, most_letters: int = 36) -> str:
    """The last folders and the file of a path, enough to recognise it, in so many letters."""
    pieces = Path(path).parts
    text = path if len(pieces) <= longest else str(Path("…", *pieces[-longest:]))
    if len(text) > most_letters and longest > 1:
        return shortened(path, longest - 1, most_letters)
    return text if len(text) <= most_letters else f"…{text[1 - most_letters :]}"


def skipped(files: Sequence[Any]) -> None:
    """List files that were not used."""
    if files:
        out.print(f"\n[bold]{counted(len(files), 'file')} could not be used:[/]")
        for file in files:
            line(f"  {one_line(f'{file.path}: {file.reason}')}")


@contextmanager
def shown_if_unsaved(show: Callable[[Any], None]) -> Iterator[None]:
    """Inside, a result that was computed is shown also where its files cannot be written: it took long.

    Raises:
        UnsavedResultError: after it was shown.
    """
    try:
        yield
    except UnsavedResultError as error:
        show(error.result)
        raise


def random_weights(model: "vt.VideoModel") -> None:
    """Warn where the model's weights are known to be random."""
    if not model.trained:
        warn("The model's weights are random: these numbers mean nothing. Give trained ones with --weights.")


def without_common_prefix(layers: Sequence[str]) -> dict[str, str]:
    """Layer names that are short enough for a column: the dotted prefix that all share is an ellipsis."""
    pieces = {name: name.split(".") for name in layers}
    # The last two pieces always stay: `…blocks.3` says more than `…3`.
    prefixes = zip(*(name_pieces[:-2] for name_pieces in pieces.values()), strict=False)
    common = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, prefixes))
    ellipsis = "…" if common else ""
    return {name: ellipsis + ".".join(name_pieces[common:]) for name, name_pieces in pieces.items()}
