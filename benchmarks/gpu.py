"""GPU against CPU: differences of effects, attribution maps and p-values, and overhead over plain eager PyTorch.

    python benchmarks/gpu.py

Ends with exit code 1 if a difference is above the limit; without a GPU it says so in one line. Clips are rendered, so no
files are needed. For the comparison TF32 is off on the GPU: with it, products keep ten bits of each factor. Times are taken with
PyTorch's defaults, both sides by turns in one process, and are medians; ratios are what counts.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmarks.speed.clips import SpeedSets, effect_difference, interleaved, prepared, write_sets
from benchmarks.speed.whole_runs import model_passes, plain_loop
from torch import Tensor, nn

import video_tcav as vt
from video_tcav.attribution import GradCAM, InputXGradient
from video_tcav.models.hooks import trace_layers
from video_tcav.recording.fast.fast_paths import OptimisedPass, choose_fast_paths
from video_tcav.rendered import rule_of, write_world

# Largest relative difference of float32 numbers between the devices.
LIMIT = 1e-4
PLAIN_BATCH = 8
SCENE, TARGET = "court", "playing tennis"
R3D_LAYERS = ("layer2", "layer3", "layer4")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is compared and timed; clips are those of the concept, random ones, and those of the class."""

    compared_clips: tuple[int, int, int] = (20, 60, 20)
    map_clips: int = 8
    timed_clips: tuple[int, int, int] = (20, 80, 20)
    rounds: int = 3
    statistics: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that can be loaded on any device, the layers where concepts are tested, and the one that maps look at."""

    name: str
    load: Callable[[str], vt.VideoModel]
    layers: tuple[str, ...]
    map_layer: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    network: str
    quantity: str
    relative: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    work: str
    ours_s: float
    plain_s: float


class ConvolutionsThenLSTM(nn.Module):
    """Features of each frame, read in order by two recurrent layers; dropout between them is off in evaluation mode."""

    clip_spec = {"frames": 16, "stride": 1, "size": 64, "mean": 0.45, "std": 0.25}

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv3d(3, 16, (1, 5, 5), (1, 4, 4), (0, 2, 2)),
            nn.ReLU(),
            nn.Conv3d(16, 32, (1, 3, 3), (1, 2, 2), (0, 1, 1)),
            nn.ReLU(),
        )
        self.lstm = nn.LSTM(32, 48, num_layers=2, dropout=0.5, batch_first=True)
        self.head = nn.Linear(48, classes)

    def forward(self, clips: Tensor) -> Tensor:
        sequence, _ = self.lstm(self.frames(clips).mean((3, 4)).transpose(1, 2))
        return self.head(sequence[:, -1])


def load_recurrent(device: str) -> vt.VideoModel:
    classes = list(rule_of("scene").labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ConvolutionsThenLSTM(len(classes))
    return vt.load_model(network, classes=classes, device=device)


def load_rendered(name: str, device: str) -> vt.VideoModel:
    return vt.load_model(name, device=device)


def rendered(name: str, *layers: str) -> Network:
    return Network(name=name, load=partial(load_rendered, name), layers=layers, map_layer=layers[-1])


NETWORKS = (
    rendered("rendered:r2plus1d-scene", "stages.1", "stages.2", "stages.3"),
    rendered("rendered:transformer-scene", "blocks.1", "blocks.2"),
    Network(name="CNN+LSTM", load=load_recurrent, layers=("frames.2", "lstm"), map_layer="frames.2"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=Sizes.rounds, help="turns of each timed side")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("No GPU here (torch.cuda.is_available() is False): nothing was compared or timed.")
        return
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}\n")
    sizes = Sizes(rounds=options.rounds)
    differences = compare_devices("cuda", sizes)
    print(difference_table(differences), flush=True)
    model = vt.load_model("torchvision:r3d_18", device="cuda")  # random weights take as long as others
    print(timing_table(time_against_plain(model, R3D_LAYERS, sizes)))
    if any(not difference.relative <= LIMIT for difference in differences):  # NaN is above the limit, too
        raise SystemExit(1)


def compare_devices(device: str, sizes: Sizes, networks: Sequence[Network] = NETWORKS) -> list[Difference]:
    """Effects, p-values and maps on the CPU and on a device, for clips of a scene beside others."""
    with tempfile.TemporaryDirectory() as name, full_float32():
        sets = write_scenes(Path(name), sizes.compared_clips)
        return [row for network in networks for row in compare_network(network, device, sets, sizes)]


def compare_network(network: Network, device: str, sets: SpeedSets, sizes: Sizes) -> list[Difference]:
    tables, maps = [], []
    for device_name in ("cpu", device):
        model = network.load(device_name)
        result = run(model, sets, network.layers, target=TARGET, **(sizes.statistics or {}))
        frame = result.to_frame()
        tables.append({name: torch.tensor(frame[name].to_numpy()) for name in ("effect", "p_value")})
        clips = torch.stack(prepared(model, sets.target)[: sizes.map_clips])
        methods = (GradCAM(layers=(network.map_layer,)), InputXGradient())
        maps.append({method.name: method(model, clips, target=TARGET).values() for method in methods})
    (exact, measured), (exact_maps, measured_maps) = tables, maps
    p_values = (measured["p_value"] / exact["p_value"] - 1).abs().max()  # each by itself: small ones count as much
    relative = {
        f"effects at {len(network.layers)} layers": effect_difference(measured["effect"], exact["effect"]),
        "p-values": float(p_values),
        **{f"maps, {name}": effect_difference(measured_maps[name], exact_maps[name]) for name in exact_maps},
    }
    return [Difference(network=network.name, quantity=name, relative=value) for name, value in relative.items()]


@contextmanager
def full_float32() -> Iterator[None]:
    """Products of float32 in float32 inside, also on GPUs that round factors to TF32 by default."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def write_scenes(folder: Path, counts: tuple[int, int, int]) -> SpeedSets:
    """Clips of one scene as concept and class, and clips of the others."""
    concept, random, target = counts
    clips, _ = rule_of("scene").sample(10 * sum(counts), seed=0)
    with_scene = [clip for clip in clips if clip.scene == SCENE]
    without_scene = [clip for clip in clips if clip.scene != SCENE]
    sets = {
        "concept": with_scene[:concept],
        "random": without_scene[:random],
        "target": with_scene[concept : concept + target],
    }
    for name, chosen in sets.items():
        write_world(folder / name, chosen, ["clips"] * len(chosen))
    return SpeedSets(**{name: folder / name / "clips" for name in sets})


def run(model: vt.VideoModel, sets: SpeedSets, layers: Sequence[str], *, target: str | int, **statistics: int) -> Any:
    return vt.run_tcav(
        model,
        target=target,
        clips=sets.target,
        concepts={"concept": sets.concept},
        random=sets.random,
        layers=layers,
        **statistics,
    )


def time_against_plain(model: vt.VideoModel, layers: Sequence[str], sizes: Sizes) -> list[Timing]:
    """Passes, a whole run from files, and Grad-CAM at the last layer, each beside plain PyTorch."""
    with tempfile.TemporaryDirectory() as name:
        concept, random, target = sizes.timed_clips
        sets = write_sets(Path(name), model.clip_spec, concept=concept, random=random, target=target)
        clips = [prepared(model, folder) for folder in sets.folders]
        first = clips[0][0][None].to(model.device)
        passing, batch = (
            OptimisedPass(model, choose_fast_paths(model, first)),
            trace_layers(model, layers, first).batch,
        )
        stacked = torch.stack(clips[2][:PLAIN_BATCH])
        pairs = {
            f"passes of {sum(sizes.timed_clips)} decoded clips": (
                partial(model_passes, model, layers, passing, clips, batch),
                partial(plain_passes, model, layers, clips),
            ),
            "whole run from files (plain: effects alone, no tests)": (
                partial(run, model, sets, layers, target=0, **(sizes.statistics or {})),
                partial(plain_loop, model, layers, sets),
            ),
            f"Grad-CAM of {len(stacked)} clips": (
                lambda: GradCAM(layers=tuple(layers[-1:]))(model, stacked, target=0).values(),
                partial(plain_grad_cam, model, stacked, layers[-1]),
            ),
        }
        return [time_pair(work, ours, plain, model.device, sizes.rounds) for work, (ours, plain) in pairs.items()]


def time_pair(
    work: str, ours: Callable[[], Any], plain: Callable[[], Any], device: torch.device, rounds: int
) -> Timing:
    calls = {"ours": partial(finished, ours, device), "plain": partial(finished, plain, device)}
    for call in calls.values():
        call()  # kernels are chosen and memory is reserved once, outside the timing
    seconds = interleaved(calls, rounds, lambda _steps: None)
    return Timing(work=work, ours_s=seconds["ours"], plain_s=seconds["plain"])


def finished(call: Callable[[], Any], device: torch.device) -> None:
    """Run a call, and wait until the GPU has finished."""
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def kept_outputs(model: vt.VideoModel, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    outputs: dict[str, Tensor] = {}

    def keep(_module: nn.Module, _inputs: Any, output: Tensor, name: str) -> None:
        outputs[name] = output

    handles = [model.layer(name).register_forward_hook(partial(keep, name=name)) for name in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def plain_passes(model: vt.VideoModel, layers: Sequence[str], clips: Sequence[Sequence[Tensor]]) -> None:
    """A forward of each concept and random clip, and a forward and backward of each class clip."""
    concept, random, classes = clips
    with kept_outputs(model, layers) as outputs:
        for batch in batches([*concept, *random]):
            with torch.no_grad():
                model.module(batch.to(model.device))
        for batch in batches(classes):
            gradients(model, batch, outputs)


def plain_grad_cam(model: vt.VideoModel, clips: Tensor, layer: str) -> Tensor:
    """Maps at the size of the clips, on the CPU."""
    with kept_outputs(model, [layer]) as outputs:
        (slopes,) = gradients(model, clips, outputs)
        (activations,) = outputs.values()
    maps = (activations * slopes.mean((2, 3, 4), keepdim=True)).sum(1, keepdim=True)
    return nn.functional.interpolate(maps.detach(), clips.shape[2:], mode="trilinear")[:, 0].cpu()


def gradients(model: vt.VideoModel, clips: Tensor, outputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Gradients of the log-odds of the first class by the kept outputs of layers."""
    logits = model.module(clips.to(model.device))
    log_odds = logits[:, 0] - logits[:, 1:].logsumexp(1)
    return torch.autograd.grad(log_odds.sum(), list(outputs.values()))


def batches(clips: Sequence[Tensor]) -> Iterator[Tensor]:
    for start in range(0, len(clips), PLAIN_BATCH):
        yield torch.stack(list(clips[start : start + PLAIN_BATCH]))


def difference_table(differences: Sequence[Difference]) -> str:
    head = f"network | GPU against CPU | largest relative difference | within {LIMIT:g}"
    rows = [
        f"{row.network} | {row.quantity} | {row.relative:.1e} | {'yes' if row.relative <= LIMIT else 'NO'}"
        for row in differences
    ]
    return markdown(head, rows)


def timing_table(timings: Sequence[Timing]) -> str:
    head = "r3d_18 on the GPU | video-tcav | plain eager PyTorch | ratio"
    return markdown(
        head,
        [f"{row.work} | {row.ours_s:.3f} s | {row.plain_s:.3f} s | {row.ours_s / row.plain_s:.2f}×" for row in timings],
    )


def markdown(head: str, rows: Sequence[str]) -> str:
    rule = " | ".join("---" for _ in head.split("|"))
    return "\n".join(f"| {row} |" for row in (head, rule, *rows)) + "\n"


if __name__ == "__main__":
    main()
