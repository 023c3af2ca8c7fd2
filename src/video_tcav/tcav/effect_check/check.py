"""Effect check on a user's own clips: edit them, measure the truth, and compare every estimate with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts.edits import Edit
from video_tcav.core import random_streams
from video_tcav.core.errors import InputError, ModelError
from video_tcav.core.progress import progress_bar
from video_tcav.gram.agreement import GroupedClips, agreement, spread
from video_tcav.gram.design import numbering
from video_tcav.gram.resampling import percentile_interval
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target, target_name
from video_tcav.recording.batch_runner import BatchRunner, space_axes
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.settings import AskedPrecision, Space
from video_tcav.tcav.comparison import GroupOf
from video_tcav.tcav.effect_check.estimates import EditShift, Estimate, EstimateKey, EstimateSite
from video_tcav.tcav.effect_check.passes import ClipPasses, EditedClips, PlainClips
from video_tcav.tcav.effect_check.result import EditTruth, EffectCheck, EstimateAgreement, ordered
from video_tcav.tcav.interventions.rerun import LayerRerun
from video_tcav.tcav.settings import At

MOST_CLIPS = 20
"""Edited clips, and random ones that estimates are taken at: a dozen edits of them take as many passes as a usual run."""
MOST_RERUN = 8
"""Clips of each kind that steps and clamps are taken at: each takes four runs of the rest of the network an edit."""
LEAST_TRUTH = 0.5
"""In log-odds or logits: a change of the odds by a factor of 1.6; signs of less are left out."""
_LEAST_SHARE = 0.05
"""Likewise of a plain number, as a share of the range that it has over all clips."""
_DRAWS = 1000
_ROOM_BYTES = 2 * 10**9
"""For activations and gradients of all clips at all layers; a constant, so that results do not depend on the machine."""
_HELD = 5  # plain, edited and random clips, and gradients at plain and random ones
_FEWEST_CLIPS = 6


@dataclass(frozen=True, kw_only=True)
class CheckPlan:
    """What is checked.

    Attributes:
        clips: those that are edited: of the class, or random ones that gradients are taken at.
        at: what they are.
        random: further random clips that estimates are taken at; none where `clips` are random ones themselves.
        layers: where; the last one that runs is the deepest.
        spaces: feature spaces.
        edits: which.
        reruns: layers at which steps and clamps are measured, too.
        only_right: whether clips that the model calls another class are left out.
        group_of: names the group of a source.
        precision: of the passes.
        threads: files that are decoded at once.
        most_clips: of each kind.
        most_rerun: of each kind, for steps and clamps.
        seed: of every draw.
    """

    clips: tuple[VideoSource, ...]
    at: At
    random: tuple[VideoSource, ...]
    layers: tuple[str, ...]
    spaces: tuple[Space, ...]
    edits: tuple[Edit, ...]
    reruns: tuple[str, ...]
    only_right: bool
    group_of: GroupOf
    precision: AskedPrecision = "float32"
    threads: int = 2
    most_clips: int = MOST_CLIPS
    most_rerun: int = MOST_RERUN
    seed: int = 0


def measure_check(model: VideoModel, target: Target, plan: CheckPlan, *, progress: bool = False) -> EffectCheck:
    """Edit clips and compare what it does to the target with every estimate.

    Raises:
        InputError: if no clip can be used, or all are of one group.
    """
    most = min(plan.most_clips, clips_that_fit(model, plan.layers))
    clips, random = (
        spread_over_groups(sources, plan.group_of, most, [plan.seed, random_streams.CHECKED_CLIPS, number])
        for number, sources in enumerate((plan.clips, plan.random))
    )
    runner = BatchRunner(model, plan.layers, whole=plan.layers, precision=plan.precision)
    passes = ClipPasses(runner, target, threads=plan.threads, seed=plan.seed)
    total = len(clips) * (1 + len(plan.edits)) + len(random)
    with progress_bar("edits of clips (passes)", total, visible=progress) as advance:
        clip_sets: dict[At, PlainClips] = {plan.at: _right_clips(passes.plain(clips, advance), target, plan)}
        if random:
            clip_sets["random"] = passes.plain(random, advance)
        for at, passed in clip_sets.items():
            _check_groups("random" if at == "random" else "clips", passed, plan)
        draws = _group_draws(clip_sets, plan)
        layers = [_Layer(layer, clip_sets, draws, passes, plan) for layer in plan.layers]
        targets: list[Float[np.ndarray, " clip"]] = []
        estimates: dict[EstimateKey, list[Estimate]] = {}
        for edit in plan.edits:
            edited = passes.edited(clip_sets[plan.at], edit, advance)
            targets.append(edited.targets.numpy())
            for layer in layers:
                for key, estimate in layer.estimates(edited):
                    estimates.setdefault(key, []).append(estimate)
    result = _result(model, target, plan, clip_sets, draws, np.stack(targets, axis=1), estimates)
    return replace(result, notes=tuple(layer.note for layer in layers if layer.note))


def _group_draws(clip_sets: Mapping[At, PlainClips], plan: CheckPlan) -> dict[At, GroupedClips]:
    """Bootstrap draws of the groups of all clips: a group counts as much wherever its clips are used."""
    names = numbering([plan.group_of(source) for clips in clip_sets.values() for source in clips.sources])
    draws: dict[At, GroupedClips] = {}
    for at, clips in clip_sets.items():
        groups = np.asarray([names[plan.group_of(source)] for source in clips.sources])
        draws[at] = GroupedClips.draw(groups, _DRAWS, plan.seed)
    return draws


def _right_clips(clips: PlainClips, target: Target, plan: CheckPlan) -> PlainClips:
    """Without clips that the model calls another class, where the plan leaves them out."""
    if not plan.only_right:
        return clips
    return clips.only([n for n, answer in enumerate(clips.answers) if not answer.is_wrong(target.class_index)])


def _check_groups(name: str, clips: PlainClips, plan: CheckPlan) -> None:
    # the first clips, at which the rest of the network is run, are of several groups if all of them are
    groups = {plan.group_of(source) for source in clips.sources}
    if len(groups) < 2:
        raise InputError(
            f"`{name}` must come from 2 groups or more for a check of effects. Got {len(clips.sources)} clips in "
            f"{len(groups)}. Add clips of other videos, or name other groups with --group."
        )


class _Layer:
    """All estimates at one layer."""

    def __init__(
        self,
        layer: str,
        clip_sets: Mapping[At, PlainClips],
        draws: Mapping[At, GroupedClips],
        passes: ClipPasses,
        plan: CheckPlan,
    ) -> None:
        self._layer, self._plan, self._passes, self._draws = layer, plan, passes, draws
        shapes = passes.runner.shapes
        assert shapes is not None  # clips have been passed
        self._shape = shapes[layer]
        self._axes = {space: space_axes(passes.runner.model, layer, self._shape, space) for space in plan.spaces}
        edited = clip_sets[plan.at]
        self.note = ""
        self._tail = self._new_tail(edited.inputs) if layer in plan.reruns else None
        self._plain = {space: self._features(edited.outputs[layer], space) for space in plan.spaces}
        self._sites = {
            (space, at): EstimateSite(
                gradients=self._features(clips.gradients[layer], space, gradient=True),
                clips=draws[at],
                rerun=None if self._tail is None else self._rerun(self._tail, clips, space),
            )
            for space in plan.spaces
            for at, clips in clip_sets.items()
        }

    def estimates(self, edited: EditedClips) -> Iterator[tuple[EstimateKey, Estimate]]:
        """Every estimate of one edit."""
        for space in self._plan.spaces:
            features = self._features(edited.outputs[self._layer], space)
            shift = EditShift.of(self._plain[space], features, self._draws[self._plan.at])
            for at in self._draws:
                for name, estimate in shift.estimates(self._sites[space, at]).items():
                    yield EstimateKey(self._layer, space, at, name), estimate

    def _new_tail(self, inputs: Sequence[Tensor]) -> Tail | None:
        passing = self._passes.runner.passing(inputs[0])
        try:
            with passing.running():
                return Tail(self._passes.runner.model, self._layer, inputs=passing.batch([*inputs, *inputs][:2]))
        except ModelError as error:  # slopes can be taken there all the same
            self.note = f"steps and clamps could not be checked at {self._layer}: {error}"
            return None

    def _rerun(self, tail: Tail, clips: PlainClips, space: Space) -> LayerRerun:
        first = slice(self._plan.most_rerun)
        outputs = clips.outputs[self._layer][first]
        return LayerRerun(
            tail,
            lambda chosen: outputs[chosen],
            clips=len(outputs),
            axes=self._axes[space],
            space=space,
            target=self._passes.target,
            passing=self._passes.runner.passing(clips.inputs[0]),
            inputs=clips.inputs[first] if tail.needs_inputs else None,
        )

    def _features(
        self, rows: Float[Tensor, "clip value"], space: Space, *, gradient: bool = False
    ) -> Float[Tensor, "clip feature"]:
        native = rows.reshape(len(rows) * self._shape[0], *self._shape[1:])
        return to_space(native, self._axes[space], space, gradient=gradient)


def clips_that_fit(model: VideoModel, layers: Sequence[str]) -> int:
    """How many clips of each kind memory has room for."""
    shapes = trace_layers(model, layers, noise_clip(model).to(model.device)).shapes
    clip_bytes = sum(4 * math.prod(shape) for shape in shapes.values())
    return max(_FEWEST_CLIPS, _ROOM_BYTES // (_HELD * clip_bytes))


def spread_over_groups(
    sources: Sequence[VideoSource], group_of: GroupOf, most: int, stream: Sequence[int]
) -> tuple[VideoSource, ...]:
    """At most so many sources, drawn from as many groups as there are, and from each about as many.

    The first of them come from different groups, too.
    """
    generator = np.random.default_rng(list(stream))
    members: dict[str, list[VideoSource]] = {}
    for index in generator.permutation(len(sources)):
        members.setdefault(group_of(sources[index]), []).append(sources[index])
    rounds = max((len(group) for group in members.values()), default=0)
    drawn = [group[turn] for turn in range(rounds) for group in members.values() if turn < len(group)]
    return tuple(drawn[:most])


def _result(
    model: VideoModel,
    target: Target,
    plan: CheckPlan,
    clip_sets: Mapping[At, PlainClips],
    draws: Mapping[At, GroupedClips],
    edited_targets: Float[np.ndarray, "clip edit"],
    estimates: Mapping[EstimateKey, Sequence[Estimate]],
) -> EffectCheck:
    edited, clips = clip_sets[plan.at], draws[plan.at]
    plain_targets = {at: np.asarray([answer.target for answer in each.answers]) for at, each in clip_sets.items()}
    every_target = np.concatenate([edited_targets.ravel(), *plain_targets.values()])
    low, high = float(every_target.min()), float(every_target.max())
    threshold = _LEAST_SHARE * (high - low) if target.kind == "number" else LEAST_TRUTH
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
