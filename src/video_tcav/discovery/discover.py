"""Discovery from clips to confirmed components: the function behind `video-tcav discover`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.concepts import TWINS, ConceptBank
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.checks import one_of
from video_tcav.core.files import check_writable
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.core.settings import takes_settings
from video_tcav.discovery.bank_tubes import with_tubes
from video_tcav.discovery.component import Component
from video_tcav.discovery.component_rows import judged_components
from video_tcav.discovery.edited_components import with_interventions
from video_tcav.discovery.explained import ExplainedShare, NothingExplained
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import LayerGrid, kept_beside_grids, layer_grids
from video_tcav.discovery.maps import ComponentMaps
from video_tcav.discovery.measure_explained import measure_explained
from video_tcav.discovery.plan import DiscoveryPlan, DiscoveryQuestion, plan_discovery
from video_tcav.discovery.recorded_clips import RecordedClips, record_clips
from video_tcav.discovery.result import DiscoveryResult
from video_tcav.discovery.result_files import save_discovery
from video_tcav.discovery.settings import NOT_TAKEN, DiscoverySettings
from video_tcav.discovery.suggested_names import suggested_names
from video_tcav.gram.concept_test import TestSettings
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import Skipped
from video_tcav.media.grouping import listed_groups
from video_tcav.models import VideoModel
from video_tcav.models.targets import target_name
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.interventions.operations import CLAMP, STEP, parse_operations
from video_tcav.tcav.interventions.plan import InterventionPlan, deepest_layer, layers_of_interventions
from video_tcav.tcav.run_provenance import run_provenance
from video_tcav.tcav.settings import At, InterventionSettings, StatisticsSettings
from video_tcav.words import NameSuggestions, TextVideoEncoder


@takes_settings(
    recording=RecordingSettings,
    discovery=DiscoverySettings,
    statistics=StatisticsSettings,
    interventions=InterventionSettings,
    leave_out=NOT_TAKEN,
)
def discover(
    model: VideoModel,
    *,
    target: str | int,
    clips: Sources,
    random: Sources,
    layers: Sequence[str] | None = None,
    bank: ConceptBank | str | Path | None = None,
    against: str = "log_odds",
    at: At = "random",
    twins: Sequence[str] = TWINS,
    operations: str | Sequence[str] = "step,clamp",
    group: str = "video",
    alpha: float = LEVEL,
    seed: int = 0,
    text_encoder: TextVideoEncoder | None = None,
    words: Sequence[str] | None = None,
    out: str | Path | None = None,
    progress: bool = False,
    recording: RecordingSettings,
    discovery: DiscoverySettings,
    statistics: StatisticsSettings,
    interventions: InterventionSettings,
) -> DiscoveryResult:
    """What a class relies on: components of activations, found in one half of the clips and tested in the other.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        clips: clips of that class, as in `run_tcav`; at least six groups of them.
        random: clips without it; likewise.
        layers: dotted module names; the model's stages if not given.
        bank: takes tubes of confirmed components as open proposals; nothing is cut if not given.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient is taken, in the half that finds: at `random` or at `class` clips; see `run_tcav`.
        twins: that kinds are told by; none makes every kind unclear.
        operations: interventions along the CAVs of confirmed components: `step` and `clamp`, or `none`.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        alpha: level of the whole family of components, in (0, 1).
        seed: of every random draw.
        text_encoder: suggests names for confirmed components; from `words.load_encoder`.
        words: that names are chosen from; `words.common_words()` if not given.
        out: folder for results, tables and maps.
        progress: whether to show progress bars on standard error.
        recording: how clips are passed and kept; its fields are keywords of this function.
        discovery: how components are found; likewise.
        statistics: how effects are tested; likewise.
        interventions: where activations are edited; likewise.

    Returns:
        Components of all layers with what was confirmed of each; a random stand-in for the class has a confirmed one in at most
        `alpha` of runs.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.

    Source:
        Kowal et al. 2024, arXiv:2401.10831 (VTCD); Fel et al. 2023, arXiv:2211.10154 (CRAFT), without tests.
    """
    question = DiscoveryQuestion(
        target=target,
        clips=clips,
        random=random,
        layers=layers,
        against=against,
        at=at,
        twins=twins,
        group=group,
        alpha=alpha,
        seed=seed,
    )
    settings = _test_settings(statistics, seed)
    names = tuple(one_of("operations", each, (STEP.name, CLAMP.name)) for each in parse_operations(operations))
    folder = None if out is None else check_writable(Path(out))
    with Workspace(recording, progress=progress) as work:
        plan = plan_discovery(model, question, work.digest)
        asked = _asked(model, plan, names, interventions)
        grids = layer_grids(model, plan.layers)
        with work.timed("passes"):
            whole = _kept_whole(model, plan, asked, grids, in_place=discovery.in_place)
            recorded, runner = record_clips(plan, model, grids, whole, work)
        with work.timed("components"):
            found = _found(recorded, discovery, settings, progress)
        with work.timed("tests"):
            components, uncut = judged_components(found, alpha, runner, in_place=discovery.in_place, progress=progress)
        with work.timed("interventions"):
            components, cautions = with_interventions(components, found, asked, runner, settings, progress=progress)
        with work.timed("explained"):
            explained = measure_explained(found, components, question.against, runner, settings, progress=progress)
        with work.timed("names"):
            suggested = _suggested(found, components, text_encoder, words, recording, progress)
        with work.timed("maps"):
            maps = tuple(each.kept_maps() for each in found)
        skipped = recorded.recording.skipped
        if bank is not None:
            with work.timed("tubes"):
                components, unread = with_tubes(components, found, bank, recording, suggested)
                skipped = (*skipped, *unread)
        noticed = (
            *left_out_notes(clips),
            *left_out_notes(random),
            *uncut,
            *cautions,
            *listed_groups(plan.sources, plan.group_of, group),
            *work.warnings({each.path for each in skipped}),
        )
        noted = _noted_settings(question, plan, discovery, settings, names)
        result = _result(found, components, suggested, explained, maps, skipped, noticed, noted, work.seconds)
        if folder is not None:
            save_discovery(folder, result)
    log_warnings([*result.warnings, *map(str, result.skipped)])
    return result


def _test_settings(statistics: StatisticsSettings, seed: int) -> TestSettings:
    return TestSettings(
        cav=statistics.fitter,
        significance=statistics.test,
        permutations=statistics.permutations,
        random_sets=2,  # the spread of TCAV scores is not shown
        bootstraps=statistics.bootstraps,
        seed=seed,
    )


def _result(
    found: Sequence[LayerDiscovery],
    components: tuple[Component, ...],
    names: Mapping[str, NameSuggestions],
    explained: ExplainedShare | NothingExplained,
    maps: tuple[ComponentMaps, ...],
    skipped: tuple[Skipped, ...],
    noticed: Sequence[str],
    noted: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> DiscoveryResult:
    clips, settings = found[0].clips, found[0].settings
    model, plan = clips.recording.model, clips.plan
    return DiscoveryResult(
        target=model.classes[plan.target.class_index],
        against=target_name(model, plan.target),
        at=noted["at"],
        method=noted["method"],
        alpha=noted["alpha"],
        components=components,
        names=names,
        explained=explained,
        clips=clips.described(),
        presences={name: each.presences[:, column] for each in found for column, name in enumerate(each.names)},
        maps=maps,
        skipped=skipped,
        warnings=(*model.remarks(), *_cautions(components, settings, noted["alpha"]), *noticed),
        provenance=run_provenance(
            plan.as_test(),
            clips.recording,
            {**noted, **clips.recording.settings.for_provenance(precision=clips.recording.precision)},
        ),
        seconds=seconds,
    )


def _asked(
    model: VideoModel, plan: DiscoveryPlan, names: tuple[str, ...], interventions: InterventionSettings
) -> InterventionPlan:
    layers = layers_of_interventions(model, plan.layers, interventions.intervene_at) if names else ()
    return InterventionPlan(operations=names, layers=layers)


def _kept_whole(
    model: VideoModel,
    plan: DiscoveryPlan,
    asked: InterventionPlan,
    grids: Mapping[str, LayerGrid],
    *,
    in_place: bool,
) -> tuple[str, ...]:
    """Layers whose outputs are kept beside their grids: for interventions, and where the rest of the network is run again."""
    rerun = plan.layers if in_place else (deepest_layer(model, plan.layers),)
    return tuple(dict.fromkeys((*asked.layers, *kept_beside_grids(grids, rerun))))


def _found(
    recorded: RecordedClips, discovery: DiscoverySettings, settings: TestSettings, progress: bool
) -> list[LayerDiscovery]:
    found = []
    with progress_bar("components (layers)", len(recorded.plan.layers), visible=progress) as advance:
        for layer in recorded.plan.layers:
            found.append(LayerDiscovery.of(recorded, layer, discovery, settings))
            advance(1)
    return found


def _suggested(
    found: Sequence[LayerDiscovery],
    components: Sequence[Component],
    encoder: TextVideoEncoder | None,
    words: Sequence[str] | None,
    recording: RecordingSettings,
    progress: bool,
) -> dict[str, NameSuggestions]:
    if encoder is None:
        return {}
    return suggested_names(found, components, encoder, words, recording, progress=progress)


def _cautions(components: Sequence[Component], settings: TestSettings, alpha: float) -> tuple[str, ...]:
    cautions = []
    unstable = [component.name for component in components if not component.is_stable]
    if unstable:
        listed = ", ".join(unstable[:3]) + (" and others" if len(unstable) > 3 else "")
        cautions.append(
            f"{len(unstable)} of {len(components)} components are unstable, as halves of the groups or another seed give others: "
            f"{listed}. They are not confirmed, whatever their tests say."
        )
    smallest = len(components) / (settings.permutations + 1)
    if smallest > alpha:
        cautions.append(
            f"{settings.permutations} permutations cannot confirm any of {len(components)} components: the smallest adjusted p "
            f"is {smallest:.2g}. Raise --permutations."
        )
    return tuple(cautions)


def _noted_settings(
    question: DiscoveryQuestion,
    plan: DiscoveryPlan,
    discovery: DiscoverySettings,
    settings: TestSettings,
    operations: tuple[str, ...],
) -> dict[str, Any]:
    """The question and all settings that can change results."""
    asked = {name: getattr(question, name) for name in ("target", "against", "at", "group", "alpha")}
    draws = {name: getattr(settings, name) for name in ("permutations", "bootstraps", "seed")}
    return {
        **asked,
        "layers": plan.layers,
        "twins": plan.twins,
        "operations": operations,
        "cav": settings.fitter.name,
        "significance": settings.test.name,
        **draws,
        **discovery.for_provenance(),
    }
