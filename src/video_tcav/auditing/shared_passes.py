"""Passes of an audit on workers: they keep logits where the run then finds them, and the run alone makes numbers of them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

from video_tcav.auditing.kept_logits import LogitFiles, LogitSender
from video_tcav.auditing.passes import AuditPasses
from video_tcav.auditing.pending_clips import PendingClips, is_foreign
from video_tcav.auditing.plan import AuditPlan, VersionPlan
from video_tcav.auditing.versions import VERSIONS
from video_tcav.core.errors import MediaError, WorkerError
from video_tcav.core.progress import Advance
from video_tcav.masks.identity import mask_identity
from video_tcav.masks.mask_source import MaskSource
from video_tcav.masks.specs import parse_mask_source
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.cache import CacheView
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.workers import Job, batch_size, job_fields
from video_tcav.recording.workers.worker import content_difference
from video_tcav.recording.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class AuditPiece:
    """Videos of an audit, with those that lend them scenes.

    Attributes:
        sources: to be passed, in an order in which lenders are near.
        lenders: of each, by its key.
        digests: content digest of each of both, by its key, as the run has it.
    """

    sources: tuple[VideoSource, ...]
    lenders: Mapping[str, tuple[VideoSource, ...]]
    digests: Mapping[str, str]

    def cut(self, size: int) -> list[Self]:
        """Pieces of so many sources."""
        return [self.of(self.sources[start : start + size]) for start in range(0, len(self.sources), size)]

    def of(self, sources: Sequence[VideoSource]) -> Self:
        """What a worker must know of some of the sources, and no more: all of many clips would be sent with every piece."""
        lenders = {source.key: self.lenders.get(source.key, ()) for source in sources}
        keys = {source.key for source in (*sources, *chain.from_iterable(lenders.values()))}
        digests = {key: digest for key, digest in self.digests.items() if key in keys}
        return replace(self, sources=tuple(sources), lenders=lenders, digests=digests)


@dataclass(frozen=True, kw_only=True)
class AuditJob(Job):
    """Passes of versions whose logits are kept beside an activation store.

    Attributes:
        versions: names of those that can be kept.
        shares: whether coalitions are passed, too.
        masks: spec of their source; empty where no version needs it.
        mask_identity: of that source, as the run has it.
        seed: of every random draw.
        folder: where the run keeps logits, for workers on its machine.
    """

    versions: tuple[str, ...]
    shares: bool
    masks: str
    mask_identity: Sequence[Any]
    seed: int
    folder: Path

    def local_worker(self) -> "AuditWorker":
        """See `Job`."""
        return AuditWorker(self, LogitFiles(self.folder, self.identity))

    def remote_worker(self, send: Callable[[memoryview], None]) -> "AuditWorker":
        """See `Job`."""
        return AuditWorker(self, LogitSender(send, self.identity))


class AuditWorker:
    """Passes versions as the run itself would, to the last bit.

    Args:
        job: what it must know.
        files: take the logits.

    Raises:
        WorkerError: if this process would give other bits than the run's, or other masks.
        VideoTcavError: if the model or the masks cannot be loaded here.
    """

    def __init__(self, job: AuditJob, files: LogitFiles) -> None:
        model = job.load_model()
        self._digests = RowSender(job.facts, lambda _block: None)  # passes without layers have no rows to send
        view = CacheView(self._digests, model, (), job.recording, {})
        job.check_identity(view.identity)
        self._job, self._files = job, files
        self._runner = BatchRunner(model, (), precision=job.recording.precision, shared_fact=view.fact)
        self._masks = _worker_masks(job, model)

    def record(self, chunk: AuditPiece, advance: Advance) -> dict[str, str]:
        """Pass a piece; returns the files that cannot be used here, with the reason.

        Raises:
            MediaError: for the first file that cannot be used, if the run is strict.
            VideoTcavError: what the passes raise.
        """
        reasons = {source.key: self._difference(source, chunk) for source in chunk.sources}
        unread = {str(source.path): reasons[source.key] for source in chunk.sources if reasons[source.key]}
        job = self._job
        plan = VersionPlan(
            versions=tuple(VERSIONS[name] for name in job.versions),
            shares=job.shares,
            masks=self._masks,
            lenders=chunk.lenders,
            digests=chunk.digests,
            seed=job.seed,
        )
        clips = PendingClips(self._runner.model.clip_spec, plan, job.recording, [self._files])
        passes = AuditPasses([self._runner], clips, threads=job.recording.threads)
        sources = [source for source in chunk.sources if not reasons[source.key]]
        with closing(passes.run(sources, advance)) as passed:
            for clip in passed:
                if isinstance(clip, MediaError):
                    if job.recording.strict:
                        raise clip
                    unread[str(clip.path)] = clip.reason
        return unread

    def _difference(self, source: VideoSource, chunk: AuditPiece) -> str:
        """Why a source, or one that may lend it a scene, is not the one that the run means; empty where all are."""
        for each in (source, *chunk.lenders[source.key]):
            # what the run could not read has no digest, and lends nothing
            if each.key in chunk.digests:
                reason = content_difference(self._digests, each, chunk.digests[each.key])
                if reason:
                    return reason if each is source else f"{each.path}, whose scene it may get: {reason}"
        return ""


def share_passes(work: Workspace, runner: BatchRunner, plan: AuditPlan, files: LogitFiles, view: CacheView) -> None:
    """Have the workers keep all logits that are missing; versions of other packages are left to the run.

    Args:
        work: of the run, with workers.
        runner: of the run.
        plan: of the audit.
        files: where logits are kept.
        view: of the run's store.

    Raises:
        WorkerError: for a model or masks that workers cannot load, or if the work cannot be done there.
        InputError: for a store that is read-only.
        VideoTcavError: what the passes raise.
    """
    identity = mask_identity(plan.masks)
    if identity is None:
        name = getattr(plan.masks, "name", "")
        raise WorkerError(
            f"`masks` must come from a spec of this package for workers. Got {name}. Write them to files, or run without workers."
        )
    assert files.folder is not None  # whoever has workers has a store
    versions = tuple(version for version in plan.versions if not is_foreign(version))
    settings = work.settings
    clips = PendingClips(runner.model.clip_spec, replace(plan, versions=versions), settings, [files])
    missing = [source for source in plan.order if source.key in plan.digests and not clips.is_kept(source)]
    # decides how clips are passed, which workers must be told
    if batch_size(runner, missing, windows=settings.windows) is None:
        return
    job = AuditJob(
        **job_fields(runner.model, view, settings, runner.precision),
        batch=1,  # batches are filled with versions, so that pieces may have any number of videos
        versions=tuple(version.name for version in versions),
        shares=plan.shares,
        masks="" if plan.masks is None else plan.masks.name,
        mask_identity=identity,
        seed=plan.seed,
        folder=files.folder,
    )
    whole = AuditPiece(sources=plan.order, lenders=plan.lenders, digests=plan.digests)
    work.share(job, [whole.of(missing)], add=files.add_encoded)


def _worker_masks(job: AuditJob, model: VideoModel) -> MaskSource | None:
    """The source of masks in a worker.

    Raises:
        WorkerError: if it is another one than the run's.
    """
    if not job.masks:
        return None
    masks = parse_mask_source(job.masks, device=model.device)
    if mask_identity(masks) != list(job.mask_identity):
        raise WorkerError(
            f"`masks` must be the same for workers as for the run. Got other settings or files of {job.masks}. "
            "Give them the same files, or name masks by a spec."
        )
    return masks
