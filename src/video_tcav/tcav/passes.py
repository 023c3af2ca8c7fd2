"""The passes over all clips of a run: decode, prepare, record; each clip once, each twin once (METHOD: one pass)."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from video_tcav.concepts import Twin, twin_clip
from video_tcav.core.errors import AxesError, MediaError, NonFiniteError, ShapeError
from video_tcav.media import VideoSource, load_clips
from video_tcav.models import LayerAxes, VideoModel, layer_axes
from video_tcav.models.memory_format import channels_last, takes_channels_last
from video_tcav.models.record import LayerTrace, record_activations, record_gradients, trace_layers
from video_tcav.models.targets import Target
from video_tcav.tcav.spaces import Space, to_space
from video_tcav.tcav.store import RowStore, SpillSpace

Version = Literal["none", "frozen", "reversed", "shuffled"]
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ClipId:
    """Which clip a row stands for."""

    source: str
    window: int
    version: Version = "none"


@dataclass(kw_only=True)
class Recorder:
    """Collects the rows of a run; grows while the passes go on.

    Attributes:
        model: the explained model.
        layers: dotted names of the requested layers.
        space: the feature space.
        storage: the memory budget, and the disk behind it.
        windows: clips a video.
        threads: how many files are decoded at once.
        strict: whether a file that cannot be used ends the run.
        seed: of shuffled twins.
        activations: by layer.
        gradients: by layer.
        rows: row of each clip in `activations`.
        class_rows: row of each class clip in `gradients`.
        clips: how many clips each source gave, by its key.
        static: keys of sources whose frames are all the same.
        targets: the target's value for each class clip.
        skipped: what could not be used.
    """

    model: VideoModel
    layers: tuple[str, ...]
    space: Space
    storage: SpillSpace
    windows: int = 1
    threads: int = 2
    strict: bool = False
    seed: int = 0
    activations: dict[str, RowStore] = field(default_factory=dict)
    gradients: dict[str, RowStore] = field(default_factory=dict)
    rows: dict[ClipId, int] = field(default_factory=dict)
    class_rows: dict[ClipId, int] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)
    static: set[str] = field(default_factory=set)
    targets: list[float] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _trace: LayerTrace | None = None
    _channels_last: bool = False
    _axes: dict[str, LayerAxes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for store in (self.activations, self.gradients):
            store.update({layer: RowStore(self.storage) for layer in self.layers})

    def record_concepts(self, sources: Sequence[VideoSource], versions: Sequence[Version], advance: Advance) -> None:
        """Record the activations of each clip of the sources, in each version."""
        for names, inputs in self._batches(sources, versions, advance):
            with _naming(names):
                found = record_activations(self.model, self.layers, inputs, last=self.trace(inputs).layers[-1])
            first = len(self.rows)
            for layer, activation in found.items():
                self.activations[layer].append(to_space(activation, self._axes[layer], self.space))
            self.rows.update({name: first + offset for offset, name in enumerate(names)})

    def record_class(self, sources: Sequence[VideoSource], target: Target, advance: Advance) -> None:
        """Record the gradients of the target for each class clip."""
        for names, inputs in self._batches(sources, ("none",), advance):
            self.trace(inputs)
            with _naming(names):
                found = record_gradients(self.model, self.layers, inputs, target)
            first = len(self.class_rows)
            for layer, gradient in found.layers.items():
                self.gradients[layer].append(to_space(gradient, self._axes[layer], self.space, gradient=True))
            self.class_rows.update({name: first + offset for offset, name in enumerate(names)})
            self.targets.extend(found.target.tolist())

    def trace(self, inputs: Tensor) -> LayerTrace:
        """What the first clip showed about the layers; the first call runs it."""
        if self._trace is None:
            self._trace = trace_layers(self.model, self.layers, inputs[:1])
            self._axes = {layer: self._needed_axes(layer) for layer in self.layers}
            self._channels_last = takes_channels_last(self.model, inputs[:1])
        return self._trace

    def _needed_axes(self, layer: str) -> LayerAxes | None:
        assert self._trace is not None
        if self.space == "flatten" and self._trace.shapes[layer][0] == 1:
            return None
        axes = layer_axes(self.model, layer)
        if self.space != "flatten" and not axes.has_positions:
            raise AxesError(
                f"`space` must be flatten at a layer without time and place. Got {self.space} at {layer} with axes "
                f"({', '.join(axes.dims)}). Use --space flatten or another layer."
            )
        return axes

    def _batches(
        self, sources: Sequence[VideoSource], versions: Sequence[Version], advance: Advance
    ) -> Iterator[tuple[list[ClipId], Tensor]]:
        names: list[ClipId] = []
        inputs: list[Tensor] = []
        for name, prepared in self._prepared(sources, versions, advance):
            if inputs and inputs[0].shape != prepared.shape:
                raise ShapeError(
                    f"`clips` must have one size. Got {name.source} of {tuple(prepared.shape)} after {tuple(inputs[0].shape)}. "
                    "Give --size, so that every clip is resized."
                )
            names.append(name)
            inputs.append(prepared)
            if len(inputs) >= self._batch_size(inputs[0]):
                yield names, self._stacked(inputs)
                names, inputs = [], []
        if inputs:
            yield names, self._stacked(inputs)

    def _stacked(self, inputs: Sequence[Tensor]) -> Tensor:
        batch = torch.stack(list(inputs)).to(self.model.device)
        return channels_last(batch) if self._channels_last else batch

    def _batch_size(self, prepared: Tensor) -> int:
        return self.trace(prepared[None].to(self.model.device)).batch

    def _prepared(
        self, sources: Sequence[VideoSource], versions: Sequence[Version], advance: Advance
    ) -> Iterator[tuple[ClipId, Tensor]]:
        spec = self.model.clip_spec
        for loaded in load_clips(sources, spec, windows=self.windows, threads=self.threads):
            key = loaded.source.key
            if loaded.clips is None:
                self._skip(loaded.error)
            else:
                clips = loaded.clips
                if bool((clips == clips[:1, :1]).all()):  # a still: every window shows the same
                    self.static.add(key)
                    clips = clips[:1]
                self.clips[key] = len(clips)
                for window, clip in enumerate(clips):
                    prepared = self.model.prepare(clip)
                    for version in versions:
                        name = ClipId(source=key, window=window, version=version)
                        yield name, _version(prepared, version, spec.time_dim, key, self.seed)
            advance(1)

    def _skip(self, error: MediaError | None) -> None:
        assert error is not None
        if self.strict:
            raise error
        if str(error.path) not in {skipped.path for skipped in self.skipped}:
            self.skipped.append(Skipped(path=str(error.path), reason=error.reason))


def _version(prepared: Tensor, version: Version, time_dim: int, key: str, seed: int) -> Tensor:
    if version == "none":
        return prepared
    twin: Twin = version
    return twin_clip(prepared, twin, time_dim=time_dim, seed=zlib.crc32(f"{seed} {Path(key).name}".encode()))


class _naming:
    """Adds the files of the batch to an error about numbers that are not finite."""

    def __init__(self, names: Sequence[ClipId]) -> None:
        self._names = names

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NonFiniteError):
            files = ", ".join(dict.fromkeys(name.source for name in self._names))
            raise NonFiniteError(f"{error} Clips: {files}") from error
