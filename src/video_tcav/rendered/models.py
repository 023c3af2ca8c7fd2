"""Two small networks for rendered clips: a (2+1)D convolutional one and a transformer, with weights in the package.

`rendered:r2plus1d-motion` is a network whose only cause is known; `video-tcav benchmark train` makes such weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError, WeightsError
from video_tcav.models.axes.declared import CHANNELS_FIRST, token_axes
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.class_names import check_class_count
from video_tcav.models.clip_fields import merge_clip_spec
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import fit_weights, metadata_classes, read_weights

WEIGHTS = Path(__file__).parent / "weights"
CLIP_SPEC = ClipSpec(frames=16, stride=1, size=(64, 64), mean=(0.45, 0.45, 0.45), std=(0.25, 0.25, 0.25))
_GRID = (8, 4, 4)  # tokens in time, height and width: 16 frames of 64 pixels after the strides of the stem
RULES = ("motion", "scene", "object", "order")


class SmallR2Plus1D(nn.Module):
    """Convolutions in space, then in time, in a stem and four stages (the (2+1)D block of Tran et al. 2018, arXiv:1711.11248)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(6, 24, (1, 7, 7), (1, 4, 4), (0, 3, 3)), nn.BatchNorm3d(24), nn.ReLU())
        self.stages = nn.Sequential(
            _block(24, 24, space=1, time=1),
            _block(24, 40, space=2, time=2),
            _block(40, 64, space=2, time=2),
            _block(64, 96, space=1, time=1),
        )
        self.head = nn.Linear(96, num_classes)

    def forward(self, clips: Float[Tensor, "clip 3 time height width"]) -> Float[Tensor, "clip class"]:
        return self.head(self.stages(self.stem(with_changes(clips))).mean((2, 3, 4)))


class SmallVideoTransformer(nn.Module):
    """A convolutional stem, then four blocks of joint space-time attention over 8 × 4 × 4 tokens, time-major."""

    def __init__(self, num_classes: int, width: int = 80, depth: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(6, 24, (1, 7, 7), stride=(1, 4, 4), padding=(0, 3, 3)),
            nn.BatchNorm3d(24),
            nn.GELU(),
            nn.Conv3d(24, 48, (2, 3, 3), stride=2, padding=(0, 1, 1)),
            nn.BatchNorm3d(48),
            nn.GELU(),
            nn.Conv3d(48, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
        )
        self.place = nn.Parameter(torch.randn(1, prod(_GRID), width) * 0.02)
        self.blocks = nn.Sequential(*(_AttentionBlock(width, heads=4) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, clips: Float[Tensor, "clip 3 time height width"]) -> Float[Tensor, "clip class"]:
        tokens = self.stem(with_changes(clips)).flatten(2).transpose(1, 2) + self.place
        return self.head(self.norm(self.blocks(tokens)).mean(1))


def with_changes(clips: Float[Tensor, "clip 3 time height width"]) -> Float[Tensor, "clip 6 time height width"]:
    """Append the difference to the frame before to each frame: without it, networks this small do not learn motion."""
    changes = nn.functional.pad(clips[:, :, 1:] - clips[:, :, :-1], (0, 0, 0, 0, 1, 0))
    # Twice, as changes between frames are small beside the pixel values.
    return torch.cat([clips, 2 * changes], dim=1)


class _AttentionBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, tokens: Float[Tensor, "clip token width"]) -> Float[Tensor, "clip token width"]:
        heads = self.qkv(self.first_norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = (head.transpose(1, 2) for head in heads.unbind(2))
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(attended.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.second_norm(tokens))


def _block(inputs: int, outputs: int, *, space: int, time: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, (1, 3, 3), stride=(1, space, space), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
        nn.Conv3d(outputs, outputs, (3, 1, 1), stride=(time, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


ARCHITECTURES: dict[str, Callable[[int], nn.Module]] = {"r2plus1d": SmallR2Plus1D, "transformer": SmallVideoTransformer}
_STAGES = {"r2plus1d": "stages", "transformer": "blocks"}


def rendered_names() -> tuple[str, ...]:
    """The networks whose weights are in the package."""
    return tuple(f"{architecture}-{rule}" for architecture in ARCHITECTURES for rule in RULES)


def load_rendered(
    name: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """A network of the rendered world; for the arguments see `ModelLoader.load`.

    The name is `r2plus1d-motion` and the like, or an architecture alone, with weights that `video-tcav benchmark train` wrote.
    `allow_impure` is not needed: these networks are repeatable.

    Raises:
        ModelError: for an unknown name.
        WeightsError: if the weights do not fit.
    """
    architecture = name.partition("-")[0]
    names = rendered_names() if weights is None else tuple(ARCHITECTURES)
    if name not in names:
        raise ModelError(
            f"`model` must be rendered: and one of {', '.join(rendered_names())}; with --weights, one of"
            f" {', '.join(ARCHITECTURES)}. Got {name!r}. Choose one."
        )
    content = read_weights(weights or str(WEIGHTS / f"{name}.safetensors"))
    names_of_weights = metadata_classes(content)
    if names_of_weights is not None:
        check_class_count(classes, len(names_of_weights))
    classes = classes or names_of_weights
    if classes is None:
        raise WeightsError(
            f"`weights` must say the names of their classes. Got {content.path} without. Give --classes, or weights that"
            " `video-tcav benchmark train` wrote."
        )
    module = ARCHITECTURES[architecture](len(classes))
    notes = fit_weights(module, content)
    model = _described(name, module.eval(), classes, merge_clip_spec(CLIP_SPEC, fields), trained=True)
    return replace(model, notes=notes)


def untrained(architecture: str, classes: tuple[str, ...], *, seed: int) -> VideoModel:
    """A network of an architecture with seeded random weights, for training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = ARCHITECTURES[architecture](len(classes))
    return _described(architecture, module, classes, CLIP_SPEC, trained=False)


def _described(name: str, module: nn.Module, classes: tuple[str, ...], spec: ClipSpec, *, trained: bool) -> VideoModel:
    stages = _STAGES[name.partition("-")[0]]
    return VideoModel(
        name=f"rendered:{name}",
        module=module,
        clip_spec=spec,
        classes=classes,
        default_layers=tuple(f"{stages}.{index}" for index in range(4)),
        prepare=partial(prepare_clip, spec=spec),
        declare_axes=_declare_axes,
        trained=trained,
    )


def _declare_axes(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
    """Axes of the stages of both networks; those of inner layers are probed."""
    container = layer.partition(".")[0]
    if container in ("stem", "stages") and len(shape) == 5:
        return CHANNELS_FIRST
    tokens = container in ("blocks", "norm") and len(shape) == 3 and layer.count(".") < 2
    return token_axes(_GRID) if tokens and shape[1] == prod(_GRID) else None
