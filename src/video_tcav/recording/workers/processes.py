"""Worker processes on this machine, which share the run's store."""

import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path

from video_tcav.core.errors import WorkerError
from video_tcav.core.progress import Advance
from video_tcav.recording.cache import ActivationStore
from video_tcav.recording.workers.chunks import Chunk, WorkerSettings, cut
from video_tcav.recording.workers.worker import Worker


@dataclass(frozen=True, kw_only=True)
class Processes:
    """So many processes, each with the model."""

    workers: int

    def fill(
        self, store: ActivationStore, settings: WorkerSettings, passes: Sequence[Chunk], advance: Advance
    ) -> dict[str, str]:
        """Have the rows of these passes, done in any order, in the store of the run when it returns.

        Returns:
            Files that could not be used, with the reason; the run tries them again by itself.

        Raises:
            WorkerError: if the work cannot be done there.
            VideoTcavError: what the passes raise.
        """
        chunks = cut(passes, settings.batch, self.workers)
        # not forked: a copy of this process would lack the threads that PyTorch's locks wait for
        context, unread = get_context("spawn"), {}
        stop = context.Event()
        pool = ProcessPoolExecutor(
            max_workers=min(self.workers, len(chunks)),
            mp_context=context,
            initializer=_start,
            initargs=(store.folder, store.durable, settings, stop),
        )
        try:
            sizes = {pool.submit(_record, chunk): len(chunk.sources) for chunk in chunks}
            for done in as_completed(sizes):
                unread.update(done.result())
                advance(sizes[done])
        except BrokenProcessPool as error:
            raise WorkerError(
                f"`workers` must stay alive. Got {self.workers}, of which one was ended from outside, as happens where memory is "
                "short. Give fewer workers."
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        return unread


class _StoppedError(Exception):
    """The run wants no more."""


_started: tuple[Path, bool, WorkerSettings, Event] | None = None
_worker: Worker | None = None


def _start(folder: Path, durable: bool, settings: WorkerSettings, stop: Event) -> None:
    global _started
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides what ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _started = folder, durable, settings, stop


def _record(chunk: Chunk) -> dict[str, str]:
    global _worker
    assert _started is not None
    folder, durable, settings, stop = _started
    if _worker is None:  # not in `_start`, whose errors a pool reports as a broken pool
        _worker = Worker(settings, ActivationStore.open(folder, durable=durable))

    def check(_steps: float) -> None:
        if stop.is_set():
            raise _StoppedError

    return _worker.record(chunk, check)


def _end_with_parent() -> None:
    """A killed run leaves no process behind; what the store holds by then is whole."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
