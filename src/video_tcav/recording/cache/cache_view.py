"""What a recorder asks a store: which clips of a plan are there, and to keep those that are not."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor

from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target
from video_tcav.recording.cache.keys import key_of, model_digest, numerics, preparation_digest, source_name
from video_tcav.recording.cache.row_index import About
from video_tcav.recording.cache.store import ActivationStore, StoredClip
from video_tcav.recording.clip_id import ClipId, Version, shuffle_seed
from video_tcav.recording.fast.precision import Precision
from video_tcav.recording.feature_spaces import Space
from video_tcav.recording.rows import FileRow

_MOST_UNFINISHED = 2


class Keeper(Protocol):
    """What takes and gives rows: an `ActivationStore`, or something that passes them on to one."""

    def find(self, keys: Iterable[bytes], layers: Sequence[str]) -> dict[bytes, StoredClip]:
        """What is there of some clips."""
        ...

    def add(
        self,
        about: About,
        keys: Sequence[bytes],
        layers: Mapping[str, Tensor],
        *,
        targets: Sequence[float] | None = None,
        sources: Mapping[bytes, tuple[int, bool]] | None = None,
    ) -> dict[str, list[FileRow]]:
        """Take the rows of one batch; says where they lie, where that is known."""
        ...

    def sources(self, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
        """How many clips sources have, and whether they are stills; of those that are known."""
        ...

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """A small fact that all runs must share, made by the first that needs it."""
        ...

    def source_digest(self, source: VideoSource) -> str:
        """Digest of a source."""
        ...

    def unchanged(self, source: VideoSource) -> bool:
        """Whether the file is still the one whose digest was given."""
        ...


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a store holds of the clips of one pass.

    Attributes:
        sources: by key, how many clips a source has, and whether it is a still.
        clips: those of which every layer is there.
    """

    sources: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    clips: Mapping[ClipId, StoredClip] = field(default_factory=dict)

    def names(self, source: VideoSource, versions: Sequence[Version]) -> list[ClipId] | None:
        """All clips of a source, if every one is there."""
        if source.key not in self.sources:
            return None
        windows = range(self.sources[source.key][0])
        names = [ClipId(source=source.key, window=w, version=version) for w in windows for version in versions]
        return names if all(name in self.clips for name in names) else None


class Recall:
    """A store, as one run with one model sees it.

    Attributes:
        identity: everything that the bits of a row depend on, beside its clip, layer and target.
        facts: those that were asked for, by their keys.
    """

    def __init__(
        self,
        store: Keeper,
        model: VideoModel,
        *,
        layers: Sequence[str],
        space: Space,
        windows: int,
        digests: Mapping[str, str],
        seed: int,
        precision: Precision = "float32",
    ) -> None:
        self._store = store
        self._layers = tuple(layers)
        self._windows = windows
        self._digests = digests
        self._seed = seed
        self._model, self._space, self._model_digest = model.name, space, model_digest(model)
        passes = numerics(model, precision)
        self._cut = key_of("cut", preparation_digest(model), windows, "dense", passes["packages"]).hex()
        self._context = key_of(self._model_digest, self._cut, passes).hex()
        self.identity: dict[str, Any] = {"model": self._model_digest, "preparation": self._cut, **passes}
        self.facts: dict[bytes, Any] = {}
        self._given: dict[str, VideoSource] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._unfinished: deque[Future[dict[str, list[FileRow]]]] = deque()

    def known(self, sources: Sequence[VideoSource], versions: Sequence[Version], target: Target | None) -> Known:
        """Which clips of these sources need no pass; all their blocks are checked."""
        named = {source.key: source for source in sources if source.key in self._digests}
        self._given.update(named)
        found = self._store.sources(self._source_key(key) for key in named)
        facts = {key: found[place] for key in named if (place := self._source_key(key)) in found}
        keys = {
            name: self._clip_key(name, target)
            for source, (windows, _) in facts.items()
            for window in range(windows)
            for version in versions
            for name in [ClipId(source=source, window=window, version=version)]
        }
        rows = self._store.find(keys.values(), self._layers)
        clips = {name: rows[key] for name, key in keys.items() if key in rows}
        return Known(
            sources=facts, clips={name: clip for name, clip in clips.items() if len(clip.rows) == len(self._layers)}
        )

    def keep(
        self,
        names: Sequence[ClipId],
        rows: Mapping[str, Float[Tensor, "clip feature"]],
        *,
        target: Target | None,
        values: Sequence[float] | None,
        sources: Mapping[str, tuple[int, bool]],
    ) -> "Future[dict[str, list[FileRow]]] | None":
        """Add what a batch gave, except of files that changed since their digest was taken; inside `writing`.

        Returns:
            Where the rows will lie, by layer, without a layer whose rows were there already; or nothing.
        """
        fresh = {key for key in {name.source for name in names} & self._given.keys() if self._unchanged(key)}
        kept = [index for index, name in enumerate(names) if name.source in fresh]
        if not kept:
            return None
        whole = len(kept) == len(names)
        about = About(
            model=self._model,
            model_digest=self._model_digest,
            space=self._space,
            role="activation" if target is None else "gradient",
        )
        assert self._writer is not None
        written = self._writer.submit(
            self._store.add,
            about,
            [self._clip_key(names[index], target) for index in kept],
            dict(rows) if whole else {layer: row[kept] for layer, row in rows.items()},
            targets=None if values is None else [values[index] for index in kept],
            sources={self._source_key(key): sources[key] for key in fresh},
        )
        self._unfinished.append(written)
        if len(self._unfinished) > _MOST_UNFINISHED:
            self._unfinished.popleft().result()
        return written if whole else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, batches are written while the next one is passed; at the end all are written.

        Raises:
            OutputError: if the disk is full.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="video-tcav-store") as self._writer:
            try:
                yield
                while self._unfinished:
                    self._unfinished.popleft().result()
            finally:
                self._unfinished.clear()

    def fact(self, *key: Any, make: Callable[[], Any]) -> Any:
        """A fact about this model that all runs must share."""
        name = key_of("fact", self._context, key)
        self.facts[name] = self._store.fact(name, make)
        return self.facts[name]

    def _unchanged(self, key: str) -> bool:
        return self._store.unchanged(self._given[key])

    def _source_key(self, key: str) -> bytes:
        return key_of("source", self._cut, source_name(self._given[key], self._digests[key]))

    def _clip_key(self, name: ClipId, target: Target | None) -> bytes:
        seed = shuffle_seed(self._seed, name.source) if name.version == "shuffled" else None
        role = None if target is None else asdict(target)
        source = source_name(self._given[name.source], self._digests[name.source])
        return key_of("clip", self._context, self._space, role, source, name.window, name.version, seed)


@contextmanager
def opened(store: ActivationStore | str | Path | None) -> Iterator[ActivationStore | None]:
    """The store itself; one that is named by its folder is closed in the end."""
    if store is None or isinstance(store, ActivationStore):
        yield store
        return
    with ActivationStore.open(store) as found:
        yield found


def read_only_words(store: ActivationStore | None) -> tuple[str, ...]:
    """A line on a store that nothing was added to."""
    if store is None or not store.read_only:
        return ()
    return (f"store {store.folder} is read-only: what it holds was used, what it lacks was computed and not kept.",)


def recall_for(
    store: ActivationStore | None,
    model: VideoModel,
    layers: Sequence[str],
    space: Space,
    windows: int,
    digests: Mapping[str, str],
    seed: int = 0,
    *,
    precision: Precision = "float32",
) -> Recall | None:
    """A store as a recorder of these settings sees it; `None` without a store."""
    if store is None:
        return None
    return Recall(
        store,
        model,
        layers=layers,
        space=space,
        windows=windows,
        digests=digests,
        seed=seed,
        precision=precision,
    )
