"""Embeddings made on request, in a thread, while the review goes on: for clips like one, and for clips by words."""

from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from fastapi import FastAPI

from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.studio.requests import Nothing

Each = Callable[[int, int], None]
"""Is called with how many clips are done, and how many there are."""


class _Stopped(Exception):
    """The studio ends."""


class EmbeddingJob:
    """Embeddings of all tubes, made in a thread.

    Args:
        embed: makes those that are missing.
    """

    def __init__(self, embed: Callable[[Each], object]) -> None:
        self._embed = embed
        self._start = Lock()
        self._thread: Thread | None = None
        self._stopping = False
        self._done = self._total = 0
        self._error = ""

    def start(self) -> None:
        """Begin, unless it is under way."""
        with self._start:
            if not self._running:
                self._done = self._total = 0
                self._error = ""
                self._thread = Thread(target=self._run, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop, and wait for it: the bank is closed next."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()

    def payload(self) -> dict[str, Any]:
        """How far it is."""
        return {"running": self._running, "done": self._done, "total": self._total, "error": self._error}

    @property
    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._embed(self._each)
        except VideoTcavError as error:
            self._error = reason_of(error)
        except _Stopped:
            pass

    def _each(self, done: int, total: int) -> None:
        if self._stopping:
            raise _Stopped
        self._done, self._total = done, total


def add_job(app: FastAPI, path: str, job: EmbeddingJob) -> None:
    """Add the routes that start a job and say how far it is."""

    @app.post(path)
    def start(_body: Nothing) -> dict[str, Any]:
        job.start()
        return job.payload()

    @app.get(path)
    def progress() -> dict[str, Any]:
        return job.payload()
