"""What passes, runs and their choices cost on this machine: ratios, both sides by turns in one process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch

from video_tcav.benchmark.speed_choices import measure_choices
from video_tcav.benchmark.speed_clips import write_sets
from video_tcav.benchmark.speed_row import SpeedRow
from video_tcav.benchmark.speed_whole import measure_captum, measure_whole
from video_tcav.core.files import write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.models import load_model
from video_tcav.models.precision import fast_bfloat16


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """How much is measured.

    Attributes:
        models: whose choices are measured, by spec, with the clip settings that differ from their own.
        layers: of each of them.
        whole: the model of the whole runs, and its layers.
        captum: the model of the comparison with Captum, and its layers.
        batch: clips in a timed forward.
        rounds: turns of each choice.
        effect_clips: concept, random and class clips of which each choice's effects are taken.
        whole_clips: concept, random and class clips of a whole run.
        whole_rounds: turns of each whole run.
        captum_sets: random sets for Captum.
    """

    models: tuple[tuple[str, Mapping[str, Any], tuple[str, ...]], ...]
    whole: tuple[str, Mapping[str, Any], tuple[str, ...]]
    captum: tuple[str, Mapping[str, Any], tuple[str, ...]]
    batch: int
    rounds: int
    effect_clips: tuple[int, int, int]
    whole_clips: tuple[int, int, int]
    whole_rounds: int
    captum_clips: tuple[int, int, int]
    captum_sets: int


_R3D = ("torchvision:r3d_18", {}, ("layer2", "layer3", "layer4"))
_SWIN_LAYERS = ("features.2", "features.4", "features.6")
_SMALL = ("rendered:r2plus1d-motion", {}, ("stages.1", "stages.2"))
FULL = SpeedSettings(
    models=(_R3D, ("torchvision:swin3d_t", {}, _SWIN_LAYERS)),
    whole=_R3D,
    captum=_R3D,
    batch=4,
    rounds=7,
    effect_clips=(10, 30, 10),
    whole_clips=(20, 60, 20),
    whole_rounds=3,
    captum_clips=(10, 40, 10),
    captum_sets=4,
)
QUICK = SpeedSettings(
    models=(_R3D, ("torchvision:swin3d_t", {"frames": 16, "size": 112}, _SWIN_LAYERS)),
    whole=_R3D,
    captum=_SMALL,
    batch=2,
    rounds=3,
    effect_clips=(3, 4, 3),
    whole_clips=(6, 12, 6),
    whole_rounds=1,
    captum_clips=(6, 24, 6),
    captum_sets=4,
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
        return pd.DataFrame([asdict(one) | {"ratio": one.ratio} for one in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": dict(self.provenance),
            "rows": [asdict(one) | {"ratio": one.ratio} for one in self.rows],
        }

    def to_json(self, path: str | Path) -> None:
        """Write it; whole or not at all."""
        write_json(Path(path), self.to_dict())


def measure_speed(
    settings: SpeedSettings | None = None, *, quick: bool = False, compile: bool = False, progress: bool = False
) -> Speed:
    """Measure on this machine, on the CPU, with random weights where a network is not of the package.

    Args:
        settings: how much; `FULL` or `QUICK` if not given.
        quick: whether few clips will do.
        compile: whether torch.compile is measured, too; it needs minutes and a C++ compiler.
        progress: whether to show progress bars.
    """
    chosen = settings or (QUICK if quick else FULL)
    rows: list[SpeedRow] = []
    with TemporaryDirectory(prefix="video-tcav-speed-") as name:
        root = Path(name)
        for number, (spec, fields, layers) in enumerate(chosen.models):
            model = load_model(spec, device="cpu", **fields)
            concept, random, target = chosen.effect_clips
            sets = write_sets(root / f"m{number}", model.clip_spec, concept=concept, random=random, target=target)
            rows += measure_choices(
                model, layers, sets, batch=chosen.batch, rounds=chosen.rounds, compiled=compile, progress=progress
            )
        spec, fields, layers = chosen.whole
        model = load_model(spec, device="cpu", **fields)
        concept, random, target = chosen.whole_clips
        sets = write_sets(root / "whole", model.clip_spec, concept=concept, random=random, target=target)
        with progress_bar("from files to results (runs)", 3 * chosen.whole_rounds + 2, visible=progress) as advance:
            rows += measure_whole(model, layers, sets, root, rounds=chosen.whole_rounds, advance=advance)
        spec, fields, layers = chosen.captum
        model = load_model(spec, device="cpu", **fields)
        concept, random, target = chosen.captum_clips
        sets = write_sets(root / "captum", model.clip_spec, concept=concept, random=random, target=target)
        with progress_bar("Captum (runs)", 2 * chosen.whole_rounds, visible=progress) as advance:
            rows.append(
                measure_captum(
                    model,
                    layers,
                    sets,
                    root / "captum",
                    random_sets=chosen.captum_sets,
                    rounds=chosen.whole_rounds,
                    advance=advance,
                )
            )
    return Speed(
        rows=tuple(rows),
        provenance=provenance(
            settings=asdict(chosen) | {"compile": compile},
            threads=torch.get_num_threads(),
            processor=torch.backends.cpu.get_cpu_capability(),
            fast_bfloat16=fast_bfloat16(torch.device("cpu")),
        ),
    )
