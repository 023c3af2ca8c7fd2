"""Passes of an audit: every version of every clip through the model, made in threads and never held all at once."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import torch
from torch import Tensor

from video_tcav.auditing.pending_clips import SOURCES_AHEAD, PassedClip, PendingClip, PendingClips
from video_tcav.core.errors import MediaError, ShapeError
from video_tcav.core.progress import Advance
from video_tcav.core.work_ahead import work_ahead
from video_tcav.media import VideoSource
from video_tcav.recording.batch_runner import BatchRunner

_INPUTS_AHEAD = 16  # two of the largest batches


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A version of a clip to be prepared and passed; the last one of the clip is marked.

    Attributes:
        clip: with what is known of it.
        logits: of its versions that have been passed, filled batch by batch.
        name: of the version; empty where nothing of the clip is missing.
        is_last: whether it is the clip's last.
        share: of its video that is done with it.
    """

    clip: PendingClip
    logits: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""
    is_last: bool = True
    share: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Input:
    """A task with the version as the model takes it; `None` where there is nothing to pass."""

    task: _Task
    prepared: Tensor | None


class AuditPasses:
    """Passes the versions of clips.

    Args:
        runners: each passes batches through one model; all prepare clips alike.
        clips: what is known of each clip, and material for the rest.
        threads: clips and versions that are made at once, beside the model.
    """

    def __init__(self, runners: Sequence[BatchRunner], clips: PendingClips, *, threads: int) -> None:
        self._runners, self._clips, self._threads = runners, clips, threads

    def run(self, sources: Sequence[VideoSource], advance: Advance) -> Generator[PassedClip | MediaError, None, None]:
        """The clips, in the order of the videos, or what is wrong with a video.

        Args:
            sources: the videos.
            advance: told which share of a video is done.

        Raises:
            ShapeError: if clips have several sizes after the model's preprocessing.
            NonFiniteError: if the model gives NaN or infinity.
        """
        pending = work_ahead(
            self._clips.of,
            sources,
            threads=self._threads,
            ahead=self._threads * SOURCES_AHEAD,
            name="video-tcav-audit-clips",
        )
        # closed in turn, else threads live as long as the error that ends the loop
        with closing(pending), closing(self._inputs(pending)) as inputs, closing(self._batches(inputs)) as batches:
            for batch in batches:
                if isinstance(batch, MediaError):
                    advance(1)
                    yield batch
                else:
                    yield from self._passed(batch, advance)

    def _passed(self, batch: Sequence[_Input], advance: Advance) -> Iterator[PassedClip]:
        """Pass a batch; the clips whose last version was in it."""
        inputs = [each.prepared for each in batch if each.prepared is not None]
        rows = iter(torch.stack([runner.logits(inputs) for runner in self._runners], dim=1) if inputs else ())
        for each in batch:
            task = each.task
            if each.prepared is not None:
                task.logits[task.name] = next(rows)
            if task.is_last:
                # the last version comes behind all others of the clip, as batches keep the order of the tasks
                yield self._clips.keep(task.clip, task.logits)
            advance(task.share)

    def _batches(self, inputs: Iterator[_Input | MediaError]) -> Generator[Sequence[_Input] | MediaError, None, None]:
        """Inputs, cut where a batch is full; what is wrong with a video comes by itself."""
        batch: list[_Input] = []
        prepared: list[Tensor] = []
        shape: tuple[int, ...] | None = None
        for each in inputs:
            if isinstance(each, MediaError):
                yield each
                continue
            batch.append(each)
            # nothing of the clip is missing: it only waits for its turn
            if each.prepared is None:
                continue
            # batches are of one shape, so that they can be stacked
            prepared.append(each.prepared)
            shape = shape or tuple(each.prepared.shape)
            if tuple(each.prepared.shape) != shape:
                raise ShapeError(
                    f"`clips` must have one size. Got {each.task.clip.passed.source.key} of {tuple(each.prepared.shape)} "
                    f"after {shape}. Give --size, so that every clip is resized."
                )
            if len(prepared) >= min(runner.batch_size(each.prepared) for runner in self._runners):
                yield batch
                batch, prepared = [], []
        if batch:
            yield batch

    def _inputs(
        self, pending: Iterator[Sequence[PendingClip] | MediaError]
    ) -> Generator[_Input | MediaError, None, None]:
        """Versions made and prepared in threads."""
        return work_ahead(
            self._prepared,
            self._tasks(pending),
            threads=self._threads,
            ahead=_INPUTS_AHEAD,
            name="video-tcav-audit-versions",
        )

    def _tasks(self, pending: Iterator[Sequence[PendingClip] | MediaError]) -> Iterator[_Task | MediaError]:
        for clips in pending:
            if isinstance(clips, MediaError):
                yield clips
                continue
            for clip in clips:
                # a clip of which all is kept still needs a task, or it would never reach the results
                names = list(clip.missing) or [""]
                # one dictionary for all tasks of the clip: its versions may fall into several batches
                logits: dict[str, Tensor] = {}
                for name in names:
                    is_last = name == names[-1]
                    # windows share one video, and the bar counts videos
                    share = is_last / len(clips)
                    yield _Task(clip=clip, logits=logits, name=name, is_last=is_last, share=share)

    def _prepared(self, task: _Task | MediaError) -> _Input | MediaError:
        if isinstance(task, MediaError):
            return task
        maker = task.clip.missing.get(task.name)
        return _Input(task=task, prepared=None if maker is None else self._runners[0].model.prepare(maker.frames()))
