"""Embeddings made on request, while the review goes on, so that clips can be compared without a model."""

from threading import Lock, Thread
from typing import Any

from fastapi import FastAPI

import video_tcav.proposals as proposals  # its names load when used: the page must not wait for torch
from video_tcav.concepts.bank import ConceptBank
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.studio.requests import Nothing


class _Stopped(Exception):
    """The studio ends."""


class Likeness:
    """Thumbnails of all tubes as embeddings, made in a thread."""

    def __init__(self, bank: ConceptBank) -> None:
        self._bank = bank
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
                self._thread = Thread(target=self._embed, daemon=True)
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

    def _embed(self) -> None:
        try:
            proposals.embed_thumbnails(self._bank, self._each)
        except VideoTcavError as error:
            self._error = reason_of(error)
        except _Stopped:
            pass

    def _each(self, done: int, total: int) -> None:
        if self._stopping:
            raise _Stopped
        self._done, self._total = done, total


def add_likeness(app: FastAPI, likeness: Likeness) -> None:
    """Add the routes that make embeddings."""

    @app.post("/api/embeddings")
    def embed(_body: Nothing) -> dict[str, Any]:
        likeness.start()
        return likeness.payload()

    @app.get("/api/embeddings")
    def progress() -> dict[str, Any]:
        return likeness.payload()
