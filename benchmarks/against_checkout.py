"""This checkout and another one, side by side in one process: passes, statistics, whole runs, a second run on a store.

    python -m benchmarks.against_checkout ../other-checkout --rounds 5

Both packages are copied under names of their own, since one process can import only one `video_tcav`.
"""

import argparse
import importlib
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
MODEL = "rendered:r2plus1d-motion"
NAMES = ("other", "this")


def copied(checkout: Path, folder: Path, name: str) -> ModuleType:
    """The package of a checkout, under another name."""
    target = folder / name
    shutil.copytree(checkout / "src" / "video_tcav", target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in target.rglob("*"):
        if path.suffix in (".py", ".pyi"):
            path.write_text(path.read_text().replace("video_tcav", name))
    return importlib.import_module(name)


def run(package: ModuleType, model: Any, clips: Path, store: Path | None = None) -> tuple[float, dict[str, float]]:
    """One test with twins; seconds of all of it, and of its parts."""
    start = time.perf_counter()
    concepts = {name: clips / name for name in ("swing", "court")}
    result = package.run_tcav(
        model,
        target="playing tennis",
        clips=clips / "class",
        concepts=concepts,
        random=clips / "random",
        twins=("frozen", "reversed"),
        store=store,
    )
    return time.perf_counter() - start, dict(result.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="folder of the other checkout")
    parser.add_argument("--clips", type=Path, default=ROOT / "demo-out" / "clips", help="those of `video-tcav demo`")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs")
    arguments = parser.parse_args()
    seconds: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sys.path.insert(0, place)
        packages = {
            name: copied(checkout, folder, name)
            for name, checkout in zip(NAMES, (arguments.checkout, ROOT), strict=True)
        }
        models = {name: package.load_model(MODEL, device="cpu") for name, package in packages.items()}
        for name in NAMES:
            run(packages[name], models[name], arguments.clips)  # what is set up once counts for neither
        for turn in range(arguments.rounds):
            for name in NAMES if turn % 2 else NAMES[::-1]:
                store = folder / f"store-{name}-{turn}"
                whole, parts = run(packages[name], models[name], arguments.clips)
                first, _ = run(packages[name], models[name], arguments.clips, store)
                second, _ = run(packages[name], models[name], arguments.clips, store)
                measured = {"run": whole, **parts, "run with a new store": first, "second run": second}
                for part, value in measured.items():
                    seconds.setdefault(part, {}).setdefault(name, []).append(value)
    for part, sides in seconds.items():
        other, this = (statistics.median(sides[name]) for name in NAMES)
        print(f"{part:24} other {other:7.3f} s   this {this:7.3f} s   ratio {this / other:.2f}")


if __name__ == "__main__":
    main()
