"""Recorded responses of rendered models: size once both sets have one mean, power for the model's own causes, wrong signs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from zlib import crc32

import numpy as np
from benchmarks.calibration.designs import BATCH_SETS
from benchmarks.calibration.gate import GateRow, gate_row, gates_of
from benchmarks.calibration.outcomes import Outcome, outcomes
from benchmarks.calibration.rendered_recording import Recording
from joblib import Parallel, delayed

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.demo.false_alarms import seed_of
from video_tcav.gram.arrays import make_design
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.representation import Representation
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.settings import PLACES, At

NULL_DESIGNS = ((10, 100), (20, 60), (60, 20))
POWER_DESIGNS = ((10, 60), (40, 60))
# Nominal 5 %, as in simulated designs; at 10 concept clips, and at 40.
_SIZE, _POWER, _WRONG_SIGN = (0.035, 0.065), {10: 0.60, 40: 0.95}, 0.03


class _RowKey(NamedTuple):
    """What is measured, of which model, with gradients at which clips, and the numbers of concept and random clips."""

    what: str
    model: str
    at: At
    sizes: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class CauseRow:
    """Rejection rates of one model's own causes at its deepest stage.

    Attributes:
        what: `shifted`: concept clips are moved so that both sets have one mean; or `power`.
        model: name of the model; of `shifted` all together.
        at: where the gradient was taken.
        concept_clips: in each draw.
        random_clips: likewise.
        draws: how often clips were drawn, over all classes.
        plain: share with a plain permutation p of at most 0.05.
        perm: of `p_perm`.
        t: of `p_t`.
        both: of the studentised test.
        wrong_sign: share of draws in which the studentised test finds an effect of the wrong sign.
        wrong_sign_plain: the same of the plain permutation.
    """

    what: str
    model: str
    at: At
    concept_clips: int
    random_clips: int
    draws: int
    plain: float
    perm: float
    t: float
    both: float
    wrong_sign: float
    wrong_sign_plain: float

    @property
    def holds(self) -> bool | None:
        """Whether the limits are kept; gradients at class clips are shown beside and not judged."""
        if self.what == "shifted":
            return _SIZE[0] <= self.both <= _SIZE[1]
        if self.at == "class":
            return None
        return self.both >= _POWER[self.concept_clips] and self.wrong_sign <= _WRONG_SIGN


def cause_tables(
    recordings: Sequence[Recording], *, draws: int, seed: int = 0, jobs: int = 2, progress: bool = False
) -> tuple[tuple[CauseRow, ...], GateRow]:
    """Measure size on shifted responses, power for own causes, and the size of the test of representation.

    Args:
        recordings: of all models.
        draws: of clips, for each model, place, design and (of power) class.
        seed: of all draws.
        jobs: processes.
        progress: whether to show a progress bar.
    """
    tasks: list[tuple[_RowKey, Callable[[], list[Outcome]]]] = []
    for recording in recordings:
        for at in PLACES:
            for label in range(len(recording.targets)):
                tasks += [
                    (
                        _RowKey("power", recording.name, at, sizes),
                        partial(
                            power_draws, cause_of(recording, at, label), *sizes, draws, _seeds(recording, seed, label)
                        ),
                    )
                    for sizes in POWER_DESIGNS
                ]
            tasks += [
                (
                    _RowKey("shifted", "all models", at, sizes),
                    partial(
                        _shifted_draws, cause_of(recording, at, 0), *sizes, 5 * draws, _seeds(recording, seed, sizes[0])
                    ),
                )
                for sizes in NULL_DESIGNS
            ]
    tested: dict[_RowKey, list[Outcome]] = {}
    gates: list[Representation] = []
    with progress_bar("recorded responses", len(tasks) + len(recordings), visible=progress) as advance:
        parallel = Parallel(n_jobs=jobs, return_as="generator")
        for (row, _), chunk in zip(tasks, parallel(delayed(task)() for _, task in tasks), strict=True):
            tested.setdefault(row, []).extend(chunk or [])
            advance(1)
        for recording in recordings:
            kernel = recording.grams["random"][recording.deepest][0].kernel
            gates += _meaningless_gates(kernel, 5 * draws, _seeds(recording, seed, 0))
            advance(1)
    rows = tuple(
        _cause_row(row, chunk) for row, chunk in sorted(tested.items(), key=lambda item: item[0].what, reverse=True)
    )
    return rows, gate_row("clips of the rendered world, both sets from one pool, 20 against 60", gates)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Inner products of the pool with the gradients of one class, and which clips show its cause."""

    gram: Gram
    has_cause: np.ndarray


def cause_of(recording: Recording, at: At, label: int) -> Cause:
    target = recording.targets[label]
    rows = recording.rows(recording.rule.cause, recording.rule.classes[target])
    return Cause(
        gram=recording.grams[at][recording.deepest][label], has_cause=np.isin(np.arange(len(recording.pool)), rows)
    )


def _seeds(recording: Recording, seed: int, *more: int) -> list[int]:
    # the checksum makes the draws of each model independent (Python's own hash varies)
    return [seed, random_streams.REAL_CONCEPTS, *more, crc32(recording.name.encode())]


def power_draws(cause: Cause, n_concept: int, n_random: int, draws: int, seeds: Sequence[int]) -> list[Outcome]:
    """Clips are drawn without replacement; draws of a batch share permutations and resamples."""
    return _draws(cause.gram, cause.has_cause, n_concept, n_random, draws, seeds, replace=False)


def _shifted_draws(cause: Cause, n_concept: int, n_random: int, draws: int, seeds: Sequence[int]) -> list[Outcome]:
    """Draws with replacement, of class clips too: the pool is then the population, in which the true effect is exactly zero."""
    gram = equal_means(cause.gram, cause.has_cause)
    return _draws(gram, cause.has_cause, n_concept, n_random, draws, seeds, replace=True)


def _draws(
    gram: Gram,
    has_cause: np.ndarray,
    n_concept: int,
    n_random: int,
    draws: int,
    seeds: Sequence[int],
    *,
    replace: bool,
) -> list[Outcome]:
    generator, tested = np.random.default_rng(seeds), []
    design = make_design(np.arange(n_concept + n_random) < n_concept)
    choose = partial(draw_sides, has_cause, n_concept, n_random, replace=replace)
    for grams in drawn_grams({"": gram}, choose, draws, generator, new_class_clips=replace):
        tested += outcomes(grams, design, range(len(gram.cross)), seed=seed_of(generator)).values()
    return tested


def draw_sides(
    has_cause: np.ndarray, n_concept: int, n_random: int, generator: np.random.Generator, *, replace: bool
) -> np.ndarray:
    """Rows of clips with the cause, then of clips without it."""
    sides = (np.flatnonzero(has_cause), n_concept), (np.flatnonzero(~has_cause), n_random)
    return np.concatenate([generator.choice(clips, size, replace=replace) for clips, size in sides])


def drawn_grams(
    grams: Mapping[str, Gram],
    choose: Callable[[np.random.Generator], np.ndarray],
    draws: int,
    generator: np.random.Generator,
    *,
    new_class_clips: bool,
) -> Iterator[dict[tuple[int, str], Gram]]:
    """Inner products of drawn clips by draw and layer, in batches that are tested together.

    Args:
        grams: of the pool, by layer.
        choose: draws rows of the pool.
        draws: how many.
        generator: of all draws.
        new_class_clips: whether class clips are drawn, too, with replacement.
    """
    n_class = len(next(iter(grams.values())).cross)
    for start in range(0, draws, BATCH_SETS):
        batch = {}
        for number in range(start, min(start + BATCH_SETS, draws)):
            rows = choose(generator)
            class_rows = generator.integers(n_class, size=n_class) if new_class_clips else np.arange(n_class)
            for layer, gram in grams.items():
                drawn = gram.of_rows(rows)
                batch[number, layer] = Gram(kernel=drawn.kernel, cross=drawn.cross[class_rows])
        yield batch


def equal_means(gram: Gram, is_concept: np.ndarray) -> Gram:
    """Inner products after concept clips were moved by the difference of the means: then no class gradient has an effect."""
    return moved(gram, is_concept, ~is_concept / (~is_concept).sum() - is_concept / is_concept.sum())


def moved(gram: Gram, is_concept: np.ndarray, direction: np.ndarray) -> Gram:
    """Inner products after concept clips were moved by `Aᵀu`, a combination u of clips."""
    assert isinstance(gram.kernel, np.ndarray)
    along = gram.kernel @ direction
    # (a + zAᵀu)·(b + z'Aᵀu) with z one for concept clips
    kernel = gram.kernel + np.outer(is_concept, along) + np.outer(along, is_concept)
    kernel += float(direction @ along) * np.outer(is_concept, is_concept)
    return Gram(kernel=kernel, cross=gram.cross + np.outer(gram.cross @ direction, is_concept))


def _meaningless_gates(kernel: Kernel, draws: int, seeds: Sequence[int]) -> list[Representation]:
    """Both sets from one pool, 20 against 60 clips."""
    assert isinstance(kernel, np.ndarray)
    generator, gates = np.random.default_rng(seeds), []
    design = make_design(np.arange(80) < 20)
    for start in range(0, draws, BATCH_SETS):
        rows = {
            number: generator.permutation(len(kernel))[:80] for number in range(start, min(start + BATCH_SETS, draws))
        }
        kernels = {number: kernel[np.ix_(chosen, chosen)] for number, chosen in rows.items()}
        gates += gates_of(kernels, design, seed_of(generator))
    return gates


def _cause_row(row: _RowKey, tested: Sequence[Outcome]) -> CauseRow:
    what, model, at, (n_concept, n_random) = row
    effects = np.array([outcome.effect for outcome in tested])
    p_values = {
        "plain": np.array([outcome.p_plain for outcome in tested]),
        "perm": np.array([outcome.p_perm for outcome in tested]),
        "t": np.array([outcome.p_t for outcome in tested]),
        "both": np.array([outcome.p_value for outcome in tested]),
    }
    significant = {name: p <= LEVEL for name, p in p_values.items()}
    # the cause raises its class, so that a negative effect is wrong; of shifted responses no sign is
    negative = effects < 0 if what == "power" else np.zeros(len(effects), dtype=bool)
    return CauseRow(
        what=what,
        model=model,
        at=at,
        concept_clips=n_concept,
        random_clips=n_random,
        draws=len(tested),
        wrong_sign=float((significant["both"] & negative).mean()),
        wrong_sign_plain=float((significant["plain"] & negative).mean()),
        **{name: float(rejected.mean()) for name, rejected in significant.items()},
    )
