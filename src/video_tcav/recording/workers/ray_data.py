"""Actors on a Ray cluster: Ray Data hands them chunks and brings their rows back; the run alone writes the store."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
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
from video_tcav.recording.cache import ActivationStore
from video_tcav.recording.workers.backend import Chunk, Work, cut
from video_tcav.recording.workers.remote_rows import Message, Outbox
from video_tcav.recording.workers.worker import Worker

_FIELDS = pa.schema(
    {
        "rows": pa.large_binary(),
        "about": pa.string(),
        "done": pa.int64(),
        "unread": pa.string(),
        "error": pa.string(),
    }
)
_POLL_S = 0.2


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

    def fill(self, store: ActivationStore, work: Work, passes: Sequence[Chunk], advance: Advance) -> dict[str, str]:
        """See `Backend.fill`. Nodes may be lost: their chunks are done again by others."""
        unread: dict[str, str] = {}
        with _connected(self.address) as ray:
            try:
                for row in self._rows(ray, work, passes):
                    if row["error"]:
                        raise WorkerError(row["error"])
                    if row["rows"]:
                        Message(rows=row["rows"], about=row["about"]).deliver(store)
                    unread.update(json.loads(row["unread"]))
                    advance(row["done"])
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise WorkerError(
                    f"`backend` must do the passes. Got from Ray: {reason} See `ray status`, or use --backend local."
                ) from error
        return unread

    def _rows(self, ray: Any, work: Work, passes: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
        gpu = work.device.startswith("cuda")
        actors = self.workers or room(ray.nodes(), work.torch_threads, gpu=gpu)
        chunks = cut(passes, work.batch, actors)
        context = ray.data.DataContext.get_current()
        shown, context.enable_progress_bars = context.enable_progress_bars, False
        try:
            tasks = [{"task": _Task(work=work, folder=Path.cwd(), chunk=chunk)} for chunk in chunks]
            messages = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
                Actor,  # started again where its node is lost, as Ray Data does it if nothing else is said
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(actors, len(tasks))),
                num_cpus=work.torch_threads / 2,
                num_gpus=1 if gpu else None,
            )
            for table in messages.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
                yield from (_row(part) for part in table.to_batches(max_chunksize=1))
        finally:
            context.enable_progress_bars = shown


def room(nodes: Sequence[Mapping[str, Any]], torch_threads: int, *, gpu: bool = False) -> int:
    """How many actors a cluster takes: by its GPUs, or by its CPUs.

    An actor asks Ray for half of the CPUs that it uses: Ray's own tasks need some, or nothing ever starts, and where nodes
    are lost the others must take their actors.

    Args:
        nodes: as `ray.nodes` lists them.
        torch_threads: of an actor.
        gpu: whether the model runs on GPUs.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if gpu:
        return max(1, sum(int(has.get("GPU", 0)) for has in alive))
    return max(
        1, sum(max(1, int(has["CPU"] // torch_threads)) for has in alive if has.get("CPU", 0) * 2 >= torch_threads)
    )


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A chunk with all that an actor must know, which may be a new one."""

    work: Work
    folder: Path
    chunk: Chunk


class Actor:
    """A worker on a node. Errors go back as rows: Ray would try them again and wrap them up."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._sending: _Sending | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="video-tcav-passes")

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[pa.Table]:
        """Pass a chunk; the rows of each batch are handed out while the next one is passed."""
        task: _Task = batch["task"][0]
        sending = _Sending()
        passing = self._thread.submit(self._pass, task, sending)
        try:
            while (message := sending.next()) is not None:
                yield _table(rows=message.rows, about=message.about)
            try:
                yield _table(done=len(task.chunk.sources), unread=json.dumps(passing.result()))
            except VideoTcavError as error:
                yield _table(error=str(error))
        finally:
            sending.drop()

    def _pass(self, task: _Task, sending: "_Sending") -> dict[str, str]:
        try:
            return self._record(task, sending)
        finally:
            sending.send(None)

    def _record(self, task: _Task, sending: "_Sending") -> dict[str, str]:
        self._sending = sending
        if self._worker is None:
            with suppress(OSError):  # else relative paths lead nowhere here, and each file says so
                os.chdir(task.folder)
            self._worker = Worker(task.work, Outbox(task.work.facts, self._send))
        return self._worker.record(task.chunk, sending.check)

    def _send(self, message: Message) -> None:
        assert self._sending is not None
        self._sending.send(message)


class _Dropped(Exception):
    """Nobody waits for these rows any more."""


class _Sending:
    """The way of one chunk's rows, from the thread that passes clips to the one that hands rows to Ray.

    The passes wait where rows are not taken: memory is bounded. Each chunk has a way of its own, since Ray may leave a chunk
    in the middle and ask for the next.
    """

    def __init__(self) -> None:
        self._queue: Queue[Message | None] = Queue(maxsize=1)
        self._dropped = Event()

    def send(self, message: Message | None) -> None:
        """Wait until a batch is taken; `None` after the last."""
        while not self._dropped.is_set():
            with suppress(Full):
                return self._queue.put(message, timeout=_POLL_S)
        return None

    def check(self, _steps: float) -> None:
        """Called for each video: passes that nobody waits for end soon."""
        if self._dropped.is_set():
            raise _Dropped

    def drop(self) -> None:
        self._dropped.set()

    def next(self) -> Message | None:
        """The next batch; `None` when the passes have ended."""
        while True:  # a wait without an end could not be interrupted
            with suppress(Empty):
                return self._queue.get(timeout=_POLL_S)


def _table(
    *, rows: memoryview | bytes = b"", about: str = "", done: int = 0, unread: str = "{}", error: str = ""
) -> pa.Table:
    """One row; `rows` is not copied."""
    ends = pa.py_buffer(np.array([0, len(rows)], dtype=np.int64))
    column = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(rows)])
    values = {"rows": column, "about": [about], "done": [done], "unread": [unread], "error": [error]}
    return pa.table(values, schema=_FIELDS)


def _row(one: pa.RecordBatch) -> dict[str, Any]:
    """The row of a batch of one; `rows` stays where Ray has put it."""
    found = {name: one.column(name)[0] for name in _FIELDS.names}
    return {name: memoryview(value.as_buffer()) if name == "rows" else value.as_py() for name, value in found.items()}


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, ready for work; a connection that was there before is used and stays."""
    ray = import_ray()
    if ray.is_initialized():
        with _quiet():
            yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a library must not report on its users
    os.environ.setdefault(
        "RAY_BACKEND_LOG_LEVEL", "fatal"
    )  # else warnings about Ray's own code stand on the user's screen
    try:
        ray.init(
            address=address, include_dashboard=None if address else False, log_to_driver=False, logging_level="ERROR"
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WorkerError(
            f"`backend` must name a Ray cluster that can be reached. Got {address}: {reason} Start one with `ray start`."
        ) from error
    try:
        with _quiet():
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data's own account of a run is not the user's."""
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
