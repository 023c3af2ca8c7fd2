"""Actors on a Ray cluster: Ray Data hands them chunks and brings their rows back; the run alone writes its folders."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa

from video_tcav.core.errors import MissingExtraError, VideoTcavError, WorkerError
from video_tcav.core.progress import Advance
from video_tcav.recording.workers.chunks import Job, PassWorker, Piece, cut

# A row of this table is either a block of what was passed, or the end of a chunk: its number of videos, files that could not be
# used, and an error.
_FIELDS = pa.schema({"block": pa.large_binary(), "done": pa.int64(), "unread": pa.string(), "error": pa.string()})
_ANSWER_S = 10.0  # a head node that is there answers at once
_POLL_S = 0.2  # how soon a thread that waits notices that nobody takes its rows any more


def import_ray() -> Any:
    """Ray with Ray Data.

    Raises:
        MissingExtraError: if they are not installed.
    """
    try:
        import ray  # noqa: PLC0415 - an extra
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("scale", "`--backend ray`") from error
    return ray


@dataclass(frozen=True, kw_only=True)
class RayData:
    """A cluster, or this machine alone where there is no address.

    Attributes:
        address: as `ray.init` takes it; `None` starts Ray here, or takes what `RAY_ADDRESS` names.
        workers: actors; as many as there is room for, if not given.
    """

    address: str | None
    workers: int | None

    def fill(
        self, job: Job, passes: Sequence[Piece], advance: Advance, *, add: Callable[[memoryview], None]
    ) -> dict[str, str]:
        """See `Processes.fill`. Nodes may be lost: their chunks are done again by others."""
        unread: dict[str, str] = {}
        with _connected(self.address) as ray, _quiet():
            try:
                for row in self._rows(ray, job, passes):
                    if row["error"]:
                        raise WorkerError(row["error"])
                    if row["block"]:
                        add(row["block"])
                    unread.update(json.loads(row["unread"]))
                    advance(row["done"])
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise WorkerError(
                    f"`backend` must do the passes. Got from Ray: {reason} See `ray status`, or use --backend local."
                ) from error
        return unread

    def _rows(self, ray: Any, job: Job, passes: Sequence[Piece]) -> Iterator[dict[str, Any]]:
        gpu = job.device.startswith("cuda")
        actors = self.workers or room(ray.nodes(), job.torch_threads, gpu=gpu)
        chunks = cut(passes, job.batch, actors)
        context = ray.data.DataContext.get_current()  # of the whole process, so it is put back
        progress_bars, context.enable_progress_bars = context.enable_progress_bars, False
        try:
            tasks = [{"task": _Task(job=job, folder=Path.cwd(), chunk=chunk)} for chunk in chunks]
            tables = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
                Actor,  # Ray Data starts it again where its node is lost, unless it is told otherwise
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(actors, len(tasks))),
                num_cpus=job.torch_threads / 2,  # half of what it uses: see `room`
                num_gpus=1 if gpu else None,
            )
            for table in tables.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
                yield from (read_row(row) for row in table.to_batches(max_chunksize=1))
        finally:
            context.enable_progress_bars = progress_bars


def room(nodes: Sequence[Mapping[str, Any]], torch_threads: int, *, gpu: bool = False) -> int:
    """How many actors a cluster takes: by its GPUs, or by its CPUs.

    An actor asks Ray for half of the CPUs that it uses: Ray's own tasks need some, or nothing ever starts, and where nodes
    are lost the others must take their actors. `nodes` are as `ray.nodes` lists them, `torch_threads` those of an actor.
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    if gpu:
        return max(1, sum(int(node.get("GPU", 0)) for node in resources))
    cpus = [node.get("CPU", 0) for node in resources]
    return max(1, sum(max(1, int(count // torch_threads)) for count in cpus if 0 < torch_threads <= 2 * count))


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A chunk with all that an actor must know, which may be a new one."""

    job: Job
    folder: Path
    chunk: Piece


class Actor:
    """A worker on a node. Errors go back as rows: Ray would try them again and wrap them up."""

    def __init__(self) -> None:
        self._worker: PassWorker | None = None
        self._blocks = BlockQueue()
        # one thread for all chunks: PyTorch's own threads belong to the thread that started them
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="video-tcav-passes")

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[pa.Table]:
        """Pass a chunk; the rows of each batch are handed out while the next one is passed."""
        task: _Task = batch["task"][0]
        blocks = BlockQueue()
        unread = self._thread.submit(self._pass, task, blocks)
        try:
            while (block := blocks.get()) is not None:
                yield row_table(block=block)
            try:
                yield row_table(done=len(task.chunk.sources), unread=json.dumps(unread.result()))
            except VideoTcavError as error:
                yield row_table(error=str(error))
        finally:
            blocks.abandon()

    def _pass(self, task: _Task, blocks: "BlockQueue") -> dict[str, str]:
        try:
            return self._record(task, blocks)
        finally:
            blocks.put(None)

    def _record(self, task: _Task, blocks: "BlockQueue") -> dict[str, str]:
        self._blocks = blocks
        if self._worker is None:
            with suppress(OSError):  # else relative paths lead nowhere here, and each file says so
                os.chdir(task.folder)
            self._worker = task.job.remote_worker(lambda block: self._blocks.put(block))
        return self._worker.record(task.chunk, blocks.check)


class _AbandonedError(Exception):
    """Nobody waits for these rows any more."""


class BlockQueue:
    """Bounded queue that carries one chunk's blocks from the thread that passes clips to the one that hands them to Ray.

    The passes wait where blocks are not taken: memory is bounded. Each chunk has a queue of its own, since Ray may leave a
    chunk in the middle and ask for the next. Waits have an end, since one without could not be interrupted.
    """

    def __init__(self) -> None:
        self._queue: Queue[memoryview | None] = Queue(maxsize=1)
        self._abandoned = Event()

    def put(self, block: memoryview | None) -> None:
        """Wait until a block is taken; `None` after the last."""
        while not self._abandoned.is_set():
            with suppress(Full):
                self._queue.put(block, timeout=_POLL_S)
                return

    def get(self) -> memoryview | None:
        """The next block; `None` when the passes have ended."""
        while True:
            with suppress(Empty):
                return self._queue.get(timeout=_POLL_S)

    def check(self, _steps: float) -> None:
        """Called for each video: passes that nobody waits for end soon."""
        if self._abandoned.is_set():
            raise _AbandonedError

    def abandon(self) -> None:
        """Take no more blocks."""
        self._abandoned.set()


def row_table(*, block: memoryview | bytes = b"", done: int = 0, unread: str = "{}", error: str = "") -> pa.Table:
    """A table of one row; the block is not copied, as it would be by `pa.array`."""
    offsets = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    column = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(block)])
    return pa.table({"block": column, "done": [done], "unread": [unread], "error": [error]}, schema=_FIELDS)


def read_row(batch: pa.RecordBatch) -> dict[str, Any]:
    """The row of a batch of one; the block stays where Ray has put it."""
    row = {name: batch.column(name)[0] for name in _FIELDS.names}
    return {name: memoryview(value.as_buffer()) if name == "block" else value.as_py() for name, value in row.items()}


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, ready for work; a connection that was there before is used and stays."""
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a library must not report on its users
    # else warnings about Ray's own code stand on the user's screen
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        _check_answer(address)
        ray.init(
            address=address, include_dashboard=None if address else False, log_to_driver=False, logging_level="ERROR"
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WorkerError(
            f"`backend` must name a Ray cluster that can be reached. Got {address}: {reason} Start one with `ray start`."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answer(address: str | None) -> None:
    """Raise where nothing listens at `host:port`: Ray itself tries for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, Ray Data does not log its own progress."""
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
