"""The video classifiers of torchvision, with their published clips, preprocessing and weights."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MissingExtraError, ModelError, WeightsError
from video_tcav.models.axes.declared import convolution_axes, mvit_axes, swin3d_axes
from video_tcav.models.class_names import check_class_count, numbered_names, order_notes
from video_tcav.models.clip_fields import merge_clip_spec
from video_tcav.models.error_lines import first_line
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.video_model import AxesRule, VideoModel
from video_tcav.models.weights.loading import Weights, fit_weights, match_weights, metadata_classes, read_weights
from video_tcav.models.weights.tensor_names import StateDict

try:
    from torchvision.models import WeightsEnum, get_model, get_model_weights
except ImportError as error:
    raise MissingExtraError("torchvision", "A model of torchvision") from error

UNTRAINED_SEED = 0  # of random weights: the same ones in every run, and in all of its workers
_MODULE = "torchvision.models.video"
_PIXEL_FIELDS = {"size", "resize", "mean", "std", "layout"}


@dataclass(frozen=True, kw_only=True)
class _Architecture:
    """What torchvision documents, but does not hold in code.

    Frames and rate are `clip_len` and `frame_rate` in the `_docs` of each weights entry
    (torchvision/models/video/{resnet,s3d,swin_transformer,mvit}.py, 0.29.1).
    """

    frames: int
    fps: float
    head: str
    axes: Callable[[nn.Module], AxesRule]
    stages: tuple[str, ...]


_RESNET = _Architecture(
    frames=16,
    fps=15.0,
    head="fc.weight",
    axes=lambda _module: convolution_axes,
    stages=("layer1", "layer2", "layer3", "layer4"),
)
_S3D = _Architecture(
    frames=128,
    fps=15.0,
    head="classifier.1.weight",
    axes=lambda _module: convolution_axes,
    # Last block before each pooling of S3D.features (they are at 1, 4, 7 and 13), and the very last.
    stages=("features.3", "features.6", "features.12", "features.15"),
)
_SWIN = _Architecture(
    frames=32,
    fps=15.0,
    head="head.weight",
    axes=swin3d_axes,
    # SwinTransformer3d.features alternates stages (even) with patch merging (odd).
    stages=("features.0", "features.2", "features.4", "features.6"),
)
_MVIT = _Architecture(frames=16, fps=7.5, head="head.1.weight", axes=mvit_axes, stages=())  # `last_blocks`
ARCHITECTURES: Mapping[str, _Architecture] = {
    **dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18"), _RESNET),
    "s3d": _S3D,
    **dict.fromkeys(("swin3d_t", "swin3d_s", "swin3d_b"), _SWIN),
    **dict.fromkeys(("mvit_v1_b", "mvit_v2_s"), _MVIT),
}


def load_torchvision(
    name: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """Loader of `torchvision:NAME`; arguments as in `ModelLoader.load`, of which `allow_impure` is not used.

    Weights are published ones by name (`KINETICS400_V1`, `DEFAULT`), a file, or `None` for random ones.
    """
    if name not in ARCHITECTURES:
        raise ModelError(
            f"`model` must be one of torchvision's {', '.join(ARCHITECTURES)}. Got {name!r}. Correct the name."
        )
    published = get_model_weights(name)
    entry = published_entry(published, weights)
    preset = next(iter(published)) if entry is None else entry
    spec = _clip_spec(name, preset, fields)
    content = None if weights is None else read_entry(entry, weights)
    if content is not None:
        # By name alone: the size of the head is read from the weights, and the network built for it.
        content = match_weights(_build(name, 1, device="meta").state_dict(), content, any_shape=True)
        classes = classes or metadata_classes(content)
    categories = preset.meta["categories"]
    outputs = content.tensors[ARCHITECTURES[name].head].shape[0] if content else len(classes or categories)
    check_class_count(classes, outputs)
    module = _build(name, outputs).eval()
    if content is not None:
        fit_weights(module, content)
    notes = (*(() if content is None else content.notes), *order_notes(classes, categories, "the published weights"))
    if content is not None and entry is None and classes is None and len(categories) == outputs:
        notes += (
            f"Assumed: the {outputs} outputs are the classes of Kinetics-400 in their published order, since there are as many"
            " and the weights name none; say classes if they are others.",
        )
    return replace(
        _described(name, module, preset, spec, fields),
        name=f"torchvision:{name}",
        classes=classes or (tuple(categories) if len(categories) == outputs else numbered_names(outputs)),
        trained=content is not None,
        notes=notes,
    )


def describe_torchvision(module: nn.Module, fields: Mapping[str, Any]) -> VideoModel | None:
    """A module in memory as one of torchvision's classifiers, whatever its head; `None` if it is none.

    Its class names are those of the published weights; they may not fit the head.
    """
    name = _architecture_of(module)
    if name is None:
        return None
    preset = next(iter(get_model_weights(name)))
    model = _described(name, module, preset, _clip_spec(name, preset, fields), fields)
    note = (
        f"Known as torchvision's {name}: clip, preprocessing and, for {len(model.classes)} outputs, class"
        " names are those of its published weights."
    )
    return replace(model, notes=(note,))


def _described(
    name: str, module: nn.Module, preset: WeightsEnum, spec: ClipSpec, fields: Mapping[str, Any]
) -> VideoModel:
    architecture = ARCHITECTURES[name]
    return VideoModel(
        name=name,
        module=module,
        clip_spec=spec,
        classes=tuple(preset.meta["categories"]),
        default_layers=architecture.stages or last_blocks(module),
        prepare=partial(prepare_clip, spec=spec) if set(fields) & _PIXEL_FIELDS else preset.transforms(),
        declare_axes=architecture.axes(module),
    )


def last_blocks(module: nn.Module) -> tuple[str, ...]:
    """Last block of each resolution of MViT.

    The very last block is left out: the head reads its class token alone, so its patch tokens have no gradient.
    """
    blocks: Any = module.get_submodule("blocks")
    starts = [index for index, block in enumerate(blocks) if block.pool_skip is not None]
    # where the last resolution is one block, its end is that of the resolution before
    return tuple(dict.fromkeys(f"blocks.{end}" for end in [*(start - 1 for start in starts), len(blocks) - 2]))


def _architecture_of(module: nn.Module) -> str | None:
    for name, architecture in ARCHITECTURES.items() if type(module).__module__.startswith(_MODULE) else ():
        # On the meta device: shapes without memory for weights.
        candidate, head = _build(name, 1, device="meta"), architecture.head.partition(".")[0]
        if type(candidate) is type(module) and _shapes(candidate, head) == _shapes(module, head):
            return name
    return None


def _shapes(module: nn.Module, head: str) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors but those of the head."""
    tensors = module.state_dict().items()
    return {name: tuple(tensor.shape) for name, tensor in tensors if name.partition(".")[0] != head}


def published_entry(published: Any, weights: str | None) -> WeightsEnum | None:
    """The published weights of that name; `None` where it is no such name, but a file's."""
    if weights in published.__members__:
        return published[weights]
    # In capitals it is meant as a name, not as a file.
    if weights is not None and re.fullmatch(r"[A-Z][A-Z0-9_]*", weights):
        names = ", ".join([*(entry.name for entry in published), "DEFAULT"])
        raise WeightsError(
            f"`weights` must be one of {names}, or a file. Got {weights}. Correct the name, or give a path."
        )
    return None


def _clip_spec(name: str, entry: WeightsEnum, fields: Mapping[str, Any]) -> ClipSpec:
    """The published clip with the fields over it; MViT is refused at another size: its position tables are built for one."""
    architecture, preset = ARCHITECTURES[name], entry.transforms()
    resize = preset.resize_size
    published = ClipSpec(
        frames=architecture.frames,
        fps=architecture.fps,
        size=(preset.crop_size[0], preset.crop_size[1]),
        resize=resize[0] if len(resize) == 1 else (resize[0], resize[1]),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )
    spec = merge_clip_spec(published, fields)
    if name.startswith("mvit") and (spec.frames, spec.size) != (published.frames, published.size):
        raise ModelError(
            f"`frames` and `size` of {name} must be {published.frames} and {published.size}."
            f" Got {spec.frames} and {spec.size or 'native'}. Leave them out."
        )
    return spec


def read_entry(entry: WeightsEnum | None, weights: str, *, instead: str = "give the file") -> Weights:
    """Published weights, downloaded; those of a file where there is no entry. `instead` is for who cannot download."""
    if entry is None:
        return read_weights(weights)
    try:
        tensors = torch.hub.load_state_dict_from_url(entry.url, map_location="cpu", check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as reason:
        raise WeightsError(
            f"`weights` must be reachable to be downloaded. Got {entry.url}: {first_line(reason)}."
            f" Download it elsewhere and {instead}."
        ) from reason
    return Weights(path=entry.url, state_dicts=(StateDict(tensors=tensors),))


def _build(name: str, outputs: int, *, device: str = "cpu") -> nn.Module:
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(UNTRAINED_SEED)
        return get_model(name, weights=None, num_classes=outputs)
