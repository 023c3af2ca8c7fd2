"""One worker: its own copy of the model, and the passes of one chunk after another."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.errors import MediaError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.core.progress import Advance
from video_tcav.media import VideoSource
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.cache.file_digests import FileDigests
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace
from video_tcav.recording.workers.chunks import Chunk, Job


class Worker:
    """Passes clips as the run itself would, to the last bit; `store` takes the rows.

    Raises:
        WorkerError: if this process would give other bits than the run's.
        VideoTcavError: if the model cannot be loaded here.
    """

    def __init__(self, job: "RecordingJob", store: ActivationStore | RowSender) -> None:
        self._memory = ExitStack()
        self._memory.enter_context(freed_memory_kept())  # from one chunk to the next: as long as this worker
        self._store = store
        self._digests: dict[str, str] = {}
        model = job.load_model()
        view = CacheView(store, model, job.layers, job.recording, self._digests, job.seed, whole=job.whole)
        job.check_identity(view.identity)
        storage = SpillSpace(0, Path(tempfile.gettempdir()))  # takes nothing, since no rows are kept
        self._recorder = Recorder(
            model,
            job.layers,
            job.recording,
            storage,
            seed=job.seed,
            cache=view,
            keep_rows=False,
            whole=job.whole,
        )

    def record(self, chunk: Chunk, advance: Advance) -> dict[str, str]:
        """Pass a chunk; returns the files that cannot be used here, with the reason.

        Raises:
            VideoTcavError: what the passes raise.
        """
        digests = list(zip(chunk.sources, chunk.digests, strict=True))
        unread = {
            str(source.path): reason
            for source, digest in digests
            if (reason := content_difference(self._store, source, digest))
        }
        sources = [source for source in chunk.sources if str(source.path) not in unread]
        self._digests.update({source.key: digest for source, digest in digests})
        self._recorder.skipped.clear()
        if chunk.target is None:
            keys = {source.key for source in sources} if chunk.outputs else ()
            self._recorder.record_concepts(sources, chunk.versions, advance, whole_of=keys)
        else:
            self._recorder.record_class(sources, chunk.target, advance)
        return unread | {file.path: file.reason for file in self._recorder.skipped}


def content_difference(files: FileDigests, source: VideoSource, digest: str) -> str:
    """Why a source is not the one that the run means; empty where it is."""
    try:
        digest_here = files.source_digest(source)
    except (MediaError, OSError) as error:
        return error.reason if isinstance(error, MediaError) else str(error.strerror or error)
    return "" if digest_here == digest else "another content there"


@dataclass(frozen=True, kw_only=True)
class RecordingJob(Job):
    """Passes that record rows into an activation store.

    Attributes:
        layers: dotted names of the layers to record.
        whole: layers whose whole output is recorded, of class clips and where a chunk asks for it.
        seed: of shuffled twins.
        store: folder of the run's store, for workers on its machine.
        durable: whether they wait for the disk with each batch.
    """

    layers: tuple[str, ...]
    whole: tuple[str, ...] = ()
    seed: int
    store: Path
    durable: bool = True

    def local_worker(self) -> Worker:
        """See `Job`."""
        return Worker(self, ActivationStore.open(self.store, durable=self.durable))

    def remote_worker(self, send: Callable[[memoryview], None]) -> Worker:
        """See `Job`."""
        return Worker(self, RowSender(self.facts, send))
