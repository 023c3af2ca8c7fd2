"""Small trained networks with other heads: a verb and a noun, several labels, and a number; on clips of the rendered world."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core import random_streams
from video_tcav.core.clip_spec import OutputKind
from video_tcav.core.progress import progress_bar
from video_tcav.models import VideoModel, load_model
from video_tcav.rendered import Factors, Rule, sample_factors
from video_tcav.rendered.factors import OBJECTS, POSES, SCENES, TRAINING
from video_tcav.rendered.models import CLIP_SPEC, with_changes
from video_tcav.rendered.motions import joints_over_time
from video_tcav.rendered.training import BATCH, optimise, rendered_inputs, rendered_logits

HAND_SPEED = "hand speed"
_SIZE_PX, _LAST_CHANNELS, _PEAK_RATE = 64, 96, 2e-3
# Clips that are rendered once and learned from in turn, and clips on which the fit is measured.
_TRAINING_CLIPS, _HELD_OUT_CLIPS = 1280, 400
# Several labels: a clip has any number of them, as these factors are independent.
_LABELS = {"court": "scene", "racket": "object", "wave": "motion"}


class HeadNetwork(nn.Module):
    """Stem and stages of a packaged network with new linear heads.

    Args:
        trunk: whose stem and stages are copied.
        heads: number of outputs of each; of several, a dict is returned.
        is_multi_label: whether outputs are made probabilities, each for itself.
    """

    clip_spec = {"frames": CLIP_SPEC.frames, "size": _SIZE_PX, "mean": CLIP_SPEC.mean, "std": CLIP_SPEC.std}

    def __init__(self, trunk: nn.Module, heads: Mapping[str, int], *, is_multi_label: bool) -> None:
        super().__init__()
        self.stem, self.stages = deepcopy(trunk.get_submodule("stem")), deepcopy(trunk.get_submodule("stages"))
        self.heads = nn.ModuleDict({name: nn.Linear(_LAST_CHANNELS, width) for name, width in heads.items()})
        self.is_multi_label = is_multi_label

    def forward(self, clips: Float[Tensor, "clip 3 time height width"]) -> Tensor | dict[str, Tensor]:
        features = self.stages(self.stem(with_changes(clips))).mean((2, 3, 4))
        outputs = {name: head(features) for name, head in self.heads.items()}
        if len(outputs) > 1:
            return outputs
        (values,) = outputs.values()
        return values.sigmoid() if self.is_multi_label else values


@dataclass(frozen=True, kw_only=True)
class Head:
    """A head that is explained, and the cause of its target.

    Attributes:
        name: of the head.
        model: with this head, as a user loads it.
        rule: which value of a factor raises which output; the motions of its clips are those of the pool.
        target: the class, or the number.
        fit: how well the network does on held-out clips: the share that it is right about; of a number R².
    """

    name: str
    model: VideoModel
    rule: Rule
    target: str
    fit: float

    @property
    def unit(self) -> str:
        return "pixels a frame" if self.model.outputs.kind == "numbers" else "log-odds"


@dataclass(frozen=True, kw_only=True)
class _Explained:
    """One head of a network: its classes, in the order of the outputs, and the target with its cause."""

    name: str
    classes: tuple[str, ...]
    rule: Rule
    target: str
    option: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """How a network is trained.

    Attributes:
        start: packaged weights that training starts from.
        heads: number of outputs of each.
        kind: what the outputs are.
        loss: of outputs and labels.
        labels: of a clip; a row of a head's labels for each head.
        steps: batches of 32 clips: an object is known from the start, motions are not.
        explained: which heads are.
    """

    start: str
    heads: Mapping[str, int]
    kind: OutputKind
    loss: Callable[[Any, Tensor], Tensor]
    labels: Callable[[Factors], tuple[float, ...]]
    steps: int
    explained: tuple[_Explained, ...]


def hand_speed(clip: Factors) -> float:
    """How far the hand that can hold an object moves from frame to frame, on average over the clip, in pixels."""
    hand = joints_over_time(clip.motion, clip.nuisance, CLIP_SPEC.frames).near_arm[-1]
    height_px = clip.nuisance.scale * _SIZE_PX  # positions are in heights of the figure
    return float(height_px * np.abs(np.diff(hand)).mean())


def _two_losses(outputs: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    verb, noun = labels.long().unbind(1)
    return nn.functional.cross_entropy(outputs["verb"], verb) + nn.functional.cross_entropy(outputs["noun"], noun)


_MOTIONS = {pose: pose for pose in POSES}
# The fastest motion stands for the number; the others are named so that the pool shows them, too.
_SPEED_MOTIONS = {HAND_SPEED: "swing"} | {pose: pose for pose in POSES if pose != "swing"}
RECIPES = (
    _Recipe(
        start="rendered:r2plus1d-object",
        heads={"verb": len(POSES), "noun": len(OBJECTS)},
        kind="logits",
        loss=_two_losses,
        labels=lambda clip: (POSES.index(clip.motion), OBJECTS.index(clip.object)),
        steps=320,
        explained=(
            _Explained(
                name="verb", option="verb", classes=POSES, target="swing",
                rule=Rule(name="verb", cause="motion", classes=_MOTIONS),
            ),
            _Explained(
                name="noun", option="noun", classes=OBJECTS, target="racket",
                rule=Rule(name="noun", cause="object", classes={name: name for name in OBJECTS}),
            ),
        ),
    ),
    _Recipe(
        start="rendered:r2plus1d-object",
        heads={"labels": len(_LABELS)},
        kind="sigmoid",
        loss=nn.functional.binary_cross_entropy,
        labels=lambda clip: tuple(float(getattr(clip, factor) == value) for value, factor in _LABELS.items()),
        steps=160,
        explained=(
            _Explained(
                name="several labels", classes=tuple(_LABELS), target="court",
                rule=Rule(name="labels", cause="scene", classes={name: name for name in SCENES}),
            ),
        ),
    ),
    _Recipe(
        start="rendered:r2plus1d-motion",
        heads={"number": 1},
        kind="numbers",
        loss=nn.functional.mse_loss,
        labels=lambda clip: (hand_speed(clip),),
        steps=160,
        explained=(
            _Explained(
                name="a number", classes=(HAND_SPEED,), target=HAND_SPEED,
                rule=Rule(name="number", cause="motion", classes=_SPEED_MOTIONS),
            ),
        ),
    ),
)  # fmt: skip


def trained_heads(
    *,
    seed: int = 0,
    steps: int | None = None,
    progress: bool = False,
    training_clips: int = _TRAINING_CLIPS,
    held_out_clips: int = _HELD_OUT_CLIPS,
) -> tuple[Head, ...]:
    """Train the three networks, and give each head that is explained.

    Args:
        seed: of heads, clips and batches.
        steps: batches of 32 clips for each network; those that each needs if not given.
        progress: whether to show a bar.
        training_clips: rendered once, and learned from in turn.
        held_out_clips: on which the fit is measured.
    """
    clips = sample_factors(training_clips, seed=seed, motion=POSES, stream=TRAINING)
    held_out = sample_factors(held_out_clips, seed=seed, motion=POSES)
    inputs = torch.cat(list(rendered_inputs(clips)))
    heads = []
    total = sum(steps or recipe.steps for recipe in RECIPES)
    with progress_bar("training (batches)", total, visible=progress) as advance:
        for recipe in RECIPES:
            network = _trained(recipe, inputs, _labels(recipe, clips), seed, steps or recipe.steps, advance)
            columns = _labels(recipe, held_out).split(1 if len(recipe.explained) > 1 else len(_LABELS), dim=1)
            for explained, labels in zip(recipe.explained, columns, strict=True):
                model = load_model(
                    network, head=explained.option, classes=explained.classes, outputs=recipe.kind, device="cpu"
                )
                heads.append(
                    Head(
                        name=explained.name,
                        model=replace(model, name=explained.name),
                        rule=explained.rule,
                        target=explained.target,
                        fit=_fit(model, held_out, labels),
                    )
                )
    return tuple(heads)


def _labels(recipe: _Recipe, clips: Sequence[Factors]) -> Float[Tensor, "clip label"]:
    return torch.tensor([recipe.labels(clip) for clip in clips], dtype=torch.float32)


def _trained(
    recipe: _Recipe, inputs: Tensor, labels: Tensor, seed: int, steps: int, advance: Callable[[int], None]
) -> HeadNetwork:
    """Fine-tune all weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = load_model(recipe.start, device="cpu").module
        network = HeadNetwork(trunk, recipe.heads, is_multi_label=recipe.kind == "sigmoid")
    generator = np.random.default_rng([seed, random_streams.HEAD_BATCHES])
    drawn = (torch.from_numpy(generator.choice(len(inputs), BATCH, replace=False)) for _ in range(steps))
    batches = ((inputs[batch], labels[batch]) for batch in drawn)
    optimise(network, batches, recipe.loss, steps=steps, peak_rate=_PEAK_RATE, advance=advance)
    return network


def _fit(model: VideoModel, clips: Sequence[Factors], labels: Float[Tensor, "clip label"]) -> float:
    logits = rendered_logits(model, clips)
    if model.outputs.kind == "numbers":
        return float(1 - (logits - labels).var() / labels.var())
    right = logits.argmax(1, keepdim=True) == labels if model.outputs.is_exclusive else (logits > 0) == (labels > 0)
    return float(right.float().mean())
