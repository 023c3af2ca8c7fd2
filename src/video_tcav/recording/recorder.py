"""The passes over all clips of a run: decode, prepare, record; each clip once, each twin once (METHOD: one pass)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby

from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError, MediaError, ShapeError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.gram.gram import Gram
from video_tcav.media import Skipped, VideoSource, load_clips, read_clips
from video_tcav.media.loader import LoadedClips
from video_tcav.models import LayerAxes, VideoModel, layer_axes
from video_tcav.models.hooks import LayerTrace, record_activations, record_gradients, trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.models.targets import Target
from video_tcav.recording.cache.cache_view import Known, Recall
from video_tcav.recording.clip_id import ClipId, Version
from video_tcav.recording.fast.fast_paths import Passing, Ways, ways_of
from video_tcav.recording.fast.precision import Precision
from video_tcav.recording.feature_spaces import Space, to_space
from video_tcav.recording.inner_products import gram
from video_tcav.recording.pending_clip import Slot, naming, shows_one_picture, version_of
from video_tcav.recording.rows import FileRow, RowStore, SpillSpace, stored_values
from video_tcav.recording.sketched_rows import SketchedRows

Advance = Callable[[int], None]
Rows = Mapping[str, Float[Tensor, "clip feature"]]
Kept = Future[dict[str, list[FileRow]]]
Pass = Callable[[Tensor], tuple[Rows, list[float] | None]]


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
        recall: a store of what was computed before; `None` computes everything.
        full_batches: whether a batch that is not full is filled up: with a constant size, a clip's numbers do not depend on
            its neighbours, to the last bit.
        sketch: values that are kept of each row of activations; all if not given. Class clips must then be recorded first.
        keep_rows: whether rows are kept for this run; a worker only hands them on through `recall`.
        precision: of the products in a pass; rows are float32 whatever it is.
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
    recall: Recall | None = None
    full_batches: bool = False
    sketch: int | None = None
    keep_rows: bool = True
    precision: Precision = "float32"
    activations: dict[str, RowStore | SketchedRows] = field(default_factory=dict)
    gradients: dict[str, RowStore] = field(default_factory=dict)
    rows: dict[ClipId, int] = field(default_factory=dict)
    class_rows: dict[ClipId, int] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)
    static: set[str] = field(default_factory=set)
    targets: list[float] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _trace: LayerTrace | None = None
    _passing: Passing | None = None
    _axes: dict[str, LayerAxes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer in self.layers:
            self.gradients[layer] = RowStore(self.storage)
            self.activations[layer] = (
                RowStore(self.storage)
                if self.sketch is None
                else SketchedRows(self.gradients[layer], self.sketch, [self.seed, 12, *layer.encode()])
            )

    def record_concepts(self, sources: Sequence[VideoSource], versions: Sequence[Version], advance: Advance) -> None:
        """Record the activations of each clip of the sources, in each version."""

        def activations(inputs: Tensor) -> tuple[Rows, None]:
            found = record_activations(self.model, self.layers, inputs, last=self.trace(inputs).layers[-1])
            return {name: to_space(values, self._axes[name], self.space) for name, values in found.items()}, None

        with self._recording():
            for part in self._parts(sources, versions, None, advance):
                self._take(part, None, activations, self.activations, self.rows)

    def record_class(self, sources: Sequence[VideoSource], target: Target, advance: Advance) -> None:
        """Record the gradients of the target for each class clip."""

        def gradients(inputs: Tensor) -> tuple[Rows, list[float]]:
            self.trace(inputs)
            found = record_gradients(self.model, self.layers, inputs, target)
            rows = {
                name: to_space(values, self._axes[name], self.space, gradient=True)
                for name, values in found.layers.items()
            }
            return rows, found.target.tolist()

        with self._recording():
            for part in self._parts(sources, ("none",), target, advance):
                self.targets.extend(self._take(part, target, gradients, self.gradients, self.class_rows))

    @contextmanager
    def _recording(self) -> Iterator[None]:
        with freed_memory_kept(), nullcontext() if self.recall is None else self.recall.writing():
            yield

    def _take(
        self,
        part: Sequence[Slot],
        target: Target | None,
        run: Pass,
        stores: Mapping[str, RowStore | SketchedRows],
        index: dict[ClipId, int],
    ) -> list[float]:
        """Pass what must be passed, and add all rows in the order of the plan; the targets in that order, if there are any."""
        fresh = [slot for slot in part if slot.stored is None]
        rows, values, kept = self._passed(fresh, target, run) if fresh else ({}, [], None)
        if not self.keep_rows:
            return []
        done, targets = 0, []
        for is_stored, group in groupby(part, key=lambda slot: slot.stored is not None):
            slots = list(group)
            here = slice(done, done + len(slots))
            for layer, store in stores.items():
                if is_stored:
                    store.refer([slot.stored.rows[layer] for slot in slots if slot.stored])
                else:
                    store.append(rows[layer][here], None if kept is None else partial(_places, kept, layer, here))
            targets += [slot.stored.target for slot in slots if slot.stored] if is_stored else (values or [])[here]
            done += 0 if is_stored else len(slots)
        index.update({slot.name: len(index) + offset for offset, slot in enumerate(part)})
        return targets

    def _passed(
        self, fresh: Sequence[Slot], target: Target | None, run: Pass
    ) -> tuple[Rows, list[float] | None, Kept | None]:
        names = [slot.name for slot in fresh]
        inputs = [slot.inputs for slot in fresh if slot.inputs is not None]
        if self.full_batches:
            inputs += inputs[-1:] * (self._batch_size(inputs[0]) - len(inputs))
        with naming(names):
            passing = self.passing(inputs[0])
            batch = passing.batch(inputs)
            with passing.running():
                found, values = run(batch)
        rows = {layer: stored_values(found[layer][: len(names)]) for layer in self.layers}
        values = None if values is None else values[: len(names)]
        if self.recall is None:
            return rows, values, None
        sources = {name.source: (self.clips[name.source], name.source in self.static) for name in names}
        return rows, values, self.recall.keep(names, rows, target=target, values=values, sources=sources)

    def gram(self, layer: str) -> Gram:
        """K and C of all rows of a layer."""
        rows = self.activations[layer]
        if isinstance(rows, SketchedRows):
            return rows.gram()
        gradients = self.gradients[layer] if self.class_rows else None
        return gram(rows, gradients, range(rows.rows), list(self.class_rows.values()))

    def whole_rows(self, layer: str) -> RowStore:
        """The activations of a layer, where they were not sketched."""
        rows = self.activations[layer]
        assert isinstance(rows, RowStore)
        return rows

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each layer's output for one clip; where every row came from the store, a clip of noise is passed to see it."""
        found = self._trace or trace_layers(self.model, self.layers, noise_clip(self.model).to(self.model.device))
        return found.shapes

    def look(self, sources: Sequence[VideoSource]) -> int | None:
        """How many clips are passed at once, and how, as the first source that can be used shows; `None` if there is none."""
        for source in sources:
            try:
                clips = read_clips(source, self.model.clip_spec, windows=self.windows)
            except MediaError:
                continue  # the passes list it
            prepared = self.model.prepare(clips[0])
            self.passing(prepared)
            return self._batch_size(prepared)
        return None

    def trace(self, inputs: Tensor) -> LayerTrace:
        """What the first clip showed about the layers; the first call runs it."""
        if self._trace is None:
            self._trace = trace_layers(self.model, self.layers, inputs[:1])
            self._axes = {layer: self._needed_axes(layer) for layer in self.layers}
        return self._trace

    def passing(self, prepared: Tensor) -> Passing:
        """How clips like this one are passed; the first call decides it."""
        if self._passing is None:
            ways = self._decide_ways(self.trace(prepared[None].to(self.model.device)))
            self._passing = Passing(self.model, self.layers, ways, precision=self.precision)
        return self._passing

    def _decide_ways(self, trace: LayerTrace) -> Ways:
        """Decided once for all runs that share a store: which clip is passed first must not matter."""

        def decide() -> Ways:
            return ways_of(self.model, trace.inputs, trace.logits)

        if self.recall is None:
            return decide()
        return Ways(**self.recall.fact("ways", list(trace.inputs.shape), make=lambda: asdict(decide())))

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

    def _parts(
        self, sources: Sequence[VideoSource], versions: Sequence[Version], target: Target | None, advance: Advance
    ) -> Iterator[list[Slot]]:
        """The clips in the order of the plan, cut where a batch of those to be passed is full."""
        part: list[Slot] = []
        first, waiting = None, 0
        for slot in self._slots(sources, versions, target, advance):
            part.append(slot)
            if slot.inputs is None:
                continue
            first = slot if first is None or not waiting else first
            assert first.inputs is not None
            if first.inputs.shape != slot.inputs.shape:
                raise ShapeError(
                    f"`clips` must have one size. Got {slot.name.source} of {tuple(slot.inputs.shape)} after "
                    f"{tuple(first.inputs.shape)}. Give --size, so that every clip is resized."
                )
            waiting += 1
            if waiting >= self._batch_size(slot.inputs):
                yield part
                part, waiting = [], 0
        if part:
            yield part

    def _batch_size(self, prepared: Tensor) -> int:
        return self.trace(prepared[None].to(self.model.device)).batch

    def _slots(
        self, sources: Sequence[VideoSource], versions: Sequence[Version], target: Target | None, advance: Advance
    ) -> Iterator[Slot]:
        known = Known() if self.recall is None else self.recall.known(sources, versions, target)
        complete = {source.key: known.names(source, versions) for source in sources}
        missing = [source for source in sources if complete[source.key] is None]
        with closing(load_clips(missing, self.model.clip_spec, windows=self.windows, threads=self.threads)) as loading:
            for source in sources:
                names = complete[source.key]
                if names is None:
                    yield from self._decoded(next(loading), versions, known)
                else:
                    self._note(source.key, *known.sources[source.key])
                    yield from (Slot(name=name, stored=known.clips[name]) for name in names)
                advance(1)

    def _decoded(self, loaded: LoadedClips, versions: Sequence[Version], known: Known) -> Iterator[Slot]:
        key, clips = loaded.source.key, loaded.clips
        if clips is None:
            self._skip(loaded.error)
            return
        still = shows_one_picture(clips)
        clips = clips[:1] if still else clips
        self._note(key, len(clips), still)
        for window, clip in enumerate(clips):
            prepared = self.model.prepare(clip)
            for version in versions:
                name = ClipId(source=key, window=window, version=version)
                stored = known.clips.get(name)
                inputs = (
                    None if stored else version_of(prepared, version, self.model.clip_spec.time_dim, key, self.seed)
                )
                yield Slot(name=name, inputs=inputs, stored=stored)

    def _note(self, key: str, clips: int, still: bool) -> None:
        self.clips[key] = clips
        if still:
            self.static.add(key)

    def _skip(self, error: MediaError | None) -> None:
        assert error is not None
        if self.strict:
            raise error
        if str(error.path) not in {skipped.path for skipped in self.skipped}:
            self.skipped.append(Skipped(path=str(error.path), reason=error.reason))


def _places(kept: Kept, layer: str, rows: slice) -> Sequence[FileRow]:
    return kept.result().get(layer, [])[rows]
