"""Train the small networks on freshly rendered clips by a labelling rule."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from video_tcav.concepts import twin_clip
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.errors import InputError
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.tables import write_tensors
from video_tcav.models.video_model import VideoModel
from video_tcav.rendered import Factors, Rule, render_batch
from video_tcav.rendered.factors import TRAINING
from video_tcav.rendered.models import ARCHITECTURES, CLIP_SPEC, untrained

BATCH = 32  # clips: 25 MB of pixels, and the batch of the packaged weights
# Batches that the packaged weights were trained for.
STEPS = {
    "r2plus1d": {"motion": 400, "scene": 150, "object": 1500, "order": 250},
    "transformer": {"motion": 700, "scene": 200, "object": 1700, "order": 600},
}
_OTHER_STEPS = 800  # of rules without packaged weights, such as mixed
HELD_OUT = 1000
# Share of clips that are frozen while a scene or object is learned, or such a network would need motion to see them.
_FROZEN_SHARE = 0.25
_HELD_OUT_SEED = 10**6  # beyond the seeds of users
_PEAK_RATE = {"r2plus1d": 5e-3, "transformer": 1.5e-3}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained network with its accuracy.

    Attributes:
        model: the network; its classes are those of the rule.
        rule: that gave the labels.
        accuracy: on held-out clips, in [0, 1].
        metadata: of the weights file: classes, rule, seed, steps, accuracy.
    """

    model: VideoModel
    rule: Rule
    accuracy: float
    metadata: dict[str, str]

    def save(self, path: str | Path) -> Path:
        """Write weights and metadata as safetensors; the file is complete or not there.

        Raises:
            InputError: for a name that does not end in .safetensors.
        """
        check_name(Path(path))
        write_tensors(Path(path), self.model.module.state_dict(), metadata=self.metadata)
        return Path(path)


def check_name(path: Path) -> None:
    """Refuse a file name that `load_model` would not accept.

    Raises:
        InputError: for a name that does not end in .safetensors.
    """
    if path.suffix != ".safetensors":
        raise InputError(f"`path` must end in .safetensors. Got {path.name}. Change it.")


def train_rendered(
    architecture: str,
    rule: Rule,
    *,
    seed: int = 0,
    steps: int | None = None,
    held_out: int = HELD_OUT,
    progress: bool = False,
) -> Trained:
    """Train a network by a rule on clips that are rendered on the fly: none is seen twice.

    Args:
        architecture: `r2plus1d` or `transformer`.
        rule: that gives the labels.
        seed: of the first weights and of the clips.
        steps: batches of 32 clips; those of the packaged weights if not given.
        held_out: clips for the accuracy.
        progress: whether to show a bar.

    Raises:
        InputError: for an unknown architecture, no steps, or no held-out clips.
    """
    one_of("architecture", architecture, tuple(ARCHITECTURES))
    steps = STEPS[architecture].get(rule.name, _OTHER_STEPS) if steps is None else steps
    at_least("steps", steps, 1)
    at_least("held_out", held_out, 1)
    model = untrained(architecture, rule.labels, seed=seed)
    batches = ((normalised(clips), labels) for clips, labels in _batches(rule, steps, seed))
    loss, peak_rate = nn.functional.cross_entropy, _PEAK_RATE[architecture]
    with progress_bar(f"training {architecture} by {rule.name} (batches)", steps, visible=progress) as advance:
        optimise(model.module, batches, loss, steps=steps, peak_rate=peak_rate, advance=advance)
    clips, labels = rule.sample(held_out, seed=_HELD_OUT_SEED + seed)
    accuracy = measure_accuracy(model, clips, labels)
    correlation = f" --correlation {rule.correlation:g}" if rule.companion else ""
    metadata = {
        "classes": json.dumps(list(rule.labels)),
        "architecture": architecture,
        "rule": rule.name,
        "correlation": str(rule.correlation),
        "seed": str(seed),
        "steps": str(steps),
        "accuracy": f"{accuracy:.4f}",
        "held_out": str(held_out),
        # Trains these weights again.
        "command": f"video-tcav benchmark train {architecture} {rule.name}{correlation} --seed {seed} --steps {steps}",
    }
    return Trained(model=replace(model, trained=True), rule=rule, accuracy=accuracy, metadata=metadata)


def optimise(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Any, Tensor], Tensor],
    *,
    steps: int,
    peak_rate: float,
    advance: Advance,
) -> None:
    """Fit all weights of a network to so many batches of inputs and labels; it is in evaluation mode afterwards."""
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak_rate, total_steps=steps, pct_start=0.15)
    for inputs, labels in batches:
        value = loss(network(inputs), labels)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        advance(1)
    network.eval()


def measure_accuracy(model: VideoModel, clips: Sequence[Factors], labels: Sequence[int]) -> float:
    """Fraction of clips that the model classifies as labelled."""
    predicted = rendered_logits(model, clips).argmax(1)
    return float((predicted == torch.tensor(labels)).float().mean())


def rendered_logits(
    model: VideoModel, clips: Sequence[Factors], *, advance: Callable[[int], None] = lambda _steps: None
) -> Float[Tensor, "clip class"]:
    """Logits of clips that are rendered batch by batch."""
    logits = []
    with torch.no_grad():
        for inputs in rendered_inputs(clips):
            logits.append(model.logits(inputs))
            advance(len(inputs))
    return torch.cat(logits)


def rendered_inputs(clips: Sequence[Factors]) -> Iterator[Float[Tensor, "clip 3 time height width"]]:
    """Render clips in batches, as inputs of the small networks."""
    for start in range(0, len(clips), BATCH):
        yield normalised(render_batch(clips[start : start + BATCH]))


def normalised(clips: UInt8[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip 3 time height width"]:
    """Inputs of the small networks: pixels less mean, by standard deviation, channels first."""
    mean, std = torch.tensor(CLIP_SPEC.mean), torch.tensor(CLIP_SPEC.std)
    inputs = clips.movedim(2, 4).float().div_(255).sub_(mean).div_(std)
    return inputs.movedim(4, 1)  # channels stay innermost in memory, as convolutions on a CPU like it


def _batches(rule: Rule, steps: int, seed: int) -> Iterator[tuple[UInt8[Tensor, "..."], Int[Tensor, " clip"]]]:
    """Batches with labels; a thread renders the next one while the network learns from the last."""

    def make(step: int) -> tuple[Tensor, Tensor]:
        clips, labels = rule.sample(BATCH, seed=seed * 10**7 + step, stream=TRAINING)
        rendered = render_batch(clips)
        if rule.cause != "motion":  # a scene or an object is to be recognised without motion, too
            frozen = int(BATCH * _FROZEN_SHARE)
            rendered[:frozen] = twin_clip(rendered[:frozen], "frozen", time_dim=1)
        return rendered, torch.tensor(labels)

    with ThreadPoolExecutor(1, thread_name_prefix="video-tcav-render") as pool:
        waiting = pool.submit(make, 0)
        for step in range(steps):
            batch = waiting.result()
            if step + 1 < steps:
                waiting = pool.submit(make, step + 1)
            yield batch
