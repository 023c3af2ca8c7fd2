"""Speed and accuracy of each optimisation of passes, against plain PyTorch: eager, float32."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from benchmarks.speed.clips import SpeedSets, effect_difference, interleaved, prepared
from benchmarks.speed.row import SpeedRow
from torch import Tensor

from video_tcav.core.progress import progress_bar
from video_tcav.models import VideoModel
from video_tcav.models.hooks import LARGEST_BATCH, record_activations, record_gradients
from video_tcav.models.targets import Target, parse_target
from video_tcav.recording.fast.fast_paths import FastPaths, OptimisedPass, choose_fast_paths
from video_tcav.recording.fast.precision import Precision, fast_bfloat16

PLAIN = "eager float32"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One configuration of the passes.

    Attributes:
        name: in the table.
        ways: of the same arithmetic.
        precision: of the products.
        batch: clips at once; all of them if `None`.
        threads: of PyTorch; as they are if `None`.
    """

    name: str
    ways: FastPaths
    precision: Precision = "float32"
    batch: int | None = None
    threads: int | None = None


def choices_for(model: VideoModel, inputs: Tensor) -> list[Choice]:
    """All configurations that apply to this model on this machine, plain PyTorch first."""
    ways = choose_fast_paths(model, inputs)
    names = [name for name in ("channels_last", "fused_attention") if getattr(ways, name)]
    alone = [Choice(name=name.replace("_", " "), ways=FastPaths(**{name: True})) for name in names]
    together = [Choice(name="both", ways=ways)] if len(names) == 2 else []
    half = [Choice(name="bfloat16", ways=FastPaths(), precision="bfloat16")] if fast_bfloat16(model.device) else []
    if half and names:
        half.append(Choice(name="the above + bfloat16", ways=ways, precision="bfloat16"))
    best = [
        Choice(name="float32 run, one clip at a time", ways=ways, batch=1),
        Choice(name="float32 run, one thread", ways=ways, threads=1),
    ]
    return [Choice(name=PLAIN, ways=FastPaths()), *alone, *together, *half, *best]


def measure_choices(
    model: VideoModel,
    layers: Sequence[str],
    sets: SpeedSets,
    *,
    batch: int,
    rounds: int,
    progress: bool = False,
) -> list[SpeedRow]:
    """Time the forward pass of `batch` clips in all configurations by turns; effects from all sets, once each."""
    clips = [prepared(model, folder) for folder in sets.folders]
    timed = clips[0][:batch]
    target = parse_target(model, 0, "log_odds")
    choices = choices_for(model, timed[0][None])
    effects: dict[str, Tensor] = {}
    calls: dict[str, Callable[[], object]] = {}
    with progress_bar(f"{described(model)} (passes)", len(choices) * (rounds + 1), visible=progress) as advance:
        for choice in choices:
            passing = OptimisedPass(model, choice.ways, precision=choice.precision)
            calls[choice.name] = partial(_forward, model, layers, choice, passing, timed)
            calls[choice.name]()  # the first pass sets up kernels
            if choice.batch is None and choice.threads is None:
                effects[choice.name] = effects_of(model, layers, passing, clips, target)
            advance(1)
        seconds = interleaved(calls, rounds, advance)
    return [
        SpeedRow(
            part="passes",
            model=described(model),
            what=name,
            against=PLAIN,
            clips=len(timed),
            rounds=rounds,
            seconds=seconds[name],
            against_seconds=seconds[PLAIN],
            effect_difference=effect_difference(effects[name], effects[PLAIN]) if name in effects else None,
        )
        for name in calls
    ]


def effects_of(
    model: VideoModel, layers: Sequence[str], passing: OptimisedPass, clips: Sequence[Sequence[Tensor]], target: Target
) -> Tensor:
    """Effect at each layer: the average gradient times the difference of the means, the mean CAV."""
    concept, random, classes = clips

    def mean(some: Sequence[Tensor], run: Callable[[Tensor], Mapping[str, Tensor]]) -> list[Tensor]:
        sums = [torch.zeros((), dtype=torch.float64) for _ in layers]
        for start in range(0, len(some), LARGEST_BATCH):
            batch = passing.batch(some[start : start + LARGEST_BATCH])
            with passing.running():
                values = run(batch)
            sums = [total + values[layer].double().sum(0) for total, layer in zip(sums, layers, strict=True)]
        return [total / len(some) for total in sums]

    concept_means = mean(concept, lambda batch: record_activations(model, layers, batch))
    random_means = mean(random, lambda batch: record_activations(model, layers, batch))
    slopes = mean(classes, lambda batch: record_gradients(model, layers, batch, target).layers)
    return torch.stack(
        [
            (g * (concept_mean - random_mean)).sum()
            for g, concept_mean, random_mean in zip(slopes, concept_means, random_means, strict=True)
        ]
    )


def _forward(
    model: VideoModel, layers: Sequence[str], choice: Choice, passing: OptimisedPass, clips: Sequence[Tensor]
) -> None:
    size = choice.batch or len(clips)
    with _threads(choice.threads):
        for start in range(0, len(clips), size):
            batch = passing.batch(clips[start : start + size])
            with passing.running():
                record_activations(model, layers, batch)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count or before)
        yield
    finally:
        torch.set_num_threads(before)


def described(model: VideoModel) -> str:
    """Name of a model and the size of its clips, for the table."""
    height, width = model.clip_spec.size or (0, 0)
    return f"{model.name.rpartition(':')[2]} {model.clip_spec.frames}×{height}×{width}"
