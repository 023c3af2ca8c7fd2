"""Builder of a recording: decode, prepare and pass each clip once, each twin once, and keep the rows in the order asked for."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal, get_args

import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.concepts import twin_clip
from video_tcav.core import random_streams
from video_tcav.core.errors import NonFiniteError, ShapeError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.media import Skipped, VideoSource, load_clips
from video_tcav.media.loader import LoadedClips
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner, native_name
from video_tcav.recording.cache.block_index import StoredClip
from video_tcav.recording.cache.cache_view import CachedClips, CacheView
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.clip_id import ClipId, Version, shuffle_seed
from video_tcav.recording.recording import Recording
from video_tcav.recording.rows import FileRow, Rows, RowStore, SpillSpace
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.sketched_rows import SketchedRows
from video_tcav.recording.whole_outputs import WholeOutputs

Advance = Callable[[int], None]
Written = Future[dict[str, list[FileRow]]]
_Role = Literal["class", "twin", "random"]  # of clips whose whole outputs are kept


@dataclass(frozen=True, kw_only=True, eq=False)
class _PendingClip:
    """A clip in the order of the plan: to be passed, or stored already."""

    name: ClipId
    inputs: Tensor | None = None
    stored: StoredClip | None = None


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """What a pass records of each clip.

    Attributes:
        versions: of each clip.
        target: whose gradient is taken; `None` records activations.
        outputs: whether whole outputs come beside activations.
    """

    versions: Sequence[Version]
    target: Target | None = None
    outputs: bool = False


class Recorder:
    """Collects rows while passes go on; `recording` hands them out as a frozen `Recording`.

    Args:
        model: the explained model.
        layers: dotted names of the layers to record.
        settings: of the recording.
        storage: memory budget and disk for rows.
        seed: of shuffled twins and sketches.
        cache: an activation store as this run sees it; `None` computes everything.
        sinks: what takes the activations, by layer; rows that are kept whole, or sketched, if not given.
        gradient_sinks: likewise what takes the gradients.
        keep_rows: whether rows are kept here; a worker only hands them on through `cache`.
        whole: layers whose whole output is kept for interventions, of class clips and where it is asked for.
    """

    def __init__(
        self,
        model: VideoModel,
        layers: tuple[str, ...],
        settings: RecordingSettings,
        storage: SpillSpace,
        *,
        seed: int = 0,
        cache: CacheView | None = None,
        sinks: Mapping[str, Rows] | None = None,
        gradient_sinks: Mapping[str, Rows] | None = None,
        keep_rows: bool = True,
        whole: Sequence[str] = (),
    ) -> None:
        self.settings, self.cache, self.seed = settings, cache, seed
        self.runner = BatchRunner(
            model,
            layers,
            whole=whole,
            space=settings.space,
            precision=settings.precision,
            shared_fact=None if cache is None else cache.fact,
        )
        self.windows: dict[str, int] = {}
        self.stills: set[str] = set()
        self.skipped: list[Skipped] = []
        self._storage, self._keep_rows = storage, keep_rows
        self._gradients = {layer: RowStore(storage) for layer in layers}
        self._gradient_sinks = gradient_sinks or self._gradients
        self._activations: Mapping[str, Rows] = sinks or {layer: self._new_rows(layer) for layer in layers}
        self._rows: dict[ClipId, int] = {}
        self._outputs: dict[_Role, WholeOutputs] = {
            role: WholeOutputs(rows={native_name(layer): RowStore(storage) for layer in whole})
            for role in get_args(_Role)
        }

    def _new_rows(self, layer: str) -> Rows:
        if self.settings.sketch is None:
            return RowStore(self._storage)
        return SketchedRows(
            self._gradients[layer], self.settings.sketch, [self.seed, random_streams.SKETCH, *layer.encode()]
        )

    def record_concepts(
        self,
        sources: Sequence[VideoSource],
        versions: Sequence[Version],
        advance: Advance,
        *,
        whole_of: Collection[str] = (),
    ) -> None:
        """Record the activations of each clip of the sources, in each version.

        Args:
            sources: of concept or random clips.
            versions: of each.
            advance: told of each source.
            whole_of: keys of sources whose clips' whole outputs are kept, too.
        """
        passes = _Pass(versions=versions, outputs=bool(whole_of))
        with self._writing(), closing(self._batches(sources, passes, advance)) as batches:
            for batch in batches:
                self._add(batch, passes, self._activations, self._rows, whole_of)

    def record_class(self, sources: Sequence[VideoSource], target: Target, advance: Advance) -> None:
        """Record the gradients of the target for each class clip; before the concepts, where rows are sketched."""
        outputs, passes = self._outputs["class"], _Pass(versions=("none",), target=target)
        with self._writing(), closing(self._batches(sources, passes, advance)) as batches:
            for batch in batches:
                outputs.answers.extend(
                    self._add(batch, passes, {**self._gradient_sinks, **outputs.rows}, outputs.clips)
                )

    def record_class_twins(
        self, sources: Sequence[VideoSource], versions: Sequence[Version], target: Target, advance: Advance
    ) -> None:
        """Record the whole outputs of twins of the class clips, and the target of each."""
        twins, passes = self._outputs["twin"], _Pass(versions=versions, target=target)
        with self._writing(), closing(self._batches(sources, passes, advance)) as batches:
            for batch in batches:
                twins.answers.extend(self._add(batch, passes, twins.rows, twins.clips))

    def recording(self) -> Recording:
        """What was recorded."""
        return Recording(
            model=self.runner.model,
            layers=self.runner.layers,
            settings=self.settings,
            precision=self.runner.precision,
            activations=self._activations,
            gradients=self._gradients,
            rows=self._rows,
            windows=self.windows,
            stills=frozenset(self.stills),
            class_outputs=self._outputs["class"],
            twin_outputs=self._outputs["twin"],
            random_outputs=self._outputs["random"],
            skipped=tuple(self.skipped),
            shapes=self.runner.shapes,
            storage=self._storage,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with freed_memory_kept(), nullcontext() if self.cache is None else self.cache.writing():
            yield

    def _add(
        self,
        batch: Sequence[_PendingClip],
        passes: _Pass,
        sinks: Mapping[str, Rows],
        index: dict[ClipId, int],
        whole_of: Collection[str] = (),
    ) -> list[ClassAnswer]:
        """Pass what must be passed, and add all rows in order; the answers in that order, if there are any."""
        fresh = [clip for clip in batch if clip.stored is None]
        rows, fresh_answers, written = self._passed(fresh, passes) if fresh else ({}, [], None)
        if not self._keep_rows:
            return []
        done, answers = 0, []
        # runs of stored and of passed clips in turn: rows keep the order of the plan, whichever a store happens to hold
        for is_stored, group in groupby(batch, key=lambda clip: clip.stored is not None):
            clips = list(group)
            passed = slice(done, done + len(clips))
            for layer, sink in sinks.items():
                if is_stored:
                    sink.refer([clip.stored.rows[layer] for clip in clips if clip.stored])
                else:
                    sink.append(rows[layer][passed], written and partial(_file_rows, written, layer, passed))
            stored_answers = [clip.stored.answer for clip in clips if clip.stored and clip.stored.answer]
            answers += stored_answers if is_stored else (fresh_answers or [])[passed]
            if whole_of:
                self._keep_outputs(clips, whole_of, {} if is_stored else {key: rows[key][passed] for key in rows})
            done += 0 if is_stored else len(clips)
        index.update({clip.name: len(index) + offset for offset, clip in enumerate(batch)})
        return answers

    def _keep_outputs(
        self, clips: Sequence[_PendingClip], whole_of: Collection[str], rows: Mapping[str, Tensor]
    ) -> None:
        """Keep the whole outputs of those of some clips that it is asked of, no twins; `rows` of clips that are not stored."""
        outputs = self._outputs["random"]
        for place, clip in enumerate(clips):
            if clip.name.source not in whole_of or clip.name.version != "none":
                continue
            for name, sink in outputs.rows.items():
                if clip.stored:
                    sink.refer([clip.stored.rows[name]])
                else:
                    sink.append(rows[name][place : place + 1].clone())  # a view would keep all of the batch
            outputs.clips[clip.name] = len(outputs.clips)

    def _passed(
        self, fresh: Sequence[_PendingClip], passes: _Pass
    ) -> tuple[Mapping[str, Tensor], list[ClassAnswer] | None, Written | None]:
        names = [clip.name for clip in fresh]
        with _naming(names):
            inputs = [clip.inputs for clip in fresh if clip.inputs is not None]
            rows, answers = self.runner.run(inputs, passes.target, outputs=passes.outputs)
        if self.cache is None:
            return rows, answers, None
        sources = {name.source: (self.windows[name.source], name.source in self.stills) for name in names}
        return rows, answers, self.cache.add(names, rows, target=passes.target, answers=answers, sources=sources)

    def _batches(
        self, sources: Sequence[VideoSource], passes: _Pass, advance: Advance
    ) -> Generator[list[_PendingClip], None, None]:
        """The clips in the order asked for, cut where a batch of those to be passed is full.

        Closed by its caller, else its decoding threads live as long as the error of a pass that fails.
        """
        batch: list[_PendingClip] = []
        inputs: list[Tensor] = []
        for clip in self._pending(sources, passes, advance):
            batch.append(clip)
            if clip.inputs is None:
                continue
            inputs.append(clip.inputs)
            if inputs[0].shape != clip.inputs.shape:
                raise ShapeError(
                    f"`clips` must have one size. Got {clip.name.source} of {tuple(clip.inputs.shape)} after "
                    f"{tuple(inputs[0].shape)}. Give --size, so that every clip is resized."
                )
            # stored clips in between do not count: a batch is as full as without a store
            if len(inputs) >= self.runner.batch_size(clip.inputs):
                yield batch
                batch, inputs = [], []
        if batch:
            yield batch

    def _pending(self, sources: Sequence[VideoSource], passes: _Pass, advance: Advance) -> Iterator[_PendingClip]:
        versions, cached = passes.versions, CachedClips()
        if self.cache is not None:
            cached = self.cache.find(sources, versions, passes.target, outputs=passes.outputs)
        complete = {source.key: cached.clip_ids(source, versions) for source in sources}
        missing = [source for source in sources if complete[source.key] is None]
        decoded = load_clips(
            missing, self.runner.model.clip_spec, windows=self.settings.windows, threads=self.settings.threads
        )
        with closing(decoded):
            for source in sources:
                names = complete[source.key]
                if names is None:
                    yield from self._prepared(next(decoded), versions, cached)
                else:
                    self._note(source.key, *cached.sources[source.key])
                    yield from (_PendingClip(name=name, stored=cached.clips[name]) for name in names)
                advance(1)

    def _prepared(
        self, loaded: LoadedClips, versions: Sequence[Version], cached: CachedClips
    ) -> Iterator[_PendingClip]:
        key, clips = loaded.source.key, loaded.clips
        if clips is None:
            self._skip(loaded)
            return
        still = _shows_one_picture(clips)
        clips = clips[:1] if still else clips  # every window of a still is the same clip
        self._note(key, len(clips), still)
        for window, clip in enumerate(clips):
            prepared = self.runner.model.prepare(clip)
            for version in versions:
                name = ClipId(source=key, window=window, version=version)
                stored = cached.clips.get(name)
                inputs = None if stored else _version_of(self.runner.model, prepared, name, self.seed)
                yield _PendingClip(name=name, inputs=inputs, stored=stored)

    def _note(self, key: str, windows: int, still: bool) -> None:
        self.windows[key] = windows
        if still:
            self.stills.add(key)

    def _skip(self, loaded: LoadedClips) -> None:
        error = loaded.error
        assert error is not None
        if self.settings.strict:
            raise error
        if str(error.path) not in {skipped.path for skipped in self.skipped}:
            self.skipped.append(Skipped(path=str(error.path), reason=error.reason))


def prepared_clips(
    model: VideoModel,
    sources: Sequence[VideoSource],
    settings: RecordingSettings,
    wanted: Collection[ClipId],
    seed: int,
) -> dict[ClipId, Tensor]:
    """Some clips once more as the model takes them, for layers from which the rest of the network cannot be run alone."""
    needed = {clip.source for clip in wanted}
    chosen = [source for source in sources if source.key in needed]
    prepared: dict[ClipId, Tensor] = {}
    loaded = load_clips(chosen, model.clip_spec, windows=settings.windows, threads=settings.threads)
    with closing(loaded):
        for one in loaded:
            for window, clip in enumerate(() if one.clips is None else one.clips):
                for clip_id in [each for each in wanted if (each.source, each.window) == (one.source.key, window)]:
                    prepared[clip_id] = _version_of(model, model.prepare(clip), clip_id, seed)
    return prepared


def _version_of(model: VideoModel, prepared: Tensor, name: ClipId, seed: int) -> Tensor:
    """A prepared clip, or its twin."""
    if name.version == "none":
        return prepared
    return twin_clip(prepared, name.version, time_dim=model.clip_spec.time_dim, seed=shuffle_seed(seed, name.source))


def _file_rows(written: Written, layer: str, rows: slice) -> Sequence[FileRow]:
    return written.result().get(layer, [])[rows]


def _shows_one_picture(clips: UInt8[Tensor, "window time channel height width"]) -> bool:
    """Whether every frame of every window is the same; most clips move from the first frame on."""
    first = clips[0, 0]
    return all(torch.equal(frame, first) for window in clips for frame in window)


@contextmanager
def _naming(names: Sequence[ClipId]) -> Iterator[None]:
    """Adds the files of the batch to an error about numbers that are not finite."""
    try:
        yield
    except NonFiniteError as error:
        files = ", ".join(dict.fromkeys(name.source for name in names))
        raise NonFiniteError(f"{error} Clips: {files}") from error
