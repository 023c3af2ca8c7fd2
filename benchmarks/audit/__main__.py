"""Command line of the audit benchmarks.

python -m benchmarks.audit rendered --clips 400
python -m benchmarks.audit rendered --models r2plus1d-mixed=WEIGHTS
python -m benchmarks.audit rendered --models r2plus1d-scene --masks exact whole motion boxes --clips 100
python -m benchmarks.audit coverage --runs 400
python -m benchmarks.audit cost --clips 20
python -m benchmarks.audit memory --clips 20 80
python -m benchmarks.audit masks --clips 60
python -m benchmarks.audit repair WEIGHTS --correlation 0.9
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from benchmarks.audit.cost import measure_cost
from benchmarks.audit.coverage import measure_coverage
from benchmarks.audit.masks import SEED, measure_masks, score_table
from benchmarks.audit.memory import measure_peak
from benchmarks.audit.rendered import MASK_KINDS, RenderedAudit, audit_rendered
from benchmarks.audit.repair import measure_repairs

from video_tcav.core.tables import write_csv
from video_tcav.rendered.models import rendered_names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit")
    commands = parser.add_subparsers(dest="command", required=True)
    rendered = commands.add_parser("rendered", help="planted truth of the rendered world")
    rendered.add_argument(
        "--models", default=",".join(rendered_names()), help="NAME or NAME=WEIGHTS, with commas between"
    )
    rendered.add_argument("--clips", type=int, default=400)
    rendered.add_argument("--masks", nargs="+", choices=MASK_KINDS, default=["exact"], help="of the same clips")
    rendered.add_argument("--seed", type=int, default=0)
    rendered.add_argument("--out", type=Path, help="file for the table")
    coverage = commands.add_parser("coverage", help="how often intervals of small audits hold what a large one says")
    coverage.add_argument("--model", default="r2plus1d-motion")
    coverage.add_argument("--pool", type=int, default=400, help="clips of the large audit")
    coverage.add_argument("--clips", type=int, default=60, help="clips of each small one")
    coverage.add_argument("--runs", type=int, default=1000)
    cost = commands.add_parser("cost", help="seconds beside the bare passes of as many clips")
    cost.add_argument("--clips", type=int, default=20)
    memory = commands.add_parser("memory", help="peak memory by the number of clips")
    memory.add_argument("--clips", type=int, nargs="+", default=[20, 80])
    memory.add_argument("--size", type=int, default=240, help="of each side, in pixels")
    masks = commands.add_parser("masks", help="masks of what moves against the truth")
    masks.add_argument("--clips", type=int, default=60, help="for each camera")
    masks.add_argument("--seed", type=int, default=SEED)
    repair = commands.add_parser("repair", help="scenes erased from a model with a planted shortcut")
    repair.add_argument("weights", help="that `video-tcav benchmark train r2plus1d mixed` wrote")
    repair.add_argument("--correlation", type=float, default=0.9)
    repair.add_argument("--clips", type=int, default=300)
    repair.add_argument("--layers", default="stages.2,stages.3", help="with commas between")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "rendered":
        _rendered(arguments)
    elif arguments.command == "coverage":
        table = measure_coverage(arguments.model, pool=arguments.pool, clips=arguments.clips, runs=arguments.runs)
        print(table.round(3).to_string(index=False))
    elif arguments.command == "masks":
        scores = measure_masks(arguments.clips, seed=arguments.seed, progress=True)
        for by in ("motion", "scene"):
            print(score_table(scores, by).to_string(), end="\n\n")
    elif arguments.command == "memory":
        for clips in arguments.clips:
            print(measure_peak(clips, size=arguments.size), flush=True)
    elif arguments.command == "repair":
        layers = arguments.layers.split(",")
        rows = measure_repairs(arguments.weights, arguments.correlation, clips=arguments.clips, layers=layers)
        print(pd.DataFrame([asdict(row) for row in rows]).round(3).to_string(index=False))
    else:
        measured = measure_cost(arguments.clips)
        print(f"{measured}: {measured.factor:.2f} times the bare passes")


def _rendered(arguments: argparse.Namespace) -> None:
    rows: list[RenderedAudit] = []
    for name in arguments.models.split(","):
        name, _, weights = name.partition("=")
        audits = audit_rendered(
            name, arguments.clips, seed=arguments.seed, masks=arguments.masks, weights=weights or None
        )
        for row in audits:
            rows.append(row)
            table = pd.DataFrame([asdict(row) for row in rows])
            print(table.iloc[-1:].round(3).to_string(index=False, header=len(rows) == 1), flush=True)
            if arguments.out:
                write_csv(arguments.out, table)


if __name__ == "__main__":
    main()
