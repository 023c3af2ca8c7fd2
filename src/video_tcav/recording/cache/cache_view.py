"""An activation store as one run with one model sees it: which clips of a pass are there, and where to add the others."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor

from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import native_name
from video_tcav.recording.cache.block_index import StoredClip
from video_tcav.recording.cache.blocks import RowKind
from video_tcav.recording.cache.keys import key_of, model_digest, numerics, preparation_digest, source_name
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.cache.store import ActivationStore
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.clip_id import ClipId, Version, shuffle_seed
from video_tcav.recording.fast.precision import choose_precision
from video_tcav.recording.rows import FileRow
from video_tcav.recording.settings import RecordingSettings

_ANSWERS = 1
"""Raise it when more is kept of the answers at class clips: their gradients are then recorded anew, and no other rows."""
_MOST_UNWRITTEN = 2  # batches: writing overlaps with the next pass, while few rows wait in memory


@dataclass(frozen=True, kw_only=True)
class CachedClips:
    """Clips of one pass of which every layer is stored; by key of a source, how many it has, and whether it is a still."""

    sources: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    clips: Mapping[ClipId, StoredClip] = field(default_factory=dict)

    def clip_ids(self, source: VideoSource, versions: Sequence[Version]) -> list[ClipId] | None:
        """All clips of a source, if every one is there."""
        if source.key not in self.sources:
            return None
        windows, _ = self.sources[source.key]
        clip_ids = list(_clip_ids(source.key, windows, versions))
        return clip_ids if all(clip_id in self.clips for clip_id in clip_ids) else None


def _clip_ids(source: str, windows: int, versions: Sequence[Version]) -> Iterator[ClipId]:
    for window in range(windows):
        for version in versions:
            yield ClipId(source=source, window=window, version=version)


class CacheView:
    """A store, as one run with one model sees it.

    Attributes:
        digests: content digest of each source that can be read, by its key.
        identity: everything that the bits of a row depend on, beside its clip, layer and target.
        facts: those that the run has asked for, by their keys.
    """

    def __init__(
        self,
        store: ActivationStore | RowSender,
        model: VideoModel,
        layers: Sequence[str],
        settings: RecordingSettings,
        digests: Mapping[str, str],
        seed: int = 0,
        *,
        whole: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._layers = tuple(layers)
        self._layers_with_outputs = (*layers, *(native_name(layer) for layer in whole))
        self.digests = digests
        self._seed = seed
        digest, space = model_digest(model), settings.space
        self._kinds = {
            role: RowKind(model=model.name, model_digest=digest, space=space, role=role)
            for role in ("activation", "gradient")
        }
        numbers = numerics(model, choose_precision(model, settings.precision))
        # how a video is cut into prepared clips; "dense" is the only way of placing windows so far
        self._preparation = key_of(
            "cut", preparation_digest(model), settings.windows, "dense", numbers["packages"]
        ).hex()
        self._context = key_of(digest, self._preparation, numbers).hex()
        self.identity: dict[str, Any] = {"model": digest, "preparation": self._preparation, **numbers}
        self.facts: dict[bytes, Any] = {}
        self._sources: dict[str, VideoSource] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._unwritten: deque[Future[dict[str, list[FileRow]]]] = deque()

    def find(
        self,
        sources: Sequence[VideoSource],
        versions: Sequence[Version],
        target: Target | None,
        *,
        outputs: bool = False,
    ) -> CachedClips:
        """Which clips of these sources need no pass; all their blocks are checked. `outputs`: they need whole outputs, too."""
        digested = {source.key: source for source in sources if source.key in self.digests}
        self._sources.update(digested)
        kind, source_keys = self._kind(target), {key: self._source_key(key) for key in digested}
        counts = self._store.sources(kind, source_keys.values())
        windows = {key: counts[source_key] for key, source_key in source_keys.items() if source_key in counts}
        clip_keys = {
            clip_id: self._clip_key(clip_id, target)
            for key, (count, _) in windows.items()
            for clip_id in _clip_ids(key, count, versions)
        }
        layers = self._layers_with_outputs if outputs or target is not None else self._layers
        stored = self._store.find(kind, clip_keys.values(), layers)
        clips = {clip_id: stored[key] for clip_id, key in clip_keys.items() if key in stored}
        complete = {clip_id: clip for clip_id, clip in clips.items() if len(clip.rows) == len(layers)}
        return CachedClips(sources=windows, clips=complete)

    def add(
        self,
        clip_ids: Sequence[ClipId],
        rows: Mapping[str, Float[Tensor, "clip feature"]],
        *,
        target: Target | None,
        answers: Sequence[ClassAnswer] | None,
        sources: Mapping[str, tuple[int, bool]],
    ) -> "Future[dict[str, list[FileRow]]] | None":
        """Add the rows of a batch, except of files that changed since their digest was taken; inside `writing`.

        Returns:
            Where the rows will lie, by layer, without a layer whose rows were there already; or nothing.
        """
        # a file that was replaced during the run would be stored under the digest of what it was
        keys = {clip_id.source for clip_id in clip_ids} & self._sources.keys()
        unchanged = {key for key in keys if self._store.unchanged(self._sources[key])}
        indices = [index for index, clip_id in enumerate(clip_ids) if clip_id.source in unchanged]
        if not indices:
            return None
        is_whole_batch = len(indices) == len(clip_ids)
        assert self._writer is not None
        written = self._writer.submit(
            self._store.add,
            self._kind(target),
            [self._clip_key(clip_ids[index], target) for index in indices],
            dict(rows) if is_whole_batch else {layer: values[indices] for layer, values in rows.items()},
            answers=None if answers is None else [answers[index] for index in indices],
            sources={self._source_key(key): sources[key] for key in unchanged},
        )
        self._unwritten.append(written)
        if len(self._unwritten) > _MOST_UNWRITTEN:
            self._unwritten.popleft().result()
        return written if is_whole_batch else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, batches are written while the next one is passed; at the end all are written.

        Raises:
            OutputError: if the disk is full.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="video-tcav-store") as self._writer:
            try:
                yield
                while self._unwritten:
                    self._unwritten.popleft().result()
            finally:
                self._unwritten.clear()

    def fact(self, *key: Any, make: Callable[[], Any]) -> Any:
        """A fact about this model that all runs must share."""
        name = key_of("fact", self._context, key)
        self.facts[name] = self._store.fact(name, make)
        return self.facts[name]

    def _kind(self, target: Target | None) -> RowKind:
        return self._kinds["activation" if target is None else "gradient"]

    def _source_key(self, key: str) -> bytes:
        return key_of("source", self._preparation, source_name(self._sources[key], self.digests[key]))

    def _clip_key(self, clip_id: ClipId, target: Target | None) -> bytes:
        # the run's seed reaches rows through shuffled twins alone: without them, runs of any seed share rows
        seed = shuffle_seed(self._seed, clip_id.source) if clip_id.version == "shuffled" else None
        gradient = None if target is None else {**asdict(target), "answers": _ANSWERS}
        source = source_name(self._sources[clip_id.source], self.digests[clip_id.source])
        space = self._kind(target).space
        return key_of("clip", self._context, space, gradient, source, clip_id.window, clip_id.version, seed)
