"""Whole runs from files: against the model's passes alone, a plain loop, Captum's TCAV, and a run that was there before."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from benchmarks.speed.clips import Advance, SpeedSets, effect_difference, interleaved, prepared
from benchmarks.speed.fast_path_speed import described
from benchmarks.speed.row import SpeedRow
from captum.attr import LayerGradientXActivation
from captum.concept import TCAV, Concept
from torch import Tensor

from video_tcav.media import find_videos, read_clips
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_activations, record_gradients, trace_layers
from video_tcav.models.targets import parse_target
from video_tcav.recording.fast.fast_paths import OptimisedPass, choose_fast_paths
from video_tcav.tcav.result import TcavResult
from video_tcav.tcav.run import run_tcav

LIMIT = 1.10
"""What a run may take, from files to p-values, as a multiple of the model's passes."""
_JUDGED_CLIPS = 60
_BATCH = 8


def measure_whole(
    model: VideoModel,
    layers: Sequence[str],
    sets: SpeedSets,
    folder: Path,
    *,
    captum_sets: int,
    rounds: int,
    advance: Advance,
) -> list[SpeedRow]:
    """`run_tcav` with its defaults, beside the passes alone and what others would write; all decode from files but the passes.

    Args:
        model: whose passes are timed.
        layers: at which concepts are tested.
        sets: clips.
        folder: for stores.
        captum_sets: disjoint random sets for Captum's TCAV with its default classifier; it is left out without any.
        rounds: turns of each.
        advance: told of each run.
    """
    results: list[TcavResult] = []
    loops: list[Tensor] = []
    clips = [prepared(model, one) for one in sets.folders]
    ways = choose_fast_paths(model, clips[0][0][None])
    passing = OptimisedPass(model, ways)
    batch = trace_layers(model, layers, clips[0][0][None]).batch
    model_passes(model, layers, passing, [one[:batch] for one in clips], batch)  # what is set up once counts for nobody
    calls: dict[str, Callable[[], Any]] = {
        "passes": partial(model_passes, model, layers, passing, clips, batch),
        "run": lambda: results.append(_run(model, layers, sets)),
        "loop": lambda: loops.append(plain_loop(model, layers, sets)),
    }
    if captum_sets:
        calls["captum"] = partial(_captum, model, layers, sets, folder, captum_sets)
    seconds = interleaved(calls, rounds, advance)
    found = {one.layer: one.effect for one in results[-1].results}
    ours = torch.tensor([found[layer] for layer in layers], dtype=torch.float64)
    shared = {"model": described(model), "clips": sets.count, "rounds": rounds}
    stored = folder / "store"
    first = interleaved({"run": lambda: _run(model, layers, sets, store=stored)}, 1, advance)["run"]
    again = interleaved({"run": lambda: _run(model, layers, sets, store=stored)}, 1, advance)["run"]
    theirs = [
        SpeedRow(
            part="peers",
            what="run_tcav, with 9,999 permutations",
            against=f"Captum's TCAV, {captum_sets} random sets, no permutations",
            seconds=seconds["run"],
            against_seconds=taken,
            **shared,
        )
        for name, taken in seconds.items()
        if name == "captum"
    ]
    return [
        SpeedRow(
            part="end to end",
            what="the model's passes alone, on decoded clips",
            against="run_tcav from files",
            seconds=seconds["passes"],
            against_seconds=seconds["run"],
            limit=LIMIT if sets.count >= _JUDGED_CLIPS else None,
            **shared,
        ),
        SpeedRow(
            part="peers",
            what="run_tcav, with 9,999 permutations",
            against="a plain PyTorch loop: decode, hooks, effects; no tests, no intervals",
            seconds=seconds["run"],
            against_seconds=seconds["loop"],
            effect_difference=effect_difference(ours, loops[-1]),
            **shared,
        ),
        *theirs,
        SpeedRow(
            part="store",
            what="run_tcav again, on its activation store",
            against="the first run, which fills it",
            seconds=again,
            against_seconds=first,
            **{**shared, "rounds": 1},
        ),
    ]


def _run(model: VideoModel, layers: Sequence[str], sets: SpeedSets, **options: Any) -> TcavResult:
    return run_tcav(
        model,
        target=0,
        clips=str(sets.target),
        concepts={"swing": str(sets.concept)},
        random=str(sets.random),
        layers=layers,
        **options,
    )


def model_passes(
    model: VideoModel, layers: Sequence[str], passing: OptimisedPass, clips: Sequence[Sequence[Tensor]], size: int
) -> None:
    """What a run asks of the model: one forward a clip, and one backward for each clip of the class."""
    concept, random, classes = clips
    last = layers[-1]
    target = parse_target(model, 0, "log_odds")
    together = [*concept, *random]
    for start in range(0, len(together), size):
        batch = passing.batch(together[start : start + size])
        with passing.running():
            record_activations(model, layers, batch, last=last)
    for start in range(0, len(classes), size):
        batch = passing.batch(classes[start : start + size])
        with passing.running():
            record_gradients(model, layers, batch, target)


def plain_loop(model: VideoModel, layers: Sequence[str], sets: SpeedSets) -> Tensor:
    """What one would write by hand: every layer from one forward, every gradient from one backward; effects at each layer."""
    seen: dict[str, Tensor] = {}
    handles = [
        model.layer(layer).register_forward_hook(lambda _part, _inputs, output, name=layer: seen.update({name: output}))
        for layer in layers
    ]
    means: list[dict[str, Tensor]] = []
    slopes = dict.fromkeys(layers, torch.zeros((), dtype=torch.float64))
    try:
        for folder in (sets.concept, sets.random):
            sums, count = dict.fromkeys(layers, torch.zeros((), dtype=torch.float64)), 0
            for batch in _batches(model, folder):
                with torch.no_grad():
                    model.logits(batch)
                sums = {layer: sums[layer] + seen[layer].double().sum(0) for layer in layers}
                count += len(batch)
            means.append({layer: total / count for layer, total in sums.items()})
        count = 0
        for batch in _batches(model, sets.target):
            logits = model.logits(batch.requires_grad_())
            values = logits[:, 0] - logits[:, 1:].logsumexp(1)
            grads = torch.autograd.grad(values.sum(), [seen[layer] for layer in layers])
            slopes = {layer: slopes[layer] + grad.double().sum(0) for layer, grad in zip(layers, grads, strict=True)}
            count += len(batch)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack([(slopes[layer] / count * (means[0][layer] - means[1][layer])).sum() for layer in layers])


def _batches(model: VideoModel, folder: Path) -> Any:
    sources = find_videos(folder)
    for start in range(0, len(sources), _BATCH):
        chosen = sources[start : start + _BATCH]
        yield torch.stack([model.prepare(read_clips(one, model.clip_spec)[0]) for one in chosen])


class _Decoding(torch.utils.data.IterableDataset):
    """Clips in batches as Captum's own tutorial gives them: decoded when they are asked for."""

    def __init__(self, model: VideoModel, sources: Sequence[Any]) -> None:
        self._model, self._sources = model, sources

    def __iter__(self) -> Any:
        for start in range(0, len(self._sources), _BATCH):
            chosen = self._sources[start : start + _BATCH]
            yield torch.stack([self._model.prepare(read_clips(one, self._model.clip_spec)[0]) for one in chosen])


def _captum(model: VideoModel, layers: Sequence[str], sets: SpeedSets, folder: Path, random_sets: int) -> None:
    random = find_videos(sets.random)
    parts = [find_videos(sets.concept), *(random[number::random_sets] for number in range(random_sets))]
    concepts = [
        Concept(number, f"set{number}", torch.utils.data.DataLoader(_Decoding(model, part), batch_size=None))
        for number, part in enumerate(parts)
    ]
    saved = folder / f"captum-{len(list(folder.iterdir()))}"  # a cache of another round would answer for it
    with catch_warnings():
        simplefilter("ignore")
        attribution = LayerGradientXActivation(
            model.module,
            None,  # pyright: ignore[reportArgumentType]  Captum's own TCAV sets the layer
            multiply_by_inputs=False,
        )
        tcav = TCAV(model.module, list(layers), layer_attr_method=attribution, save_path=str(saved))
        # a graph of all clips at once would not fit; CAVs are learned with the first batch
        for inputs in _batches(model, sets.target):
            tcav.interpret(inputs, [[concepts[0], other] for other in concepts[1:]], target=0)
