"""Worker processes on this machine, which share the run's folders."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event

from video_tcav.core.errors import WorkerError
from video_tcav.core.progress import Advance
from video_tcav.recording.workers.chunks import Job, PassWorker, Piece, cut


@dataclass(frozen=True, kw_only=True)
class Processes:
    """So many processes, each with the model."""

    workers: int

    def fill(
        self, job: Job, passes: Sequence[Piece], advance: Advance, *, add: Callable[[memoryview], None]
    ) -> dict[str, str]:
        """Have what these passes give, done in any order, in the folders of the run when it returns.

        Args:
            job: what the workers must know.
            passes: to be cut into pieces.
            advance: told of each video.
            add: puts into the run's folders what a worker elsewhere has sent; not needed on this machine.

        Returns:
            Files that could not be used, with the reason; the run tries them again by itself.

        Raises:
            WorkerError: if the work cannot be done there.
            VideoTcavError: what the passes raise.
        """
        chunks = cut(passes, job.batch, self.workers)
        # not forked: a copy of this process would lack the threads that PyTorch's locks wait for
        context, unread = get_context("spawn"), {}
        stop = context.Event()
        pool = ProcessPoolExecutor(
            max_workers=min(self.workers, len(chunks)),
            mp_context=context,
            initializer=_start,
            initargs=(job, stop),
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


_started: tuple[Job, Event] | None = None
_worker: PassWorker | None = None


def _start(job: Job, stop: Event) -> None:
    global _started
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides what ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _started = job, stop


def _record(chunk: Piece) -> dict[str, str]:
    global _worker
    assert _started is not None
    job, stop = _started
    if _worker is None:  # not in `_start`, whose errors a pool reports as a broken pool
        _worker = job.local_worker()

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
