"""Calibration of the statistics: type I error, power and agreement with interventions, as a table and a figure.

python -m benchmarks.calibration --model rendered:r2plus1d-scene --cav mean
python -m benchmarks.calibration designs --sets 200
python -m benchmarks.calibration page
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmarks.calibration.calibration import Calibration, calibrate, rule_name
from benchmarks.calibration.causes import cause_tables
from benchmarks.calibration.confounded import CONCEPTS, concept_truth, confounded_table, log_odds_of_pool
from benchmarks.calibration.designs import design_table
from benchmarks.calibration.figure import write_calibration_figure
from benchmarks.calibration.gate import gate_table
from benchmarks.calibration.head_models import trained_heads
from benchmarks.calibration.heads import head_tables
from benchmarks.calibration.real_clips import real_clips_table, record_real_clips
from benchmarks.calibration.rendered_recording import record_world
from benchmarks.calibration.tables import Row, markdown, write_tables
from benchmarks.calibration.whole_runs import whole_run_table
from benchmarks.command import KEPT
from rich.table import Table

from video_tcav.cli import render
from video_tcav.cli.app import ending
from video_tcav.core.files import check_writable
from video_tcav.core.provenance import provenance
from video_tcav.gram.cavs.registry import CAV_FITTERS
from video_tcav.models import load_model
from video_tcav.rendered import rule_of
from video_tcav.rendered.models import rendered_names

app = typer.Typer(add_completion=False)
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables, JSON and figure.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes for the statistics.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all clips and draws.")]
Models = Annotated[
    list[str] | None,
    typer.Option(metavar="M", help="A rendered: model; may be given several times; all if not given."),
]
Sets = Annotated[
    int, typer.Option(min=1, help="Data sets a cell, and whole runs; half as many for the test of representation.")
]
Draws = Annotated[int, typer.Option(min=1, help="Of clips, for each class, design and place of the gradient.")]
_OUT = Path("calibration-out")
_POOL_CLIPS, _CLASS_CLIPS = 840, 30


@app.callback(invoke_without_command=True)
def calibration(
    context: typer.Context,
    model: Models = None,
    draws: Annotated[
        int, typer.Option(min=1, help="Of concept = random clips, for each model, layer and CAV kind.")
    ] = 1000,
    cav: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(CAV_FITTERS.names()), help="CAV kinds for the type I error; all if not given."),
    ] = None,
    out: Out = _OUT,
    jobs: Jobs = 2,
    seed: Seed = 0,
) -> None:
    """Measure type I error, power and agreement with interventions, on models whose causes are known.

    All models take about half an hour on two cores; one model with --cav mean about two minutes.
    """
    if context.invoked_subcommand is not None:
        return
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


@app.command()
def designs(sets: Sets = 2000, out: Out = _OUT, jobs: Jobs = 2, seed: Seed = 0) -> None:
    """Simulate size, power and coverage in designs like real ones; the test of representation; whole runs.

    499 permutations and 512 resamples a data set: 2,000 sets a cell take about a quarter of an hour on two cores.
    """
    check_writable(out)
    _write(_simulated(sets, jobs, seed), out, "designs", {"sets": sets, "seed": seed})


@app.command()
def causes(model: Models = None, draws: Draws = 100, out: Out = _OUT, jobs: Jobs = 2, seed: Seed = 0) -> None:
    """Measure size, power and wrong signs on recorded responses of rendered models, and a confounded pool."""
    check_writable(out)
    _write(_recorded(model, draws, jobs, seed), out, "causes", {"draws": draws, "seed": seed, "models": model or []})


@app.command()
def clips(
    model: Annotated[str, typer.Option(metavar="M", help="As in `video-tcav test`.")],
    target: Annotated[str, typer.Option(metavar="CLASS", help="Class whose gradient is taken.")],
    pool: Annotated[str, typer.Option(metavar="PATH", help="Clips without a concept: one a group, or see --group.")],
    class_clips: Annotated[str, typer.Option("--clips", metavar="PATH", help="Clips of the class.")],
    weights: Annotated[str | None, typer.Option(metavar="FILE", help="Of the model.")] = None,
    group: Annotated[str, typer.Option(metavar="REGEX", help="What is independent, in the path.")] = "video",
    draws: Annotated[int, typer.Option(min=1, help="Splits of the groups.")] = 500,
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Measure false alarms on real clips: a quarter of the groups stands for a concept that means nothing."""
    check_writable(out)
    recording = record_real_clips(
        load_model(model, weights=weights, device="cpu"), target, pool, class_clips, group=group, progress=True
    )
    rows = real_clips_table(recording, draws=draws, seed=seed)
    _write({"Real clips": rows}, out, "clips", {"draws": draws, "seed": seed, "model": model, "target": target})


@app.command()
def heads(
    draws: Annotated[int, typer.Option(min=1, help="Of clips, for each row.")] = 1000,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Batches that each network is trained for; 320 and twice 160 if not given."),
    ] = None,
    out: Out = _OUT,
    seed: Seed = 0,
) -> None:
    """Measure size and power for a verb and a noun head, several labels and a number, and equivalence in the number's unit."""
    check_writable(out)
    nulls, own_causes, equivalence = head_tables(
        trained_heads(seed=seed, steps=steps, progress=True), draws=draws, seed=seed, progress=True
    )
    tables = {"Heads without a concept": nulls, "Causes of heads": own_causes, "Equivalence of a number": equivalence}
    _write(tables, out, "heads", {"draws": draws, "steps": steps or "default", "seed": seed})


@app.command()
def page(sets: Sets = 2000, draws: Draws = 100, out: Out = _OUT, jobs: Jobs = 2, seed: Seed = 0) -> None:
    """Measure and write all tables of the documentation that need no clips of the user."""
    check_writable(out)
    tables = _simulated(sets, jobs, seed) | _recorded(None, draws, jobs, seed)
    _write(tables, out, "page", {"sets": sets, "draws": draws, "seed": seed})


def _simulated(sets: int, jobs: int, seed: int) -> dict[str, Sequence[Row]]:
    options: dict[str, Any] = {"seed": seed, "jobs": jobs, "progress": True}
    return {
        "Designs": design_table(sets=sets, **options),
        "Representation": gate_table(sets=max(1, sets // 2), **options),
        "Whole runs": whole_run_table(runs=sets, **options),
    }


def _recorded(models: Sequence[str] | None, draws: int, jobs: int, seed: int) -> dict[str, Sequence[Row]]:
    recordings, confounded = [], []
    for name in models or [f"rendered:{each}" for each in rendered_names()]:
        model, rule = load_model(name, device="cpu"), rule_of(rule_name(name))
        recording = record_world(model, rule, pool_clips=_POOL_CLIPS, class_clips=_CLASS_CLIPS, seed=seed, twins=False)
        recordings.append(recording)
        if rule.name in CONCEPTS:
            target = recording.targets[0]
            odds, truth = log_odds_of_pool(model, recording, target), concept_truth(model, recording, target)
            confounded += confounded_table(recording, odds, truth, draws=draws, seed=seed)
    rows, gate = cause_tables(recordings, draws=draws, seed=seed, jobs=jobs, progress=True)
    return {"Recorded responses": rows, "Meaningless concepts": (gate,), "Confounded pool": tuple(confounded)}


def _write(tables: Mapping[str, Sequence[Row]], out: Path, name: str, settings: Mapping[str, Any]) -> None:
    write_tables(tables, out, name, provenance(settings=settings, models=()))
    for title, rows in tables.items():
        if rows:
            render.out.print(f"\n{title}\n\n{markdown(rows)}", markup=False, soft_wrap=True)
    render.out.print(f"Tables: {out}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    ending(app)
