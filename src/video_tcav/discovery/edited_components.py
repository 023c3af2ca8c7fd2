"""Step and clamp along the CAVs of confirmed components, with the rest of the network run again."""

from collections.abc import Sequence
from dataclasses import replace

from video_tcav.discovery.component import Component
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.gram.concept_test import TestSettings
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.intervene import Interventions, intervene
from video_tcav.tcav.interventions.plan import InterventionPlan


def with_interventions(
    components: Sequence[Component],
    found: Sequence[LayerDiscovery],
    asked: InterventionPlan,
    runner: BatchRunner,
    settings: TestSettings,
    *,
    progress: bool,
) -> tuple[tuple[Component, ...], tuple[str, ...]]:
    """Step and clamp along the CAVs of confirmed components, at the gradient clips, and what a reader must know about them."""
    numbers: dict[str, dict[str, float]] = {}
    cautions: list[str] = []
    for layer in found:
        names = {each.name for each in components if each.confirmed and each.layer == layer.layer}
        comparisons = [comparison for name, comparison in layer.comparisons.items() if name in names]
        if layer.layer in asked.layers and comparisons:
            edited = _intervened(layer, comparisons, asked, runner, settings, progress=progress)
            cautions += edited.cautions
            for key, operations in edited.draws.items():
                numbers[key.concept] = {
                    column: value
                    for operation, draws in operations.items()
                    for column, value in draws.columns(operation).items()
                    if not column.endswith("_p")  # no CAVs of permuted labels: the effect itself is tested
                }
    return tuple(replace(each, **numbers.get(each.name, {})) for each in components), tuple(cautions)


def _intervened(
    layer: LayerDiscovery,
    comparisons: Sequence[Comparison],
    asked: InterventionPlan,
    runner: BatchRunner,
    settings: TestSettings,
    *,
    progress: bool,
) -> Interventions:
    recording = layer.clips.recording
    pooled = replace(
        recording,
        settings=recording.settings.with_values(space="spacetime"),
        activations={layer.layer: layer.clips.layers[layer.layer].pooled},
    )
    drawn = EditSettings(
        fitter=settings.fitter,
        bootstraps=settings.bootstraps,
        permutations=settings.permutations,
        relabellings=0,
        seed=settings.seed,
    )
    return intervene(
        layer.clips.plan.as_test(),
        replace(asked, layers=(layer.layer,)),
        pooled,
        comparisons,
        {layer.layer: layer.gram},
        layer.clips.gradient_groups,
        drawn,
        runner,
        progress=progress,
    )
