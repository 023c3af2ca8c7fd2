"""Jobs that workers share, cut into pieces, and what their workers must know."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import torch

from video_tcav.core.errors import WorkerError
from video_tcav.core.progress import Advance
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel, load_model
from video_tcav.models.targets import Target
from video_tcav.recording.cache import CacheView
from video_tcav.recording.clip_id import Version
from video_tcav.recording.fast.precision import Precision
from video_tcav.recording.settings import RecordingSettings

_CHUNKS_PER_WORKER = 4  # so that workers of different speed end at about the same time
_LARGEST_CHUNK = 64  # videos; they are passed again where a worker is lost


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a recording: a whole pass of a run, or what one worker does at a time.

    Attributes:
        digests: content digest of each source, as the run has it.
        target: whose gradient is taken; `None` records activations.
        outputs: whether whole outputs are recorded beside activations.
    """

    sources: tuple[VideoSource, ...]
    digests: tuple[str, ...]
    versions: tuple[Version, ...]
    target: Target | None = None
    outputs: bool = False

    def cut(self, size: int) -> list[Self]:
        """Pieces of so many sources."""
        return [
            replace(self, sources=self.sources[start : start + size], digests=self.digests[start : start + size])
            for start in range(0, len(self.sources), size)
        ]


class Piece(Protocol):
    """A piece of a job: what is done with some videos."""

    @property
    def sources(self) -> tuple[VideoSource, ...]:
        """The videos."""
        ...

    def cut(self, size: int) -> list[Self]:
        """Pieces of so many sources."""
        ...


_SomePiece = TypeVar("_SomePiece", bound=Piece)


def cut(passes: Sequence[_SomePiece], batch: int, workers: int) -> list[_SomePiece]:
    """Passes in pieces of whole batches, so that none must be filled up, and so that all workers end at about one time."""
    even = sum(len(chunk.sources) for chunk in passes) // (workers * _CHUNKS_PER_WORKER)
    size = max(batch, min(even, _LARGEST_CHUNK) // batch * batch)
    return [piece for chunk in passes for piece in chunk.cut(size)]


class PassWorker(Protocol):
    """Does pieces of a job, one after the other, in a process of its own."""

    def record(self, chunk: Any, advance: Advance) -> dict[str, str]:
        """Do a piece of the job; returns the files that cannot be used here, with the reason.

        Raises:
            VideoTcavError: what the passes raise.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """What all workers of a run must know, and which kind of worker does it; subclass it for other passes.

    Attributes:
        recipe: arguments of `load_model`.
        torch_threads: of each worker, the same as those of the run: another number can give other last bits.
        identity: what the bits of an answer depend on; a worker that differs in it is refused.
        facts: which the run has decided for all.
        batch: clips that are passed at once, of which pieces are made.
        recording: settings, with the precision that the run has chosen.
    """

    recipe: Mapping[str, Any]
    device: str
    torch_threads: int
    identity: Mapping[str, Any]
    facts: Mapping[bytes, Any]
    batch: int
    recording: RecordingSettings

    @abstractmethod
    def local_worker(self) -> PassWorker:
        """A worker on the run's machine, which writes to the run's folders itself."""

    @abstractmethod
    def remote_worker(self, send: Callable[[memoryview], None]) -> PassWorker:
        """A worker on another machine: what it has passed goes through `send`, and the passes wait while it does."""

    def load_model(self) -> VideoModel:
        """The model in a worker, on as many threads as in the run.

        Raises:
            VideoTcavError: if it cannot be loaded there.
        """
        torch.set_num_threads(self.torch_threads)
        return load_model(**self.recipe, device=self.device)

    def check_identity(self, identity: Mapping[str, Any]) -> None:
        """Refuse a worker that would give other bits than the run.

        Raises:
            WorkerError: if its identity is another.
        """
        for name, expected in self.identity.items():
            if identity[name] != expected:
                raise WorkerError(
                    f"`workers` must have the run's {name}, or numbers would differ. Got {identity[name]} instead of "
                    f"{expected}. Give workers the same files, packages and settings, or run without them."
                )


def job_fields(model: VideoModel, view: CacheView, settings: RecordingSettings, precision: Precision) -> dict[str, Any]:
    """The fields of a job that all kinds of passes share, but for the batch.

    Raises:
        WorkerError: for a model that workers cannot load.
    """
    if model.recipe is None:
        raise WorkerError(
            f"`model` must be loaded by a spec for workers. Got {model.name}, a module at hand. Write a function that "
            "builds it: file:path/to/model.py:function."
        )
    return {
        "recipe": model.recipe,
        "device": str(model.device),
        "torch_threads": torch.get_num_threads(),
        "identity": view.identity,
        "facts": view.facts,
        "recording": settings.with_values(precision=precision, store=None, workers=None, backend="local"),
    }
