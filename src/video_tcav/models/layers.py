"""The layers of a model: their names, shapes and axes, and which of them are its stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.displays import html_list, html_table
from video_tcav.core.errors import AxesError, LayerNotFoundError
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.axes.probe import probe_axes
from video_tcav.models.hooks import observe
from video_tcav.models.video_model import VideoModel

NATIVE_SIZE = (112, 112)
"""Pixels of the noise clip for a model that takes any size."""
Traced = dict[str, tuple[tuple[int, ...], int]]
"""By layer: shape of its (first) output for one noise clip, and how often it ran."""
STAGE_CONTAINERS = ("stages", "layers", "blocks", "features")  # as torchvision, timm and Hugging Face name them


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer as a user chooses it.

    Attributes:
        name: dotted module name.
        shape: of its output for one clip, the clip dimension in front.
        axes: what each dimension means; `None` where that is not clear, or was not probed.
        axes_note: why `axes` is `None`, or anything else worth knowing; empty otherwise.
        is_default: whether it is one of the model's stages.
    """

    name: str
    shape: tuple[int, ...]
    axes: LayerAxes | None
    axes_note: str
    is_default: bool

    @property
    def shape_text(self) -> str:
        """Its shape, as `1 × 16 × 2 × 6 × 6`."""
        return " × ".join(map(str, self.shape))

    @property
    def axes_text(self) -> str:
        """What each dimension means and how tokens are laid out, or why that is not known."""
        if self.axes is None:
            return f"unknown: {self.axes_note}"
        dims = ", ".join(self.axes.dims)
        if not self.axes.token_order:
            return dims
        grid = "×".join(map(str, self.axes.grid or ()))
        prefix = f", after {self.axes.prefix_tokens} class token" if self.axes.prefix_tokens else ""
        return f"{dims} (time, height, width {grid}, in the order {', '.join(self.axes.token_order)}{prefix})"


class Layers(list[LayerInfo]):
    """A list of layers that notebooks show as a table."""

    def to_frame(self) -> pd.DataFrame:
        """One row a layer."""
        rows = [(layer.name, layer.shape, layer.axes_text, layer.is_default) for layer in self]
        return pd.DataFrame(rows, columns=["layer", "shape", "axes", "is_default"])

    def _repr_html_(self) -> str:
        # as on the command line: a full listing of a transformer has several hundred lines
        listed = [layer for layer in self if layer.is_default or layer.name.count(".") < 2]
        rows = [(f"{layer.name}{' *' * layer.is_default}", layer.shape_text, layer.axes_text) for layer in listed]
        hidden = f" {len(self) - len(listed)} inner layers are in the list, too." if len(listed) < len(self) else ""
        return html_table(("layer", "shape", "axes"), rows) + html_list([f"* default layers.{hidden}"])


def list_layers(model: VideoModel, *, probe: bool | None = None) -> Layers:
    """Every submodule that outputs a floating tensor, in the order in which they run.

    Args:
        model: the model; left as it was.
        probe: find axes that are not declared by probing (14 forwards of one clip serve all layers); by default
            only for a model whose family declares none.

    Returns:
        One entry a layer.

    Raises:
        LayerNotFoundError: if none can be looked into, as in an ONNX graph.
    """
    model.check_layers()
    traced = trace(model)
    outcomes = _axes_or_errors(model, traced, probe=model.declare_axes is None if probe is None else probe)
    layers = []
    for name, (shape, calls) in traced.items():
        axes, note = outcomes.get(name), "not probed"
        if isinstance(axes, AxesError):
            axes, note = None, f"runs {calls} times a clip" if calls > 1 else str(axes)
        elif axes:
            note = ""
        is_default = name in model.default_layers
        layers.append(LayerInfo(name=name, shape=shape, axes=axes, axes_note=note, is_default=is_default))
    return Layers(layers)


def layer_axes(model: VideoModel, layer: str, *, size: tuple[int, int] | None = None) -> LayerAxes:
    """Axes of one layer, declared or probed; see `layers_axes`."""
    return layers_axes(model, [layer], size=size)[layer]


def layers_axes(
    model: VideoModel, layers: Sequence[str], *, size: tuple[int, int] | None = None
) -> dict[str, LayerAxes]:
    """Axes of layers by name: declared for known families, else probed, one probing for all; the model is left as it was.

    `size` is `(height, width)` of the clips, for a model that takes any size.

    Raises:
        LayerNotFoundError: for a name that is no layer, or a layer that does not run.
        AxesError: for a layer whose axes cannot be told apart, or that runs more than once a clip.
    """
    cache = _AXES_CACHE.setdefault(model, {})
    missing = [name for name in layers if (name, size) not in cache]
    traced = trace(model, missing, size=size) if missing else {}
    for name in missing:
        if name not in traced:
            raise LayerNotFoundError(
                f"`layer` must output a floating tensor when the model runs. Got {name}, which does not."
                f" `video-tcav layers --model {model.name}` lists those that do."
            )
    for name, axes in _axes_or_errors(model, traced, size=size).items():
        if isinstance(axes, AxesError):
            raise axes
        cache[name, size] = axes
    return {name: cache[name, size] for name in layers}


_AXES_CACHE: WeakKeyDictionary[VideoModel, dict[tuple[str, tuple[int, int] | None], LayerAxes]] = WeakKeyDictionary()
"""By layer and clip size, for as long as the model lives: its layers do not change."""


def _axes_or_errors(
    model: VideoModel, traced: Traced, *, probe: bool = True, size: tuple[int, int] | None = None
) -> dict[str, LayerAxes | AxesError]:
    """Axes of traced layers, declared or else probed, or the error to raise by whoever needs them; unknown ones left out."""
    outcomes: dict[str, LayerAxes | AxesError] = {}
    clip_shape = noise_clip_shape(model.clip_spec, size)
    for name, (shape, calls) in traced.items():
        if calls > 1:
            outcomes[name] = AxesError(
                f"`layer` must run once a clip. Got {name}, which runs {calls} times. Choose a layer around it."
            )
        elif model.declare_axes and (axes := model.declare_axes(name, shape, clip_shape)):
            outcomes[name] = axes
    unknown = [name for name in traced if name not in outcomes]
    return outcomes | (probe_axes(model, unknown, noise_clip(model, size=size)) if probe and unknown else {})


def stage_layers(model: VideoModel) -> tuple[str, ...]:
    """Stages of a network of unknown family: children of its first container of stages, or of its root, or of a submodule.

    Frames may be folded into the first dimension (an image network on each frame): then the axes are probed.

    Returns:
        At most six names of children that output at least three dimensions; out of more, four evenly spaced.
    """
    traced = trace(model)
    names = [name for name, _ in model.module.named_modules() if name]
    containers = [name for name in names if name.split(".")[-1] in STAGE_CONTAINERS]
    # Submodules from the outside in: the fewer dots, the earlier.
    submodules = sorted(set(names) - set(containers), key=lambda name: (name.count("."), names.index(name)))
    single: tuple[str, ...] = ()
    for container in [*containers, "", *submodules]:
        stages = _stages_in(model, container, traced)
        if len(stages) > 1 or (stages and container in containers):
            # A single stage beside the container is one of them: a stem in front of its blocks.
            outside = [name for name in single if not f"{container}.".startswith(f"{name}.") and name not in stages]
            return tuple(sorted([*stages, *outside], key=list(traced).index))
        single = single or stages
    return single


def _stages_in(model: VideoModel, container: str, traced: Traced) -> tuple[str, ...]:
    """Children with positions that run once; of more than six, those that have children themselves, and four of them."""
    children = [name for name, _ in model.module.get_submodule(container).named_children()]
    names = [f"{container}.{name}" if container else name for name in children]
    stages = [name for name in names if name in traced and len(traced[name][0]) >= 3 and traced[name][1] == 1]
    folded = [name for name in stages if traced[name][0][0] > 1]  # rows beyond the first may be frames
    if folded:
        axes = probe_axes(model, folded, noise_clip(model))
        timed = {name for name, layer in axes.items() if isinstance(layer, LayerAxes) and "time" in layer.dims}
        stages = [name for name in stages if name not in axes or name in timed]
    if len(stages) <= 6:
        return tuple(stages)
    compound = [name for name in stages if next(model.layer(name).children(), None) is not None]
    return evenly_spaced(compound if len(compound) > 1 else stages)


def evenly_spaced(names: Sequence[str], count: int = 4) -> tuple[str, ...]:
    """`count` of the names at even distances, the last one among them; all where there are fewer."""
    picks = sorted({round(step * len(names) / count) - 1 for step in range(1, count + 1)} - {-1})
    return tuple(names[index] for index in picks)


def noise_clip_shape(spec: ClipSpec, size: tuple[int, int] | None = None) -> tuple[int, int, int]:
    """`(time, height, width)` of a model's noise clip."""
    height, width = spec.size or size or NATIVE_SIZE
    return spec.frames, height, width


def noise_clip(model: VideoModel, *, size: tuple[int, int] | None = None, seed: int = 0) -> Float[Tensor, "one ..."]:
    """One seeded noise clip of the model's shape and layout, with the clip dimension in front.

    `size` is `(height, width)` for a model that takes any size. The global random state is not used.
    """
    time, height, width = noise_clip_shape(model.clip_spec, size)
    noise = torch.randn(1, 3, time, height, width, generator=torch.Generator().manual_seed(seed))
    return noise if model.clip_spec.layout == "channels_first" else noise.transpose(1, 2).contiguous()


def trace(model: VideoModel, layers: Sequence[str] | None = None, *, size: tuple[int, int] | None = None) -> Traced:
    """All layers or the given ones in one forward of a noise clip, in the order of the first run."""
    names = [name for name, _ in model.module.named_modules() if name] if layers is None else layers
    traced: Traced = {}

    def count(name: str, tensor: Tensor) -> None:
        shape, calls = traced.get(name, (tuple(tensor.shape), 0))
        traced[name] = (shape, calls + 1)

    observe(model, names, noise_clip(model, size=size), count)
    return traced
