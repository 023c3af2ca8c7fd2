"""Power and size of the test whether a concept is represented (linear MMD), and the AUC beside it, in simulated layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from benchmarks.calibration.designs import BATCH_SETS
from jaxtyping import Float
from joblib import Parallel, delayed

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.arrays import make_design
from video_tcav.gram.design import Design
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.representation import Representation, representations
from video_tcav.gram.thresholds import LEVEL

_CHUNK_SETS = 125
_PERMUTATIONS = 499
_POWER, _EQUAL_MEANS, _NULL = (0.9, 1.0), (0.0, 0.07), (0.03, 0.07)


@dataclass(frozen=True, kw_only=True)
class GateCell:
    """A simulated layer, and how often its concept should be called represented.

    Attributes:
        name: what the layer is.
        limits: of the rate.
        channels: of the layer; all are normal with variance 1.
        moved: by how much the first channel of concept clips is moved.
        spread: standard deviation of all channels in concept clips.
        concept: number of concept groups.
        random: number of random groups.
        clips: in each group.
    """

    name: str
    limits: tuple[float, float]
    channels: int = 10_000
    moved: float = 0.0
    spread: float = 1.0
    concept: int = 20
    random: int = 60
    clips: int = 1

    def design(self) -> Design:
        groups = np.repeat(np.arange(self.concept + self.random), self.clips)
        return make_design(groups < self.concept, groups.tolist())

    def kernel(self, generator: np.random.Generator) -> Float[np.ndarray, "row row"]:
        groups = self.concept + self.random
        rows = generator.standard_normal((groups, self.channels), dtype=np.float32)
        if self.clips > 1:  # half of the variance is that of groups
            noise = generator.standard_normal((groups * self.clips, self.channels), dtype=np.float32)
            rows = np.float32(np.sqrt(0.5)) * (np.repeat(rows, self.clips, axis=0) + noise)
        n_concept = self.concept * self.clips
        rows[:n_concept] *= np.float32(self.spread)
        rows[:n_concept, 0] += self.moved
        rows -= rows.mean(0)
        return (rows @ rows.T).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """How often a concept is called represented.

    Attributes:
        name: what the layer is.
        sets: data sets.
        represented: share of them in which the means are called different.
        auc: average AUC of the CAV within folds.
        region: share in which they are not, and the Gaussian kernel tells the sets apart.
        region_auc: average AUC of that kernel, where it is asked; NaN if never.
        limits: of `represented`.
    """

    name: str
    sets: int
    represented: float
    auc: float
    region: float
    region_auc: float
    limits: tuple[float, float]

    @property
    def holds(self) -> bool:
        return self.limits[0] <= self.represented <= self.limits[1]


CELLS = (
    GateCell(name="one channel of 10,000 moved by 6 sd, 20 against 60", limits=_POWER, moved=6.0),
    GateCell(name="the same, 60 against 20", limits=_POWER, moved=6.0, concept=60, random=20),
    GateCell(name="equal means, half the spread, 10 channels", limits=_EQUAL_MEANS, channels=10, spread=0.5),
    GateCell(name="equal means, twice the spread, 10 channels", limits=_EQUAL_MEANS, channels=10, spread=2.0),
    GateCell(name="equal means, half the spread, 1,000 channels", limits=_EQUAL_MEANS, channels=1000, spread=0.5),
    GateCell(name="equal means, twice the spread, 1,000 channels", limits=_EQUAL_MEANS, channels=1000, spread=2.0),
    GateCell(name="nothing, 10,000 channels", limits=_NULL),
    GateCell(name="nothing, 8 against 24 videos of 5 clips, 1,000 channels", limits=_NULL, channels=1000, concept=8,
             random=24, clips=5),
)  # fmt: skip


def gate_table(
    *, sets: int, seed: int = 0, jobs: int = 2, progress: bool = False, cells: Sequence[GateCell] = CELLS
) -> tuple[GateRow, ...]:
    """Simulate and test every cell; see `designs.design_table`."""
    chunks = [(start, min(_CHUNK_SETS, sets - start)) for start in range(0, sets, _CHUNK_SETS)]
    tasks = [(cell, start, size) for cell in cells for start, size in chunks]
    tested: dict[str, list[Representation]] = {cell.name: [] for cell in cells}
    with progress_bar("representation", len(tasks), visible=progress) as advance:
        results = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_representations)(cell, size, [seed, random_streams.SIMULATED_DESIGNS, start])
            for cell, start, size in tasks
        )
        for (cell, *_), chunk in zip(tasks, results, strict=True):
            tested[cell.name] += chunk or []
            advance(1)
    return tuple(gate_row(cell.name, tested[cell.name], cell.limits) for cell in cells)


def _representations(cell: GateCell, sets: int, seeds: Sequence[int]) -> list[Representation]:
    generator, design = np.random.default_rng([*seeds, crc32(cell.name.encode())]), cell.design()
    tested: list[Representation] = []
    for start in range(0, sets, BATCH_SETS):
        kernels = {number: cell.kernel(generator) for number in range(start, min(start + BATCH_SETS, sets))}
        tested += gates_of(kernels, design, int(generator.integers(2**31)))
    return tested


def gates_of(kernels: Mapping[int, Kernel], design: Design, seed: int) -> list[Representation]:
    """The program's test of data sets with one design, with few permutations."""
    return list(representations("mean", kernels, design, permutations=_PERMUTATIONS, seed=seed).values())


def gate_row(name: str, tested: Sequence[Representation], limits: tuple[float, float] = _NULL) -> GateRow:
    """Rates over data sets; meaningless concepts have the limits of a test of size 5 %."""
    asked = [gate.region_auc for gate in tested if not np.isnan(gate.region_auc)]
    return GateRow(
        name=name,
        sets=len(tested),
        represented=float(np.mean([gate.represented for gate in tested])),
        auc=float(np.mean([gate.auc for gate in tested])),
        region=float(np.mean([gate.p_region <= LEVEL for gate in tested])),
        region_auc=float(np.mean(asked)) if asked else float("nan"),
        limits=limits,
    )
