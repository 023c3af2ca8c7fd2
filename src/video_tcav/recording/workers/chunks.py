"""Chunks of a run's passes, and what their workers must know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from video_tcav.media import VideoSource
from video_tcav.models.targets import Target
from video_tcav.recording.clip_id import Version
from video_tcav.recording.settings import RecordingSettings

_CHUNKS_PER_WORKER = 4  # so that workers of different speed end at about the same time
_LARGEST_CHUNK = 64  # videos; they are passed again where a worker is lost


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of work: a whole pass of a run, or what one worker does at a time.

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


def cut(passes: Sequence[Chunk], batch: int, workers: int) -> list[Chunk]:
    """Passes in pieces of whole batches, so that none must be filled up, and so that all workers end at about one time."""
    even = sum(len(chunk.sources) for chunk in passes) // (workers * _CHUNKS_PER_WORKER)
    size = max(batch, min(even, _LARGEST_CHUNK) // batch * batch)
    return [piece for chunk in passes for piece in chunk.cut(size)]


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What all workers of a run must know.

    Attributes:
        recipe: arguments of `load_model`.
        torch_threads: of each worker, the same as those of the run: another number can give other last bits.
        identity: what the bits of a row depend on; a worker that differs in it is refused.
        facts: which the run has decided for all.
        batch: how many clips are passed at once.
        whole: layers whose whole output is recorded, of class clips and where a chunk asks for it.
        recording: settings, with the precision that the run has chosen.
        seed: of shuffled twins.
    """

    recipe: Mapping[str, Any]
    device: str
    torch_threads: int
    identity: Mapping[str, Any]
    facts: Mapping[bytes, Any]
    batch: int
    layers: tuple[str, ...]
    whole: tuple[str, ...] = ()
    recording: RecordingSettings
    seed: int
