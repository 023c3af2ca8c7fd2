"""Measured pairs: both clips of each are passed, the truth is their difference, and every estimate stands beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.agreement import GroupedClips, spread_around
from video_tcav.gram.resampling import percentile_interval
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target, target_name
from video_tcav.recording.class_answers import ClassAnswer
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
from video_tcav.tcav.effect_check.pair_matching import ClipPair
from video_tcav.tcav.effect_check.pair_result import NO_LAYER, MeasuredPair, PairedEffects, PairEstimate
from video_tcav.tcav.effect_check.passes import ClipPasses, PlainClips
from video_tcav.tcav.settings import MOST_PAIRS

# outputs and gradients of both clips of a pair, and those of a random clip
_ROWS = {"pairs": 4, "random": 2}


@dataclass(frozen=True, kw_only=True)
class PairPlan(EstimatePlan):
    """What is measured.

    Attributes:
        pairs: of clips with and without the concept.
        random: further clips without it that estimates are taken at; there may be none.
        most_pairs: that are passed, and random clips.
    """

    pairs: tuple[ClipPair, ...]
    random: tuple[VideoSource, ...]
    most_pairs: int = MOST_PAIRS


def measure_pairs(model: VideoModel, target: Target, plan: PairPlan, *, progress: bool = False) -> PairedEffects:
    """Pass the clips of pairs, and compare the change of the target with every estimate.

    Raises:
        InputError: if no pair can be used, or all are of one group.
    """
    rows = _ROWS["pairs"] + (_ROWS["random"] if plan.random else 0)
    most = min(plan.most_pairs, clips_that_fit(model, plan.layers, rows=rows, room=plan.room))
    without, random = (
        spread_over_groups(sources, plan.group_of, most, [plan.seed, random_streams.CHECKED_CLIPS, number])
        for number, sources in enumerate(([pair.without for pair in plan.pairs], plan.random))
    )
    # only now are pairs drawn: a pair is known by its clip without the concept, which is in no other
    by_key = {pair.without.key: pair for pair in plan.pairs}
    pairs = [by_key[source.key] for source in without]
    passes = plan.passes(model, target)
    with progress_bar("pairs (passes)", 2 * len(pairs) + len(random), visible=progress) as advance:
        measured = _MeasuredPairs.of(pairs, passes, advance)
        clip_sets: dict[Place, PlainClips] = {"without": measured.without}
        if random:
            clip_sets["random"] = passes.plain(random, advance)
    for at, clips in clip_sets.items():
        check_groups(at, clips, plan.group_of)
    draws = group_draws(clip_sets, plan.group_of, plan.seed)
    layers = [LayerEstimates(layer, clip_sets, draws, passes, plan) for layer in plan.layers]
    estimates = dict(_differences(measured.with_concept, clip_sets, draws, plan.seed))
    for layer in layers:
        estimates |= layer.estimates(measured.with_concept.outputs, measured.with_concept.gradients)
    left_out = len(plan.pairs) - len(pairs)
    notes = [layer.note for layer in layers if layer.note]
    if left_out:
        notes.append(
            f"{left_out} of {len(plan.pairs)} pairs were left out, as {most} are the most "
            + ("that were asked for." if most == plan.most_pairs else "that fit at these layers; name fewer of them.")
        )
    return _result(model, target, plan, measured, clip_sets, draws, estimates, tuple(notes))


@dataclass(frozen=True, kw_only=True, eq=False)
class _MeasuredPairs:
    """The pairs of which both clips could be used, in one order."""

    pairs: tuple[ClipPair, ...]
    with_concept: PlainClips
    without: PlainClips

    @classmethod
    def of(cls, pairs: Sequence[ClipPair], passes: ClipPasses, advance: Callable[[int], None]) -> "_MeasuredPairs":
        without, with_concept = (
            passes.plain(sources, advance)
            for sources in ([pair.without for pair in pairs], [pair.with_concept for pair in pairs])
        )
        rows, with_rows = (
            {source.key: row for row, source in enumerate(clips.sources)} for clips in (without, with_concept)
        )
        usable = [pair for pair in pairs if pair.without.key in rows and pair.with_concept.key in with_rows]
        return cls(
            pairs=tuple(usable),
            with_concept=with_concept.only([with_rows[pair.with_concept.key] for pair in usable]),
            without=without.only([rows[pair.without.key] for pair in usable]),
        )

    def changes(self) -> Float[np.ndarray, " pair"]:
        """Of the target, by the concept."""
        return _targets(self.with_concept) - _targets(self.without)

    def rows(self, classes: Sequence[str]) -> tuple[MeasuredPair, ...]:
        """Each pair for tables."""
        answers = zip(self.pairs, self.with_concept.answers, self.without.answers, strict=True)
        return tuple(
            MeasuredPair(
                pair=pair.name,
                with_concept=pair.with_concept.key,
                without=pair.without.key,
                target_with=with_concept.target,
                target_without=without.target,
                predicted_with=_first_class(with_concept, classes),
                predicted_without=_first_class(without, classes),
            )
            for pair, with_concept, without in answers
        )


def _differences(
    with_concept: PlainClips, clip_sets: Mapping[Place, PlainClips], draws: Mapping[Place, GroupedClips], seed: int
) -> Iterator[tuple[EstimateKey, Estimate]]:
    """The plain difference of mean targets, as if the clips of a pair had nothing to do with each other.

    Groups of the clips with the concept are drawn apart from those of the subtracted, as those of two samples are.
    """
    paired = draws["without"]
    apart = 1 + max(int(each.group_of.max()) for each in draws.values())
    separate = GroupedClips.draw(paired.group_of + apart, len(paired.weights), seed)
    values = _targets(with_concept)
    for at, clips in clip_sets.items():
        subtracted = _targets(clips)
        in_draws = separate.weights @ values - draws[at].weights @ subtracted
        yield (
            EstimateKey(NO_LAYER, "flatten", at, "difference"),
            Estimate(value=float(values.mean() - subtracted.mean()), draws=in_draws),
        )


def _result(
    model: VideoModel,
    target: Target,
    plan: PairPlan,
    measured: _MeasuredPairs,
    clip_sets: Mapping[Place, PlainClips],
    draws: Mapping[Place, GroupedClips],
    estimates: Mapping[EstimateKey, Estimate],
    notes: tuple[str, ...],
) -> PairedEffects:
    changes, paired = measured.changes(), draws["without"]
    truth, truth_draws = float(changes.mean()), paired.weights @ changes
    truth_low, truth_high = _interval(truth, truth_draws, paired.groups)
    everything = np.concatenate([_targets(clips) for clips in (measured.with_concept, *clip_sets.values())])
    threshold = least_truth(target, float(everything.min()), float(everything.max()))
    judged_by = truth if abs(truth) > threshold else None
    rows = [
        _row(key, estimate, judged_by, groups=min(paired.groups, draws.get(key.at, paired).groups))
        for key, estimate in estimates.items()
    ]
    skipped = [file for clips in (measured.with_concept, *clip_sets.values()) for file in clips.skipped]
    return PairedEffects(
        target=model.classes[target.class_index],
        against=target_name(model, target),
        truth=truth,
        truth_low=truth_low,
        truth_high=truth_high,
        threshold=threshold,
        estimates=tuple(rows),
        pairs=measured.rows(model.classes),
        n_groups=paired.groups,
        n_random_clips=len(clip_sets["random"].sources) if "random" in clip_sets else 0,
        n_rerun=plan.most_rerun if plan.reruns else 0,
        skipped=tuple(skipped),
        notes=notes,
    )


def _row(key: EstimateKey, estimate: Estimate, truth: float | None, *, groups: int) -> PairEstimate:
    """An estimate for tables; `truth` is what it is judged by, if there is anything to judge."""
    low, high = _interval(estimate.value, estimate.draws, groups)
    return PairEstimate(
        **key._asdict(),
        effect=estimate.value,
        effect_low=low,
        effect_high=high,
        size=None if truth is None else estimate.value / truth,
        right_sign=None if truth is None else bool(np.sign(estimate.value) == np.sign(truth)),
    )


def _interval(value: float, draws: Float[np.ndarray, " draw"], groups: int) -> tuple[float, float]:
    # Slopes times shifts of the same clips: a clip that is drawn twice meets its own shift more often, which moves the draws
    # towards the paired estimate (the bias of a V-statistic). So they are centred on the estimate first.
    centred = draws - draws.mean() + value
    return percentile_interval(spread_around(value, centred, groups))


def _targets(clips: PlainClips) -> Float[np.ndarray, " clip"]:
    return np.asarray([answer.target for answer in clips.answers])


def _first_class(answer: ClassAnswer, classes: Sequence[str]) -> str | None:
    return None if answer.predicted is None else classes[answer.predicted]
