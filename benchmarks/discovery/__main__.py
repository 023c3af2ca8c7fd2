"""Command line of the discovery benchmarks.

python -m benchmarks.discovery rendered --seeds 5 --methods sparse,kmeans,nmf
python -m benchmarks.discovery null --runs 500
python -m benchmarks.discovery cost --clips 24
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from benchmarks.discovery.rendered import measure_all, table

from video_tcav.core.tables import write_csv
from video_tcav.rendered.models import rendered_names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.discovery")
    commands = parser.add_subparsers(dest="command", required=True)
    rendered = commands.add_parser("rendered", help="planted truth of the rendered world")
    rendered.add_argument("--models", default=",".join(rendered_names()))
    rendered.add_argument("--seeds", type=int, default=5)
    rendered.add_argument("--methods", default="sparse")
    rendered.add_argument("--out", type=Path, help="folder for the tables")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "rendered":
        _rendered(arguments)


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
