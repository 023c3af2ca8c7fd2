"""Command line of the discovery benchmarks.

python -m benchmarks.discovery rendered --seeds 5 --methods sparse,kmeans,nmf
python -m benchmarks.discovery layers --seeds 5
python -m benchmarks.discovery null --runs 500
python -m benchmarks.discovery null --shuffled
python -m benchmarks.discovery cost --clips 24
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from benchmarks.discovery.cost import measure_cost
from benchmarks.discovery.layers import LayerRow, layer_table, measure_all_layers
from benchmarks.discovery.null import NullRun, null_run, recorded_pool
from benchmarks.discovery.rendered import measure_all, table

from video_tcav.core.tables import write_csv
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.models import load_model
from video_tcav.rendered.models import rendered_names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.discovery")
    commands = parser.add_subparsers(dest="command", required=True)
    rendered = commands.add_parser("rendered", help="planted truth of the rendered world")
    rendered.add_argument("--models", default=",".join(rendered_names()))
    rendered.add_argument("--seeds", type=int, default=5)
    rendered.add_argument("--methods", default="sparse")
    rendered.add_argument("--out", type=Path, help="folder for the tables")
    layers = commands.add_parser("layers", help="every layer for itself, beside what the true mask reaches on its grid")
    layers.add_argument("--models", default=",".join(rendered_names()))
    layers.add_argument("--seeds", type=int, default=5)
    null = commands.add_parser("null", help="how often anything is confirmed where nothing is there")
    null.add_argument("--model", default="r2plus1d-object")
    null.add_argument("--layers", help="with commas between; all stages if not given")
    null.add_argument("--pool", type=int, default=240, help="clips that runs are drawn from")
    null.add_argument("--shuffled", action="store_true", help="class and random clips, with their labels shuffled")
    null.add_argument("--runs", type=int, default=500)
    null.add_argument("--components", type=int, default=8)
    null.add_argument("--permutations", type=int, default=999)
    cost = commands.add_parser("cost", help="seconds and memory beside the passes that are needed anyway")
    cost.add_argument("--clips", type=int, default=48)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "rendered":
        _rendered(arguments)
    elif arguments.command == "layers":
        _layers(arguments)
    elif arguments.command == "null":
        _null(arguments)
    else:
        measured = measure_cost(arguments.clips)
        print(f"{measured}: {measured.factor:.2f} times the bare passes")


def _null(arguments: argparse.Namespace) -> None:
    layers = arguments.layers.split(",") if arguments.layers else load_model(f"rendered:{arguments.model}").stages()
    runs: list[NullRun] = []
    with recorded_pool(arguments.model, arguments.pool, layers, 0, shuffled=arguments.shuffled) as (pool, runner):
        for seed in range(1, arguments.runs + 1):
            discovery = DiscoverySettings(components=arguments.components)
            runs.append(null_run(pool, runner, discovery, permutations=arguments.permutations, seed=seed))
            if seed % 20 == 0:
                print(_rates(runs), flush=True)


def _layers(arguments: argparse.Namespace) -> None:
    rows: list[LayerRow] = []
    for of_run in measure_all_layers(arguments.models.split(","), range(arguments.seeds)):
        rows += of_run
        print(*of_run, sep="\n", flush=True)
    print(layer_table(rows).to_string(index=False))


def _rates(runs: Sequence[NullRun]) -> str:
    confirmed = np.mean([run.confirmed > 0 for run in runs])
    present = np.mean([run.present for run in runs])
    alone = sum(run.uncorrected for run in runs) / sum(run.components for run in runs)
    return (
        f"{len(runs)} runs of {runs[0].components} components: something confirmed in {confirmed:.1%}, presence significant "
        f"(adjusted) in {present:.1%}, single components not adjusted {alone:.1%}"
    )


def _rendered(arguments: argparse.Namespace) -> None:
    figures, rows = [], []
    for run, planted in measure_all(arguments.models.split(","), range(arguments.seeds), arguments.methods.split(",")):
        figures.append(run)
        rows += planted
        print(run, flush=True)
        if arguments.out:
            write_csv(arguments.out / "runs.csv", pd.DataFrame([asdict(each) for each in figures]))
            write_csv(arguments.out / "components.csv", pd.DataFrame([asdict(row) for row in rows]))
    print(table(figures).to_string(index=False))


if __name__ == "__main__":
    main()
