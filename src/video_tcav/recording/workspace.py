"""Workspace of a run: scratch folder, memory budget, activation store, workers, timings."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from video_tcav.core.scratch import scratch_folder
from video_tcav.media import VideoSource, source_digest
from video_tcav.models import VideoModel
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import Rows, SpillSpace, parse_bytes
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workers import Job, PassSpec, Piece, backend_for, hand_out, prefill, require_writable

_log = logging.getLogger(__name__)


class Workspace:
    """Opened for one run; what lies in it is gone at its end. `progress` shows bars on standard error.

    Attributes:
        budget: bytes of memory for rows.
        storage: that budget, and the disk that takes what goes beyond; inside the `with`.
        seconds: time spent, by stage of the run.

    Raises:
        InputError: for a budget, backend or number of workers that cannot be used.
        MissingExtraError: if Ray is asked for without its extra.
    """

    def __init__(self, settings: RecordingSettings, *, progress: bool = False) -> None:
        self.settings, self.progress = settings, progress
        self.budget = parse_bytes(settings.memory)
        self.seconds: dict[str, float] = {}
        self._backend = backend_for(settings.backend, settings.workers)
        self._unread: dict[str, str] = {}  # files that workers could not use, with the reason
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(scratch_folder())
            self.storage = SpillSpace(self.budget, folder)
            self._store: ActivationStore | None = None
            if isinstance(self.settings.store, ActivationStore):  # the caller's, who closes it
                self._store = self.settings.store
            elif self.settings.store is not None:
                self._store = stack.enter_context(ActivationStore.open(self.settings.store))
            elif self._backend is not None:  # workers hand over rows in a store of the run's own
                self._store = stack.enter_context(ActivationStore.open(folder / "store", durable=False))
            if self._store is not None:
                _log.info("activation store: %s", self._store.folder)
            self._earlier_warnings = 0 if self._store is None else len(self._store.warnings)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def store_folder(self) -> Path | None:
        """The folder of the activation store; `None` without one."""
        return None if self._store is None else self._store.folder

    def digest(self, source: VideoSource) -> str:
        """Digest of a source's content; the activation store remembers those of files that have not changed."""
        return source_digest(source) if self._store is None else self._store.source_digest(source)

    def recorder(
        self,
        model: VideoModel,
        layers: tuple[str, ...],
        digests: Mapping[str, str],
        *,
        seed: int = 0,
        sinks: Mapping[str, Rows] | None = None,
        gradient_sinks: Mapping[str, Rows] | None = None,
        whole: Sequence[str] = (),
    ) -> Recorder:
        """A recorder of this run, see there; `digests` are those of each source that can be read, by its key."""
        return Recorder(
            model,
            layers,
            self.settings,
            self.storage,
            seed=seed,
            cache=self._store and CacheView(self._store, model, layers, self.settings, digests, seed, whole=whole),
            sinks=sinks,
            gradient_sinks=gradient_sinks,
            whole=whole,
        )

    def kept_fact(self, model: VideoModel, digests: Mapping[str, str], *key: Any, make: Callable[[], Any]) -> Any:
        """A JSON value about the model that the activation store keeps for other runs; without a store it is made anew."""
        view = self.cache_view(model, digests)
        return make() if view is None else view.fact(*key, make=make)

    def cache_view(self, model: VideoModel, digests: Mapping[str, str]) -> CacheView | None:
        """The activation store as passes without layers see it: identity and shared facts; `None` without a store."""
        return self._store and CacheView(self._store, model, (), self.settings, digests)

    @property
    def has_workers(self) -> bool:
        """Whether passes are shared."""
        return self._backend is not None

    def share(self, job: Job, pieces: Sequence[Piece], *, add: Callable[[memoryview], None]) -> None:
        """Have the workers do all pieces of a job, none of them empty; `add` takes what one elsewhere has sent."""
        assert self._store is not None
        assert self._backend is not None
        require_writable(self._store)
        self._unread |= hand_out(self._backend, job, pieces, add=add, progress=self.progress)

    def fill(self, recorder: Recorder, *passes: PassSpec) -> None:
        """Where there are workers, have them put the rows of these passes into the store."""
        if self._store is not None and self._backend is not None:
            self._unread |= prefill(self._backend, self._store, recorder, passes, progress=self.progress)

    def warnings(self, skipped: set[str]) -> tuple[str, ...]:
        """What the store and the workers report; `skipped` are files that the run itself could not use."""
        lines = [] if self._store is None else self._store.warnings[self._earlier_warnings :]
        if self._store is not None and self._store.read_only:
            lines.append(
                f"store {self._store.folder} is read-only: what it holds was used, what it lacks was computed and not kept."
            )
        unread = [(path, reason) for path, reason in self._unread.items() if path not in skipped]
        if unread:
            path, reason = unread[0]
            lines.append(
                f"{len(unread)} videos could not be used by workers, and were passed by the run itself; the first: {path}: "
                f"{reason}."
            )
        return tuple(lines)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time inside to `seconds`."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
