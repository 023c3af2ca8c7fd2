"""Runs on many rendered clips on disk: memory, time a clip, and a second run on the activation cache of the first.

    python -m benchmarks.many_clips --clips 1000 10000 --sketch 1024

Each run is a process of its own. Memory must stay flat, time a clip within 10 % of that with fewer clips, and a second run
must take a twentieth of the first.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.memory import peak_gb
from benchmarks.scaling import clips, run

import video_tcav as vt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--model", default="rendered:r2plus1d-motion")
    parser.add_argument("--size", type=int, help="of the clips in pixels, if not the model's own")
    parser.add_argument("--sketch", type=int)
    parser.add_argument("--folder", type=Path, help="keeps the rendered clips for the next time")
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(options, *options.one)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        for count in options.clips:
            root = clips(folder / str(count), count)
            with tempfile.TemporaryDirectory(dir=folder) as store:
                figures = [measured(options, root, Path(store)) for _ in range(2)]
            for turn, each in zip(("first", "second"), figures, strict=True):
                print(
                    f"{count:6} clips, {turn:6}: {each['wall']:7.1f} s, {1000 * each['wall'] / count:6.1f} ms a clip, "
                    f"{each['peak']:.2f} GB at most ({each['model']:.2f} GB before); {each['seconds']}, "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            print(
                f"{count:6} clips: the second run is {figures[0]['wall'] / figures[1]['wall']:.1f} times as fast",
                flush=True,
            )


def measured(options: argparse.Namespace, root: Path, store: Path) -> dict:
    options_given = {"--model": options.model, "--size": options.size, "--sketch": options.sketch}
    same = [text for name, value in options_given.items() if value is not None for text in (name, str(value))]
    command = [sys.executable, "-m", "benchmarks.many_clips", *same, "--one", root, store]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure_one(options: argparse.Namespace, root: Path, store: Path) -> None:
    model = vt.load_model(options.model, device="cpu", size=options.size)
    vt.predict(model, next((root / "class").iterdir()))  # kernels are set up once
    before, start = peak_gb(), time.perf_counter()
    result = run(model, root, store=store, sketch=options.sketch, layers=model.default_layers[-3:])
    wall = time.perf_counter() - start
    figures = {"wall": wall, "peak": peak_gb(), "model": before, "seconds": dict(result.seconds)}
    print(json.dumps(figures | {"error": result.provenance["sketch"]}))


if __name__ == "__main__":
    main()
