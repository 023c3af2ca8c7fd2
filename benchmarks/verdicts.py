"""Verdicts in simulation: how often "does not matter" is contradicted, and whether "so many more clips" keeps its promise.

python -m benchmarks.verdicts
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Annotated

import numpy as np
import typer
from benchmarks.command import run
from rich.table import Table

from video_tcav.cli import render
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.experiments.decisions import PValues, VerdictWord, decide
from video_tcav.experiments.evidence import Evidence, beyond_p, equivalence_p
from video_tcav.experiments.hypothesis import Hypothesis, Kind
from video_tcav.experiments.sample_size import groups_to_decide
from video_tcav.gram.resampling import BootstrapT

LEVEL, MARGIN = 0.05, 0.5
RANDOM_PER_CONCEPT = 3
SPREAD_OF_GRADIENTS = 0.5
KINDS: tuple[Kind, ...] = ("matters", "does_not_matter")
TRUTHS = (0.0, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0)
"""True effects of the cells, in margins."""


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Clips that stand for themselves: the responses of concept and random clips, and the gradient of each class clip."""

    concept: np.ndarray
    random: np.ndarray
    gradients: np.ndarray

    def and_more(self, more: "Clips") -> "Clips":
        return Clips(
            concept=np.concatenate([self.concept, more.concept]),
            random=np.concatenate([self.random, more.random]),
            gradients=np.concatenate([self.gradients, more.gradients]),
        )

    def evidence(self) -> Evidence:
        """The effect, a product of two means, with the standard error that the bootstrap estimates."""
        difference, gradient = self.concept.mean() - self.random.mean(), self.gradients.mean()
        scales = ((self.concept, gradient), (self.random, gradient), (self.gradients, difference))
        parts = [(scale**2 * values.var(ddof=1) / len(values), len(values) - 1) for values, scale in scales]
        variance = sum(part for part, _ in parts)
        effect, error = float(difference * gradient), float(np.sqrt(variance))
        freedom = variance**2 / sum(part**2 / free for part, free in parts)  # Satterthwaite 1946, as `BootstrapT.of`
        return Evidence(
            effect=effect,
            low=effect,
            high=effect,
            standard_error=error,
            freedom=freedom,
            p_value=BootstrapT(effect=effect, error=error, skewness=0.0, freedom=freedom).p_value,
            represented=True,
            concept_groups=len(self.concept),
            concept_clips=len(self.concept),
        )


def draw_clips(effect: float, groups: int, generator: np.random.Generator) -> Clips:
    """As many class clips as concept clips, three times as many random clips; responses have a spread of one."""
    return Clips(
        concept=generator.normal(effect, 1, groups),
        random=generator.normal(0, 1, RANDOM_PER_CONCEPT * groups),
        gradients=generator.normal(1, SPREAD_OF_GRADIENTS, groups),
    )


def verdict(kind: Kind, measured: Evidence, margin: float = MARGIN) -> VerdictWord:
    """The program's verdict on one hypothesis that is a family of its own."""
    t_test = (measured.effect, measured.standard_error, measured.freedom, margin)
    p_values = PValues(measured.p_value, equivalence_p(*t_test), beyond_p(*t_test))
    hypothesis = Hypothesis.model_validate({kind: {"concept": "c", "target": "t"}})
    return decide(hypothesis, measured, p_values, margin=margin, level=LEVEL, unit="log-odds")[0]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What became of pilots of one kind of hypothesis and true effect.

    Attributes:
        pilots: how many.
        undecided: of these.
        without_number: of the undecided, those that no practical number of clips was said to decide.
        decided: of the others, those that were decided when so many clips were added.
        added: clips of the concept that were added, in the middle of these.
    """

    pilots: int
    undecided: int
    without_number: int
    decided: int
    added: float

    @property
    def tried(self) -> int:
        return self.undecided - self.without_number

    @property
    def decided_share(self) -> float:
        """Share of undecided pilots, for which a number was said, that it decided."""
        return self.decided / self.tried if self.tried else float("nan")


def promise(
    kind: Kind, effects: Iterator[float], pilots: int, groups: int, power: float, generator: np.random.Generator
) -> Promise:
    """Run pilots, add as many clips as the program says to those that are undecided, and see how many are then decided."""
    undecided, added, decided = 0, [], 0
    for _, effect in zip(range(pilots), effects, strict=False):
        pilot = draw_clips(effect, groups, generator)
        measured = pilot.evidence()
        if verdict(kind, measured) != "undecided":
            continue
        undecided += 1
        claims_nil = kind == "does_not_matter"
        needed = groups_to_decide(measured, margin=MARGIN, level=LEVEL, power=power, tests=1, claims_nil=claims_nil)
        if needed is None:
            continue
        more = draw_clips(effect, needed - groups, generator)
        decided += verdict(kind, pilot.and_more(more).evidence()) != "undecided"
        added.append(needed - groups)
    return Promise(
        pilots=pilots,
        undecided=undecided,
        without_number=undecided - len(added),
        decided=decided,
        added=float(np.median(added)) if added else float("nan"),
    )


def spread_effects(generator: np.random.Generator) -> Iterator[float]:
    """True effects that are spread evenly from nothing to three margins."""
    while True:
        yield generator.uniform(0, TRUTHS[-1] * MARGIN)


def contradicted(truth: float, groups: int, draws: int, generator: np.random.Generator) -> float:
    """How often "does not matter" is contradicted at so many concept clips, with a true effect of so many margins."""
    verdicts = [
        verdict("does_not_matter", draw_clips(truth * MARGIN, groups, generator).evidence()) for _ in range(draws)
    ]
    return verdicts.count("contradicted") / draws


def verdicts(
    draws: Annotated[int, typer.Option(min=1, help="Experiments of each row.")] = 1000,
    groups: Annotated[int, typer.Option(min=4, help="Concept clips of a pilot.")] = 20,
    power: Annotated[float, typer.Option(min=0.5, max=0.99, help="The promised share.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Of all draws.")] = 0,
) -> None:
    """Measure how often verdicts are wrong, and how often as many more clips as the program says decide a hypothesis.

    Responses of single clips have a spread of 1, the margin is half of that, gradients vary by half of their mean. Two minutes.
    """
    generator = np.random.default_rng(seed)
    table = Table("true effect, margins", "clips", "“does not matter” contradicted", box=None, pad_edge=False)
    for truth in (0.9, 1.0, 2.0):
        for count in (10, 20, 40, 80):
            rate = contradicted(truth, count, draws, generator)
            table.add_row(f"{truth:g}", str(count), _share(rate, draws))
    render.out.print(table)
    table = Table("claim", "true effect, margins", "undecided", "no number", "more clips", "then decided", box=None)
    for kind in KINDS:
        cells = [
            ("0 to 3, evenly", spread_effects(generator)),
            *((f"{truth:g}", repeat(truth * MARGIN)) for truth in TRUTHS),
        ]
        for name, effects in cells:
            result = promise(kind, effects, draws, groups, power, generator)
            figures = (f"{result.undecided / draws:.0%}", str(result.without_number), f"{result.added:.0f}")
            table.add_row(kind, name, *figures, _share(result.decided_share, result.tried))
    render.out.print(table)


def _share(rate: float, draws: int) -> str:
    if draws == 0:
        return "–"
    low, high = wilson_interval(rate, draws)
    return f"{rate:.1%} [{low:.1%}, {high:.1%}]"


if __name__ == "__main__":
    run(verdicts)
