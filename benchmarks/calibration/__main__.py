"""Calibration of the statistics: type I error, power and agreement with interventions, as a table and a figure.

python -m benchmarks.calibration --model rendered:r2plus1d-scene --cav mean
"""

from pathlib import Path
from typing import Annotated

import typer
from benchmarks.calibration.calibration import Calibration, calibrate
from benchmarks.calibration.figure import write_calibration_figure
from benchmarks.command import KEPT, run
from rich.table import Table

from video_tcav.cli import render
from video_tcav.core.files import check_writable
from video_tcav.gram.cavs.registry import CAV_FITTERS


def calibration(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, help="Of concept = random clips, for each model, layer and CAV kind.")
    ] = 1000,
    cav: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(CAV_FITTERS.names()), help="CAV kinds for the type I error; all if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables, JSON and figure.")] = Path(
        "calibration-out"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Processes for the statistics.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of all clips and draws.")] = 0,
) -> None:
    """Measure type I error, power and agreement with interventions, on models whose causes are known.

    All models take about half an hour on two cores; one model with --cav mean about two minutes.
    """
    check_writable(out)
    result = calibrate(model, draws=draws, cavs=cav, jobs=jobs, seed=seed, progress=True)
    result.write(out)
    figure = write_calibration_figure(result, out / "calibration.png")
    render.out.print(_rates(result))
    table = Table("promise", "found", "", box=None, pad_edge=False)
    for claim in result.claims():
        table.add_row(claim.claim, claim.found, KEPT[claim.holds])
    render.out.print(table)
    render.out.print(f"\nTables and figure: {figure.parent}", markup=False, soft_wrap=True)


def _rates(result: Calibration) -> Table:
    """Type I error by model and CAV kind, over layers."""
    frame = result.rejections_frame()
    errors = frame[frame["what"] == "type I"]
    table = Table("type I error at 5 %", "CAV", "permutation", "t-test", box=None, pad_edge=False)
    for (model, cav), rows in errors.groupby(["model", "cav"], sort=False):
        rates = rows.groupby("test")["rate"].mean()
        table.add_row(str(model), str(cav), f"{rates['permutation']:.1%}", f"{rates['t-test']:.1%}")
    return table


if __name__ == "__main__":
    run(calibration)
