"""`video-tcav benchmark`: the rendered world, models that read it, and whether the statistics keep their promise on it."""

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

import video_tcav as vt
import video_tcav.benchmark as bench
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_file_writable, check_writable

app = typer.Typer(
    name="benchmark",
    help="The rendered world with known causes: clips, models, and whether the explanations find the causes.",
    no_args_is_help=True,
)
_KEPT = {True: "kept", False: "[bold red]not kept[/]", None: "–"}
Architecture = Literal["r2plus1d", "transformer"]
RuleName = Literal["motion", "scene", "object", "order", "mixed"]
Correlation = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Of the rule mixed: how often the scene goes along with the class; 0.9 if not given."
    ),
]


@app.command(no_args_is_help=True)
def world(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to: a folder a class, and manifest.csv.")],
    rule: Annotated[RuleName, typer.Option(help="Which factor decides the class.")] = "motion",
    count: Annotated[int, typer.Option(min=1, help="How many clips.")] = 100,
    frames: Annotated[int, typer.Option(min=1, help="Frames in a clip.")] = 16,
    size: Annotated[str, typer.Option(metavar="N|HEIGHTxWIDTH", help="Pixels.")] = "64",
    codec: Annotated[Literal["h264", "vp9", "av1"], typer.Option(help="How videos are encoded.")] = "h264",
    correlation: Correlation = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same clips.")] = 0,
) -> None:
    """Write rendered clips as video files with a manifest of their factors and boxes, to be used like real ones."""
    pixels = options.parse_size(size)
    if pixels is None or isinstance(pixels, str):
        raise InputError(f"`--size` must be pixels or HEIGHTxWIDTH. Got {size}. Write, for example, 64.")
    check_writable(out)
    chosen = _rule(rule, correlation)
    clips, labels = chosen.sample(count, seed=seed)
    names = [chosen.labels[label] for label in labels]
    manifest = bench.write_world(out, clips, names, frames=frames, size=pixels, codec=codec, progress=True)
    render.out.print(
        f"{count} clips of {len(chosen.labels)} classes, with their truth: {manifest}", markup=False, soft_wrap=True
    )


@app.command(no_args_is_help=True)
def train(
    architecture: Annotated[Architecture, typer.Argument(help="Which network.")],
    rule: Annotated[RuleName, typer.Argument(help="Which factor decides the class.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to write; ARCHITECTURE-RULE.safetensors if not given.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches of 32 clips; those of the packaged weights if not given.")
    ] = None,
    correlation: Correlation = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first weights and of the clips.")] = 0,
) -> None:
    """Train a small network whose only cause is known, on freshly rendered clips; minutes on two cores."""
    path = out or Path(f"{architecture}-{rule}.safetensors")
    bench.check_name(path)
    check_file_writable(path)
    chosen = _rule(rule, correlation)
    trained = bench.train_rendered(architecture, chosen, seed=seed, steps=steps, progress=True)
    trained.save(path)
    render.out.print(
        f"{trained.accuracy:.1%} right on {trained.metadata['held_out']} new clips. Weights: {path}",
        markup=False,
        soft_wrap=True,
    )
    render.out.print(f"Use them with --model rendered:{architecture} --weights {path}", markup=False, soft_wrap=True)


@app.command()
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
        typer.Option(metavar="mean|ridge|logistic|svm", help="CAV kinds for the type I error; all if not given."),
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
    found = bench.calibrate(model, draws=draws, cavs=cav, jobs=jobs, seed=seed, progress=True)
    found.write(out)
    figure = reports.write_calibration_figure(found, out / "calibration.png")
    render.out.print(_rates(found))
    table = Table("promise", "found", "", box=None, pad_edge=False)
    for claim in found.claims():
        table.add_row(claim.claim, claim.found, _KEPT[claim.holds])
    render.out.print(table)
    render.out.print(f"\nTables and figure: {figure.parent}", markup=False, soft_wrap=True)


@app.command()
def attribution(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A method of attribution; may be given several times; all if not given."),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Explained for each model; slow methods get fewer.")] = 24,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for table, JSON and figure.")] = Path(
        "attribution-out"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the clips, the random weights and the moved maps.")] = 0,
) -> None:
    """Measure whether attribution maps can be believed, on models whose causes are known.

    All methods on all models take about a quarter of an hour on two cores.
    """
    chosen = {name: vt.attribution.make_method(name) for name in method or vt.attribution.METHODS}
    check_writable(out)
    found = bench.benchmark_attribution(model, chosen, clips=clips, seed=seed, jobs=jobs, progress=True)
    found.write(out)
    figure = reports.write_attribution_figure(found, out / "attribution.png")
    render.out.print(_maps(found))
    render.out.print(
        "Averages over the models of a rule. deletion, insertion: how much better than the same map elsewhere. random: rank "
        "correlation with maps of networks that have learned nothing, above chance; a method fails where that is too much. "
        "order: 1 does not notice the order of frames. shift: 1 moves along with the picture.",
        style="dim",
    )
    for note in dict.fromkeys(f"{one.method}: {one.note}" for one in found.results if one.note):
        render.out.print(f"! {note}", style="yellow", markup=False)
    render.out.print(f"\nTable and figure: {figure.parent}", markup=False, soft_wrap=True)


@app.command()
def speed(
    quick: Annotated[bool, typer.Option("--quick", help="Few clips, smaller ones for the transformer.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the table as JSON.")] = None,
) -> None:
    """Measure on this machine what passes and runs cost, against PyTorch as it comes, a plain loop and Captum.

    Everything runs on the CPU, both sides by turns in one process. --quick takes less than three minutes on two idle cores.
    """
    if out is not None:
        check_file_writable(out)
    found = bench.measure_speed(quick=quick, progress=True)
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


def _rule(name: str, correlation: float | None) -> "bench.Rule":
    if correlation is not None and name != "mixed":
        raise InputError(f"`--correlation` must go with the rule mixed. Got {name}. Leave it out.")
    return bench.rule_of(name, correlation=0.9 if correlation is None else correlation)


def _rates(found: "bench.Calibration") -> Table:
    """Type I error by model and CAV kind, over layers."""
    frame = found.rejections_frame()
    errors = frame[frame["what"] == "type I"]
    table = Table("type I error at 5 %", "CAV", "permutation", "t-test", box=None, pad_edge=False)
    for (model, cav), rows in errors.groupby(["model", "cav"], sort=False):
        rates = rows.groupby("test")["rate"].mean()
        table.add_row(str(model), str(cav), f"{rates['permutation']:.1%}", f"{rates['t-test']:.1%}")
    return table


def _speeds(found: "bench.Speed") -> Table:
    """What was measured, against what, on how many clips."""
    table = Table("", "model", "what", "against", box=None, pad_edge=False)
    for name in ("clips", "rounds", "seconds", "ratio", "effects"):
        table.add_column(name, justify="right", no_wrap=True)
    part = None
    for one in found.rows:
        effects = "–" if one.effect_difference is None else f"{one.effect_difference:.1e}"
        ratio = f"{one.ratio:.2f}×"
        if one.limit is not None:
            ratio += f" {_KEPT[one.ratio <= one.limit]}"
        seconds = f"{one.seconds:.2f} / {one.against_seconds:.2f}"
        table.add_row(
            *("" if one.part == part else one.part, one.model, one.what, one.against, str(one.clips)),
            *(str(one.rounds), seconds, ratio, effects),
        )
        part = one.part
    return table


def _maps(found: "bench.AttributionBenchmark") -> Table:
    """All methods, by rule."""
    table = Table("rule (chance)", box=None, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for name in ("inside", "lift", "pointing", "deletion", "insertion", "random", "fails", "order", "shift"):
        table.add_column(name, justify="right", no_wrap=True)
    for rule, rows in found.by_rule().groupby("rule", sort=False):
        chance = f"{rule} ({rows['area'].mean():.0%})"
        for number, row in enumerate(rows.to_dict("records")):
            table.add_row("" if number else chance, *_map_cells(row), end_section=number == len(rows) - 1)
    return table


def _map_cells(row: dict[Hashable, Any]) -> list[str]:
    """One method on the models of one rule; a dash is what was not measured."""
    found = [
        "–" if math.isnan(row[name]) else shape.format(row[name])
        for name, shape in (
            ("energy", "{:.0%}"),
            ("lift", "{:.1f}×"),
            ("pointing", "{:.0%}"),
            ("deletion_gain", "{:+.2f}"),
            ("insertion_gain", "{:+.2f}"),
            ("excess", "{:+.2f}"),
            ("order_similarity", "{:.2f}"),
            ("shift_stability", "{:.2f}"),
        )
    ]
    fails = f"[bold red]{row['failed']} of {row['models']}[/]" if row["failed"] else ""
    return [str(row["method"]), *found[:6], fails, *found[6:]]
