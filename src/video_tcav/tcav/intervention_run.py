"""Interventions from clips to results: the function behind `vt.intervene`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.logs import log_warnings
from video_tcav.core.settings import takes_settings
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import bootstrap_effects
from video_tcav.models import VideoModel
from video_tcav.models.targets import target_name
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recording import Recording
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.cautions import few_groups_caution
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.interventions.concept_edits import sides_of
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.effects import InterventionEffect, OperationDraws
from video_tcav.tcav.interventions.intervene import Interventions
from video_tcav.tcav.interventions.intervene import intervene as run_interventions
from video_tcav.tcav.interventions.operations import RESTORE, parse_operations
from video_tcav.tcav.interventions.plan import InterventionPlan, layers_of_interventions
from video_tcav.tcav.interventions.result import InterventionResult, edited_clips
from video_tcav.tcav.interventions.sentences import SLOPE
from video_tcav.tcav.plan import Plan, Question, make_plan
from video_tcav.tcav.record_plan import class_groups, compare_recorded, only_right_clips, record
from video_tcav.tcav.run_provenance import run_provenance
from video_tcav.tcav.set_cautions import set_cautions
from video_tcav.tcav.settings import InterventionSettings, Negatives, StatisticsSettings


@takes_settings(
    recording=RecordingSettings,
    statistics=StatisticsSettings,
    leave_out=("sketch", "significance", "correction", "random_sets"),
)
def intervene(
    model: VideoModel,
    *,
    target: str | int,
    clips: Sources,
    concepts: Mapping[str, Sources],
    random: Sources,
    layers: Sequence[str] | None = None,
    operations: str | Sequence[str] = ("step", "clamp", "remove"),
    at: str | Sequence[str] = "deepest",
    together: Sequence[Sequence[str]] = (),
    relabellings: int = 199,
    against: str = "log_odds",
    only_right: bool = False,
    twins: Sequence[str] = (),
    negatives: Negatives = "matched",
    group: str = "video",
    seed: int = 0,
    progress: bool = False,
    recording: RecordingSettings,
    statistics: StatisticsSettings,
) -> InterventionResult:
    """What a model would say of clips if a concept were there, or gone: its layers edited, the rest of it run again.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        clips: what is edited: mostly clips of that class, as in `run_tcav`, or any others, such as more random clips.
        concepts: clips of each concept, by its name.
        random: clips without the concepts; they go through the same transforms as the concept clips.
        layers: dotted module names to choose from; the model's stages if not given.
        operations: `step`, `clamp`, `remove`, `restore` and `dose`, as a list or with commas between.
        at: `deepest`, `all`, or some of the layers, as a list or with commas between.
        together: concepts to remove together, each a list of names: the span of their CAVs is put to that of random clips.
        relabellings: CAVs of permuted labels that clamp, remove and restore are compared with; 0 makes no p-values.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        only_right: whether clips that the model calls another class are left out.
        twins: `frozen` adds operations along what motion adds to a concept, `reversed` along what order adds.
        negatives: as in `run_tcav`.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        seed: of every random draw.
        progress: whether to show progress bars on standard error.
        recording: how clips are passed and kept; its fields are keywords of this function.
        statistics: how CAVs are learned and draws are made; likewise.

    Returns:
        Every operation with its interval, p and what it is compared with, the slope beside it, and every clip before and after.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.
    """
    names = parse_operations(operations, "operations")
    if not names and not together:
        raise InputError("`operations` must name at least one. Got none. Give step, clamp, remove, restore or dose.")
    relabellings = InterventionSettings(relabellings=relabellings).relabellings  # checked
    spans = _spans(together, [well_formed(name) for name in concepts])
    question = Question(
        target=target,
        clips=clips,
        concepts=concepts,
        random=random,
        layers=layers,
        against=against,
        only_right=only_right,
        twins=twins,
        negatives=negatives,
        group=group,
        seed=seed,
    )
    drawn = EditSettings(
        fitter=statistics.fitter,
        bootstraps=statistics.bootstraps,
        permutations=max(statistics.permutations, relabellings),
        relabellings=relabellings,
        seed=seed,
    )
    with Workspace(recording, progress=progress) as work:
        plan = make_plan(model, question, recording, work.digest)
        asked = _asked(model, plan, names, at, spans)
        plan = replace(plan, layers=asked.layers)  # the others are not needed
        plan.check_room(recording, work.budget)
        recorder = work.recorder(model, plan.layers, plan.digests, seed=seed, whole=asked.layers)
        with work.timed("passes"):
            recorded = only_right_clips(plan, record(plan, recorder, work, asked))
        comparisons, groups = compare_recorded(plan, recorded), class_groups(plan, recorded)
        with work.timed("gram"):
            grams = recorded.grams(progress=progress)
        with work.timed("interventions"):
            edited = run_interventions(
                plan, asked, recorded, comparisons, grams, groups, drawn, recorder.runner, progress=progress
            )
            slopes = _slopes(comparisons, grams, groups, drawn)
        warnings = (
            *model.remarks(),
            *_clip_cautions(question, plan, comparisons, groups),
            *edited.cautions,
            *work.warnings({skipped.path for skipped in recorded.skipped}),
        )
        noted = _noted_settings(question, plan, asked, drawn, recorded.settings)
        result = _result(plan, recorded, noted, slopes, edited, warnings, work.seconds)
    log_warnings([*result.warnings, *map(str, result.skipped)])
    return result


def _result(
    plan: Plan,
    recorded: Recording,
    settings: Mapping[str, Any],
    slopes: Sequence[InterventionEffect],
    edited: Interventions,
    warnings: tuple[str, ...],
    seconds: Mapping[str, float],
) -> InterventionResult:
    classes = recorded.model.classes
    assert plan.target is not None
    return InterventionResult(
        target=classes[plan.target.class_index],
        against=target_name(recorded.model, plan.target),
        space=recorded.settings.space,
        cav=settings["cav"],
        effects=(*slopes, *edited.table()),
        clips=tuple(edited_clips(_all_draws(edited), list(recorded.class_rows), classes)),
        skipped=recorded.skipped,
        warnings=warnings,
        provenance=run_provenance(plan, recorded, settings),
        seconds=seconds,
    )


def _spans(together: Sequence[Sequence[str]], concepts: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Each list of names, checked.

    Raises:
        InputError: for a text where a list is wanted, an unknown name, or fewer than two.
    """
    spans = []
    for names in together:
        if isinstance(names, str):
            raise InputError(f'`together` must be lists of names. Got {names}. Write together=[["{names}", …]].')
        chosen = tuple(one_of("together", well_formed(name), concepts) for name in dict.fromkeys(names))
        if len(chosen) < 2:
            raise InputError(
                f"`together` must name two concepts or more. Got {', '.join(chosen) or 'none'}. Name another, or use remove."
            )
        spans.append(chosen)
    return tuple(dict.fromkeys(spans))


def _asked(
    model: VideoModel, plan: Plan, names: tuple[str, ...], at: str | Sequence[str], spans: tuple[tuple[str, ...], ...]
) -> InterventionPlan:
    versions: tuple[Version, ...] = tuple(plan.twins) or ("frozen",)
    return InterventionPlan(
        operations=names,
        layers=layers_of_interventions(model, plan.layers, at if isinstance(at, str) else ",".join(at), "at"),
        twins=versions if RESTORE.name in names else (),
        together=spans,
    )


def _clip_cautions(
    question: Question, plan: Plan, comparisons: Sequence[Comparison], groups: Sequence[int]
) -> tuple[str, ...]:
    """What the clips say against believing the results; those of a run that are about gradients are none here."""
    return (
        *few_groups_caution(comparisons, len(set(groups)), at=question.at),
        *(warning for comparison in comparisons for warning in comparison.warnings),
        *set_cautions(plan, at=question.at, group=question.group),
        *question.left_out(),
    )


def _slopes(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], groups: Sequence[int], settings: EditSettings
) -> list[InterventionEffect]:
    """The effect of first order along each CAV, beside which every operation stands."""
    rows = []
    nothing = np.zeros(0)
    for comparison in comparisons:
        for layer, gram in grams.items():
            grams_of = {version: gram.of_rows(chosen) for version, chosen in comparison.rows.items()}
            effects = bootstrap_effects(
                settings.fitter, grams_of, comparison.design, groups, draws=settings.bootstraps, seed=settings.seed
            )
            for version, resamples in effects.items():
                draws = OperationDraws(
                    resamples=resamples,
                    sides=sides_of(comparison.design, grams_of[version].mean_cross),
                    class_groups=len(set(groups)),
                    null=nothing,
                    manifold=nothing,
                )
                rows.append(InterventionEffect.of(comparison.key(layer, version), SLOPE, draws))
    return rows


def _all_draws(edited: Interventions) -> dict[CavKey, list[OperationDraws]]:
    keys = dict.fromkeys([*edited.draws, *edited.doses])
    return {key: [*edited.draws.get(key, {}).values(), *edited.doses.get(key, {}).values()] for key in keys}


def _noted_settings(
    question: Question, plan: Plan, asked: InterventionPlan, drawn: EditSettings, recording: RecordingSettings
) -> dict[str, Any]:
    """The question and all settings that can change results."""
    numbers = {name: getattr(drawn, name) for name in ("bootstraps", "permutations", "relabellings", "seed")}
    return {
        "target": question.target,
        "against": question.against,
        "operations": asked.operations,
        "together": asked.together,
        "layers": asked.layers,
        "only_right": plan.only_right,
        "twins": plan.twins,
        "group": question.group,
        "negatives": plan.negatives,
        "cav": drawn.fitter.name,
        **numbers,
        **recording.for_provenance(),
    }
