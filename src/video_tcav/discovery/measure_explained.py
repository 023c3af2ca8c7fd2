"""How much of the target confirmed components explain: the model's answers for the half that confirms, regressed on presences."""

from collections.abc import Sequence

from video_tcav.core.errors import VideoTcavError
from video_tcav.discovery.component import Component
from video_tcav.discovery.confirming_reruns import confirming_answers
from video_tcav.discovery.explained import NOTHING_CONFIRMED, ExplainedShare, NothingExplained
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.gram.completeness import completeness_of_presences
from video_tcav.gram.concept_test import TestSettings
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.tcav.completeness import ShareOfConcept
from video_tcav.tcav.interventions.plan import deepest_layer


def measure_explained(
    discoveries: Sequence[LayerDiscovery],
    components: Sequence[Component],
    against: str,
    runner: BatchRunner,
    settings: TestSettings,
    *,
    progress: bool = False,
) -> ExplainedShare | NothingExplained:
    """The share that confirmed components of all layers explain together.

    Args:
        discoveries: of each layer.
        components: of all layers, judged.
        against: the target's definition.
        runner: that passed the clips.
        settings: with the resamples of groups and the seed.
        progress: whether to show a progress bar.

    Returns:
        The share; or in one line why it could not be measured, which is no reason to lose a discovery.
    """
    confirmed = [component for component in components if component.confirmed]
    if not confirmed:
        return NOTHING_CONFIRMED
    by_layer = {each.layer: each for each in discoveries}
    clips = discoveries[0].clips
    layer = deepest_layer(clips.recording.model, clips.plan.layers)
    confirming = by_layer[layer].confirming
    # only the half that confirms: on the other half components were chosen for what they explain
    rows = clips.rows[confirming]
    try:
        values = confirming_answers(clips, layer, runner, progress=progress)
        measured = completeness_of_presences(
            by_layer[layer].gram.of_rows(rows).kernel,
            values,
            clips.groups[confirming],
            {each.name: by_layer[each.layer].presences[confirming, each.number - 1] for each in confirmed},
            bootstraps=settings.bootstraps,
            seed=settings.seed,
        )
    except VideoTcavError as error:
        return NothingExplained(reason=str(error))
    of_class = clips.of_class[confirming]
    return ExplainedShare(
        target=clips.recording.model.classes[clips.plan.target.class_index],
        against=against,
        layer=layer,
        explained=measured.concepts.share,
        explained_low=measured.concepts.low,
        explained_high=measured.concepts.high,
        exchanged=measured.relabelled,
        exchanged_high=measured.relabelled_high,
        all_directions=measured.all_directions,
        difference=float(values[of_class].mean() - values[~of_class].mean()),
        predicted_difference=float(measured.predicted[of_class].mean() - measured.predicted[~of_class].mean()),
        n_clips=measured.n_clips,
        n_groups=measured.n_groups,
        shares=ShareOfConcept.of_all(measured),
    )
