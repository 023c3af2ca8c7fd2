"""Audit from labelled clips to what a model needs: the function behind `video-tcav audit`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from video_tcav.auditing.answers import AnswerCollector, AuditAnswers
from video_tcav.auditing.examples import AuditExample, make_examples, wanted_examples
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.kept_logits import LogitFiles
from video_tcav.auditing.numbers import audit_figures, version_results
from video_tcav.auditing.passes import AuditPasses
from video_tcav.auditing.pending_clips import PendingClips
from video_tcav.auditing.plan import AuditPlan, AuditQuestion, plan_audit
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.result_files import save_audit
from video_tcav.auditing.settings import NOT_TAKEN, AuditSettings
from video_tcav.auditing.shared_passes import share_passes
from video_tcav.auditing.shares import shapley_shares
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.cache_folder import logit_folder
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.files import check_writable
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.settings import takes_settings
from video_tcav.gram.thresholds import FEW_GROUPS
from video_tcav.media import Skipped
from video_tcav.models import VideoModel
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace


@takes_settings(audit_settings=AuditSettings, recording=RecordingSettings, leave_out=NOT_TAKEN)
def audit(
    model: VideoModel,
    clips: Sources | Mapping[str, Sources],
    *,
    versions: Sequence[str] | None = None,
    reject: Sequence[str] = (),
    group: str = "video",
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = False,
    audit_settings: AuditSettings,
    recording: RecordingSettings,
) -> AuditResult:
    """What a model needs: the person or the scene, motion or one frame, the order of frames; measured on edited pixels.

    Args:
        model: from `load_model`; its classes are those of the clips.
        clips: with labels: a folder for each class, a manifest, a published list; or the clips of each class by its name.
        versions: names of `auditing.VERSIONS`; all if not given. The clip as it is always is one.
        reject: clips to leave out since their masks are wrong, by name or path, or files of such names, see
            `auditing.read_rejections`.
        group: what is independent: `video`, or a regular expression on the path.
        seed: of every random draw.
        out: folder for results, tables and examples.
        progress: whether to show progress bars on standard error.
        audit_settings: who is the person, and what is computed; its fields are keywords of this function.
        recording: how clips are passed; some of its fields are keywords. What was passed before is kept beside `store`.

    Returns:
        Accuracy and log-odds of each version, over all classes and of each, with intervals by groups; what the model says of
        swapped clips; and exact Shapley shares of order, motion, scene, person and object.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.

    Source:
        HAT (arXiv:2211.01480) for SHAcc and SBErr; StillMix (arXiv:2211.12883) for contrasted accuracy; Shapley 1953.
    """
    question = AuditQuestion(clips=clips, versions=versions, reject=reject, group=group, seed=seed)
    [result] = audit_models([model], question, audit_settings, recording, out=out, progress=progress)
    return result


def audit_models(
    models: Sequence[VideoModel],
    question: AuditQuestion,
    audit_settings: AuditSettings,
    recording: RecordingSettings,
    *,
    out: str | Path | None = None,
    progress: bool = False,
) -> tuple[AuditResult, ...]:
    """The audit of each of several models that prepare clips alike and have the same classes: clips are decoded and masked once.

    Args:
        models: one, or a model and copies of it.
        question: what is asked of each.
        audit_settings: who is the person, and what is computed.
        recording: how clips are passed.
        out: folder for results, tables and examples of the first model.
        progress: whether to show progress bars on standard error.

    Raises:
        VideoTcavError: see `audit`.
    """
    folder = None if out is None else check_writable(Path(out))
    with Workspace(recording, progress=progress) as work:
        plan = plan_audit(models[0], question, audit_settings, work.digest)
        runners, files = zip(*(_runner_and_files(work, model, plan) for model in models), strict=True)
        pending = PendingClips(models[0].clip_spec, plan, recording, files)
        with work.timed("passes"):
            passes = AuditPasses(runners, pending, threads=recording.threads)
            answers, skipped = _passed(models, plan, passes, strict=recording.strict, progress=progress)
        with work.timed("numbers"):
            # the same lines go to the terminal, the page and the JSON file, so that none of them sounds surer than another
            noticed = [*models[0].remarks(), *_clip_notes(question.clips), *_cautions(plan, answers[0], skipped)]
            noticed += [*_unused_masks(plan, audit_settings), *work.warnings({file.path for file in skipped})]
            settings = audit_settings.for_provenance() | recording.for_provenance(precision=runners[0].precision)
            common = (skipped, tuple(noticed), _noted(question, plan, settings), audit_settings.bootstraps)
            results = [_result(model, plan, own, *common) for model, own in zip(models, answers, strict=True)]
        if folder is not None:
            with work.timed("examples"):
                results[0] = replace(results[0], examples=_examples(plan, pending, results[0], progress))
    results = [replace(result, seconds=dict(work.seconds)) for result in results]
    if folder is not None:
        save_audit(folder, results[0])
    log_warnings([*results[0].warnings, *map(str, results[0].skipped)])
    return tuple(results)


def _runner_and_files(work: Workspace, model: VideoModel, plan: AuditPlan) -> tuple[BatchRunner, LogitFiles]:
    """What passes batches, and where logits are kept; workers have kept there what was missing."""
    view, precision = work.cache_view(model, plan.digests), work.settings.precision
    if view is None or work.store_folder is None:
        return BatchRunner(model, (), precision=precision), LogitFiles(None)
    # a decision that all runs on one store share: one that was killed goes on with the same bits
    runner = BatchRunner(model, (), precision=precision, shared_fact=view.fact)
    files = LogitFiles(logit_folder(work.store_folder), view.identity)
    if work.has_workers:
        with work.timed("workers"):
            share_passes(work, runner, plan, files, view)
    return runner, files


def _passed(
    models: Sequence[VideoModel], plan: AuditPlan, passes: AuditPasses, *, strict: bool, progress: bool
) -> tuple[tuple[AuditAnswers, ...], tuple[Skipped, ...]]:
    """What each model says of all clips that can be used, and the others.

    Raises:
        InputError: if none can be used.
        MediaError: for the first one that cannot, if `strict`.
    """
    collectors = [AnswerCollector(model, plan, number) for number, model in enumerate(models)]
    skipped = [*plan.rejected]
    with (
        progress_bar("audit (clips)", len(plan.order), visible=progress) as advance,
        closing(passes.run(plan.order, advance)) as passed,
    ):
        for clip in passed:
            if isinstance(clip, MediaError):
                if strict:
                    raise clip
                skipped.append(Skipped(path=str(clip.path), reason=clip.reason))
            else:
                for collector in collectors:
                    collector.add(clip)
    answers = tuple(collector.answers() for collector in collectors)
    if not answers[0].clips:
        raise InputError(
            f"`clips` must hold a clip that can be used. Got {len(skipped)} that cannot, the first: {skipped[0]}. "
            "Give other clips, or another source of masks with --masks."
        )
    return answers, tuple(skipped)


def _unused_masks(plan: AuditPlan, settings: AuditSettings) -> Iterator[str]:
    """That masks were named for nothing: a misspelt path is not even looked at."""
    if plan.masks is None and settings.masks != AuditSettings().masks:
        name = getattr(settings.masks, "name", settings.masks)
        yield f"Masks of {name} were not used, as no version needs them. Ask for shares, or for a version of the person."


def _clip_notes(clips: Sources | Mapping[str, Sources]) -> tuple[str, ...]:
    return () if isinstance(clips, Mapping) else left_out_notes(clips)


def _cautions(plan: AuditPlan, answers: AuditAnswers, skipped: Sequence[Skipped]) -> Iterator[str]:
    """What a reader must know before believing the numbers."""
    groups = len(set(answers.groups.tolist()))
    if groups < 2:
        yield "All clips are of one group, so that no interval can be given. Name other groups with --group."
    elif groups < FEW_GROUPS:
        yield f"{groups} independent groups are few: intervals are wide, and may be too narrow all the same."
    if plan.masks is not None and plan.masks.is_boxes:
        yield (
            "Masks are boxes, which take some of the scene along with the person: what the scene does counts as the person's, "
            "too."
        )
    doubted = [clip.clip for clip in answers.clips if clip.doubts]
    if doubted:
        yield (
            f"The masks of {len(doubted)} of {len(answers.clips)} clips should be looked at: they are very small or large, "
            "vanish, are in pieces, cut off, or change their shape. See them with --judge-masks rejected.json, and leave out "
            "wrong ones with --reject."
        )
        doubtful = set(doubted)
        lent = sum(clip.lender in doubtful for clip in answers.clips)
        if lent:
            yield f"{lent} swaps have the scene of such a clip: if somebody was left in it, SBErr counts them as the scene."
    lost = len(skipped) - len(plan.rejected)
    if lost:
        yield f"{lost} of {len(plan.sources)} clips could not be used, and the numbers say nothing about clips like them."
    without = sum(clip.lender is None for clip in answers.clips) if plan.lenders else 0
    if without:
        yield f"{without} clips have no swap, as no person was found in the clips that would lend them a scene."
    numbers = {source.label for source in plan.sources if (source.label or "").isdecimal()}
    named = numbers - set(answers.classes)
    if named:
        yield f"{len(named)} labels are numbers, and were taken as the numbers of the model's classes, counted from 0."


def _noted(question: AuditQuestion, plan: AuditPlan, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The question and all settings that can change results."""
    masks = None if plan.masks is None else {"name": plan.masks.name, **plan.masks.settings}
    taken = {name: value for name, value in settings.items() if name not in NOT_TAKEN}
    return {
        **taken,
        "versions": [version.name for version in plan.versions],
        "masks": masks,
        "reject": list(question.reject),
        "group": question.group,
        "seed": question.seed,
    }


def _result(
    model: VideoModel,
    plan: AuditPlan,
    answers: AuditAnswers,
    skipped: tuple[Skipped, ...],
    noticed: tuple[str, ...],
    settings: Mapping[str, Any],
    bootstraps: int,
) -> AuditResult:
    intervals = GroupIntervals.draw(answers.groups, bootstraps, plan.seed)
    return AuditResult(
        model=model.name,
        versions=version_results(answers, plan.versions, intervals),
        figures=audit_figures(answers, plan.versions, intervals),
        shares=shapley_shares(answers, intervals) if plan.shares else (),
        answers=answers,
        masks="" if plan.masks is None else plan.masks.name,
        is_boxes=plan.masks is not None and plan.masks.is_boxes,
        examples=(),
        skipped=skipped,
        warnings=noticed,
        provenance=provenance(
            settings=settings,
            model=model.for_provenance(),
            clip_spec=asdict(model.clip_spec),
            clips={source.key: plan.digests.get(source.key) for source in plan.sources},
        ),
        seconds={},
    )


def _examples(plan: AuditPlan, pending: PendingClips, result: AuditResult, progress: bool) -> tuple[AuditExample, ...]:
    telling = [(each.clip, each.version) for each in result.telling()]
    names = [version.name for version in plan.versions if version.name in result.answers.versions]
    wanted = wanted_examples(result.answers, names, telling)
    with progress_bar("examples (clips)", len({clip for clip, _ in wanted}), visible=progress) as advance:
        return make_examples(pending, plan, result.answers, wanted, advance)
