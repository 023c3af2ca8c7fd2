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
from video_tcav.recording.cache.cache_view import Keeper, Recall
from video_tcav.recording.fast.precision import choose_precision
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace
from video_tcav.recording.workers.backend import Chunk, Work


class Worker:
    """Passes clips as the run itself would, to the last bit.

    Args:
        work: of the run.
        keeper: takes the rows.

    Raises:
        WorkerError: if this process would give other bits than the run's.
        VideoTcavError: if the model cannot be loaded here.
    """

    def __init__(self, work: Work, keeper: Keeper) -> None:
        torch.set_num_threads(work.torch_threads)
        self._memory = ExitStack()
        self._memory.enter_context(freed_memory_kept())  # from one chunk to the next: as long as this worker
        self._keeper = keeper
        self._digests: dict[str, str] = {}
        model = load_model(**work.recipe, device=work.device)
        recall = Recall(
            keeper,
            model,
            layers=work.layers,
            space=work.settings.space,
            windows=work.settings.windows,
            digests=self._digests,
            seed=work.seed,
            precision=choose_precision(model, work.settings.precision),
        )
        for name, wanted in work.identity.items():
            if recall.identity[name] != wanted:
                raise WorkerError(
                    f"`workers` must have the run's {name}, or numbers would differ. Got {recall.identity[name]} instead of "
                    f"{wanted}. Give workers the same files, packages and settings, or run without them."
                )
        storage = SpillSpace(0, Path(tempfile.gettempdir()))
        self._recorder = Recorder(
            model, work.layers, work.settings, storage, seed=work.seed, cache=recall, keep_rows=False
        )

    def record(self, chunk: Chunk, advance: Advance) -> dict[str, str]:
        """Pass a chunk.

        Args:
            chunk: of the run's passes.
            advance: called for each source.

        Returns:
            Files that cannot be used here, with the reason.

        Raises:
            VideoTcavError: what the passes raise.
        """
        unread = {
            str(source.path): reason
            for source, digest in zip(chunk.sources, chunk.digests, strict=True)
            if (reason := self._difference(source, digest))
        }
        sources = [source for source in chunk.sources if str(source.path) not in unread]
        self._digests.update(zip((source.key for source in chunk.sources), chunk.digests, strict=True))
        self._recorder.skipped.clear()
        if chunk.target is None:
            self._recorder.record_concepts(sources, chunk.versions, advance)
        else:
            self._recorder.record_class(sources, chunk.target, advance)
        return unread | {one.path: one.reason for one in self._recorder.skipped}

    def _difference(self, source: VideoSource, digest: str) -> str:
        """Why a source is not the one that the run means; empty where it is."""
        try:
            found = self._keeper.source_digest(source)
        except (MediaError, OSError) as error:
            return error.reason if isinstance(error, MediaError) else str(error.strerror or error)
        return "" if found == digest else "another content there"
