"""Prefill of the activation store on workers, before the run reads it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from video_tcav.core.errors import InputError, MediaError, WorkerError
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, read_clips
from video_tcav.models.targets import Target
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.workers.chunks import Chunk, WorkerSettings
from video_tcav.recording.workers.processes import Processes
from video_tcav.recording.workers.ray_data import RayData, import_ray

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
    if store.read_only:
        raise InputError(
            f"`store` must be writable for workers. Got {store.folder}, which is read-only. Give another, or no workers."
        )
    chunks = [chunk for spec in passes if (chunk := _missing(_view(recorder), spec)).sources]
    sources = [source for chunk in chunks for source in chunk.sources]
    batch = batch_size(recorder, sources)
    if batch is None:
        return {}
    with progress_bar("passes by workers (videos)", len(sources), visible=progress) as advance:
        return backend.fill(store, worker_settings(recorder, batch), chunks, advance)


def _missing(view: CacheView, spec: PassSpec) -> Chunk:
    cached = view.find(spec.sources, spec.versions, spec.target, outputs=spec.outputs)
    missing = tuple(
        source
        for source in spec.sources
        if source.key in view.digests and cached.clip_ids(source, spec.versions) is None
    )
    digests = tuple(view.digests[source.key] for source in missing)
    return Chunk(sources=missing, digests=digests, versions=spec.versions, target=spec.target, outputs=spec.outputs)


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
        whole=runner.whole,
        recording=recorder.settings.with_values(precision=runner.precision, store=None, workers=None, backend="local"),
        seed=recorder.seed,
    )


def _view(recorder: Recorder) -> CacheView:
    assert recorder.cache is not None  # whoever has workers has a store
    return recorder.cache
