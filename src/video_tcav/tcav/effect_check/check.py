"""Effect check on a user's own clips: edit them, measure the truth, and compare every estimate with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float

from video_tcav.concepts.edits import Edit
from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.agreement import GroupedClips, agreement, spread_around
from video_tcav.gram.resampling import percentile_interval
from video_tcav.masks import MaskSource
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target, target_name
from video_tcav.tcav.effect_check.estimate_plan import (
    EstimatePlan,
    check_groups,
    clips_that_fit,
    group_draws,
    least_truth,
    spread_over_groups,
)
from video_tcav.tcav.effect_check.estimates import Estimate, EstimateKey, Place
from video_tcav.tcav.effect_check.layer_estimates import LayerEstimates
from video_tcav.tcav.effect_check.mask_edits import MaskedClips, MaskEdit, MaskedVersions, left_out_texts
from video_tcav.tcav.effect_check.passes import ClipPasses, EditedClips, PlainClips
from video_tcav.tcav.effect_check.result import EditTruth, EffectCheck, EstimateAgreement, ordered
from video_tcav.tcav.settings import At

MOST_CLIPS = 20
"""Edited clips, and random ones that estimates are taken at: a dozen edits of them take as many passes as a usual run."""


@dataclass(frozen=True, kw_only=True)
class CheckPlan(EstimatePlan):
    """What is checked.

    Attributes:
        clips: those that are edited: of the class, or random ones that gradients are taken at.
        at: what they are.
        random: further random clips that estimates are taken at; none where `clips` are random ones themselves.
        edits: which plain ones.
        mask_edits: which of those that take masks; none without masks.
        masks: tells the person.
        only_right: whether clips that the model calls another class are left out.
        most_clips: of each kind.
    """

    clips: tuple[VideoSource, ...]
    at: At
    random: tuple[VideoSource, ...]
    edits: tuple[Edit, ...]
    mask_edits: tuple[MaskEdit, ...] = ()
    masks: MaskSource | None = None
    only_right: bool
    most_clips: int = MOST_CLIPS

    @property
    def rows(self) -> int:
        """Rows of each kind of clip that are held at once: plain, random, gradients at both, and edited ones."""
        # edits by masks are made together, as finding masks takes longer than the passes
        return 4 + max(1, len(self.mask_edits))


@dataclass(frozen=True, kw_only=True, eq=False)
class _MeasuredEdit:
    """An edit of some of the clips.

    Attributes:
        name: of the edit.
        changes: of the target of each edited clip.
        targets: of each after the edit.
        clips: draws of the groups of these clips.
    """

    name: str
    changes: Float[np.ndarray, " edited"]
    targets: Float[np.ndarray, " edited"]
    clips: GroupedClips

    @classmethod
    def of(cls, name: str, edited: EditedClips, plain: Float[np.ndarray, " clip"], clips: GroupedClips) -> Self:
        """From the target of every plain clip, and draws of these."""
        targets, chosen = edited.targets.numpy(), edited.chosen
        of_edited = clips if chosen.all() else clips.subset(chosen)
        return cls(name=name, changes=targets - plain[chosen], targets=targets, clips=of_edited)

    @property
    def truth(self) -> float:
        return float(self.changes.mean())

    @cached_property
    def truth_draws(self) -> Float[np.ndarray, " draw"]:
        return spread_around(self.truth, self.clips.means(self.changes[:, None])[:, 0], self.clips.groups)

    def row(self) -> EditTruth:
        """For tables."""
        low, high = percentile_interval(self.truth_draws)
        return EditTruth(edit=self.name, truth=self.truth, truth_low=low, truth_high=high, n_clips=len(self.changes))


def measure_check(model: VideoModel, target: Target, plan: CheckPlan, *, progress: bool = False) -> EffectCheck:
    """Edit clips and compare what it does to the target with every estimate.

    Raises:
        InputError: if no clip can be used, or all are of one group.
    """
    most = min(plan.most_clips, clips_that_fit(model, plan.layers, rows=plan.rows, room=plan.room))
    clips, random = (
        spread_over_groups(sources, plan.group_of, most, [plan.seed, random_streams.CHECKED_CLIPS, number])
        for number, sources in enumerate((plan.clips, plan.random))
    )
    passes = plan.passes(model, target)
    total = len(clips) * (1 + len(plan.edits) + len(plan.mask_edits)) + len(random)
    with progress_bar("edits of clips (passes)", total, visible=progress) as advance:
        clip_sets: dict[Place, PlainClips] = {plan.at: _right_clips(passes.plain(clips, advance), target, plan)}
        if random:
            clip_sets["random"] = passes.plain(random, advance)
        for at, passed in clip_sets.items():
            check_groups("random" if at == "random" else "clips", passed, plan.group_of)
        draws = group_draws(clip_sets, plan.group_of, plan.seed)
        layers = [LayerEstimates(layer, clip_sets, draws, passes, plan) for layer in plan.layers]
        plain = np.asarray([answer.target for answer in clip_sets[plan.at].answers])
        edits: list[_MeasuredEdit] = []
        estimates: dict[EstimateKey, list[Estimate]] = {}
        left_out: list[str] = []
        for name, edited in _edits(clip_sets, passes, plan, left_out, advance):
            edits.append(_MeasuredEdit.of(name, edited, plain, draws[plan.at]))
            for layer in layers:
                for key, estimate in layer.estimates(edited.outputs, chosen=edited.chosen):
                    estimates.setdefault(key, []).append(estimate)
    result = _result(model, target, plan, clip_sets, draws, edits, estimates)
    notes = tuple(layer.note for layer in layers if layer.note)
    return replace(result, notes=notes, left_out=tuple(left_out))


def _edits(
    clip_sets: Mapping[Place, PlainClips],
    passes: ClipPasses,
    plan: CheckPlan,
    left_out: list[str],
    advance: Callable[[int], None],
) -> Iterator[tuple[str, EditedClips]]:
    """The clips after every edit, one after the other; what edits by masks leave out is added to a list."""
    clips = clip_sets[plan.at]
    for edit in plan.edits:
        yield edit, passes.edited(clips, edit, advance)
    if not plan.mask_edits or plan.masks is None:
        return
    masked = MaskedClips(
        clips.sources,
        clip_sets["random"].sources if plan.random else (),
        edits=plan.mask_edits,
        masks=plan.masks,
        spec=passes.runner.model.clip_spec,
        group_of=plan.group_of,
        threads=plan.threads,
        seed=plan.seed,
    )
    with closing(masked.versions()) as versions:
        seen: list[MaskedVersions] = []
        by_edit = passes.edited_by_masks(clips, _without_frames(versions, seen), advance)
    left_out += left_out_texts(seen, clips.sources)
    for edit in plan.mask_edits:
        edited = by_edit.pop(edit, None)  # so that rows of an edit are freed when its estimates were made
        groups = 0 if edited is None else len({plan.group_of(clips.sources[n]) for n in np.flatnonzero(edited.chosen)})
        if edited is not None and groups > 1:
            yield edit, edited
        else:
            left_out.append(f"{edit} was not made: an interval needs clips of 2 groups, and those left are of {groups}")


def _without_frames(versions: Iterable[MaskedVersions], seen: list[MaskedVersions]) -> Iterator[MaskedVersions]:
    """The versions as they come; what is remembered of them has no pixels."""
    for each in versions:
        seen.append(replace(each, frames={}))
        yield each


def _right_clips(clips: PlainClips, target: Target, plan: CheckPlan) -> PlainClips:
    """Without clips that the model calls another class, where the plan leaves them out."""
    if not plan.only_right:
        return clips
    return clips.only([n for n, answer in enumerate(clips.answers) if not answer.is_wrong(target.class_index)])


def _result(
    model: VideoModel,
    target: Target,
    plan: CheckPlan,
    clip_sets: Mapping[Place, PlainClips],
    draws: Mapping[Place, GroupedClips],
    edits: Sequence[_MeasuredEdit],
    estimates: Mapping[EstimateKey, Sequence[Estimate]],
) -> EffectCheck:
    plain = [np.asarray([answer.target for answer in clips.answers]) for clips in clip_sets.values()]
    every_target = np.concatenate([*plain, *(edit.targets for edit in edits)])
    low, high = float(every_target.min()), float(every_target.max())
    threshold = least_truth(target, low, high)
    truth = np.asarray([edit.truth for edit in edits])
    truth_draws = np.stack([edit.truth_draws for edit in edits], axis=1)
    agreements = []
    for key, by_edit in estimates.items():
        drawn = [
            spread_around(estimate.value, estimate.draws, min(edit.clips.groups, draws[key.at].groups))
            for edit, estimate in zip(edits, by_edit, strict=True)
        ]
        prediction = np.asarray([estimate.value for estimate in by_edit])
        measured = agreement(
            truth, prediction, truth_draws, np.stack(drawn, axis=1), threshold=threshold, seed=plan.seed
        )
        agreements.append(
            EstimateAgreement(**key._asdict(), **asdict(measured), predictions=tuple(prediction.tolist()))
        )
    return EffectCheck(
        target=model.classes[target.class_index],
        against=target_name(model, target),
        threshold=threshold,
        edits=tuple(edit.row() for edit in edits),
        agreements=ordered(agreements, plan.layers),
        n_clips=len(clip_sets[plan.at].sources),
        n_groups=draws[plan.at].groups,
        n_random_clips=len(clip_sets["random"].sources) if "random" in clip_sets else 0,
        n_rerun=plan.most_rerun if plan.reruns else 0,
        target_low=low,
        target_high=high,
        masks="" if plan.masks is None else plan.masks.name,
    )
