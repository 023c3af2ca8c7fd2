"""A network or more for each kind of model, and what must become of it: read right, or refused in one line."""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import video

from video_tcav.models.load import load_model
from video_tcav.models.video_model import VideoModel

from .networks import Blocked, Convolutions, Folded, Shift, Stream, huggingface, image_network

CLASS = 1
THW = ("time", "height", "width")
CHANNELS_FIRST = ("clip", "channel", *THW)
FOLDED = ("clip", "time", "channel", "height", "width")
CONVOLUTIONS = ("stages.0", "stages.1", "stages.2")
Scores = namedtuple("Scores", "hidden logits")


def of_logits(z: Tensor) -> Tensor:
    """Log-odds of the class among classes that exclude each other, from their logits."""
    return of_probabilities(z.exp() / z.exp().sum(1, keepdim=True))


def of_probabilities(p: Tensor) -> Tensor:
    """Log-odds of a probability."""
    return (p[:, CLASS] / (1 - p[:, CLASS])).log()


def itself(z: Tensor) -> Tensor:
    """Log-odds of a class that excludes no other are its logit; the target of a regression is its number."""
    return z[:, CLASS]


def alone(target: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same for the one output of a network."""
    return lambda z: target(torch.cat([z, z], 1))


@dataclass(frozen=True, kw_only=True)
class Right:
    """A network that is read right.

    Attributes:
        build: the network.
        target: the target of a class, by definition, from what the network itself returns.
        outputs: what its outputs are taken for.
        assumed: whether a reader is asked to check that.
        options: what must be said.
        rows: finds the numbers in what the network returns.
        load: how it is loaded.
        layers: its default layers.
        dims: of the first of them; none where its axes are refused.
        classes: their names.
        mean: of the preprocessing, per colour.
        tolerance: of the target.
    """

    build: Callable[[], nn.Module]
    target: Callable[[Tensor], Tensor] = of_logits
    outputs: str = "logits"
    assumed: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    rows: Callable[[Any], Tensor] = lambda output: output
    load: Callable[..., VideoModel] = lambda network, _folder, **options: load_model(network, **options)
    layers: tuple[str, ...] = CONVOLUTIONS
    dims: tuple[str, ...] = CHANNELS_FIRST
    classes: tuple[str, ...] = ("0", "1", "2")
    mean: tuple[float, ...] = (0.45, 0.45, 0.45)
    tolerance: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A network that is refused in one line."""

    build: Callable[[], Any]
    message: str


def wrapped(wrap: Callable[[Tensor], object] = lambda z: z, classes: int = 3) -> Callable[[], nn.Module]:
    return lambda: Convolutions(classes, wrap)


def with_stage(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A network with one more stage."""

    def network() -> nn.Module:
        convolutions = Convolutions()
        convolutions.stages.append(build())
        return convolutions

    return network


class CarriedGRU(nn.GRU):
    """Begins each clip in the state in which the last one ended."""

    state: Tensor | None = None

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        start = None if self.state is None else self.state.expand(-1, len(rows), -1).contiguous()
        answers, last = super().forward(rows, start)
        self.state = last[:, -1:].clone()
        return answers, last


def scripted() -> nn.Module:
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten()).eval()
    return torch.jit.script(network)


def lightning(network: nn.Module, folder: Path, **options: Any) -> VideoModel:
    """Written by a trainer, and given as weights of the network's own file."""
    state = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    content = {
        "pytorch-lightning_version": "2.5.1",
        "epoch": 3,
        "state_dict": state | {"criterion.weight": torch.ones(3)},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}],
        "hyper_parameters": {"root": folder},
    }
    torch.save(content, folder / "last.ckpt")
    source = "from tests.unit.models.networks import Convolutions\n\n\ndef build():\n    return Convolutions()\n"
    (folder / "model.py").write_text(source, encoding="utf-8")
    return load_model(f"file:{folder / 'model.py'}:build", weights=folder / "last.ckpt", **options)


def hiera(unit: tuple[int, int, int]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        network = Blocked(unit)
        network.clip_spec = {"frames": 8, "size": 32}
        return network

    return build


KINETICS = video.R3D_18_Weights.KINETICS400_V1.meta["categories"]
KINETICS_MEAN = (0.43216, 0.394666, 0.37645)
FAMILY_MEAN = {"VideoMAE": (0.485, 0.456, 0.406), "Timesformer": (0.45, 0.45, 0.45)}
GAITS = {0: "run", 1: "walk", 2: "wave"}
IN_TOKENS = ("clip", "token", "channel")
OF_IMAGES = ("image.0", "image.1", "image.2", "image.3")
KINDS: dict[str, list[Right | Refused]] = {
    "logits": [
        Right(build=wrapped(), assumed=True),
        Right(build=wrapped(lambda z: z.log_softmax(1))),
    ],
    "softmax": [
        Right(build=wrapped(lambda z: z.softmax(1)), target=of_probabilities, outputs="softmax"),
        Right(build=wrapped(nn.Softmax(1)), target=of_probabilities, outputs="softmax"),
    ],
    "sigmoid": [Right(build=wrapped(torch.sigmoid), target=of_probabilities, outputs="sigmoid")],
    "one output": [
        Right(build=wrapped(classes=1), target=alone(itself), classes=("0",), outputs="sigmoid_logits", assumed=True),
        Right(
            build=wrapped(lambda z: z.squeeze(1), 1),
            target=alone(itself),
            classes=("0",),
            outputs="sigmoid_logits",
            assumed=True,
            rows=lambda output: output[:, None],
        ),
        Right(build=wrapped(torch.sigmoid, 1), target=alone(of_probabilities), classes=("0",), outputs="sigmoid"),
    ],
    "multi-label": [
        Right(build=wrapped(), target=itself, outputs="sigmoid_logits", options={"outputs": "sigmoid_logits"}),
        Right(
            build=lambda: huggingface(id2label=GAITS, problem_type="multi_label_classification"),
            target=itself,
            outputs="sigmoid_logits",
            classes=tuple(GAITS.values()),
            mean=FAMILY_MEAN["VideoMAE"],
            rows=lambda output: output.logits,
            layers=("videomae.encoder.layer.0", "videomae.encoder.layer.1"),
            dims=IN_TOKENS,
        ),
    ],
    "number": [
        Right(
            build=wrapped(classes=1),
            target=alone(itself),
            classes=("0",),
            outputs="numbers",
            options={"outputs": "numbers"},
        ),
        Right(build=wrapped(), target=itself, outputs="numbers", options={"outputs": "numbers"}),
    ],
    "dict": [
        Right(build=wrapped(lambda z: {"logits": z, "features": 2 * z}), assumed=True, rows=lambda out: out["logits"]),
        Refused(build=wrapped(lambda z: {"scores": z, "preds": 2 * z}), message=r"Got 2: \['scores'\]"),
        Refused(build=wrapped(lambda z: {"embedding": z}), message="one row of logits a clip"),
    ],
    "named tuple": [
        Right(build=wrapped(lambda z: Scores(2 * z, z)), assumed=True, rows=lambda out: out.logits),
    ],
    "nested": [
        Right(build=wrapped(lambda z: (None, [{"logits": z}])), assumed=True, rows=lambda out: out[1][0]["logits"]),
        Refused(build=wrapped(lambda z: ([z], [2 * z])), message="one tensor that can be the logits. Got 2"),
    ],
    "half precision": [
        Right(build=lambda: Convolutions().half(), assumed=True, tolerance=5e-3),
        Right(build=lambda: Convolutions().bfloat16(), assumed=True, tolerance=3e-2),
        Right(
            build=lambda: Convolutions(wrap=lambda z: z.softmax(1)).half(),
            target=of_probabilities,
            outputs="softmax",
            tolerance=5e-3,
        ),
    ],
    "dropout that is always on": [
        Refused(build=wrapped(lambda z: F.dropout(z)), message="draws random numbers in evaluation mode"),
    ],
    "BatchNorm without running statistics": [
        Refused(
            build=with_stage(lambda: nn.BatchNorm3d(6, track_running_stats=False)),
            message=r"BatchNorm without running statistics \(stages\.3\)",
        )
    ],
    "stateful (a stream of the clip before, a GRU that carries on)": [
        Refused(build=with_stage(Stream), message="after other clips were passed"),
        Refused(
            build=lambda: Folded(image_network(), 8, CarriedGRU(8, 8, batch_first=True)),
            message="keeps state from one clip to the next",
        ),
    ],
    "compiled": [Right(build=lambda: torch.compile(Convolutions(), backend="eager"), assumed=True)],
    "scripted": [Refused(build=scripted, message="as TorchScript, whose layers cannot be hooked")],
    "DataParallel": [Right(build=lambda: nn.DataParallel(Convolutions()), assumed=True)],
    "Lightning checkpoint": [Right(build=Convolutions, assumed=True, load=lightning)],
    "folded frames (TSN)": [
        Right(
            build=lambda: Folded(image_network(), 8),
            assumed=True,
            layers=OF_IMAGES,
            dims=FOLDED,
        )
    ],
    "folded frames (TSM)": [Right(build=Shift, assumed=True, layers=("stem", "stage"), dims=FOLDED)],
    "CNN+LSTM": [
        Right(
            build=lambda recurrent=recurrent: Folded(image_network(), 8, recurrent(8, 8, batch_first=True)),
            assumed=True,
            layers=(*OF_IMAGES, "over_time"),
            dims=FOLDED,
        )
        for recurrent in (nn.LSTM, nn.GRU)
    ],
    "Hiera": [
        Right(build=hiera(unit), assumed=True, layers=("blocks.0",), dims=(), classes=tuple("0123"))
        for unit in ((1, 4, 4), (2, 4, 4))
    ],
    "torchvision in memory": [
        Right(
            build=lambda: video.r3d_18(weights=None),
            layers=("layer1", "layer2", "layer3", "layer4"),
            classes=tuple(KINETICS),
            mean=KINETICS_MEAN,
        )
    ],
    "Hugging Face in memory": [
        Right(
            build=lambda family=family: huggingface(family, id2label=GAITS),
            rows=lambda output: output.logits,
            layers=layers,
            dims=IN_TOKENS,
            classes=tuple(GAITS.values()),
            mean=FAMILY_MEAN[family],
        )
        for family, layers in (
            ("VideoMAE", ("videomae.encoder.layer.0", "videomae.encoder.layer.1")),
            ("Timesformer", ("timesformer.encoder.layer.0",)),
        )
    ],
}
