"""Attribution methods on models with known causes: localisation, faithfulness and sanity, as a table and a figure.

python -m benchmarks.attribution_table --model rendered:r2plus1d-object --method gradcam
"""

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmarks.attribution_table.concept_rows import concept_rows
from benchmarks.attribution_table.figure import write_attribution_figure
from benchmarks.attribution_table.table import AttributionBenchmark, benchmark_attribution
from benchmarks.command import run
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import render
from video_tcav.core.files import check_writable


def attribution(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A method of attribution, or a concept map of the true cause: concept, concept-clamp, and either with"
            " ' (first)'; may be given several times; all if not given.",
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Explained for each model; slow methods get fewer.")] = 24,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for table, JSON and figure.")] = Path(
        "attribution-out"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the clips, the random weights and the moved maps.")] = 0,
) -> None:
    """Measure localisation, faithfulness and sanity of attribution maps, on models whose causes are known.

    All methods on all models take about a quarter of an hour on two cores.
    """
    concepts = concept_rows(seed)
    names = method or [*vt.attribution.METHODS, *concepts]
    chosen = {name: concepts.get(name) or vt.attribution.make_method(name) for name in names}
    check_writable(out)
    benchmark = benchmark_attribution(model, chosen, clips=clips, seed=seed, jobs=jobs, progress=True)
    benchmark.write(out)
    figure = write_attribution_figure(benchmark, out / "attribution.png")
    render.out.print(_maps(benchmark))
    render.out.print(
        "Averages over the models of a rule. point: largest value inside. deletion, insert: how much better "
        "than the same map elsewhere; others: "
        "deletion, than the method's maps of other clips; no model: deletion, than the best of frame difference, centre and "
        "edges, which use none. A star: not shown to be better on each model. random: rank "
        "correlation with maps of networks that have learned nothing, above chance; a method fails where that is too much. "
        "order: 1 does not notice the order of frames. shift: 1 moves along with the picture.",
        style="dim",
    )
    for sentence in benchmark.verdicts():
        render.out.print(f"! {sentence}", style="yellow", markup=False)
    for note in dict.fromkeys(f"{result.method}: {result.note}" for result in benchmark.results if result.note):
        render.out.print(f"! {note}", style="yellow", markup=False)
    render.out.print(f"\nTable and figure: {figure.parent}", markup=False, soft_wrap=True)


def _maps(benchmark: AttributionBenchmark) -> Table:
    """All methods, by rule."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule (chance)", no_wrap=True)
    table.add_column("method", no_wrap=True)
    for name in (
        "inside",
        "lift",
        "point",
        "deletion",
        "others",
        "no model",
        "insert",
        "random",
        "fails",
        "order",
        "shift",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for rule, rows in benchmark.by_rule().groupby("rule", sort=False):
        chance = f"{rule} ({rows['area'].mean():.0%})"
        for number, row in enumerate(rows.to_dict("records")):
            table.add_row("" if number else chance, *_map_cells(row), end_section=number == len(rows) - 1)
    return table


def _map_cells(row: dict[Hashable, Any]) -> list[str]:
    """One method on the models of one rule; a dash where nothing was measured."""
    cells = [
        "–" if math.isnan(row[name]) else shape.format(row[name])
        for name, shape in (
            ("energy", "{:.0%}"),
            ("lift", "{:.1f}×"),
            ("pointing", "{:.0%}"),
            ("deletion_gain", "{:+.2f}"),
            ("deletion_gain_other_clips", "{:+.2f}"),
            ("deletion_gain_model_free", "{:+.2f}"),
            ("insertion_gain", "{:+.2f}"),
            ("excess", "{:+.2f}"),
            ("order_similarity", "{:.2f}"),
            ("shift_stability", "{:.2f}"),
        )
    ]
    for place, name in enumerate(("elsewhere", "other_clips", "model_free"), start=3):
        cells[place] += "*" if row[f"not_better_{name}"] else ""
    fails = f"[bold red]{row['failed']} of {row['models']}[/]" if row["failed"] else ""
    return [str(row["method"]), *cells[:8], fails, *cells[8:]]


if __name__ == "__main__":
    run(attribution)
