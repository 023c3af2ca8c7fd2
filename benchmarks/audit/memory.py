"""Peak memory of an audit by its number of clips, in a process each: it must not grow with them."""

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

import video_tcav as vt
from video_tcav.rendered import rule_of, write_world


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak resident memory of a process, in megabytes.

    Attributes:
        clips: audited clips.
        before_mb: with packages and model, after one prediction.
        audit_mb: of the whole process.
    """

    clips: int
    before_mb: float
    audit_mb: float


def measure_peak(clips: int, *, size: int = 240, model: str = "r2plus1d-scene") -> Peak:
    """Write so many videos of that size, with masks, and audit them in all versions, in a new process."""
    rule = rule_of(model.partition("-")[2])
    factors, labels = rule.sample(clips, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        world = write_world(folder, factors, [rule.labels[label] for label in labels], size=size, masks=True)
        arguments = [sys.executable, "-m", "benchmarks.audit.memory", model, str(world)]
        printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    before_mb, audit_mb = map(float, printed.split())
    return Peak(clips=clips, before_mb=before_mb, audit_mb=audit_mb)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def main() -> None:
    """In the new process: MODEL WORLD."""
    torch.set_num_threads(1)
    name, world = sys.argv[1], Path(sys.argv[2])
    model = vt.load_model(f"rendered:{name}")
    vt.predict(model, next(world.parent.rglob("*.mp4")))
    before_mb = _peak_mb()
    vt.audit(model, world, masks=world.with_name("masks.json"), shares=False, out=world.parent / "audited")
    print(before_mb, _peak_mb())


if __name__ == "__main__":
    main()
