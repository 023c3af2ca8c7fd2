"""Time of an activation store's own work, without any pass: adding, a second run's start, and maintenance.

python -m benchmarks.cache
python -m benchmarks.cache --clips 1600 --width 100352 25088 6272
python -m benchmarks.cache --batch 1 --durable
"""

import argparse
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from video_tcav.recording.cache import ActivationStore, RowKind

KIND = RowKind(model="benchmark", model_digest="0" * 64, space="flatten", role="activation")


def key(number: int, what: str = "clip") -> bytes:
    """As long as the keys of a run."""
    return hashlib.sha256(f"{what} {number}".encode()).digest()


def fill(store: ActivationStore, clips: int, widths: list[int], batch: int) -> None:
    """Add so many clips, each with rows of these widths."""
    rows = [torch.randn(batch, width, generator=torch.manual_seed(0)) for width in widths]
    for start in range(0, clips, batch):
        numbers = range(start, start + batch)
        layers = {f"layer{index}": values + start for index, values in enumerate(rows)}
        sources = {key(number, "source"): (1, False) for number in numbers}
        store.add(KIND, [key(number) for number in numbers], layers, sources=sources)


def find(folder: Path, clips: int, layers: int) -> None:
    """What a second run does before its statistics: open the store, find every clip, check every row."""
    with ActivationStore.open(folder) as store:
        store.sources(KIND, [key(number, "source") for number in range(clips)])
        stored = store.find(
            KIND, [key(number) for number in range(clips)], [f"layer{index}" for index in range(layers)]
        )
    if len(stored) != clips or store.warnings:
        raise SystemExit("the store has lost rows")


@contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    """Note how long something takes."""
    start = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - start


def measure(folder: Path, clips: int, widths: list[int], batch: int, *, durable: bool) -> dict[str, float]:
    """Seconds of each kind of work on a store in a new folder."""
    clips = -(-clips // batch) * batch
    seconds: dict[str, float] = {}
    with timed(seconds, "add"), ActivationStore.open(folder, durable=durable) as store:
        fill(store, clips, widths, batch)
    with timed(seconds, "find and check"):
        find(folder, clips, len(widths))
    with ActivationStore.open(folder) as store:
        with timed(seconds, "info"):
            info = store.info()
        with timed(seconds, "verify"):
            store.verify()
        with timed(seconds, "prune half"):
            store.prune(max_size=info.bytes // 2)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--width", type=int, nargs="+", default=[256, 256, 256], help="values of a row, by layer")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--durable", action="store_true", help="wait for the disk with each batch, as --cache does")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the stores are made; the place for temporary files, if not given")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with TemporaryDirectory(dir=options.folder) as folder:
            rounds.append(measure(Path(folder), options.clips, options.width, options.batch, durable=options.durable))
    for what in rounds[0]:
        print(f"{what:15} {' '.join(f'{seconds[what]:8.3f}' for seconds in rounds)} s")


if __name__ == "__main__":
    main()
