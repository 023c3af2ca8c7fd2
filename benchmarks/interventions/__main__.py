"""Interventions at layers against what is known: edits of pixels, meaningless concepts, and real clips.

python -m benchmarks.interventions agreement --model rendered:r2plus1d-scene --drawings 1
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from benchmarks.calibration.calibration import rule_name
from benchmarks.interventions.agreement import agreement_table, model_table
from benchmarks.interventions.cells import cells
from rich.table import Table

from video_tcav.cli import render
from video_tcav.cli.app import ending
from video_tcav.core.files import check_writable
from video_tcav.core.progress import progress_bar
from video_tcav.core.tables import write_csv
from video_tcav.gram.cavs.registry import CAV_FITTERS, cav_fitter
from video_tcav.models import load_model
from video_tcav.rendered import rule_of
from video_tcav.rendered.models import rendered_names

app = typer.Typer(add_completion=False, no_args_is_help=True)
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables.")]
Models = Annotated[
    list[str] | None,
    typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of all clips and draws.")]
_OUT = Path("interventions-out")


@app.callback()
def interventions() -> None:
    """Measure interventions at layers against what is known."""


@app.command()
def agreement(
    model: Models = None,
    drawings: Annotated[int, typer.Option(min=1, help="Of all clips.")] = 4,
    clips: Annotated[int, typer.Option(min=2, help="Of each class, which are edited.")] = 10,
    pool: Annotated[int, typer.Option(min=1, help="Clips that CAVs are learned from.")] = 560,
    correlation: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the pool whose object and scene follow the motion.")
    ] = 0.0,
    cav: Annotated[str, typer.Option(metavar="|".join(CAV_FITTERS.names()), help="Kind of CAV.")] = "mean",
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Compare slope, step and clamp at every stage with edits of pixels, beside the difference of mean log-odds."""
    check_writable(out)
    names = model or [f"rendered:{each}" for each in rendered_names()]
    rules = [rule_of(rule_name(name)) for name in names]
    rows, path = [], out / f"cells-{cav}-{correlation:g}.csv"
    with progress_bar("models", drawings * len(names), visible=True) as advance:
        for drawing in range(seed, seed + drawings):
            for name, rule in zip(names, rules, strict=True):
                options = {"pool_clips": pool, "class_clips": clips, "drawing": drawing}
                made = cells(load_model(name, device="cpu"), rule, cav_fitter(cav), correlation=correlation, **options)
                rows += [cell.row() for cell in made]
                write_csv(path, pd.DataFrame(rows))  # what was measured counts if the command is stopped
                advance(1)
    table = pd.DataFrame(rows)
    _print("agreement with edits of pixels", pd.DataFrame([vars(row) for row in agreement_table(table)]))
    _print("rank correlation of each model", model_table(table))
    render.out.print(f"Cells: {path}", markup=False, soft_wrap=True)


def _print(title: str, frame: pd.DataFrame) -> None:
    table = Table(*frame.columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    render.out.print(table)


if __name__ == "__main__":
    ending(app)
