"""One worker: its own copy of the model, and the passes of one chunk after another."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import torch

from video_tcav.core.errors import MediaError, WorkerError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.core.progress import Advance
from video_tcav.media import VideoSource
from video_tcav.models import load_model
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace
from video_tcav.recording.workers.chunks import Chunk, WorkerSettings


class Worker:
    """Passes clips as the run itself would, to the last bit; `store` takes the rows.

    Raises:
        WorkerError: if this process would give other bits than the run's.
        VideoTcavError: if the model cannot be loaded here.
    """

    def __init__(self, settings: WorkerSettings, store: ActivationStore | RowSender) -> None:
        torch.set_num_threads(settings.torch_threads)
        self._memory = ExitStack()
        self._memory.enter_context(freed_memory_kept())  # from one chunk to the next: as long as this worker
        self._store = store
        self._digests: dict[str, str] = {}
        model = load_model(**settings.recipe, device=settings.device)
        view = CacheView(
            store, model, settings.layers, settings.recording, self._digests, settings.seed, whole=settings.whole
        )
        for name, expected in settings.identity.items():
            if view.identity[name] != expected:
                raise WorkerError(
                    f"`workers` must have the run's {name}, or numbers would differ. Got {view.identity[name]} instead of "
                    f"{expected}. Give workers the same files, packages and settings, or run without them."
                )
        storage = SpillSpace(0, Path(tempfile.gettempdir()))  # takes nothing, since no rows are kept
        self._recorder = Recorder(
            model,
            settings.layers,
            settings.recording,
            storage,
            seed=settings.seed,
            cache=view,
            keep_rows=False,
            whole=settings.whole,
        )

    def record(self, chunk: Chunk, advance: Advance) -> dict[str, str]:
        """Pass a chunk; returns the files that cannot be used here, with the reason.

        Raises:
            VideoTcavError: what the passes raise.
        """
        digests = list(zip(chunk.sources, chunk.digests, strict=True))
        unread = {
            str(source.path): reason for source, digest in digests if (reason := self._difference(source, digest))
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

    def _difference(self, source: VideoSource, digest: str) -> str:
        """Why a source is not the one that the run means; empty where it is."""
        try:
            digest_here = self._store.source_digest(source)
        except (MediaError, OSError) as error:
            return error.reason if isinstance(error, MediaError) else str(error.strerror or error)
        return "" if digest_here == digest else "another content there"
