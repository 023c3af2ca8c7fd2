"""Which interventions a run makes, at which layers: known before its passes, which keep what interventions start from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from video_tcav.core import random_streams
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.recording.clip_id import Version
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.interventions.operations import DIRECT, RESTORE, STEP, parse_operations
from video_tcav.tcav.plan import Plan, drawn_groups
from video_tcav.tcav.settings import At, InterventionSettings

MOST_STEP_CLIPS = 40
"""Random clips that steps are taken at: more would narrow an interval that CAVs widen anyway, and fill memory at wide layers."""


@dataclass(frozen=True, kw_only=True)
class InterventionPlan:
    """What is asked.

    Attributes:
        operations: by name.
        layers: where they are made; none where no rows are kept that CAVs can be made of.
        twins: versions of the class clips that are recorded, for `restore`.
        together: concepts that are removed together, see `SpanRemoval`.
        step_sources: random clips that steps are taken at; none for steps at the class clips.
        caution: what a reader must know about what is not made; empty for nothing.
    """

    operations: tuple[str, ...]
    layers: tuple[str, ...]
    twins: tuple[Version, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    step_sources: tuple[VideoSource, ...] = ()
    caution: str = ""

    def cavs(self, relabellings: int, versions: Sequence[int]) -> int:
        """How many CAVs operations are made along, of comparisons with so many versions of their clips each."""
        with_null = any(DIRECT[name].has_null for name in self.operations if name in DIRECT)
        direct = sum(versions) * (1 + (relabellings if with_null else 0))
        restored = len(versions) * len(self.twins) * (1 + relabellings)
        spans = len(self.together) * (1 + relabellings)
        return len(self.layers) * (direct + restored + spans)


NO_INTERVENTIONS = InterventionPlan(operations=(), layers=())


def plan_interventions(
    model: VideoModel,
    layers: Sequence[str],
    twins: Sequence[Version],
    settings: InterventionSettings,
    recording: RecordingSettings,
) -> InterventionPlan:
    """Check what is asked.

    Args:
        model: the explained model.
        layers: of the run.
        twins: of the run; `restore` is made for these, and where there are none for frozen twins.
        settings: see there.
        recording: likewise.

    Raises:
        InputError: for an unknown operation, a layer that the run does not record, or sketched rows.
    """
    operations = parse_operations(settings.intervene)
    if not operations:
        return NO_INTERVENTIONS
    if recording.sketch is not None:
        if operations != ("step",):
            raise InputError(
                f"`intervene` must be step or none with --sketch, which keeps no rows to make CAVs of. Got "
                f"{', '.join(operations)}. Leave --sketch out."
            )
        return InterventionPlan(
            operations=(), layers=(), caution="No step was made: sketched rows cannot be turned back into CAVs."
        )
    versions: tuple[Version, ...] = tuple(twins) or ("frozen",)
    return InterventionPlan(
        operations=operations,
        layers=layers_of_interventions(model, layers, settings.intervene_at),
        twins=versions if RESTORE.name in operations else (),
    )


def with_step_clips(asked: InterventionPlan, plan: Plan, at: At, step_at: At) -> InterventionPlan:
    """What is asked, with the clips that steps are taken at; `at`: where the gradients of the run are taken."""
    if STEP.name not in asked.operations or step_at == "class" or at == "random":
        return asked  # gradient clips that were set aside are random ones already
    sources = _step_sources(plan)
    return replace(
        asked,
        step_sources=sources,
        caution="" if sources else "Steps were taken at class clips: every random clip is one of a concept, too.",
    )


def _step_sources(plan: Plan) -> tuple[VideoSource, ...]:
    """Random clips that no concept has as well, whole groups of them, in the order of the plan; none where there are none."""
    concepts = {source.key for concept in plan.concepts for source in concept.sources}
    free = [source for source in plan.random if source.key not in concepts]
    sizes = Counter(plan.group_of(source) for source in free)
    chosen = drawn_groups(sizes, MOST_STEP_CLIPS, [plan.seed, random_streams.STEP_CLIPS])
    return tuple(source for source in free if plan.group_of(source) in chosen)


def layers_of_interventions(
    model: VideoModel, layers: Sequence[str], at: str, argument: str = "intervene_at"
) -> tuple[str, ...]:
    """The layers that `deepest`, `all` or names with commas between stand for; `argument` is what an error calls them.

    Raises:
        InputError: for another name.
    """
    # `deepest` may stand among names, as where a hypothesis asks for one more layer
    names = [one_of(argument, name.strip(), ("deepest", "all", *layers)) for name in at.split(",")]
    if "all" in names:
        return tuple(layers)
    return tuple(dict.fromkeys(deepest_layer(model, layers) if name == "deepest" else name for name in names))


def deepest_layer(model: VideoModel, layers: Sequence[str]) -> str:
    """The one of some layers that runs last."""
    stages = model.default_layers
    if set(layers) <= set(stages):
        return max(layers, key=stages.index)
    return trace_layers(model, layers, noise_clip(model).to(model.device)).layers[-1]
