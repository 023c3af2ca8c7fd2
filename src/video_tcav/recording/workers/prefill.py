"""Passes done ahead of a run: handed to a backend, found in the store by the run itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from video_tcav.core.errors import InputError, MediaError, WorkerError
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, read_clips
from video_tcav.models.targets import Target
from video_tcav.recording.cache import ActivationStore
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.workers.backend import Backend, Chunk, Work

Part = tuple[Sequence[VideoSource], tuple[Version, ...], Target | None]


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """The workers of a run.

    The run stays the authority: what workers did not do, it does by itself, in its own order and with its own errors.

    Attributes:
        backend: where the workers are.
        store: that they fill.
        digests: content digest of each source that can be read.
        progress: whether to show a progress bar.
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

    def fill(self, recorder: Recorder, parts: Sequence[Part]) -> None:
        """Have everything of these passes in the store that is not there yet.

        Args:
            recorder: of the run.
            parts: sources, their versions, and the target whose gradient is taken.

        Raises:
            WorkerError: if the backend cannot do it.
            VideoTcavError: what the passes raise.
        """
        passes = [one for part in parts if (one := self._missing(recorder, *part)).sources]
        everyone = [source for one in passes for source in one.sources]
        batch = _batch_size(recorder, everyone)
        if batch is None:
            return
        with progress_bar("passes by workers (videos)", len(everyone), visible=self.progress) as advance:
            self.unread.update(self.backend.fill(self.store, _work(recorder, batch), passes, advance))

    def warnings(self, skipped: Collection[str]) -> tuple[str, ...]:
        """A line on files that workers could not use, though the run itself could.

        Args:
            skipped: files that the run could not use.
        """
        found = [(path, reason) for path, reason in self.unread.items() if path not in skipped]
        if not found:
            return ()
        return (
            f"{len(found)} videos could not be used by workers, and were passed by the run itself; the first: {found[0][0]}: "
            f"{found[0][1]}.",
        )

    def _missing(
        self, recorder: Recorder, sources: Sequence[VideoSource], versions: tuple[Version, ...], target: Target | None
    ) -> Chunk:
        assert recorder.cache is not None
        named = [source for source in sources if source.key in self.digests]
        known = recorder.cache.known(named, versions, target)
        lacking = tuple(source for source in named if known.names(source, versions) is None)
        digests = tuple(self.digests[source.key] for source in lacking)
        return Chunk(sources=lacking, digests=digests, versions=versions, target=target)


def _batch_size(recorder: Recorder, sources: Sequence[VideoSource]) -> int | None:
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


def _work(recorder: Recorder, batch: int) -> Work:
    model, recall = recorder.runner.model, recorder.cache
    assert recall is not None
    if model.recipe is None:
        raise WorkerError(
            f"`model` must be loaded by a spec for workers. Got {model.name}, a module at hand. Write a function that builds it: "
            "file:path/to/model.py:function."
        )
    return Work(
        recipe=model.recipe,
        device=str(model.device),
        torch_threads=torch.get_num_threads(),
        identity=recall.identity,
        facts=recall.facts,
        batch=batch,
        layers=recorder.runner.layers,
        settings=recorder.settings.with_values(
            precision=recorder.runner.precision, store=None, workers=None, backend="local"
        ),
        seed=recorder.seed,
    )
