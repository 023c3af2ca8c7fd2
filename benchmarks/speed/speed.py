"""Benchmark of passes, their optimisations and whole runs: ratios, both sides by turns in one process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from benchmarks.speed.clips import write_sets
from benchmarks.speed.fast_path_speed import measure_choices
from benchmarks.speed.row import SpeedRow
from benchmarks.speed.whole_runs import measure_whole

from video_tcav.core.files import write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.scratch import scratch_folder
from video_tcav.models import load_model
from video_tcav.recording.fast.precision import fast_bfloat16

# A model's spec, the clip settings that differ from its own, and layers.
Measured = tuple[str, Mapping[str, Any], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """A run from files to results, and what it is compared with.

    Attributes:
        model: and its layers.
        clips: of the concept, random ones, and of the class.
        rounds: turns of each side.
        captum_sets: random sets for Captum's TCAV; without any, Captum is left out.
    """

    model: Measured
    clips: tuple[int, int, int]
    rounds: int
    captum_sets: int


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """How much is measured.

    Attributes:
        models: whose optimisations of passes are measured.
        batch: clips in a timed forward.
        rounds: turns of each optimisation.
        effect_clips: concept, random and class clips on which the effects of each optimisation are compared.
        whole: runs from files.
    """

    models: tuple[Measured, ...]
    batch: int
    rounds: int
    effect_clips: tuple[int, int, int]
    whole: tuple[WholeRun, ...]


_R3D = ("torchvision:r3d_18", {}, ("layer2", "layer3", "layer4"))
_SWIN_LAYERS = ("features.2", "features.4", "features.6")
_SMALL_SWIN = ("torchvision:swin3d_t", {"frames": 16, "size": 112}, _SWIN_LAYERS)
_RENDERED = ("rendered:r2plus1d-motion", {}, ("stages.1", "stages.2"))
FULL = SpeedSettings(
    models=(_R3D, ("torchvision:swin3d_t", {}, _SWIN_LAYERS)),
    batch=4,
    rounds=7,
    effect_clips=(10, 30, 10),
    whole=tuple(
        WholeRun(model=model, clips=(60, 240, 60), rounds=1, captum_sets=4)  # a minute or two each way
        for model in (_R3D, _SMALL_SWIN)
    ),
)
QUICK = SpeedSettings(
    models=(_R3D, _SMALL_SWIN),
    batch=2,
    rounds=3,
    effect_clips=(3, 4, 3),
    whole=(
        WholeRun(model=_R3D, clips=(6, 12, 6), rounds=1, captum_sets=0),
        WholeRun(model=_RENDERED, clips=(6, 24, 6), rounds=1, captum_sets=4),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The whole table.

    Attributes:
        rows: in the order of the table.
        provenance: versions, settings, processor and threads.
    """

    rows: tuple[SpeedRow, ...]
    provenance: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """One row a comparison."""
        return pd.DataFrame([asdict(row) | {"ratio": row.ratio} for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": dict(self.provenance),
            "rows": [asdict(row) | {"ratio": row.ratio} for row in self.rows],
        }

    def to_json(self, path: str | Path) -> None:
        """Write the table as JSON."""
        write_json(Path(path), self.to_dict())


def measure_speed(settings: SpeedSettings | None = None, *, quick: bool = False, progress: bool = False) -> Speed:
    """Measure on this machine, on the CPU, with random weights where a network is not of the package.

    Args:
        settings: how much; `FULL` or `QUICK` if not given.
        quick: whether few clips will do.
        progress: whether to show progress bars.
    """
    chosen = settings or (QUICK if quick else FULL)
    rows: list[SpeedRow] = []
    with scratch_folder() as name:
        root = Path(name)
        for number, (spec, fields, layers) in enumerate(chosen.models):
            model = load_model(spec, device="cpu", **fields)
            concept, random, target = chosen.effect_clips
            sets = write_sets(root / f"m{number}", model.clip_spec, concept=concept, random=random, target=target)
            rows += measure_choices(model, layers, sets, batch=chosen.batch, rounds=chosen.rounds, progress=progress)
        for number, run in enumerate(chosen.whole):
            spec, fields, layers = run.model
            model = load_model(spec, device="cpu", **fields)
            concept, random, target = run.clips
            folder = root / f"whole{number}"
            sets = write_sets(folder, model.clip_spec, concept=concept, random=random, target=target)
            steps = (3 + bool(run.captum_sets)) * run.rounds + 2
            with progress_bar(f"{spec}, from files to results (runs)", steps, visible=progress) as advance:
                rows += measure_whole(
                    model, layers, sets, folder, captum_sets=run.captum_sets, rounds=run.rounds, advance=advance
                )
    return Speed(
        rows=tuple(rows),
        provenance=provenance(
            settings=asdict(chosen),
            threads=torch.get_num_threads(),
            processor=torch.backends.cpu.get_cpu_capability(),
            fast_bfloat16=fast_bfloat16(torch.device("cpu")),
        ),
    )
