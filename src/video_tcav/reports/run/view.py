"""What a run's report looks at: one target, as all models see it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from video_tcav.experiments import Analysis, Run
from video_tcav.models.loaders.loader import LOADERS
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.summaries import units

STATIC, DYNAMIC = "/static", "/dynamic"


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """One target in one feature space with one test, of all models.

    Attributes:
        number: of the target in the experiment, from one.
        target: class.
        unit: of effects.
        level: of significance.
        concepts: in the order of the experiment.
        analyses: one a model, in the order of the experiment.
    """

    number: int
    target: str
    unit: str
    level: float
    concepts: tuple[str, ...]
    analyses: tuple[Analysis, ...]

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Names of the models, as the page has them."""
        return tuple(model_words(one.which.model) for one in self.analyses)

    @cached_property
    def pairs(self) -> tuple[str, ...]:
        """Concepts that are there as pictures and as clips."""
        names = [name.removesuffix(STATIC) for name in self.concepts if name.endswith(STATIC)]
        return tuple(name for name in names if name + DYNAMIC in self.concepts)

    @cached_property
    def twins(self) -> tuple[str, ...]:
        """Twins that were run."""
        found = {one.result.twin for analysis in self.analyses for one in analysis.found}
        return tuple(twin for twin in ("frozen", "reversed", "shuffled") if twin in found)

    @cached_property
    def with_twins(self) -> tuple[str, ...]:
        """Concepts that have twins."""
        found = {
            one.result.concept for analysis in self.analyses for one in analysis.found if one.result.twin != "none"
        }
        return tuple(name for name in self.concepts if name in found)

    def find(
        self, analysis: Analysis, concept: str, twin: str = "none", layer: str | None = None
    ) -> ConceptResult | None:
        """One result against random clips; at the deepest layer if none is named."""
        found = analysis.get(concept, layer or deepest(analysis), twin=twin)
        return found.result if found else None

    def comparisons(self) -> Iterator[tuple[str, ConceptResult]]:
        """Each model's results of one concept against another, at the deepest layer."""
        for analysis in self.analyses:
            for one in analysis.found:
                if (
                    one.result.versus != "random"
                    and one.result.twin == "none"
                    and one.result.layer == deepest(analysis)
                ):
                    yield model_words(analysis.which.model), one.result

    def significant(self, one: ConceptResult) -> bool:
        return one.p_adjusted <= self.level


def target_views(run: Run, *, space: str | None = None, test: str | None = None) -> tuple[TargetView, ...]:
    """Every target of a run; in the first space and with the first test if they are not named."""
    experiment = run.experiment
    space = space or experiment.spaces[0]
    test = test or experiment.statistics.tests[0]
    order = {name: place for place, name in enumerate(experiment.all_models())}
    chosen = [one for one in run.analyses if (one.which.space, one.which.test) == (space, test)]
    chosen.sort(key=lambda one: order.get(one.which.model, len(order)))
    return tuple(
        TargetView(
            number=number,
            target=target,
            unit=units(experiment.against),
            level=experiment.statistics.level,
            concepts=tuple(experiment.all_concepts()),
            analyses=tuple(one for one in chosen if one.which.target == target),
        )
        for number, target in enumerate(experiment.targets, start=1)
    )


def layers_of(analysis: Analysis) -> tuple[str, ...]:
    """Its layers, the deepest last."""
    return tuple(dict.fromkeys(one.result.layer for one in analysis.found))


def deepest(analysis: Analysis) -> str:
    return analysis.found[-1].result.layer


def file_words(clip: str) -> str:
    """A clip's key, short enough to read: the end of its path, which says nothing of the machine."""
    return "/".join(re.split(r"[/\\]", clip)[-2:])


def model_words(name: str) -> str:
    """A model's name; one that has none but where it is loaded from is called by the end of that."""
    scheme, colon, source = name.partition(":")
    return LOADERS[scheme].short_name(source) if colon and scheme in LOADERS.names() else name


def slug(name: str) -> str:
    """A name that a file may have."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "unnamed"
