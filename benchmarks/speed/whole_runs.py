"""Whole runs from files: against the model's passes alone, a plain loop, Captum's TCAV, and a cached second run."""

from collections.abc import Callable, Iterator, Sequence
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

# Largest allowed time of a run, from files to p-values, as a multiple of the model's passes.
LIMIT = 1.10
_JUDGED_CLIPS = 60  # with fewer clips, fixed costs of a run weigh too much to judge it
_BATCH = 8  # clips at once in the plain loop and in Captum


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
        advance: called after each run.
    """
    results: list[TcavResult] = []
    loops: list[Tensor] = []
    calls: dict[str, Callable[[], Any]] = {
        "passes": _timed_passes(model, layers, sets),
        "run": lambda: results.append(_run(model, layers, sets)),
        "loop": lambda: loops.append(plain_loop(model, layers, sets)),
    }
    if captum_sets:
        calls["captum"] = partial(_captum, model, layers, sets, folder, captum_sets)
    seconds = interleaved(calls, rounds, advance)
    effects = {row.layer: row.effect for row in results[-1].results}
    ours = torch.tensor([effects[layer] for layer in layers], dtype=torch.float64)
    cached = partial(_run, model, layers, sets, store=folder / "store")
    first, again = (interleaved({"run": cached}, 1, advance)["run"] for _ in range(2))
    row = partial(SpeedRow, model=described(model), clips=sets.count)
    run_timed = {"what": "run_tcav, with 9,999 permutations", "seconds": seconds["run"], "rounds": rounds}
    rows = [
        row(
            part="end to end",
            what="the model's passes alone, on decoded clips",
            against="run_tcav from files",
            seconds=seconds["passes"],
            against_seconds=seconds["run"],
            limit=LIMIT if sets.count >= _JUDGED_CLIPS else None,
            rounds=rounds,
        ),
        row(
            part="peers",
            against="a plain PyTorch loop: decode, hooks, effects; no tests, no intervals",
            against_seconds=seconds["loop"],
            effect_difference=effect_difference(ours, loops[-1]),
            **run_timed,
        ),
    ]
    if captum_sets:
        against = f"Captum's TCAV, {captum_sets} random sets, no permutations"
        rows.append(row(part="peers", against=against, against_seconds=seconds["captum"], **run_timed))
    rows.append(
        row(
            part="store",
            what="run_tcav again, on its activation store",
            against="the first run, which fills it",
            seconds=again,
            against_seconds=first,
            rounds=1,
        )
    )
    return rows


def _timed_passes(model: VideoModel, layers: Sequence[str], sets: SpeedSets) -> Callable[[], None]:
    """The passes of a run on decoded clips, after a first batch that sets up kernels."""
    clips = [prepared(model, clip_folder) for clip_folder in sets.folders]
    first = clips[0][0][None]
    passing = OptimisedPass(model, choose_fast_paths(model, first))
    batch = trace_layers(model, layers, first).batch
    model_passes(model, layers, passing, [members[:batch] for members in clips], batch)
    return partial(model_passes, model, layers, passing, clips, batch)


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
    """The passes of a run: one forward a clip, and one backward for each clip of the class."""
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
    """Effects at each layer in a plain PyTorch loop: every layer from one forward, every gradient from one backward."""
    activations: dict[str, Tensor] = {}
    handles = [
        model.layer(layer).register_forward_hook(
            lambda _module, _inputs, output, name=layer: activations.update({name: output})
        )
        for layer in layers
    ]
    means: list[dict[str, Tensor]] = []
    slopes = dict.fromkeys(layers, torch.zeros((), dtype=torch.float64))
    try:
        for folder in (sets.concept, sets.random):
            sums, count = dict.fromkeys(layers, torch.zeros((), dtype=torch.float64)), 0
            for batch in _batches(model, find_videos(folder)):
                with torch.no_grad():
                    model.logits(batch)
                sums = {layer: sums[layer] + activations[layer].double().sum(0) for layer in layers}
                count += len(batch)
            means.append({layer: total / count for layer, total in sums.items()})
        count = 0
        for batch in _batches(model, find_videos(sets.target)):
            logits = model.logits(batch.requires_grad_())
            values = logits[:, 0] - logits[:, 1:].logsumexp(1)
            grads = torch.autograd.grad(values.sum(), [activations[layer] for layer in layers])
            slopes = {layer: slopes[layer] + grad.double().sum(0) for layer, grad in zip(layers, grads, strict=True)}
            count += len(batch)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack([(slopes[layer] / count * (means[0][layer] - means[1][layer])).sum() for layer in layers])


def _batches(model: VideoModel, sources: Sequence[Any]) -> Iterator[Tensor]:
    for start in range(0, len(sources), _BATCH):
        batch = sources[start : start + _BATCH]
        yield torch.stack([model.prepare(read_clips(source, model.clip_spec)[0]) for source in batch])


class _Decoding(torch.utils.data.IterableDataset):
    """Clips in batches as in Captum's own tutorial: decoded on demand."""

    def __init__(self, model: VideoModel, sources: Sequence[Any]) -> None:
        self._model, self._sources = model, sources

    def __iter__(self) -> Iterator[Tensor]:
        return _batches(self._model, self._sources)


def _captum(model: VideoModel, layers: Sequence[str], sets: SpeedSets, folder: Path, random_sets: int) -> None:
    random = find_videos(sets.random)
    sources_of_sets = [find_videos(sets.concept), *(random[number::random_sets] for number in range(random_sets))]
    concepts = [
        Concept(number, f"set{number}", torch.utils.data.DataLoader(_Decoding(model, sources), batch_size=None))
        for number, sources in enumerate(sources_of_sets)
    ]
    saved = folder / f"captum-{len(list(folder.iterdir()))}"  # Captum would read the cache of another round
    with catch_warnings():
        simplefilter("ignore")
        attribution = LayerGradientXActivation(
            model.module,
            None,  # pyright: ignore[reportArgumentType]  Captum's own TCAV sets the layer
            multiply_by_inputs=False,
        )
        tcav = TCAV(model.module, list(layers), layer_attr_method=attribution, save_path=str(saved))
        # a graph of all clips at once would not fit; CAVs are learned with the first batch
        for inputs in _batches(model, find_videos(sets.target)):
            tcav.interpret(inputs, [[concepts[0], random] for random in concepts[1:]], target=0)
