"""What sections of a report show: a run, each of its targets as all models see it, and the settings of its charts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self, TypeVar

from video_tcav.experiments import Analysis, Experiment, Run
from video_tcav.experiments.analyses import AnalysisKey
from video_tcav.reports.charts import Interval, shortened
from video_tcav.reports.effect_charts import ChartSettings
from video_tcav.reports.run.clip_budget import FittedClips
from video_tcav.reports.run.text import short_model, slug
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.wording import units

# Endings of the names of a concept that has pictures and clips.
STATIC, DYNAMIC = "/static", "/dynamic"
TWINS = ("frozen", "reversed", "shuffled")
Computed = TypeVar("Computed")


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """Settings of a run, and what was computed once for all formats."""

    run: Run
    memo: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)  # results of `once`

    @property
    def experiment(self) -> Experiment:
        return self.run.experiment

    @property
    def unit(self) -> str:
        return units(self.experiment.against)

    @property
    def level(self) -> float:
        return self.experiment.statistics.level

    @property
    def many_models(self) -> bool:
        """Whether tables need a column for the model."""
        return len(self.experiment.all_models()) > 1

    def once(self, compute: Callable[[Self], Computed]) -> Computed:
        """`compute(self)`, computed at the first call: the page, the Markdown and the files share charts and tables.

        It must not depend on which clips fit into the page.
        """
        # The function itself is the key: it must be one of a module, not a lambda made anew.
        if compute not in self.memo:
            self.memo[compute] = compute(self)
        return self.memo[compute]


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetView(_View):
    """One target in one feature space with one significance test, of all models.

    Attributes:
        number: of the target in the experiment, from one.
        target: class.
        space: feature space.
        test: significance test.
    """

    number: int
    target: str
    space: str
    test: str

    @property
    def concepts(self) -> tuple[str, ...]:
        return tuple(self.experiment.all_concepts())

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """One a model, in the order of the experiment."""
        key = (self.target, self.space, self.test)
        chosen = {
            analysis.which.model: analysis
            for analysis in self.run.analyses
            if (analysis.which.target, analysis.which.space, analysis.which.test) == key
        }
        return tuple(chosen[model] for model in self.experiment.all_models() if model in chosen)

    @cached_property
    def results(self) -> tuple[ConceptResult, ...]:
        """Of all models."""
        return tuple(stored.result for analysis in self.analyses for stored in analysis.found)

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Short names of the models, one an analysis."""
        return tuple(short_model(analysis.which.model) for analysis in self.analyses)

    @cached_property
    def pairs(self) -> tuple[str, ...]:
        """Concepts that have pictures and clips."""
        names = [name.removesuffix(STATIC) for name in self.concepts if name.endswith(STATIC)]
        return tuple(name for name in names if name + DYNAMIC in self.concepts)

    @cached_property
    def twins(self) -> tuple[str, ...]:
        """Twins that were run."""
        names = {row.twin for row in self.results}
        return tuple(twin for twin in TWINS if twin in names)

    @cached_property
    def with_twins(self) -> tuple[str, ...]:
        """Concepts that have twins."""
        names = {row.concept for row in self.results if row.twin != "none"}
        return tuple(name for name in self.concepts if name in names)

    def find(
        self, analysis: Analysis, concept: str, twin: str = "none", layer: str | None = None
    ) -> ConceptResult | None:
        """One result against random clips; at the deepest layer if none is named."""
        stored = analysis.get(concept, layer or deepest(analysis), twin=twin)
        return stored.result if stored else None

    def per_model(self, concept: str, twin: str = "none") -> list[ConceptResult | None]:
        """The result of each model at its deepest layer."""
        return [self.find(analysis, concept, twin) for analysis in self.analyses]

    def comparisons(self) -> Iterator[tuple[str, ConceptResult]]:
        """Each model's results of one concept rather than another, at its deepest layer."""
        for model, analysis in zip(self.models, self.analyses, strict=True):
            for row in (stored.result for stored in analysis.found):
                if row.versus != "random" and row.twin == "none" and row.layer == deepest(analysis):
                    yield model, row

    def significant(self, row: ConceptResult) -> bool:
        """At the level of the experiment."""
        return row.p_adjusted <= self.level

    def elsewhere(self, **changes: str) -> "TargetView":
        """The same target in another `space` or with another `test`."""
        return replace(self, memo={}, **changes)  # what was computed here does not hold there


@dataclass(frozen=True, kw_only=True, eq=False)
class RunView(_View):
    """A run.

    Attributes:
        clips: clips that fit into the page.
    """

    clips: FittedClips = field(default_factory=FittedClips)

    @property
    def targets(self) -> tuple[TargetView, ...]:
        """Every target, in the first feature space and with the first test."""
        return self.once(_target_views)


def _target_views(view: RunView) -> tuple[TargetView, ...]:
    first = {"space": view.experiment.spaces[0], "test": view.experiment.statistics.tests[0]}
    # with concepts in words alone there is no analysis of a target
    targets = enumerate(view.experiment.targets if view.experiment.tests_concepts else (), start=1)
    return tuple(TargetView(run=view.run, number=number, target=target, **first) for number, target in targets)


def chart_settings(view: TargetView, kind: str, **texts: Any) -> ChartSettings:
    """Settings of a chart of that kind, such as `effects`, with its title, label and perhaps axis."""
    options = {
        "axis": f"effect on “{shortened(view.target)}”, {view.unit}",
        "level": view.level,
        "dotted": any(not row.represented for row in view.results),
    }
    name = f"{kind}-{view.number}-{slug(view.target)}"
    return ChartSettings(name=name, models=view.models, **{**options, **texts})


def effect_interval(view: TargetView, row: ConceptResult | None) -> Interval | None:
    """A result as it is drawn: filled where it is significant, dotted where the concept is not represented."""
    if row is None:
        return None
    filled, dotted = view.significant(row), not row.represented
    return Interval(value=row.effect, low=row.effect_low, high=row.effect_high, filled=filled, dotted=dotted)


def effect_intervals(view: TargetView, concept: str, twin: str = "none") -> list[Interval | None]:
    """One a model, at its deepest layer."""
    return [effect_interval(view, row) for row in view.per_model(concept, twin)]


def differing(analyses: Sequence[Analysis]) -> list[str]:
    """Which of model, target, space and test differ between analyses."""
    names = [field.name for field in fields(AnalysisKey)]
    return [name for name in names if len({getattr(analysis.which, name) for analysis in analyses}) > 1]


def layers_of(analysis: Analysis) -> tuple[str, ...]:
    """Its layers, the deepest last."""
    return tuple(dict.fromkeys(stored.result.layer for stored in analysis.found))


def deepest(analysis: Analysis) -> str:
    """Its deepest layer."""
    return analysis.found[-1].result.layer
