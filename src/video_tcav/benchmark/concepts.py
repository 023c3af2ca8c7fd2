"""Benchmark of concept discovery: does a method find the known cause of a model, and the same again from other clips?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, ClassVar

from torch import nn

from video_tcav.benchmark.clips import ConceptClips
from video_tcav.benchmark.component_scores import (
    direction_stability,
    enlarged,
    enrichment,
    map_stability,
    presence_auc,
)
from video_tcav.benchmark.contract import Component, ConceptFunction, NotApplicable, components_of, network_for_method
from video_tcav.benchmark.methods import concept_method
from video_tcav.benchmark.models import architecture_of, benchmark_models, benchmark_name
from video_tcav.benchmark.scores import BenchmarkScores, check_applies
from video_tcav.benchmark.versions import CONCEPTS, ConceptVersion, check_version
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.models import VideoModel
from video_tcav.rendered import Rule
from video_tcav.rendered.training import normalised

_NAN = float("nan")
_RUNS = 3  # on all clips, and on either half of them


@dataclass(frozen=True, kw_only=True)
class ConceptScore:
    """What one method found of the cause of one model.

    Attributes:
        model: name of the model.
        rule: how it was trained.
        target: the class whose concepts were looked for.
        components: how many the method returned.
        is_found: whether one of the strongest is the cause: by its enrichment where the cause is a region (motion, object,
            order), by its presence where it is the scene.
        enrichment: the largest of the strongest components: how many times more of a component's strongest voxels lies on the
            cause, in new clips of the class, than by chance.
        presence_auc: the largest of the strongest: how often a component is more present in a new clip of the class than in
            one of another class.
        enrichments: of each of the strongest, in the method's order.
        presence_aucs: likewise.
        stability: mean correlation of the maps, on the same new clips, of components that were found in either half of the
            clips, with another seed, and matched.
        direction_stability: mean cosine of their directions; NaN where there are none.
        seconds: of the run on all clips, on this machine.
        note: why the method does not apply; empty otherwise.
    """

    model: str
    rule: str
    target: str
    components: int = 0
    is_found: bool = False
    enrichment: float = _NAN
    presence_auc: float = _NAN
    enrichments: tuple[float, ...] = ()
    presence_aucs: tuple[float, ...] = ()
    stability: float = _NAN
    direction_stability: float = _NAN
    seconds: float = _NAN
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ConceptScores(BenchmarkScores[ConceptScore]):
    """One method on the models of the benchmark; see `BenchmarkScores`."""

    FILES: ClassVar[str] = "concepts"

    @property
    def causes_found(self) -> int:
        """The headline: of how many models the cause was found; one to which the method does not apply counts as not found."""
        return sum(score.is_found for score in self.scores)

    def headline(self) -> dict[str, Any]:
        return {"causes_found": self.causes_found, "models": len(self.scores)}


def benchmark_concepts(
    method: str | ConceptFunction, *, models: Sequence[str] | None = None, quick: bool = False, progress: bool = False
) -> ConceptScores:
    """Score a method that finds concepts, of any origin, on models whose cause is known.

    Args:
        method: a function with the contract of `ConceptFunction`, or `PACKAGE:FUNCTION`, or the name of an entry point in
            `video_tcav.benchmark_concepts`.
        models: such as `rendered:r2plus1d-motion`; all of the package if not given.
        quick: fewer clips, under a name of their own; not to be compared with the full benchmark.
        progress: whether to show a progress bar.

    Raises:
        InputError: for a method or model that does not exist, or if clips or models are not those of the version.
        PluginError: if the package of the method cannot be imported.
        MethodError: if the method raises, returns what are no components, changes the model, or applies to none.
    """
    version = CONCEPTS[quick]
    name, function = concept_method(method)
    chosen = benchmark_models(models)
    clips = {rule.name: version.clips_of(rule) for _, rule in chosen}
    check_version(version, chosen, clips)
    scores = []
    with progress_bar(f"{version.name} (models × {_RUNS} runs)", _RUNS * len(chosen), visible=progress) as advance:
        for model, rule in chosen:
            scores.append(_scored(version, name, function, model, rule, clips[rule.name], advance))
    check_applies(name, scores)
    return ConceptScores(
        benchmark=benchmark_name(version.name, len(chosen)),
        method=name,
        scores=tuple(scores),
        provenance=provenance(settings=asdict(version), models=[model.name for model, _ in chosen]),
    )


def _scored(
    version: ConceptVersion,
    name: str,
    method: ConceptFunction,
    model: VideoModel,
    rule: Rule,
    clips: ConceptClips,
    advance: Advance,
) -> ConceptScore:
    """A method on one model: on all clips, then on both halves of them."""
    runs, times_s = [], []
    try:
        with network_for_method(model, name) as network:
            # Even and odd clips: both halves hold the classes in the same shares.
            for seed, rows in enumerate((slice(None), slice(0, None, 2), slice(1, None, 2))):
                start = perf_counter()
                runs.append(_run(version, name, method, model, network, clips, rows, seed))
                times_s.append(perf_counter() - start)
                advance(1)
    except NotApplicable as reason:
        advance(_RUNS - len(runs))
        return ConceptScore(model=model.name, rule=rule.name, target=clips.target, note=str(reason))
    whole, *halves = runs
    enrichments, aucs = _cause_scores(version, clips, whole)
    measure, least = (aucs, version.least_auc) if rule.cause == "scene" else (enrichments, version.least_enrichment)
    return ConceptScore(
        model=model.name,
        rule=rule.name,
        target=clips.target,
        components=len(whole),
        is_found=max(measure) >= least,
        enrichment=max(enrichments),
        presence_auc=max(aucs),
        enrichments=enrichments,
        presence_aucs=aucs,
        stability=map_stability(*halves),
        direction_stability=direction_stability(*halves),
        seconds=times_s[0],
    )


def _cause_scores(
    version: ConceptVersion, clips: ConceptClips, components: Sequence[Component]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Enrichment and AUC of the strongest components on new clips."""
    of_class = clips.new_clips.cause[clips.new_is_class]
    shape = (of_class.shape[1], of_class.shape[2], of_class.shape[3])
    strongest = components[: version.strongest]
    return (
        tuple(
            enrichment(enlarged(component, shape)[clips.new_is_class], of_class, top_share=version.top_share)
            for component in strongest
        ),
        tuple(presence_auc(component.presence, clips.new_is_class) for component in strongest),
    )


def _run(
    version: ConceptVersion,
    name: str,
    method: ConceptFunction,
    model: VideoModel,
    network: nn.Module,
    clips: ConceptClips,
    rows: slice,
    seed: int,
) -> list[Component]:
    """One call of the method, on some of the clips."""
    return components_of(
        method,
        name,
        network,
        layer=dict(version.layers)[architecture_of(model)],
        clips={
            "class_clips": normalised(clips.class_clips.pixels[rows]),
            "random_clips": normalised(clips.random_clips.pixels[rows]),
            "new_clips": normalised(clips.new_clips.pixels),
        },
        target=model.class_index(clips.target),
        seed=seed,
    )
