"""The one interface of all methods: a frozen object of settings, called with a model, clips and a target."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import INPUT, AttributionMap, Map
from video_tcav.core.errors import EmptyMapError, ShapeError
from video_tcav.core.progress import Advance
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.axes.spacing import Spacings, layer_spacings
from video_tcav.models.hooks import check_finite, hooked, record_gradients, trace_layers, untouched
from video_tcav.models.layers import layers_axes
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.targets import Target, parse_target

Positions = Float[Tensor, "clip time height width channel"]
Clips = Float[Tensor, "clip ..."]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Maps of a few clips by layer, and the target's value for each clip."""

    layers: Mapping[str, Map]
    target: Float[Tensor, " clip"]


def silent(_steps: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A method of attribution with its settings."""

    name: ClassVar[str]
    """What the command line calls it."""

    @abstractmethod
    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """Maps of clips that fit into memory together; the model is in evaluation mode and its parameters are frozen."""

    def __call__(
        self,
        model: VideoModel,
        clips: Clips,
        *,
        target: str | int | Target,
        against: str = "log_odds",
        advance: Advance = silent,
    ) -> AttributionMap:
        """Where and when each clip spoke for the target.

        Args:
            model: from `load_model`; left as it came.
            clips: prepared clips, stacked, as `model.prepare` gives them.
            target: a class by name or number, or a `Target`.
            against: `log_odds`, `logit` or `contrast:CLASS`; not looked at where `target` is a `Target`.
            advance: told of progress; the steps add up to the number of clips.

        Raises:
            MethodError: if the method does not apply to this model or layer.
            EmptyMapError: if a map is zero everywhere.
            VideoTcavError: for a wrong layer, class or clip; the message says which.
        """
        found = self.unchecked(model, clips, target=target, against=against, advance=advance)
        for name, one in found.layers.items():
            self._check_not_empty(name, one)
        return found

    def unchecked(
        self,
        model: VideoModel,
        clips: Clips,
        *,
        target: str | int | Target,
        against: str = "log_odds",
        advance: Advance = silent,
    ) -> AttributionMap:
        """The same, but a map of zeros is no error: for those who compare maps."""
        scalar = target if isinstance(target, Target) else parse_target(model, target, against)
        shape = clip_shape(model, clips)
        clips = clips.to(device=model.device, dtype=model.dtype)
        with untouched(model.module):
            clips = clips.clone() if clips.is_inference() else clips  # such tensors take part in no gradient
            size = batch_of(model, clips)
            parts = clips.chunk(ceil(len(clips) / size))
            found = [self.attribute(model, part, scalar, advance) for part in parts]
        layers = {name: torch.cat([part.layers[name] for part in found]).cpu() for name in found[0].layers}
        return AttributionMap(
            method=self.name,
            layers=layers,
            clip_shape=shape,
            target=torch.cat([part.target for part in found]).cpu(),
            spacings=spacings_of(model, tuple(layers), clips) if INPUT not in layers else {},
        )

    def _check_not_empty(self, layer: str, found: Map) -> None:
        empty = int((found.flatten(1) == 0).all(1).sum())
        if empty:
            raise EmptyMapError(
                f"`{self.name}` must find something. Got a map of zeros at {layer} for {empty} of {len(found)} clips:"
                " no position there moves the target. Choose an earlier layer (--layer), or another method."
            )


@dataclass(frozen=True, kw_only=True)
class LayerMethod(Method):
    """A method that reads activations and gradients of layers, all from one pass.

    Attributes:
        layers: dotted module names; the deepest of the model's stages if not given.
    """

    layers: tuple[str, ...] | None = None

    @abstractmethod
    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """The map of one layer."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One forward and one backward serve all layers."""
        axes = mapped_axes(model, self.layers, clips)
        recorded = record_gradients(model, tuple(axes), clips, target)
        found = {
            name: self.combine(layer.positions(recorded.activations[name]), layer.positions(recorded.layers[name]))
            for name, layer in axes.items()
        }
        advance(len(clips))
        return Found(layers=found, target=recorded.target)


def mapped_axes(model: VideoModel, layers: Sequence[str] | None, clips: Clips) -> dict[str, LayerAxes]:
    """The layers to look at, each with its axes; the deepest stage where none is given.

    Raises:
        LayerNotFoundError: if the model has no stages and none is given.
        AxesError: if a layer has no positions, or its axes are ambiguous.
    """
    chosen = tuple(dict.fromkeys(layers or model.stages()[-1:]))
    return layers_axes(model, chosen, size=_free_size(model, clips))


def spacings_of(model: VideoModel, layers: Sequence[str], clips: Clips) -> dict[str, Spacings]:
    """Where the positions of layers lie in the clips."""
    size = _free_size(model, clips)
    return layer_spacings(model, layers_axes(model, layers, size=size), size=size)


def _free_size(model: VideoModel, clips: Clips) -> tuple[int, int] | None:
    """`(height, width)` of the clips, where the model takes any."""
    return (clips.shape[-2], clips.shape[-1]) if model.clip_spec.size is None else None


def read_layers(
    model: VideoModel, axes: Mapping[str, LayerAxes], clips: Clips
) -> tuple[Float[Tensor, "clip class"], dict[str, Positions]]:
    """Logits, and the activations of layers at their positions, from one forward without a graph."""
    recorded: dict[str, Positions] = {}

    def keep(name: str, output: Any) -> None:
        recorded[name] = axes[name].positions(layer_tensor(output).detach().clone())

    with hooked(model, tuple(axes), keep), torch.no_grad():
        logits = check_finite(model.logits(clips), "the logits")
    return logits, {name: recorded[name] for name in axes}


def clip_shape(model: VideoModel, clips: Clips) -> tuple[int, int, int]:
    """`(time, height, width)` of prepared clips.

    Raises:
        ShapeError: if they are not a batch of prepared clips.
    """
    spec = model.clip_spec
    channel_dim = 1 if spec.layout == "channels_first" else 2
    if clips.ndim != 5 or clips.shape[channel_dim] != 3 or not len(clips):
        raise ShapeError(
            f"`clips` must be a batch of prepared clips, {spec.layout}. Got shape {tuple(clips.shape)}."
            " Stack what model.prepare gives."
        )
    found = clips.shape[spec.time_dim + 1], clips.shape[-2], clips.shape[-1]
    if found[0] != spec.frames or (spec.size is not None and found[1:] != spec.size):
        raise ShapeError(
            f"`clips` must have {spec.frames} frames of {spec.size or 'any size'}, as the model was loaded for."
            f" Got {found[0]} of {found[1:]}. Load the model with these frames and size."
        )
    return found


_CLIPS_AT_ONCE: WeakKeyDictionary[VideoModel, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def batch_of(model: VideoModel, clips: Clips) -> int:
    """How many clips of this size the model takes at once; found by one clip, and kept for as long as the model lives."""
    known = _CLIPS_AT_ONCE.setdefault(model, {})
    shape = tuple(clips.shape[1:])
    if shape not in known:
        known[shape] = trace_layers(model, (), clips[:1]).batch
    return known[shape]
