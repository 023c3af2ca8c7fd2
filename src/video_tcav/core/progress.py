"""Progress bars with rate and time left, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from video_tcav.core.logs import is_quiet
from video_tcav.core.terminal import console

Advance = Callable[[float], None]
"""Called with the number of steps just done, which may be a fraction."""


def no_progress(_steps: float) -> None:
    """An `Advance` that shows nothing."""


class _RateColumn(ProgressColumn):
    """Steps a second, as measured over the last steps."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def progress_bar(description: str, total: int, *, visible: bool) -> Iterator[Advance]:
    """Show a bar while the block runs; yields the function that advances it."""
    if not visible or is_quiet():
        yield no_progress
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console(error=True)) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.advance(task, steps)
