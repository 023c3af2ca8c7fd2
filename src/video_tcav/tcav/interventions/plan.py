"""Which interventions a run makes, at which layers: known before its passes, which keep what interventions start from."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError
from video_tcav.models import VideoModel
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.recording.clip_id import Version
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.interventions.operations import DIRECT, RESTORE, parse_operations
from video_tcav.tcav.settings import InterventionSettings


@dataclass(frozen=True, kw_only=True)
class InterventionPlan:
    """What is asked.

    Attributes:
        operations: by name.
        layers: where they are made; none where no rows are kept that CAVs can be made of.
        twins: versions of the class clips that are recorded, for `restore`.
        together: concepts that are removed together, see `SpanRemoval`.
        caution: what a reader must know about what is not made; empty for nothing.
    """

    operations: tuple[str, ...]
    layers: tuple[str, ...]
    twins: tuple[Version, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    caution: str = ""

    def cavs(self, relabellings: int, versions: Sequence[int]) -> int:
        """How many CAVs operations are made along, of comparisons with so many versions of their clips each."""
        with_null = any(DIRECT[name].has_null for name in self.operations if name in DIRECT)
        direct = sum(versions) * (1 + (relabellings if with_null else 0))
        restored = len(versions) * len(self.twins) * (1 + relabellings)
        spans = len(self.together) * (1 + relabellings)
        return len(self.layers) * (direct + restored + spans)


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
        return InterventionPlan(operations=(), layers=())
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
