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
_CLASSES = ("abseiling", "archery")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of processor time, all threads together.

    Attributes:
        clips: audited clips.
        bare_s: as many passes of a batch that is ready.
        audit_s: the audit, from files to numbers.
    """

    clips: int
    bare_s: float
    audit_s: float

    @property
    def factor(self) -> float:
        return self.audit_s / self.bare_s


def measure_cost(clips: int, *, height: int = 240, width: int = 320, masks: str = "motion") -> Cost:
    """Bare passes and the audit take turns in one process."""
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
        start = time.process_time()
        for _ in range(clips * len(names) // len(batch)):
            runner.logits(batch)
        bare_s = (time.process_time() - start) * clips * len(names) / (clips * len(names) // len(batch) * len(batch))
        start = time.process_time()
        vt.audit(model, folder, versions=names, masks=masks, shares=False)
        return Cost(clips=clips, bare_s=bare_s, audit_s=time.process_time() - start)
