"""Prefill of the activation store on workers, before the run reads it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from video_tcav.core.errors import InputError, MediaError, WorkerError
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, read_clips
from video_tcav.models.targets import Target
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.workers.backend import Backend, Chunk, WorkerSettings
from video_tcav.recording.workers.processes import Processes
from video_tcav.recording.workers.ray_data import RayData, import_ray

PassSpec = tuple[Sequence[VideoSource], tuple[Version, ...], Target | None]
"""Sources, their versions, and the target whose gradient is taken."""


def backend_for(backend: str, workers: int | None) -> Backend | None:
    """Where passes are done, from `--backend` and `--workers`; `None`: in this process alone.

    Raises:
        InputError: for another backend than `local`, `ray` or `ray:ADDRESS`.
        MissingExtraError: if Ray is asked for without its extra.
    """
    kind, colon, address = backend.partition(":")
    if kind == "ray" and bool(colon) == bool(address):  # not `ray:`
        import_ray()
        return RayData(address=address or None, workers=workers)
    if backend != "local":
        raise InputError(f"`backend` must be local, ray or ray:ADDRESS. Got {backend}. Choose one of them.")
    return None if workers in (None, 1) else Processes(workers=workers)


@dataclass(frozen=True, kw_only=True)
class Prefill:
    """The workers of a run, which fill its store.

    The run stays the authority: what workers did not do, it does by itself, in its own order and with its own errors.

    Attributes:
        digests: content digest of each source that can be read.
        unread: files that workers could not use, with the reason.
    """

    backend: Backend
    store: ActivationStore
    digests: Mapping[str, str]
    progress: bool
    unread: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.store.read_only:
            raise InputError(
                f"`store` must be writable for workers. Got {self.store.folder}, which is read-only. Give another, or no workers."
            )

    def fill(self, recorder: Recorder, passes: Sequence[PassSpec]) -> None:
        """Have everything of these passes of a run in the store that is not there yet.

        Raises:
            WorkerError: if the backend cannot do it.
            VideoTcavError: what the passes raise.
        """
        chunks = [chunk for spec in passes if (chunk := self._missing(_view(recorder), *spec)).sources]
        sources = [source for chunk in chunks for source in chunk.sources]
        batch = batch_size(recorder, sources)
        if batch is None:
            return
        with progress_bar("passes by workers (videos)", len(sources), visible=self.progress) as advance:
            self.unread.update(self.backend.fill(self.store, worker_settings(recorder, batch), chunks, advance))

    def warnings(self, skipped: Collection[str]) -> tuple[str, ...]:
        """A line on files that workers could not use, though they are not among those that the run skipped."""
        unread = [(path, reason) for path, reason in self.unread.items() if path not in skipped]
        if not unread:
            return ()
        path, reason = unread[0]
        return (
            f"{len(unread)} videos could not be used by workers, and were passed by the run itself; the first: {path}: "
            f"{reason}.",
        )

    def _missing(
        self, view: CacheView, sources: Sequence[VideoSource], versions: tuple[Version, ...], target: Target | None
    ) -> Chunk:
        readable = [source for source in sources if source.key in self.digests]
        cached = view.find(readable, versions, target)
        missing = tuple(source for source in readable if cached.clip_ids(source, versions) is None)
        digests = tuple(self.digests[source.key] for source in missing)
        return Chunk(sources=missing, digests=digests, versions=versions, target=target)


def batch_size(recorder: Recorder, sources: Sequence[VideoSource]) -> int | None:
    """Clips passed at once, as the first source that can be used shows; `None` if there is none."""
    model = recorder.runner.model
    for source in sources:
        try:
            clips = read_clips(source, model.clip_spec, windows=recorder.settings.windows)
        except MediaError:
            continue  # the passes list it
        prepared = model.prepare(clips[0])
        recorder.runner.passing(prepared)  # how clips are passed is decided here, for all workers
        return recorder.runner.batch_size(prepared)
    return None


def worker_settings(recorder: Recorder, batch: int) -> WorkerSettings:
    """Settings of workers whose rows are those of this recorder.

    Raises:
        WorkerError: for a model that workers cannot load.
    """
    runner, view = recorder.runner, _view(recorder)
    if runner.model.recipe is None:
        raise WorkerError(
            f"`model` must be loaded by a spec for workers. Got {runner.model.name}, a module at hand. Write a function that "
            "builds it: file:path/to/model.py:function."
        )
    return WorkerSettings(
        recipe=runner.model.recipe,
        device=str(runner.model.device),
        torch_threads=torch.get_num_threads(),
        identity=view.identity,
        facts=view.facts,
        batch=batch,
        layers=runner.layers,
        recording=recorder.settings.with_values(precision=runner.precision, store=None, workers=None, backend="local"),
        seed=recorder.seed,
    )


def _view(recorder: Recorder) -> CacheView:
    assert recorder.cache is not None  # whoever has workers has a store
    return recorder.cache
