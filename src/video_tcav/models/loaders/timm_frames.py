"""Image backbones of timm over the frames of a clip, with a mean or LSTM head: TSN and CNN+LSTM as people train them."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.errors import InputError, MissingExtraError, ModelError
from video_tcav.core.limits import shortened
from video_tcav.models.axes.declared import folded_tokens
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.error_lines import first_line
from video_tcav.models.layers import evenly_spaced
from video_tcav.models.loaders.networks import describe_network
from video_tcav.models.video_model import AxesRule, VideoModel
from video_tcav.models.weights.loading import Weights, match_weights, metadata_classes, read_weights

Head = Literal["mean", "lstm"]
_FRAMES = 8  # as TSN takes segments in its published evaluations, and as zero-shot models here
_MOST_STAGES = 6  # more are blocks of a transformer, of which four are taken
_UNTRAINED_SEED = 0


class FrameMean(nn.Module):
    """An image classifier over frames; a clip's logits are the mean over its frames (TSN's consensus).

    Source:
        Wang et al. 2016, arXiv:1608.00859, equation 1, with the average as consensus.
    """

    def __init__(self, backbone: Any, outputs: int) -> None:
        super().__init__()
        self.backbone, self.head = backbone, nn.Linear(_width(backbone), outputs)

    def forward(self, clip: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip class"]:
        """Logits of the classes."""
        rows = self.head(self.backbone(clip.flatten(0, 1)))
        return rows.unflatten(0, (len(clip), -1)).mean(1)


class FrameLSTM(nn.Module):
    """An LSTM over the features of frames; the last state is classified (LRCN).

    Source:
        Donahue et al. 2015, arXiv:1411.4389, with the last time step in place of the average.
    """

    def __init__(self, backbone: Any, outputs: int, *, width: int, layers: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.lstm = nn.LSTM(_width(backbone), width, layers, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, clip: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip class"]:
        """Logits of the classes."""
        rows = self.backbone(clip.flatten(0, 1)).unflatten(0, (len(clip), -1))
        states, _ = self.lstm(rows)
        return self.head(states[:, -1])


def _width(backbone: Any) -> int:
    """Features of an image; some networks have a layer of another width behind their last stage, before the classifier."""
    return getattr(backbone, "head_hidden_size", None) or backbone.num_features


def load_timm(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
    head: str | None = None,
) -> VideoModel:
    """Loader of `timm:NAME`; arguments as in `ModelLoader.load`.

    Nothing is downloaded: weights come from a file. Tensors are those of `FrameMean` or `FrameLSTM`; the number of classes, and
    the size of an LSTM, are read from them. Names of timm's own classifier (`fc.weight`) are not those of a video's head.

    Raises:
        MissingExtraError: without timm.
        InputError: for another head.
        ModelError: for a name that timm does not have, or without classes and weights.
        WeightsError: if weights do not fit.
    """
    try:
        timm: Any = import_module("timm")
    except ImportError as reason:
        raise MissingExtraError("timm", f"timm:{source}") from reason
    kind = head or "mean"
    if kind not in get_args(Head):
        raise InputError(f"`head` must be mean or lstm for timm:{source}. Got {kind!r}. Correct it.")
    if not timm.is_model(source):
        close = shortened(timm.list_models(f"*{source.split('.')[0].split('_')[0]}*"), 4) or "see timm.list_models()"
        raise ModelError(
            f"`model` must be a network of timm. Got timm:{source}, which is none: {close}. Correct the name."
        )
    content = None if weights is None else read_weights(weights)
    classes = classes or metadata_classes(content)
    backbone, spec = _backbone(timm, source, fields)
    build = _builder(backbone, kind, content, classes, source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_UNTRAINED_SEED)
        module = build()
    model = describe_network(
        module,
        content,
        name=f"timm:{source}",
        fields=fields,
        classes=classes,
        trained=content is not None,
        allow_impure=allow_impure,
        published=spec,
    )
    stages = _stages(backbone)
    # What timm does not say of a network is left as probing finds it.
    return replace(model, default_layers=stages, declare_axes=_axes(backbone, stages)) if stages else model


def _stages(backbone: Any) -> tuple[str, ...]:
    """The modules that timm calls features: stages of a convolutional network, blocks of a transformer.

    Where the head reads the class token alone, the other tokens of the last block have no gradient: it is left out.
    """
    features: Any = getattr(backbone, "feature_info", None)
    entries = features if isinstance(features, list) else features.get_dicts() if hasattr(features, "get_dicts") else []
    submodules = dict(backbone.named_modules())
    names = [f"backbone.{entry['module']}" for entry in entries if entry.get("module") in submodules]
    reads_class_token = getattr(backbone, "global_pool", "") == "token" and getattr(backbone, "num_prefix_tokens", 0)
    names = names[:-1] if reads_class_token and len(names) > 1 else names
    # The stem of a convolutional network comes first.
    return tuple(names[-4:]) if len(names) <= _MOST_STAGES else evenly_spaced(names)


def _axes(backbone: Any, stages: tuple[str, ...]) -> AxesRule:
    """Stages with frames folded into the first dimension: volumes with channels first, or tokens of a grid."""
    grid, prefix = (
        getattr(getattr(backbone, "patch_embed", None), "grid_size", None),
        getattr(backbone, "num_prefix_tokens", 0),
    )
    channels_first = str(getattr(backbone, "output_fmt", "NCHW")).endswith("NCHW")

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        time = clip_shape[0]
        if layer not in stages or time == 1:
            return None
        if len(shape) == 4 and shape[0] == time and channels_first:
            return LayerAxes(dims=("clip", "time", "channel", "height", "width"), fold=time)
        return None if grid is None else folded_tokens(shape, (time, *grid), prefix_tokens=prefix)

    return rule


def _backbone(timm: Any, source: str, fields: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The network without its classifier, and the clip by its published configuration."""
    size = fields.get("size")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_UNTRAINED_SEED)
        backbone = _created(timm, source, size)
    config = timm.data.resolve_data_config({}, model=backbone)
    _, height, width = config["input_size"]
    share = config["crop_pct"]
    published = {
        "frames": _FRAMES,
        "sampling": "uniform",
        "size": (height, width),
        # timm crops `crop_pct` of the resized picture
        "resize": int(min(height, width) / share),
        "mean": config["mean"],
        "std": config["std"],
        "layout": "time_first",
    }
    return backbone, published


def _created(timm: Any, source: str, size: tuple[int, int] | None) -> Any:
    """The network without its classifier, built for a size where it is built for one, as transformers are."""
    try:
        if size is not None:
            with suppress(TypeError):  # networks that take any size have no such argument
                return timm.create_model(source, pretrained=False, num_classes=0, img_size=size)
        return timm.create_model(source, pretrained=False, num_classes=0)
    except (TypeError, RuntimeError) as reason:  # of a tag that is none (`resnet18.nope`), a RuntimeError
        raise ModelError(
            f"`model` must be an image network of timm. Got timm:{source}: {first_line(reason)}. Choose another."
        ) from reason


def _builder(
    backbone: Any, kind: str, content: Weights | None, classes: tuple[str, ...] | None, source: str
) -> Callable[[], nn.Module]:
    """What builds the network with as many outputs as weights, or else classes, say; an LSTM as the weights have it."""
    width, layers, outputs = 512, 1, None if classes is None else len(classes)
    if content is not None:
        # By name alone: the sizes of the head are read from the weights.
        probe = FrameMean(backbone, 1) if kind == "mean" else FrameLSTM(backbone, 1, width=1, layers=_layers(content))
        tensors = match_weights(probe.state_dict(), content, any_shape=True).tensors
        outputs, layers = tensors["head.weight"].shape[0], _layers(content)
        width = tensors["head.weight"].shape[1]
    if outputs is None:
        raise ModelError(
            f"`classes` must be named for timm:{source} without weights: its own classifier is one of pictures. Got none. Give"
            " --classes or --weights."
        )
    if kind == "mean":
        return lambda: FrameMean(backbone, outputs)
    return lambda: FrameLSTM(backbone, outputs, width=width, layers=layers)


def _layers(content: Weights) -> int:
    """Layers of the LSTM in a file of weights."""
    numbers = [int(match[1]) for name in content.tensors if (match := re.search(r"lstm\.weight_ih_l(\d+)$", name))]
    return max(numbers, default=0) + 1
