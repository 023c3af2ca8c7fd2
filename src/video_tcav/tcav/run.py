"""Video-TCAV from clips to results: the function behind `video-tcav test`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from video_tcav.concepts.concept import Sources
from video_tcav.core.files import check_writable
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.core.settings import takes_settings
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.concept_test import Draws, TestSettings
from video_tcav.gram.gram import Gram
from video_tcav.models import VideoModel
from video_tcav.recording.recording import Recording
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.cautions import clip_cautions, result_cautions, sketch_cautions
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.completeness import run_completeness
from video_tcav.tcav.concept_result import Measurement, RunConstants, join_rows
from video_tcav.tcav.diagnostics import diagnose, layouts_of
from video_tcav.tcav.effect_check.cautions import effect_check_cautions
from video_tcav.tcav.effect_check.result import EffectCheck
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.intervene import Interventions, intervene
from video_tcav.tcav.interventions.plan import InterventionPlan, plan_interventions, with_step_clips
from video_tcav.tcav.measure import corrected, measure
from video_tcav.tcav.plan import Plan, Question, make_plan
from video_tcav.tcav.record_plan import cav_vectors, class_groups, compare_recorded, only_right_clips, record
from video_tcav.tcav.result import Detail, TcavResult
from video_tcav.tcav.result_files import save_result
from video_tcav.tcav.run_provenance import run_provenance
from video_tcav.tcav.saved_cavs import SavedCav, cav_coefficients, cavs_of
from video_tcav.tcav.settings import At, InterventionSettings, Negatives, StatisticsSettings


@takes_settings(recording=RecordingSettings, statistics=StatisticsSettings, interventions=InterventionSettings)
def run_tcav(
    model: VideoModel,
    *,
    target: str | int,
    clips: Sources | None = None,
    concepts: Mapping[str, Sources],
    random: Sources,
    layers: Sequence[str] | None = None,
    against: str = "log_odds",
    at: At = "class",
    only_right: bool = False,
    twins: Sequence[str] = (),
    relative: Sequence[tuple[str, str]] = (),
    negatives: Negatives = "matched",
    group: str = "video",
    seed: int = 0,
    effect_check: EffectCheck | None = None,
    out: str | Path | None = None,
    detail: bool = False,
    progress: bool = False,
    recording: RecordingSettings,
    statistics: StatisticsSettings,
    interventions: InterventionSettings,
) -> TcavResult:
    """Measure how much each concept matters for a class, at each layer, and whether it is the motion or the picture.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        clips: clips of that class: a file, folder, glob or manifest, clips in memory, or an iterable of these, see
            `concepts.as_sources`; not needed where `at` is `random`.
        concepts: clips of each concept, by its name.
        random: clips without the concepts; they go through the same transforms as the concept clips.
        layers: dotted module names; the model's stages if not given.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient is taken: at clips of the class (`class`, Kim et al. 2018: what raises it there?), or at
            random clips that are set aside for it (`random`: what would make a clip one of the class?). Where a model is
            sure of its class, its gradient there says little, above all behind a normalisation layer; `random` then
            agrees better with what interventions show.
        only_right: whether class clips that the model calls another class are left out. How many these are is said in any case.
        twins: `frozen` adds the motion effect, `reversed` the order effect; `shuffled` stands between the two.
        relative: pairs of concepts to compare with each other (relative TCAV).
        negatives: `matched` freezes random clips where a concept does not move, so that its CAV does not learn that; `moving`
            leaves them as they are.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        seed: of every random draw.
        effect_check: from `check_effects` with the same model, target and clips: where effects do not predict edits of these, the
            result's sentences and warnings say so.
        out: folder for tables and CAVs.
        detail: whether the result keeps what is behind its numbers: effects at each class clip, all draws, diagnostics, and how
            much the concepts explain together. This is quick for `mean`, but takes minutes for classifiers that are fitted
            step by step.
        progress: whether to show progress bars on standard error.
        recording: how clips are passed and kept; its fields are keywords of this function.
        statistics: how CAVs are learned and effects tested; likewise.
        interventions: which activations are edited, and how; likewise.

    Returns:
        One result for each concept, version and layer, with what was skipped and what to beware of.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.

    Source:
        Saha et al. 2024, arXiv:2404.09067; Kim et al. 2018, arXiv:1711.11279.
    """
    question = Question(
        target=target,
        clips=clips,
        concepts=concepts,
        random=random,
        layers=layers,
        against=against,
        at=at,
        only_right=only_right,
        twins=twins,
        relative=relative,
        negatives=negatives,
        group=group,
        seed=seed,
    )
    folder = None if out is None else check_writable(Path(out))
    with Workspace(recording, progress=progress) as work:
        plan = make_plan(model, question, recording, work.digest, work.budget, effect_check)
        asked = _asked(model, plan, at, recording, interventions)
        recorder = work.recorder(model, plan.layers, plan.digests, seed=seed, whole=asked.layers)
        with work.timed("passes"):
            passed = record(plan, recorder, work, asked)
        recorded = only_right_clips(plan, passed)
        comparisons, groups = compare_recorded(plan, recorded), class_groups(plan, recorded)
        with work.timed("gram"):
            grams = recorded.grams(progress=progress)
        constants, settings = _constants(question, plan, asked, recorded, statistics), _test_settings(statistics, seed)
        with work.timed("statistics"):
            measured = _measured(comparisons, grams, groups, settings, progress)
        with work.timed("interventions"):
            drawn, runner = _edit_settings(settings, interventions), recorder.runner
            edited = intervene(plan, asked, recorded, comparisons, grams, groups, drawn, runner, progress=progress)
        details = _detail(plan, recorded, comparisons, grams, constants, settings, measured, work) if detail else None
        noticed = clip_cautions(question, plan, passed, comparisons, grams, groups, settings.test)
        noted = _noted_settings(question, plan, recorded, constants, settings) | interventions.for_provenance()
        adjusted = corrected(measured, constants.correction, settings.test)
        result = _result(plan, recorded, noticed, constants, noted, adjusted, edited, details, work)
        if folder is not None:
            save_result(folder, result, _saved_cavs(plan, recorded, comparisons, grams, settings.fitter, work))
    return result


def _asked(
    model: VideoModel, plan: Plan, at: At, recording: RecordingSettings, interventions: InterventionSettings
) -> InterventionPlan:
    asked = plan_interventions(model, plan.layers, plan.twins, interventions, recording)
    return with_step_clips(asked, plan, at, interventions.step_at)


def _constants(
    question: Question, plan: Plan, asked: InterventionPlan, recorded: Recording, statistics: StatisticsSettings
) -> RunConstants:
    assert plan.target is not None
    assert question.target is not None
    model, names = recorded.model, statistics.for_provenance()
    return RunConstants(
        target=model.classes[model.class_index(question.target)],
        against="number" if plan.target.kind == "number" else question.against,
        at=question.at,
        space=recorded.settings.space,
        cav=names["cav"],
        correction=names["correction"],
        significance=names["significance"],
        step_at="random" if asked.step_sources else question.at,
    )


def _test_settings(statistics: StatisticsSettings, seed: int) -> TestSettings:
    return TestSettings(
        cav=statistics.fitter,
        significance=statistics.test,
        permutations=statistics.permutations,
        random_sets=statistics.random_sets,
        bootstraps=statistics.bootstraps,
        seed=seed,
    )


def _measured(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    groups: Sequence[int],
    settings: TestSettings,
    progress: bool,
) -> dict[CavKey, tuple[Measurement, Draws]]:
    rounds = sum(len(comparison.rows) for comparison in comparisons) * len(grams)
    measured: dict[CavKey, tuple[Measurement, Draws]] = {}
    with progress_bar("statistics (draws)", rounds * settings.steps(), visible=progress) as advance:
        for comparison in comparisons:
            measured |= measure(comparison, grams, groups, settings, advance)
    return measured


def _detail(
    plan: Plan,
    recorded: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    constants: RunConstants,
    settings: TestSettings,
    measured: Mapping[CavKey, tuple[Measurement, Draws]],
    work: Workspace,
) -> Detail:
    groups = class_groups(plan, recorded)
    with work.timed("diagnostics"):
        diagnostics = diagnose(
            comparisons,
            grams,
            class_groups=groups,
            cav=settings.fitter,
            seed=settings.seed,
            layouts=layouts_of(recorded),
        )
    with work.timed("completeness"):
        completeness = run_completeness(
            plan, recorded, comparisons, grams, constants=constants, cav=settings.fitter, seed=settings.seed
        )
    return Detail(
        target=constants.target,
        draws={key: draws for key, (_, draws) in measured.items()},
        class_clips=tuple(recorded.class_rows),
        n_class_groups=len(set(groups)),
        diagnostics=diagnostics,
        completeness=completeness,
    )


def _edit_settings(settings: TestSettings, interventions: InterventionSettings) -> EditSettings:
    return EditSettings(
        fitter=settings.fitter,
        bootstraps=settings.bootstraps,
        permutations=settings.permutations,
        relabellings=interventions.relabellings,
        seed=settings.seed,
    )


def _result(
    plan: Plan,
    recorded: Recording,
    noticed: Sequence[str],
    constants: RunConstants,
    settings: Mapping[str, Any],
    measurements: tuple[Measurement, ...],
    edited: Interventions,
    detail: Detail | None,
    work: Workspace,
) -> TcavResult:
    measurements = edited.with_numbers(measurements)
    rows = join_rows(constants, measurements)
    sketched = recorded.sketch_errors()
    result = TcavResult(
        constants=constants,
        measurements=measurements,
        skipped=recorded.skipped,
        warnings=(
            *recorded.model.remarks(),
            *result_cautions(rows, trained=recorded.model.trained, permutations=settings["permutations"]),
            *(effect_check_cautions(plan.effect_check, rows) if plan.effect_check else ()),
            *noticed,
            *edited.cautions,
            *work.warnings({skipped.path for skipped in recorded.skipped}),
            *sketch_cautions(sketched),
        ),
        provenance=run_provenance(
            plan, recorded, settings, sketch={layer: asdict(error) for layer, error in sketched.items()}
        ),
        seconds=work.seconds,
        interventions=edited.table(),
        effect_check=plan.effect_check,
        detail=detail,
    )
    log_warnings([*result.warnings, *map(str, result.skipped)])
    return result


def _noted_settings(
    question: Question, plan: Plan, recorded: Recording, constants: RunConstants, settings: TestSettings
) -> dict[str, Any]:
    """The question and all settings that can change results."""
    draws = {name: getattr(settings, name) for name in ("permutations", "random_sets", "bootstraps", "seed")}
    asked = {
        "layers": plan.layers,
        "only_right": plan.only_right,
        "twins": plan.twins,
        "group": question.group,
        "negatives": plan.negatives,
    }
    return asdict(constants) | draws | asked | recorded.settings.for_provenance(precision=recorded.precision)


def _saved_cavs(
    plan: Plan,
    recorded: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    cav: CavFitter,
    work: Workspace,
) -> Callable[[Mapping[CavKey, float]], list[SavedCav]] | None:
    """Makes the CAVs to be written, once their AUCs are known.

    There are none of sketched rows, unless a store holds the rows: all clips would have to be passed a second time.
    """
    if recorded.settings.sketch is not None and recorded.settings.store is None:
        return None

    def make(auc: Mapping[CavKey, float]) -> list[SavedCav]:
        # Only when the small tables are written: vectors are large, and what fails here must not lose the tables.
        coefficients, vectors = cav_vectors(plan, recorded, cav_coefficients(comparisons, grams, cav), work)
        return cavs_of(recorded, comparisons, grams, coefficients, vectors, auc)

    return make
