"""Completeness of a run: its clips, concepts and answers at the deepest layer, handed to the statistics."""

from collections.abc import Mapping, Sequence

import numpy as np

from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.completeness import Completeness, completeness
from video_tcav.gram.gram import Gram
from video_tcav.gram.presences import ComparedClips
from video_tcav.gram.regressand import FEWEST_CLIPS, FEWEST_GROUPS
from video_tcav.media.memory_clips import InMemorySource
from video_tcav.recording.recording import Recording
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.completeness.explained_clips import ExplainedClips, explained_clips
from video_tcav.tcav.completeness.results import NotMeasured, RunCompleteness, ShareOfConcept, UnexplainedClip
from video_tcav.tcav.concept_result import RunConstants
from video_tcav.tcav.interventions.plan import deepest_layer
from video_tcav.tcav.plan import Plan

MOST_CLIPS = 12
"""Unexplained clips that are listed: what a person looks through at once."""


def run_completeness(
    plan: Plan,
    recorded: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    *,
    constants: RunConstants,
    cav: CavFitter,
    seed: int,
) -> RunCompleteness | NotMeasured:
    """How much of the target over held-out clips the concepts explain, at the deepest layer of the run.

    Args:
        plan: with a target.
        recorded: of the plan.
        comparisons: of the run; those against random clips take part.
        grams: by layer.
        constants: of the run.
        cav: how CAVs are learned.
        seed: of every random draw.

    Returns:
        The shares that are explained; or in one line why they could not be measured, which is no reason to lose a run.
    """
    layer = deepest_layer(recorded.model, recorded.layers)
    try:
        explained = explained_clips(plan, recorded, grams[layer], layer)
        _check_enough(explained, recorded)
        concepts = [comparison for comparison in comparisons if comparison.versus == "random"]
        # twins have no part in it
        used = np.unique(
            np.concatenate([np.flatnonzero(np.isfinite(explained.values)), *(each.rows["none"] for each in concepts)])
        )
        measured = completeness(
            explained.kernel[np.ix_(used, used)],
            explained.values[used],
            explained.groups[used],
            {
                each.concept: ComparedClips(design=each.design, rows=np.searchsorted(used, each.rows["none"]))
                for each in concepts
            },
            cav=cav,
            seed=seed,
        )
    except VideoTcavError as error:
        return NotMeasured(reason=str(error))
    predicted = np.full(len(explained.values), np.nan)
    predicted[used] = measured.predicted
    return _of_run(measured, constants, layer, _worst(plan, explained, predicted))


def _check_enough(explained: ExplainedClips, recorded: Recording) -> None:
    has_value = np.isfinite(explained.values)
    clips, groups = int(has_value.sum()), len(np.unique(explained.groups[has_value]))
    if clips >= FEWEST_CLIPS and groups >= FEWEST_GROUPS:
        return
    space = recorded.settings.space
    whose, cure = "", "Add clips."
    if space != "flatten":
        # averaged rows cannot be passed on to the rest of the network
        whose, cure = f" of the class in space {space}", "Use --space flatten, or add class clips."
    raise InputError(
        f"`clips`{whose} must be at least {FEWEST_CLIPS} with known answers, in {FEWEST_GROUPS} groups. Got {clips} in "
        f"{groups}. {cure}"
    )


def _of_run(
    measured: Completeness, constants: RunConstants, layer: str, clips: Sequence[UnexplainedClip]
) -> RunCompleteness:
    return RunCompleteness(
        target=constants.target,
        against=constants.against,
        layer=layer,
        explained=measured.concepts.share,
        explained_low=measured.concepts.low,
        explained_high=measured.concepts.high,
        relabelled=measured.relabelled,
        relabelled_high=measured.relabelled_high,
        all_directions=measured.all_directions,
        n_clips=measured.n_clips,
        n_groups=measured.n_groups,
        shares=ShareOfConcept.of_all(measured),
        clips=tuple(clips),
    )


def _worst(plan: Plan, explained: ExplainedClips, predicted: np.ndarray) -> list[UnexplainedClip]:
    # clips without a value have a residual of zero, and come last
    residuals = np.nan_to_num(explained.values - predicted)
    clips = []
    for number in np.argsort(-np.abs(residuals), kind="stable")[:MOST_CLIPS].tolist():
        clip = explained.clips[number]
        source = explained.sources[clip.source]
        clips.append(
            UnexplainedClip(
                clip=clip.source,
                window=clip.window,
                path="" if isinstance(source, InMemorySource) else str(source.path),
                start_s=source.start_s,
                end_s=source.end_s,
                group=plan.group_of(source),
                said=float(explained.values[number]),
                predicted=float(predicted[number]),
                residual=float(residuals[number]),
            )
        )
    return clips
