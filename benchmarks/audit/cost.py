"""What an audit costs beside its passes: r3d_18 with random weights, 16 versions, video files."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import video_tcav as vt
from video_tcav.auditing import VERSIONS
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.rendered import render, sample_factors

COUNT = 16
"""Versions of each clip."""
MOST_BARE = 50
"""Clips whose bare passes are measured: a pass costs the same however many there are."""
_CLASSES = ("abseiling", "archery")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of processor time, all threads together.

    Attributes:
        clips: audited clips.
        bare_s: as many passes of a batch that is ready, by those of `MOST_BARE` clips at most.
        audit_s: the audit, from files to numbers.
    """

    clips: int
    bare_s: float
    audit_s: float

    @property
    def factor(self) -> float:
        return self.audit_s / self.bare_s


def measure_cost(clips: int, *, height: int = 240, width: int = 320, masks: str = "motion") -> Cost:
    """Bare passes, the audit, and bare passes again in one process."""
    model = vt.load_model("torchvision:r3d_18", weights=None)
    names = [name for name in VERSIONS.names() if name != "person_on_still_still"][:COUNT]
    with tempfile.TemporaryDirectory() as folder:
        labels = model.classes[:2] if not set(_CLASSES) <= set(model.classes) else _CLASSES
        for number, factors in enumerate(sample_factors(clips, seed=0)):
            path = Path(folder, labels[number % 2], f"{number}.mp4")
            path.parent.mkdir(exist_ok=True)
            vt.write_video(path, render(factors, frames=16, size=(height, width)).clip, fps=12.5)
        runner = BatchRunner(model, ())
        spec = model.clip_spec
        noise = torch.randint(0, 256, (spec.frames, 3, height, width), dtype=torch.uint8)
        batch = [model.prepare(noise)] * runner.batch_size(model.prepare(noise))
        runner.logits(batch)  # chooses how to pass
        # half of them before the audit and half behind it: what a pass costs drifts with what else the machine does
        batches = -(-min(clips, MOST_BARE) * len(names) // len(batch) // 2)
        bare_s = passed_s(runner, batch, batches)
        start = time.process_time()
        vt.audit(model, folder, versions=names, masks=masks, shares=False)
        audit_s = time.process_time() - start
        bare_s += passed_s(runner, batch, batches)
        return Cost(clips=clips, bare_s=bare_s * clips * len(names) / (2 * batches * len(batch)), audit_s=audit_s)


def passed_s(runner: BatchRunner, batch: list[torch.Tensor], batches: int) -> float:
    """Seconds of processor time of so many passes of one batch."""
    start = time.process_time()
    for _ in range(batches):
        runner.logits(batch)
    return time.process_time() - start
