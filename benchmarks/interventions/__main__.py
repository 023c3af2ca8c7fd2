"""Interventions at layers against what is known: edits of pixels, meaningless concepts, and real clips.

python -m benchmarks.interventions agreement --model rendered:r2plus1d-scene --drawings 1
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from benchmarks.calibration.calibration import rule_name
from benchmarks.interventions.agreement import agreement_table, model_table, sign_table
from benchmarks.interventions.cells import cells
from benchmarks.interventions.edited_clips import load_edits, load_real_clips
from benchmarks.interventions.meaningless import error_rows
from benchmarks.interventions.real_edits import SPACES, edit_rows, places, record
from benchmarks.interventions.restored import restore_rows
from rich.table import Table

from video_tcav.cli import render
from video_tcav.cli.app import ending
from video_tcav.core.checks import one_of
from video_tcav.core.files import check_writable
from video_tcav.core.progress import progress_bar
from video_tcav.core.tables import write_csv
from video_tcav.gram.cavs.registry import CAV_FITTERS, cav_fitter
from video_tcav.models import load_model
from video_tcav.rendered import rule_of
from video_tcav.rendered.models import rendered_names
from video_tcav.tcav.settings import PLACES, At

app = typer.Typer(add_completion=False, no_args_is_help=True)
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables.")]
Models = Annotated[
    list[str] | None,
    typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of all clips and draws.")]
_OUT = Path("interventions-out")
_ORDER_MODELS = ("rendered:r2plus1d-order", "rendered:transformer-order")
_ERROR_MODELS = ("rendered:r2plus1d-scene", "rendered:transformer-motion")


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


@app.command()
def errors(
    model: Annotated[
        list[str] | None, typer.Option(metavar="M", help="A rendered: model; both of scenes if not given.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Of concept, random and edited clips, at each place.")] = 1000,
    relabellings: Annotated[int, typer.Option(min=19, help="CAVs of permuted labels of each draw.")] = 39,
    at: Annotated[str, typer.Option(metavar="|".join((*PLACES, "both")), help="Clips that are edited.")] = "both",
    pool: Annotated[int, typer.Option(min=100, help="Clips that both sets are drawn from.")] = 560,
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Measure how often operations find something where concept and random clips come from one pool."""
    check_writable(out)
    one_of("at", at, (*PLACES, "both"))
    chosen: list[At] = [place for place in PLACES if at in (place, "both")]
    names, rows = model or list(_ERROR_MODELS), []
    with progress_bar("draws", draws * len(names) * len(chosen), visible=True) as advance:
        for name in names:
            for place in chosen:
                options = {"draws": draws, "relabellings": relabellings, "pool_clips": pool, "seed": seed}
                network, before = load_model(name, device="cpu"), list(rows)
                for so_far in error_rows(network, rule_of(rule_name(name)), place, advance=advance, **options):
                    rows = [*before, *map(vars, so_far)]
                    write_csv(out / "errors.csv", pd.DataFrame(rows))  # counts if the command is stopped
    _print("found where there is nothing", pd.DataFrame(rows))


@app.command()
def order(
    clips: Annotated[int, typer.Option(min=3, help="Of the class, which are reversed.")] = 20,
    pool: Annotated[int, typer.Option(min=1, help="Clips that CAVs are learned from.")] = 160,
    relabellings: Annotated[int, typer.Option(min=19, help="CAVs of permuted labels.")] = 99,
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Measure what of the order of frames comes back through the concept of the order, and through another."""
    check_writable(out)
    options = {"pool_clips": pool, "class_clips": clips, "relabellings": relabellings, "seed": seed}
    rows = []
    for name in _ORDER_MODELS:
        rows += [vars(row) for row in restore_rows(load_model(name, device="cpu"), **options)]
        write_csv(out / "order.csv", pd.DataFrame(rows))
    _print("share of what reversed clips lose that comes back", pd.DataFrame(rows))


@app.command()
def real(
    model: Annotated[str, typer.Option(metavar="M", help="As in `video-tcav test`.")],
    clips: Annotated[str, typer.Option(metavar="DIR", help="Clips in folders by their class.")],
    edits: Annotated[Path, typer.Option(metavar="FILE", help="Python file with a function edits(indoor).")],
    target: Annotated[list[str], typer.Option(metavar="CLASS", help="May be given several times.")],
    weights: Annotated[str | None, typer.Option(metavar="FILE", help="Of the model.")] = None,
    group: Annotated[str, typer.Option(metavar="REGEX", help="What is independent, in the path.")] = "video",
    count: Annotated[int, typer.Option(min=4, help="Clips that are edited, of a class and of all.")] = 20,
    space: Annotated[list[str] | None, typer.Option(metavar="|".join(SPACES), help="All if not given.")] = None,
    edit: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Of the file; all if not given.")] = None,
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Compare slope, step, clamp and restore with what edits of real clips do to a model, at every layer and space."""
    check_writable(out)
    network = load_model(model, weights=weights, device="cpu")
    loaded = load_real_clips(network, clips, group=group)
    named = load_edits(edits, loaded, edit)
    spaces = [one_of("space", each, SPACES) for each in space or SPACES]
    rows, path = [], out / "real.csv"
    recorded = {}
    for name in target:
        for at, chosen in places(network, loaded, name, count=count, seed=seed).items():
            same = next((kept for (_, place), kept in recorded.items() if at == place == "random"), None)
            recorded[name, at] = same or record(network, loaded.some(chosen.tolist()), named)
    for layer in reversed(network.default_layers):  # tails of deep layers are short: most is known early
        for (name, at), kept in recorded.items():
            rows += [row.row() for row in edit_rows(network, kept, name, at, layer=layer, spaces=spaces)]
            write_csv(path, pd.DataFrame(rows))  # what was measured counts if the command is stopped
    _print("right signs, and rank", sign_table(pd.DataFrame(rows)))
    render.out.print(f"Edits: {path}", markup=False, soft_wrap=True)


def _print(title: str, frame: pd.DataFrame) -> None:
    table = Table(*frame.columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    render.out.print(table)


if __name__ == "__main__":
    ending(app)
