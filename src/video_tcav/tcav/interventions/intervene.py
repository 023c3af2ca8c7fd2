"""Interventions of a run: every operation that was asked for, for each concept and twin, at the layers chosen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from video_tcav.core.errors import ModelError
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import BootstrapT
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.clip_id import ClipId, Version
from video_tcav.recording.recording import Recording
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import Measurement
from video_tcav.tcav.interventions.concept_edits import ConceptEdits, both_sides
from video_tcav.tcav.interventions.concept_span import SpanMember, SpanRemoval
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.effects import NO_CAVS, InterventionEffect, OperationDraws
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.operations import DIRECT, DOSES, REMOVE, RESTORE, STEP, Operation, dose
from video_tcav.tcav.interventions.plan import InterventionPlan
from video_tcav.tcav.interventions.recorded_clips import (
    check_unedited,
    random_outputs,
    recorded_rerun,
    recorded_tail,
)
from video_tcav.tcav.measure import DIFFERENCES
from video_tcav.tcav.plan import Plan

TOGETHER = " + "
"""Between the names of concepts that are removed together."""
MOST_FAR = 0.1
"""Share of edited activations that may be far from all recorded ones before a reader is warned."""


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """What came of a run's interventions.

    Attributes:
        draws: of each measurement, by operation.
        doses: of each, by the multiple of d.
        cautions: what a reader must know.
    """

    draws: Mapping[CavKey, Mapping[str, OperationDraws]] = field(default_factory=dict)
    doses: Mapping[CavKey, Mapping[float, OperationDraws]] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()

    def with_numbers(self, measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
        """Measurements with the numbers of their operations."""
        return tuple(
            replace(
                measurement,
                **{
                    column: value
                    for operation, draws in self.draws.get(measurement.key, {}).items()
                    for column, value in draws.columns(operation).items()
                },
            )
            for measurement in measurements
        )

    def table(self) -> tuple[InterventionEffect, ...]:
        """A row an operation, and one a dose."""
        rows = [
            InterventionEffect.of(key, name, draws)
            for key, operations in self.draws.items()
            for name, draws in operations.items()
        ]
        rows += [
            InterventionEffect.of(key, "dose", draws, multiple)
            for key, multiples in self.doses.items()
            for multiple, draws in multiples.items()
        ]
        return tuple(rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """The class clips of a run at one layer, twins of them by version, and the clips that steps are taken at."""

    clips: LayerClips
    twins: Mapping[Version, LayerClips]
    stepped: LayerClips

    @cached_property
    def losing_twins(self) -> Mapping[Version, LayerClips]:
        """The twins that lose some of the target, which a concept may give back."""
        return {version: twins for version, twins in self.twins.items() if _loses(twins.unit, twins.class_groups)}

    def cautions(self, layer: str) -> list[str]:
        """A line on each version of twins that lose nothing."""
        return [
            f"restore means nothing at {layer}: {version} class clips lose nothing of the target that is sure."
            for version in self.twins
            if version not in self.losing_twins
        ]


def intervene(
    plan: Plan,
    asked: InterventionPlan,
    recorded: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    groups: Sequence[int],
    settings: EditSettings,
    runner: BatchRunner,
    *,
    progress: bool = False,
) -> Interventions:
    """Run the rest of the network again for every operation.

    Args:
        plan: of the run.
        asked: operations and layers.
        recorded: with whole outputs of the class clips at these layers.
        comparisons: which rows stand for a concept.
        grams: of each layer.
        groups: group of each class clip.
        settings: how operations are drawn.
        runner: which passed the clips.
        progress: whether to show a bar on standard error.
    """
    made: dict[CavKey, dict[str, OperationDraws]] = {}
    doses: dict[CavKey, dict[float, OperationDraws]] = {}
    cautions = [asked.caution] if asked.caution else []
    steps = asked.cavs(settings.relabellings, [len(comparison.rows) for comparison in comparisons])
    with progress_bar("interventions (CAVs)", steps, visible=progress and bool(steps)) as advance:
        for layer in asked.layers:
            try:
                with _running(plan, asked, recorded, layer, groups, runner) as at_layer:
                    cautions += at_layer.cautions(layer)
                    for comparison in comparisons:
                        study = _Study(at_layer, layer, comparison, grams[layer], settings, advance)
                        made |= study.operations([DIRECT[name] for name in asked.operations if name in DIRECT])
                        if RESTORE.name in asked.operations:
                            for key, draws in study.restored().items():
                                made.setdefault(key, {})[RESTORE.name] = draws
                        if "dose" in asked.operations:
                            doses[comparison.key(layer)] = study.doses()
                    for names in asked.together:
                        key = CavKey(concept=TOGETHER.join(names), layer=layer)
                        members = [each for each in comparisons if each.versus == "random" and each.concept in names]
                        removed = _removed_together(at_layer, members, grams[layer], settings, advance)
                        made.setdefault(key, {})[REMOVE.name] = removed
            except ModelError as error:
                cautions.append(f"{', '.join(asked.operations)} could not be made at {layer}: {error}")
    return Interventions(draws=made, doses=doses, cautions=(*cautions, *_far_cautions(made)))


def _removed_together(
    at_layer: _Layer, members: Sequence[Comparison], gram: Gram, settings: EditSettings, advance: Advance
) -> OperationDraws:
    span = [SpanMember(design=member.design, rows=member.rows["none"]) for member in members]
    removal = SpanRemoval(at_layer.clips, span, gram.kernel, settings)
    null = removal.null_effects(advance) if settings.relabellings else NO_CAVS
    advance(1)
    return removal.draws(null)


class _Study:
    """One comparison at one layer: its CAVs, and what is done along them."""

    def __init__(
        self,
        at_layer: _Layer,
        layer: str,
        comparison: Comparison,
        gram: Gram,
        settings: EditSettings,
        advance: Advance,
    ) -> None:
        self._layer, self._name, self._comparison = at_layer, layer, comparison
        self._gram, self._settings, self._advance = gram, settings, advance

    def operations(self, operations: Sequence[Operation]) -> dict[CavKey, dict[str, OperationDraws]]:
        """Operations at the class clips, along the CAV of each version, and the differences of these."""
        results: dict[CavKey, dict[str, OperationDraws]] = {}
        for clips, chosen in _by_clips(self._layer, operations):
            for key, draws in self._at(clips, chosen).items():
                results.setdefault(key, {}).update(draws)
        return results

    def _at(self, clips: LayerClips, operations: Sequence[Operation]) -> dict[CavKey, dict[str, OperationDraws]]:
        edits = {version: self._edits(version, clips) for version in self._comparison.rows}
        made = {version: self._drawn(edit, operations) for version, edit in edits.items()}
        results = {self._comparison.key(self._name, version): draws for version, draws in made.items()}
        for name, twin in DIFFERENCES.items():
            if twin in edits:
                results[self._comparison.key(self._name, name)] = {
                    operation.name: made["none"][operation.name].minus(
                        made[twin][operation.name],
                        both_sides(self._comparison.design, edits["none"], edits[twin], operation),
                    )
                    for operation in operations
                }
        return results

    def restored(self) -> dict[CavKey, OperationDraws]:
        """What of the target that twins of the class clips lost comes back through this concept alone."""
        results: dict[CavKey, OperationDraws] = {}
        names: dict[Version, tuple[str, ...]] = {"frozen": ("none", "motion"), "reversed": ("order",)}
        for version, twins in self._layer.losing_twins.items():
            draws = self._drawn(self._edits("none", twins), [RESTORE])[RESTORE.name]
            for name in names.get(version, (version,)):
                results[self._comparison.key(self._name, name)] = draws
        return results

    def doses(self) -> dict[float, OperationDraws]:
        """The target along the concept's CAV, less as it is."""
        edits = self._edits("none", self._layer.clips)
        return {multiple: edits.draws(dose(multiple)) for multiple in DOSES if multiple}

    def _edits(self, version: Version, clips: LayerClips) -> ConceptEdits:
        rows = self._comparison.rows[version]
        kernel = self._gram.of_rows(rows).kernel
        return ConceptEdits(clips, self._comparison.design, rows, kernel, self._settings)

    def _drawn(self, edits: ConceptEdits, operations: Sequence[Operation]) -> dict[str, OperationDraws]:
        compared = [operation for operation in operations if operation.has_null and self._settings.relabellings]
        null = edits.null_effects(compared, self._advance) if compared else {}
        manifold = edits.manifold_effects(compared) if compared else {}
        self._advance(1)
        return {
            operation.name: edits.draws(
                operation, null.get(operation.name, NO_CAVS), manifold.get(operation.name, NO_CAVS)
            )
            for operation in operations
        }


def _by_clips(layer: _Layer, operations: Sequence[Operation]) -> list[tuple[LayerClips, list[Operation]]]:
    """The clips at a layer, each with the operations that are made at them."""
    steps, others = [each for each in operations if each is STEP], [each for each in operations if each is not STEP]
    if layer.stepped is layer.clips:
        return [(layer.clips, list(operations))]
    return [(clips, chosen) for clips, chosen in ((layer.stepped, steps), (layer.clips, others)) if chosen]


@contextmanager
def _running(
    plan: Plan,
    asked: InterventionPlan,
    recorded: Recording,
    layer: str,
    groups: Sequence[int],
    runner: BatchRunner,
) -> Iterator[_Layer]:
    """The clips at a layer; inside, the rest of the network can be run."""
    tail, passing = recorded_tail(recorded, layer, runner)
    rows = LayerRows.of(recorded.whole_rows(layer))
    assert plan.target is not None
    rerun_of = partial(
        recorded_rerun,
        recorded,
        tail,
        target=plan.target,
        passing=passing,
        seed=plan.seed,
    )
    names, sources = list(recorded.class_rows), plan.class_sources
    rerun = rerun_of(recorded.class_outputs.of, names, sources=sources)
    clips = LayerClips(rerun=rerun, rows=rows, class_groups=groups, unit=np.ones(len(names)))
    with rerun.running():
        check_unedited(clips.unedited, recorded, names, layer)
        twins = {}
        for version in asked.twins:
            copies = [replace(name, version=version) for name in names]
            lost = np.subtract(recorded.class_outputs.targets(names), recorded.twin_outputs.targets(copies))
            twin = rerun_of(recorded.twin_outputs.of, copies, sources=sources)
            twins[version] = LayerClips(rerun=twin, rows=rows, class_groups=groups, clean=clips, unit=lost)
        stepped, stepped_groups = _step_clips(plan, asked, recorded)
        if not stepped:
            yield _Layer(clips=clips, twins=twins, stepped=clips)
            return
        random = rerun_of(random_outputs(recorded, tail), stepped, sources=asked.step_sources)
        unit = np.ones(len(stepped))
        yield _Layer(
            clips=clips,
            twins=twins,
            stepped=LayerClips(rerun=random, rows=rows, class_groups=stepped_groups, unit=unit, compared=True),
        )


def _step_clips(plan: Plan, asked: InterventionPlan, recorded: Recording) -> tuple[list[ClipId], list[int]]:
    """The random clips that steps are taken at, with the group of each."""
    numbers = plan.group_numbers()
    group_of = {source.key: numbers[plan.group_of(source)] for source in asked.step_sources}
    clips = [clip for clip in recorded.rows if clip.version == "none" and clip.source in group_of]
    return clips, [group_of[clip.source] for clip in clips]


def _loses(lost: Float[np.ndarray, " clip"], groups: Sequence[int]) -> bool:
    """Whether the mean of what twins lost is surely not 0: a share of nothing has no meaning."""
    numbers = sorted(set(groups))
    means = np.asarray([lost[np.asarray(groups) == number].mean() for number in numbers])
    if len(means) < 3 or not means.std():
        return False
    error = float(means.std(ddof=1)) / len(means) ** 0.5
    return BootstrapT(effect=float(means.mean()), error=error, skewness=0.0, freedom=len(means) - 1).p_value < 0.05


def _far_cautions(made: Mapping[CavKey, Mapping[str, OperationDraws]]) -> list[str]:
    """A line for each layer where edits lead to activations unlike all recorded ones."""
    concepts: dict[str, dict[str, None]] = {}
    names: dict[str, dict[str, None]] = {}
    for key, operations in made.items():
        for name, draws in operations.items():
            if draws.far > MOST_FAR and key.twin == "none":
                concepts.setdefault(key.layer, {})[key.comparison] = None
                names.setdefault(key.layer, {})[name] = None
    return [
        f"{', '.join(concepts[layer])}: more than {MOST_FAR:.0%} of the activations edited at {layer} "
        f"({', '.join(names[layer])}) are farther from every recorded one than 99 % of these are from their nearest "
        "neighbour; what the model says there is less sure to hold for clips."
        for layer in concepts
    ]
