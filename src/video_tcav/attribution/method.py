"""The interface of all attribution methods: a frozen object of settings, called with a model, clips and a target."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any, ClassVar, Literal, get_args, get_origin
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import INPUT, AttributionMap, Map, MapSum
from video_tcav.core.checks import one_of
from video_tcav.core.errors import EmptyMapError, ShapeError
from video_tcav.core.progress import Advance
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.axes.spacing import Spacings, layer_spacings
from video_tcav.models.hooks import check_finite, hooked, trace_layers, untouched
from video_tcav.models.layers import layers_axes
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.targets import Target, parse_target

Positions = Float[Tensor, "clip time height width channel"]
Clips = Float[Tensor, "clip ..."]


@dataclass(frozen=True, kw_only=True)
class LayerMaps:
    """Maps of a batch of clips by layer, at the layers' own positions, and the target's value for each clip.

    `sums` is what the maps add up to, of methods that know it.
    """

    layers: Mapping[str, Map]
    target: Float[Tensor, " clip"]
    sums: Mapping[str, MapSum] = field(default_factory=dict)


def silent(_steps: float) -> None:
    """No-op progress callback."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """An attribution method with its settings.

    A subclass is a frozen dataclass of its settings. It says what it is in three class variables: `name`, which the
    command line and the entry point call it by; `help`, one line on the idea; `source`, the paper.
    """

    name: ClassVar[str]
    help: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __post_init__(self) -> None:
        # Settings with a list of values, such as `baseline`; a subclass that checks more calls this one, too.
        for setting in fields(self):
            if get_origin(setting.type) is Literal:
                one_of(setting.name, getattr(self, setting.name), get_args(setting.type))

    @abstractmethod
    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """Maps of clips that fit into memory together; the model is in evaluation mode and its parameters are frozen."""

    def __call__(
        self,
        model: VideoModel,
        clips: Clips,
        *,
        target: str | int | Target,
        against: str = "log_odds",
        allow_empty: bool = False,
        advance: Advance = silent,
    ) -> AttributionMap:
        """Where and when each clip raised and lowered the target.

        Args:
            model: from `load_model`; left as it came.
            clips: prepared clips, stacked, as `model.prepare` gives them.
            target: a class by name or number, or a `Target`.
            against: `log_odds`, `logit` or `contrast:CLASS`; ignored where `target` is a `Target`.
            allow_empty: whether a map of zeros is no error, for comparisons of maps.
            advance: progress callback; its steps add up to the number of clips.

        Raises:
            MethodError: if the method does not apply to this model or layer.
            EmptyMapError: if a map is zero everywhere.
            VideoTcavError: for a wrong layer, class or clip; the message says which.
        """
        scalar = target if isinstance(target, Target) else parse_target(model, target, against)
        shape = clip_shape(model, clips)
        clips = clips.to(device=model.device, dtype=model.dtype)
        with untouched(model.module):
            # Tensors made in inference mode take part in no gradient; their copies do.
            clips = clips.clone() if clips.is_inference() else clips
            batches = clips.chunk(ceil(len(clips) / batch_size(model, clips)))
            batch_maps = [self.attribute(model, batch, scalar, advance) for batch in batches]
        layers = {name: torch.cat([maps.layers[name] for maps in batch_maps]).cpu() for name in batch_maps[0].layers}
        for layer, maps in layers.items() if not allow_empty else ():
            empty = int((maps.flatten(1) == 0).all(1).sum())
            if empty:
                raise EmptyMapError(
                    f"`{self.name}` must find something. Got a map of zeros at {layer} for {empty} of {len(maps)} clips:"
                    " no position there moves the target. Choose an earlier layer (--layer), or another method."
                )
        sums = {layer: MapSum.joined([maps.sums[layer] for maps in batch_maps]) for layer in batch_maps[0].sums}
        return AttributionMap(
            method=self.name,
            layers=layers,
            clip_shape=shape,
            target=torch.cat([maps.target for maps in batch_maps]).cpu(),
            spacings=spacings_of(model, tuple(layers), clips) if INPUT not in layers else {},
            sums=sums,
        )


def mapped_axes(model: VideoModel, layers: Sequence[str] | None, clips: Clips) -> dict[str, LayerAxes]:
    """The layers to look at, each with its axes; the deepest stage if none is given.

    Raises:
        LayerNotFoundError: if the model has no stages and no layer is given.
        AxesError: if a layer has no positions, or its axes are ambiguous.
    """
    chosen = tuple(dict.fromkeys(layers or model.stages()[-1:]))
    return layers_axes(model, chosen, size=_free_size(model, clips))


def spacings_of(model: VideoModel, layers: Sequence[str], clips: Clips) -> dict[str, Spacings]:
    """Where the positions of layers lie in the clips."""
    size = _free_size(model, clips)
    return layer_spacings(model, layers_axes(model, layers, size=size), size=size)


def _free_size(model: VideoModel, clips: Clips) -> tuple[int, int] | None:
    """`(height, width)` of the clips, where the model takes any size: its grids then depend on the clips."""
    return (clips.shape[-2], clips.shape[-1]) if model.clip_spec.size is None else None


def read_layers(
    model: VideoModel, axes: Mapping[str, LayerAxes], clips: Clips
) -> tuple[Float[Tensor, "clip class"], dict[str, Positions]]:
    """Logits, and the activations of layers at their positions, from one forward without a graph."""
    activations: dict[str, Positions] = {}

    def keep(name: str, output: Any) -> None:
        # A copy: networks with in-place operations write over the layer's output after the hook.
        activations[name] = axes[name].positions(layer_tensor(output).detach().clone())

    with hooked(model, tuple(axes), keep), torch.no_grad():
        logits = check_finite(model.logits(clips), "the logits")
    return logits, {name: activations[name] for name in axes}


def channel_dim(model: VideoModel) -> int:
    """Which dimension of a batch of prepared clips is the colour."""
    return 1 if model.clip_spec.layout == "channels_first" else 2


def clip_shape(model: VideoModel, clips: Clips) -> tuple[int, int, int]:
    """`(time, height, width)` of prepared clips.

    Raises:
        ShapeError: if they are not a batch of prepared clips.
    """
    spec = model.clip_spec
    if clips.ndim != 5 or clips.shape[channel_dim(model)] != 3 or not len(clips):
        raise ShapeError(
            f"`clips` must be a batch of prepared clips, {spec.layout}. Got shape {tuple(clips.shape)}."
            " Stack what model.prepare gives."
        )
    frames, *size = clips.shape[spec.time_dim + 1], clips.shape[-2], clips.shape[-1]
    if frames != spec.frames or (spec.size is not None and tuple(size) != spec.size):
        raise ShapeError(
            f"`clips` must have {spec.frames} frames of {spec.size or 'any size'}, as the model was loaded for."
            f" Got {frames} of {tuple(size)}. Load the model with these frames and size."
        )
    return frames, size[0], size[1]


# By model and shape of a clip: finding a batch size takes a forward pass, and every map of a clip asks for it.
_BATCH_SIZES: WeakKeyDictionary[VideoModel, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def batch_size(model: VideoModel, clips: Clips) -> int:
    """How many clips of this shape fit into memory at once; found by a pass of one clip, kept as long as the model lives."""
    sizes = _BATCH_SIZES.setdefault(model, {})
    shape = tuple(clips.shape[1:])
    if shape not in sizes:
        sizes[shape] = trace_layers(model, (), clips[:1]).batch
    return sizes[shape]
