"""The discovery of this package (`video_tcav.discovery`) with the contract of the benchmark.

python -m video_tcav benchmark concepts --method benchmarks.foreign.own_discovery:discovered
"""

import math
from typing import Any

import numpy as np
import torch
from benchmarks.discovery_baselines.layer import activations
from torch import Tensor, nn

from video_tcav.discovery.component_rows import judged_components
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import kept_beside_grids, layer_grids
from video_tcav.discovery.plan import DiscoveryQuestion, plan_discovery
from video_tcav.discovery.recorded_clips import record_clips
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel, load_model
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.rendered.models import CLIP_SPEC
from video_tcav.tcav.settings import StatisticsSettings


def discovered(
    *, model: nn.Module, class_clips: Tensor, random_clips: Tensor, new_clips: Tensor, target: int, layer: nn.Module,
    seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Components of one layer: confirmed ones first, then those that raise the class most.

    Those that are not confirmed go by their slopes with the sign, as the benchmark asks for what raises the class. Halves, fits
    and tests are those of `discover` at one layer, without twins and interventions, which change no order. The result itself
    has maps of its own clips alone, so that new clips are mapped here.
    """
    loaded = _video_model(model)
    name = next(name for name, module in model.named_modules() if module is layer)
    statistics = StatisticsSettings()
    settings = TestSettings(
        cav=statistics.fitter,
        significance=statistics.test,
        permutations=statistics.permutations,
        random_sets=2,  # the spread of TCAV scores is not shown
        bootstraps=statistics.bootstraps,
        seed=seed,
    )
    question = DiscoveryQuestion(
        target=target, clips=_pixels(class_clips), random=_pixels(random_clips), layers=[name], twins=(), seed=seed
    )
    with Workspace(RecordingSettings(), progress=False) as work:
        plan = plan_discovery(loaded, question, work.digest)
        grids = layer_grids(loaded, plan.layers)
        recorded, runner = record_clips(plan, loaded, grids, kept_beside_grids(grids, plan.layers), work)
        discovery = LayerDiscovery.of(recorded, name, DiscoverySettings(), settings)
        judgements, _ = judged_components([discovery], LEVEL, runner)
    # A component that too few clips have has no effect.
    others = sorted(
        (row for row in judgements if not row.confirmed), key=lambda row: (math.isnan(row.effect), -row.effect)
    )
    ordered = [*(row for row in judgements if row.confirmed), *others]
    components = discovery.components
    values = activations(model, layer, new_clips).numpy()
    flat = ((values - components.centre) / components.scale).reshape(-1, values.shape[-1])
    codes = components.factoriser.codes(flat.astype(components.directions.dtype), components.directions)
    maps = codes.reshape(*values.shape[:-1], -1)
    return [
        {"map": np.maximum(maps[..., row.number - 1], 0), "direction": components.directions[row.number - 1]}
        for row in ordered
        if components.directions[row.number - 1].any()
    ]


def _video_model(module: nn.Module) -> VideoModel:
    """The network with what `load_model` would know of it."""
    count = module.get_parameter("head.bias").numel()
    return load_model(
        module,
        frames=CLIP_SPEC.frames,
        stride=CLIP_SPEC.stride,
        size=CLIP_SPEC.size,
        mean=CLIP_SPEC.mean,
        std=CLIP_SPEC.std,
        classes=[str(number) for number in range(count)],
        outputs="logits",
        device="cpu",
    )


def _pixels(clips: Tensor) -> Tensor:
    """Clips as they were rendered, `(clip, time, 3, height, width)` in grey levels: prepared ones are undone exactly."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in (CLIP_SPEC.mean, CLIP_SPEC.std))
    return ((clips * std + mean) * 255).round().to(torch.uint8).transpose(1, 2)
