"""Prefill of the activation store on workers, before the run reads it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, read_clips
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.workers.chunks import Chunk, Job, Piece, job_fields
from video_tcav.recording.workers.processes import Processes
from video_tcav.recording.workers.ray_data import RayData, import_ray
from video_tcav.recording.workers.worker import RecordingJob

Backend = Processes | RayData


class PassSpec(NamedTuple):
    """Sources, their versions, the target whose gradient is taken, and whether whole outputs are recorded beside activations."""

    sources: Sequence[VideoSource]
    versions: tuple[Version, ...]
    target: Target | None = None
    outputs: bool = False


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


def prefill(
    backend: Backend, store: ActivationStore, recorder: Recorder, passes: Sequence[PassSpec], *, progress: bool = False
) -> dict[str, str]:
    """Have everything of these passes in the store that is not there yet.

    The run stays the authority: what workers did not do, it does by itself, in its own order and with its own errors.

    Returns:
        Files that workers could not use, with the reason.

    Raises:
        InputError: for a store that is read-only.
        WorkerError: if the backend cannot do it.
        VideoTcavError: what the passes raise.
    """
    require_writable(store)
    chunks = [chunk for spec in passes if (chunk := _missing(_view(recorder), spec)).sources]
    sources = [source for chunk in chunks for source in chunk.sources]
    batch = batch_size(recorder.runner, sources, windows=recorder.settings.windows)
    if batch is None:
        return {}
    return hand_out(backend, recording_job(recorder, store, batch), chunks, add=store.add_encoded, progress=progress)


def require_writable(store: ActivationStore) -> None:
    """Refuse a store that workers cannot hand anything over in.

    Raises:
        InputError: if it is read-only.
    """
    if store.read_only:
        raise InputError(
            f"`store` must be writable for workers. Got {store.folder}, which is read-only. Give another, or no workers."
        )


def hand_out(
    backend: Backend, job: Job, pieces: Sequence[Piece], *, add: Callable[[memoryview], None], progress: bool = False
) -> dict[str, str]:
    """Have workers do all pieces of a job.

    Args:
        backend: where the workers are.
        job: what they must know.
        pieces: of the job; none may be empty.
        add: puts into the run's folders what a worker elsewhere has sent.
        progress: whether to show a progress bar.

    Returns:
        Files that workers could not use, with the reason.

    Raises:
        WorkerError: if the backend cannot do it.
        VideoTcavError: what the passes raise.
    """
    videos = sum(len(piece.sources) for piece in pieces)
    with progress_bar("passes by workers (videos)", videos, visible=progress) as advance:
        return backend.fill(job, pieces, advance, add=add)


def _missing(view: CacheView, spec: PassSpec) -> Chunk:
    cached = view.find(spec.sources, spec.versions, spec.target, outputs=spec.outputs)
    missing = tuple(
        source
        for source in spec.sources
        if source.key in view.digests and cached.clip_ids(source, spec.versions) is None
    )
    digests = tuple(view.digests[source.key] for source in missing)
    return Chunk(sources=missing, digests=digests, versions=spec.versions, target=spec.target, outputs=spec.outputs)


def batch_size(runner: BatchRunner, sources: Sequence[VideoSource], *, windows: int) -> int | None:
    """Clips passed at once, as the first source that can be used shows; `None` if there is none."""
    model = runner.model
    for source in sources:
        try:
            clips = read_clips(source, model.clip_spec, windows=windows)
        except MediaError:
            continue  # the passes list it
        prepared = model.prepare(clips[0])
        runner.passing(prepared)  # how clips are passed is decided here, for all workers
        return runner.batch_size(prepared)
    return None


def recording_job(recorder: Recorder, store: ActivationStore, batch: int) -> RecordingJob:
    """The job whose rows are those of this recorder.

    Raises:
        WorkerError: for a model that workers cannot load.
    """
    runner, view = recorder.runner, _view(recorder)
    return RecordingJob(
        **job_fields(runner.model, view, recorder.settings, runner.precision),
        batch=batch,
        layers=runner.layers,
        whole=runner.whole,
        seed=recorder.seed,
        store=store.folder,
        durable=store.durable,
    )


def _view(recorder: Recorder) -> CacheView:
    assert recorder.cache is not None  # whoever has workers has a store
    return recorder.cache
