"""Size, power and interval coverage of the significance tests in simulated designs, as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from benchmarks.calibration.outcomes import Outcome, outcomes
from benchmarks.calibration.simulated_designs import (
    ClassGradients,
    Distribution,
    ManyChannels,
    MixedGroups,
    PureGroups,
    Simulation,
)
from joblib import Parallel, delayed

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.thresholds import LEVEL

# Data sets that a process tests at once: a cell of 2,000 has eight such tasks.
_CHUNK_SETS = 250
# Data sets with the same permutations and resamples: ten times as fast. What the sets then have in common is how far 499
# permutations are from all of them, which moves the rate of 2,000 sets by 0.1 %.
BATCH_SETS = 25
_SIZE, _SKEWED, _NORMAL_COVERAGE, _SKEWED_COVERAGE = (0.035, 0.065), (0.0, 0.10), (0.94, 0.975), (0.88, 1.0)
_GRADIENTS = (0.03, 0.07)
RATES = ("plain", "perm", "t", "both", "t_joint", "coverage", "coverage_joint")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One design, and the limits that its rates are held to.

    Attributes:
        part: of the table.
        name: what the design is.
        simulation: makes its data sets.
        size: limits of the rate of p ≤ 0.05; `None` where nothing is promised.
        coverage: limits of the coverage of 95 % intervals, likewise.
    """

    part: str
    name: str
    simulation: Simulation
    size: tuple[float, float] | None = None
    coverage: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class DesignRow:
    """Rates of one cell.

    Attributes:
        part: of the table.
        name: what the design is.
        sets: simulated data sets.
        effect: the true one.
        plain: share with a plain permutation p of at most 0.05.
        perm: of `p_perm`.
        t: of `p_t`.
        both: of the studentised test, the larger of the two.
        t_joint: of the t over a plain bootstrap's standard error.
        coverage: share of 95 % intervals that hold the true effect.
        coverage_joint: of those from a plain bootstrap.
        size: limits of `both`.
        coverage_limits: limits of `coverage`.
    """

    part: str
    name: str
    sets: int
    effect: float
    plain: float
    perm: float
    t: float
    both: float
    t_joint: float
    coverage: float
    coverage_joint: float
    size: tuple[float, float] | None
    coverage_limits: tuple[float, float] | None

    @property
    def holds(self) -> bool | None:
        """Whether every limit is kept; `None` where there is none."""
        pairs = ((self.both, self.size), (self.coverage, self.coverage_limits))
        kept = [limits[0] <= rate <= limits[1] for rate, limits in pairs if limits is not None]
        return all(kept) if kept else None


def _exchangeable() -> list[Cell]:
    cells = [
        Cell(
            part="exchangeable",
            name=f"{concept} against {random}",
            simulation=PureGroups(concept=concept, random=random),
        )
        for concept, random in ((5, 100), (10, 100), (20, 60), (60, 20))
    ]
    names: tuple[Distribution, ...] = ("t2", "lognormal")
    for name in names:
        simulation = PureGroups(concept=20, random=60, concept_distribution=name, random_distribution=name)
        cells.append(Cell(part="exchangeable", name=f"20 against 60, {name}", simulation=simulation))
    return [replace(cell, size=_SIZE) for cell in cells]


def _spread() -> list[Cell]:
    sizes = {(10, 100): (0.5, 2, 3), (20, 60): (0.5, 2, 3), (60, 20): (1 / 3, 2)}
    return [
        Cell(
            part="spread",
            name=f"{concept} against {random}, concept {spread:.2g} × as wide",
            simulation=PureGroups(concept=concept, random=random, spread=spread),
            size=_SIZE,
        )
        for (concept, random), spreads in sizes.items()
        for spread in spreads
    ]


def _skew() -> list[Cell]:
    kinds: tuple[tuple[Distribution, Distribution], ...] = (
        ("lognormal", "normal"),
        ("normal", "lognormal"),
        ("mirrored", "normal"),
    )
    return [
        Cell(
            part="skew",
            name=f"{concept} {first} against {random} {second}",
            simulation=PureGroups(
                concept=concept, random=random, concept_distribution=first, random_distribution=second
            ),
            size=_SKEWED,
        )
        for concept, random in ((20, 60), (60, 20), (40, 40))
        for first, second in kinds
        if (concept, first) not in ((60, "mirrored"), (40, "normal"), (40, "mirrored"))
    ]


def _groups() -> list[Cell]:
    people = [
        Cell(part="groups", name=name, simulation=simulation, size=_SIZE)
        for name, simulation in (
            ("8 against 24 videos of 5 clips", PureGroups(concept=8, random=24, clips=5)),
            ("the same, concept 2 × as wide", PureGroups(concept=8, random=24, clips=5, spread=2)),
            ("20 against 60 videos of 1 to 5 clips", PureGroups(concept=20, random=60, clips=3, uneven=True)),
            ("10 people, 2 and 2 clips of each", MixedGroups(people=10, concept=2, random=2)),
            ("20 people, 2 and 2 clips of each", MixedGroups(people=20, concept=2, random=2)),
            ("20 people, 1 and 3 clips of each", MixedGroups(people=20, concept=1, random=3)),
            ("40 people, 2 and 2 clips of each", MixedGroups(people=40, concept=2, random=2)),
            ("20 people, and 10 and 20 with one kind", MixedGroups(people=20, concept=2, random=2, concept_people=10,
                                                                   random_people=20)),
        )
    ]  # fmt: skip
    return people


def _class_gradients() -> list[Cell]:
    return [
        Cell(
            part="class gradients",
            name=f"{clips} class clips, gradient {words}",
            simulation=PureGroups(
                concept=20, random=60, shift=2.0, gradients=ClassGradients(clips=clips, mean=mean, spread=1.0)
            ),
            size=limits,
        )
        for mean, words, limits in ((0.0, "zero on average", _GRADIENTS), (1.0, "1 sd on average", None))
        for clips in (5, 10, 20)
    ]


def _coverage() -> list[Cell]:
    cells = []
    kinds: tuple[tuple[str, Distribution, Distribution], ...] = (
        ("normal", "normal", "normal"),
        ("lognormal", "lognormal", "lognormal"),
        ("lognormal against normal", "lognormal", "normal"),
    )
    for name, first, second in kinds:
        for groups in (3, 5, 10, 20, 100):
            limits = _NORMAL_COVERAGE if name == "normal" else _SKEWED_COVERAGE
            simulation = PureGroups(
                concept=groups,
                random=groups,
                shift=1.0,
                concept_distribution=first,
                random_distribution=second,
                gradients=ClassGradients(clips=groups),
            )
            cells.append(
                Cell(
                    part="coverage",
                    name=f"{groups} groups each, {name}",
                    simulation=simulation,
                    coverage=limits if groups >= 5 else None,
                )
            )
    return cells


def _many_channels() -> list[Cell]:
    return [
        Cell(
            part="1,000 channels",
            name=name,
            simulation=ManyChannels(effect=effect),
            size=size,
            coverage=_NORMAL_COVERAGE,
        )
        for name, effect, size in (("20 against 60, 1,000 channels", 0.0, _SIZE), ("the same, effect 1", 1.0, None))
    ]


def cells() -> tuple[Cell, ...]:
    """Every cell of the table."""
    return tuple(
        cell
        for part in (_exchangeable, _spread, _skew, _groups, _class_gradients, _coverage, _many_channels)
        for cell in part()
    )


def design_table(
    *, sets: int, seed: int = 0, jobs: int = 2, progress: bool = False, only: Sequence[Cell] | None = None
) -> tuple[DesignRow, ...]:
    """Simulate and test every cell.

    Args:
        sets: data sets a cell.
        seed: of all data sets and draws.
        jobs: processes.
        progress: whether to show a progress bar.
        only: some cells; all if not given.
    """
    measured = tuple(cells() if only is None else only)
    chunks = [(start, min(_CHUNK_SETS, sets - start)) for start in range(0, sets, _CHUNK_SETS)]
    tasks = [(cell, start, size) for cell in measured for start, size in chunks]
    counted: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    with progress_bar("designs", len(tasks), visible=progress) as advance:
        results = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_rates)(cell.simulation, size, [seed, random_streams.SIMULATED_DESIGNS, start, _checksum(cell)])
            for cell, start, size in tasks
        )
        for (cell, _, size), rates in zip(tasks, results, strict=True):
            counted.setdefault((cell.part, cell.name), []).append(
                {name: size * rate for name, rate in (rates or {}).items()}
            )
            advance(1)
    return tuple(
        DesignRow(
            part=cell.part,
            name=cell.name,
            sets=sets,
            effect=cell.simulation.effect,
            size=cell.size,
            coverage_limits=cell.coverage,
            **{name: sum(chunk[name] for chunk in counted[cell.part, cell.name]) / sets for name in RATES},
        )
        for cell in measured
    )


def _checksum(cell: Cell) -> int:
    # makes the data sets of each cell independent (Python's own hash varies)
    return crc32(f"{cell.part} {cell.name}".encode())


def _rates(simulation: Simulation, sets: int, seeds: Sequence[int]) -> dict[str, float]:
    """Rates over some data sets; those of a batch share their design, permutations and resamples."""
    generator, tested = np.random.default_rng(seeds), []
    for start in range(0, sets, BATCH_SETS):
        design = simulation.design(generator)
        grams = {number: simulation.gram(design, generator) for number in range(start, min(start + BATCH_SETS, sets))}
        seed = int(generator.integers(2**31))
        tested += outcomes(grams, design, range(simulation.class_clips), seed=seed).values()
    return rates_of(tested, simulation.effect)


def rates_of(tested: Sequence[Outcome], effect: float) -> dict[str, float]:
    """Share of rejections of each test, and of intervals that hold the true effect."""
    values = {name: np.array([vars(outcome)[name] for outcome in tested]) for name in vars(tested[0])}
    p_values = {
        "plain": values["p_plain"],
        "perm": values["p_perm"],
        "t": values["p_t"],
        "both": np.maximum(values["p_perm"], values["p_t"]),
        "t_joint": values["p_t_joint"],
    }
    rates = {name: float((p <= LEVEL).mean()) for name, p in p_values.items()}
    for name, low, high in (("coverage", "low", "high"), ("coverage_joint", "joint_low", "joint_high")):
        rates[name] = float(((values[low] <= effect) & (effect <= values[high])).mean())
    return rates
