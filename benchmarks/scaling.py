"""Cost model of a run by number of clips, and overhead of workers: the coefficients of docs/scaling.md.

    python benchmarks/scaling.py --clips 100 1000
    python benchmarks/scaling.py --clips 100 1000 --ways local store processes ray
    python benchmarks/scaling.py --clips 100 1000 --ways local ray --model torchvision:r3d_18 --layers 3 --threads 2 --workers 1

The first counts core-seconds (processor time, which other work on the machine changes little) of decoding, passes, store,
inner products and statistics, and fits the cost model to them. The second takes the wall time of whole passes: the slope
between the sizes is what a clip costs beyond start-up.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

import video_tcav as vt
from video_tcav.media import find_videos, load_clips, source_digest
from video_tcav.models.targets import parse_target
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.inner_products import gram
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.rendered import sample_factors, write_world

SHARES = {"random": 0.6, "one": 0.15, "other": 0.15, "class": 0.1}
MOST_CLASS = 100
WAYS = {"local": {}, "store": {}, "processes": {}, "ray": {"backend": "ray"}}
WITH_WORKERS = ("processes", "ray")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--model", default="rendered:r2plus1d-motion")
    parser.add_argument("--size", type=int, help="of the clips in pixels, if not the model's own")
    parser.add_argument("--space", default="flatten")
    parser.add_argument("--layers", type=int, default=0, help="so many of the last default layers; all if 0")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, in each process")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS))
    parser.add_argument("--folder", type=Path, help="keeps the rendered clips for the next time")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = vt.load_model(options.model, device="cpu", size=options.size)
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        sets = {count: clips(folder / str(count), count) for count in options.clips}
        if options.ways:
            layers = model.default_layers[-options.layers :]
            compare(model, sets, options.ways, options.workers, space=options.space, layers=layers)
        else:
            fit([measure(model, root, options.space) for root in sets.values()])


def clips(root: Path, count: int) -> Path:
    if not root.exists():
        sizes = {label: round(count * share) for label, share in SHARES.items()}
        sizes["random"] += max(0, sizes["class"] - MOST_CLASS)  # an explained class does not grow with the pool
        sizes["class"] = min(sizes["class"], MOST_CLASS)
        labels = [label for label, size in sizes.items() for _ in range(size)]
        write_world(root, sample_factors(len(labels), seed=count), labels, progress=True)
    return root


def compare(model: vt.VideoModel, sets: dict[int, Path], ways: list[str], workers: int, **settings: object) -> None:
    wall: dict[tuple[str, int], float] = {}
    for count, root in sets.items():
        for way in ways:
            with tempfile.TemporaryDirectory() as name:
                store = {"store": name} if way == "store" else {}  # workers have one of their own
                before = sum(os.times()[:4])
                more = {"workers": workers} if way in WITH_WORKERS else {}
                result = run(model, root, **settings, **WAYS[way], **store, **more)
            wall[way, count] = result.seconds["passes"]
            cores = sum(os.times()[:4]) - before  # with processes that have ended; Ray's are not counted
            print(f"{way:10} {count:6} clips: {wall[way, count]:7.1f} s of passes, {cores:.1f} core-s in all, ", end="")
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    small, large = min(sets), max(sets)
    for way in ways:
        slope = (wall[way, large] - wall[way, small]) / max(1, large - small)
        print(f"{way:10} {1000 * slope:6.1f} ms a clip, start-up {wall[way, small] - small * slope:.1f} s")


def run(model: vt.VideoModel, root: Path, **more: object) -> vt.TcavResult:
    return vt.run_tcav(
        model,
        target=0,
        clips=root / "class",
        concepts={name: root / name for name in ("one", "other")},
        random=root / "random",
        progress=False,
        **more,
    )


def measure(model: vt.VideoModel, root: Path, space: Space) -> dict[str, float]:
    """Core-seconds of each step, and the sizes that they grow with."""
    sources, class_sources = find_videos(root / "manifest.csv"), find_videos(root / "class")
    digests = {source.key: source_digest(source) for source in sources + class_sources}
    figures: dict[str, float] = {"videos": len(sources), "class": len(class_sources)}
    with core_seconds(figures, "digest"):
        for source in sources:
            source_digest(source)
    with core_seconds(figures, "decode"):
        for _ in load_clips(sources, model.clip_spec, threads=2):
            pass
    scalar, quiet = parse_target(model, 0, "log_odds"), lambda _steps: None
    with tempfile.TemporaryDirectory() as name:
        plain = recorder(model, space, Path(name))
        with core_seconds(figures, "decode + activations"):
            plain.record_concepts(sources, ("none",), quiet)
        with core_seconds(figures, "decode + gradients"):
            plain.record_class(class_sources, scalar, quiet)
        with ActivationStore.open(Path(name) / "store") as store:
            view = CacheView(store, model, model.default_layers, RecordingSettings(space=space), digests)
            stored = recorder(model, space, Path(name), view)
            for source in sources:
                store.source_digest(source)
            with core_seconds(figures, "decode + activations + store"):
                stored.record_concepts(sources, ("none",), quiet)
            figures["bytes"] = store.info().bytes
        recording = plain.recording()
        with core_seconds(figures, "gram"):
            for layer in model.default_layers:
                activations = recording.activations[layer]
                assert isinstance(activations, RowStore)
                gram(activations, recording.gradients[layer], range(activations.rows), range(len(class_sources)))
        figures["values"] = sum(recording.activations[layer].width for layer in model.default_layers)
    result = run(model, root, space=space)
    figures["statistics"] = result.seconds["statistics"]
    print({key: round(value, 2) for key, value in figures.items()}, f"load {os.getloadavg()[0]:.1f}", flush=True)
    return figures


def recorder(model: vt.VideoModel, space: Space, folder: Path, view: CacheView | None = None) -> Recorder:
    storage = SpillSpace(8 * 10**9, folder)
    layers = model.default_layers
    return Recorder(model, layers, RecordingSettings(space=space), storage, cache=view)


@contextmanager
def core_seconds(figures: dict[str, float], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    figures[name] = time.process_time() - start


def fit(sizes: list[dict[str, float]]) -> None:
    """Fit the cost model: the average of the coefficients of all sizes, so that relative errors count, not absolute ones."""

    def column(value: Callable[[dict[str, float]], float]) -> np.ndarray:
        return np.array([value(figures) for figures in sizes])

    videos, class_clips, values = (
        column(lambda s: s["videos"]),
        column(lambda s: s["class"]),
        column(lambda s: s["values"]),
    )
    decode = coefficient(column(lambda s: s["decode"]), videos)
    passes = coefficient(column(lambda s: s["decode + activations"] - s["decode"]), videos)
    back = coefficient(column(lambda s: s["decode + gradients"]) - decode * class_clips, class_clips)
    store = coefficient(
        column(lambda s: s["decode + activations + store"] - s["decode + activations"]),
        column(lambda s: s["bytes"]) / 1e9,
    )
    squared = coefficient(column(lambda s: s["gram"]), values * videos * (videos + class_clips) / 1e12)
    digest = coefficient(column(lambda s: s["digest"]), videos)
    print(f"digest     {1000 * digest:8.2f} core-ms a video")
    print(f"decode     {1000 * decode:8.2f} core-ms a video")
    print(f"activation {1000 * passes:8.2f} core-ms a clip and version")
    print(f"gradient   {1000 * back:8.2f} core-ms a class clip")
    print(f"store      {store:8.2f} core-s a GB, {(column(lambda s: s['bytes']) / videos / 1e6).round(3)} MB a clip")
    print(
        f"gram       {squared:8.2f} core-s for 1e12 products (clips × (clips + class clips) × values), {values[0]:.0f} values"
    )
    for figures in sizes:
        print(f"statistics {figures['statistics']:8.2f} s with {figures['videos']:.0f} clips")


def coefficient(cost: np.ndarray, size: np.ndarray) -> float:
    return float(np.sum(cost / size) / len(size))


if __name__ == "__main__":
    main()
