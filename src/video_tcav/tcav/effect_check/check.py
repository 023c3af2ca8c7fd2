"""Effect check on a user's own clips: edit them, measure the truth, and compare every estimate with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float

from video_tcav.concepts.edits import Edit
from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.agreement import GroupedClips, agreement, spread
from video_tcav.gram.resampling import percentile_interval
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
from video_tcav.tcav.effect_check.passes import PlainClips
from video_tcav.tcav.effect_check.result import EditTruth, EffectCheck, EstimateAgreement, ordered
from video_tcav.tcav.settings import At

MOST_CLIPS = 20
"""Edited clips, and random ones that estimates are taken at: a dozen edits of them take as many passes as a usual run."""
_ROWS = 5  # plain, edited and random clips, and gradients at plain and random ones


@dataclass(frozen=True, kw_only=True)
class CheckPlan(EstimatePlan):
    """What is checked.

    Attributes:
        clips: those that are edited: of the class, or random ones that gradients are taken at.
        at: what they are.
        random: further random clips that estimates are taken at; none where `clips` are random ones themselves.
        edits: which.
        only_right: whether clips that the model calls another class are left out.
        most_clips: of each kind.
    """

    clips: tuple[VideoSource, ...]
    at: At
    random: tuple[VideoSource, ...]
    edits: tuple[Edit, ...]
    only_right: bool
    most_clips: int = MOST_CLIPS


def measure_check(model: VideoModel, target: Target, plan: CheckPlan, *, progress: bool = False) -> EffectCheck:
    """Edit clips and compare what it does to the target with every estimate.

    Raises:
        InputError: if no clip can be used, or all are of one group.
    """
    most = min(plan.most_clips, clips_that_fit(model, plan.layers, rows=_ROWS))
    clips, random = (
        spread_over_groups(sources, plan.group_of, most, [plan.seed, random_streams.CHECKED_CLIPS, number])
        for number, sources in enumerate((plan.clips, plan.random))
    )
    passes = plan.passes(model, target)
    total = len(clips) * (1 + len(plan.edits)) + len(random)
    with progress_bar("edits of clips (passes)", total, visible=progress) as advance:
        clip_sets: dict[Place, PlainClips] = {plan.at: _right_clips(passes.plain(clips, advance), target, plan)}
        if random:
            clip_sets["random"] = passes.plain(random, advance)
        for at, passed in clip_sets.items():
            check_groups("random" if at == "random" else "clips", passed, plan.group_of)
        draws = group_draws(clip_sets, plan.group_of, plan.seed)
        layers = [LayerEstimates(layer, clip_sets, draws, passes, plan) for layer in plan.layers]
        targets: list[Float[np.ndarray, " clip"]] = []
        estimates: dict[EstimateKey, list[Estimate]] = {}
        for edit in plan.edits:
            edited = passes.edited(clip_sets[plan.at], edit, advance)
            targets.append(edited.targets.numpy())
            for layer in layers:
                for key, estimate in layer.estimates(edited.outputs):
                    estimates.setdefault(key, []).append(estimate)
    result = _result(model, target, plan, clip_sets, draws, np.stack(targets, axis=1), estimates)
    return replace(result, notes=tuple(layer.note for layer in layers if layer.note))


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
    edited_targets: Float[np.ndarray, "clip edit"],
    estimates: Mapping[EstimateKey, Sequence[Estimate]],
) -> EffectCheck:
    edited, clips = clip_sets[plan.at], draws[plan.at]
    plain_targets = {at: np.asarray([answer.target for answer in each.answers]) for at, each in clip_sets.items()}
    every_target = np.concatenate([edited_targets.ravel(), *plain_targets.values()])
    low, high = float(every_target.min()), float(every_target.max())
    threshold = least_truth(target, low, high)
    changes = edited_targets - plain_targets[plan.at][:, None]
    truth = changes.mean(0)
    truth_draws = spread(truth, clips.means(changes), clips.groups)
    agreements = []
    for key, by_edit in estimates.items():
        prediction = np.asarray([estimate.value for estimate in by_edit])
        drawn = np.stack([estimate.draws for estimate in by_edit], axis=1)
        prediction_draws = spread(prediction, drawn, min(clips.groups, draws[key.at].groups))
        measured = agreement(truth, prediction, truth_draws, prediction_draws, threshold=threshold, seed=plan.seed)
        agreements.append(
            EstimateAgreement(**key._asdict(), **asdict(measured), predictions=tuple(prediction.tolist()))
        )
    intervals = [percentile_interval(of_edit) for of_edit in truth_draws.T]
    return EffectCheck(
        target=model.classes[target.class_index],
        against=target_name(model, target),
        threshold=threshold,
        edits=tuple(
            EditTruth(edit=edit, truth=float(change), truth_low=low_end, truth_high=high_end)
            for edit, change, (low_end, high_end) in zip(plan.edits, truth, intervals, strict=True)
        ),
        agreements=ordered(agreements, plan.layers),
        n_clips=len(edited.sources),
        n_groups=clips.groups,
        n_random_clips=len(clip_sets["random"].sources) if "random" in clip_sets else 0,
        n_rerun=plan.most_rerun if plan.reruns else 0,
        target_low=low,
        target_high=high,
    )
