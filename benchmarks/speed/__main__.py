"""Speed of passes and runs on this machine, both sides by turns in one process.

python -m benchmarks.speed --quick
"""

from pathlib import Path
from typing import Annotated

import typer
from benchmarks.command import KEPT, run
from benchmarks.speed.speed import Speed, measure_speed
from rich.table import Table

from video_tcav.cli import render
from video_tcav.core.files import check_file_writable


def speed(
    quick: Annotated[bool, typer.Option("--quick", help="Few clips, smaller ones for the transformer.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the table as JSON.")] = None,
) -> None:
    """Measure the speed of passes and runs on this machine, against plain PyTorch, a plain loop and Captum.

    Everything runs on the CPU, both sides by turns in one process. --quick takes less than three minutes on two idle cores.
    """
    if out is not None:
        check_file_writable(out)
    result = measure_speed(quick=quick, progress=True)
    if out is not None:
        result.to_json(out)
    render.out.print(_speeds(result))
    render.out.print(
        "ratio: how many times as long the second takes; medians of the rounds. effects: largest difference of TCAV effects, "
        "relative to the largest effect. clips: passed in one round.",
        style="dim",
    )
    if out is not None:
        render.out.print(f"\nTable: {out}", markup=False, soft_wrap=True)


def _speeds(result: Speed) -> Table:
    """One row a comparison."""
    table = Table("", "model", "what", "against", box=None, pad_edge=False)
    for name in ("clips", "rounds", "seconds", "ratio", "effects"):
        table.add_column(name, justify="right", no_wrap=True)
    section = None
    for row in result.rows:
        effects = "–" if row.effect_difference is None else f"{row.effect_difference:.1e}"
        ratio = f"{row.ratio:.2f}×"
        if row.limit is not None:
            ratio += f" {KEPT[row.ratio <= row.limit]}"
        seconds = f"{row.seconds:.2f} / {row.against_seconds:.2f}"
        table.add_row(
            *("" if row.part == section else row.part, row.model, row.what, row.against, str(row.clips)),
            *(str(row.rounds), seconds, ratio, effects),
        )
        section = row.part
    return table


if __name__ == "__main__":
    run(speed)
