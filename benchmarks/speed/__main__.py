"""What passes and runs cost on this machine, both sides by turns in one process.

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
    """Measure on this machine what passes and runs cost, against PyTorch as it comes, a plain loop and Captum.

    Everything runs on the CPU, both sides by turns in one process. --quick takes less than three minutes on two idle cores.
    """
    if out is not None:
        check_file_writable(out)
    found = measure_speed(quick=quick, progress=True)
    if out is not None:
        found.to_json(out)
    render.out.print(_speeds(found))
    render.out.print(
        "ratio: how many times as long the second takes; medians of the rounds. effects: largest difference of TCAV effects, "
        "relative to the largest effect. clips: passed in one round.",
        style="dim",
    )
    if out is not None:
        render.out.print(f"\nTable: {out}", markup=False, soft_wrap=True)


def _speeds(found: Speed) -> Table:
    """What was measured, against what, on how many clips."""
    table = Table("", "model", "what", "against", box=None, pad_edge=False)
    for name in ("clips", "rounds", "seconds", "ratio", "effects"):
        table.add_column(name, justify="right", no_wrap=True)
    part = None
    for one in found.rows:
        effects = "–" if one.effect_difference is None else f"{one.effect_difference:.1e}"
        ratio = f"{one.ratio:.2f}×"
        if one.limit is not None:
            ratio += f" {KEPT[one.ratio <= one.limit]}"
        seconds = f"{one.seconds:.2f} / {one.against_seconds:.2f}"
        table.add_row(
            *("" if one.part == part else one.part, one.model, one.what, one.against, str(one.clips)),
            *(str(one.rounds), seconds, ratio, effects),
        )
        part = one.part
    return table


if __name__ == "__main__":
    run(speed)
