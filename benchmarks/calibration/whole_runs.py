"""Family-wise error of whole runs without any effect: layers × concepts × twins, corrected by Holm and by max-T."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from benchmarks.calibration.outcomes import scalar_gram
from joblib import Parallel, delayed

from video_tcav.core import random_streams
from video_tcav.core.progress import progress_bar
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.concept_test import ConceptFit, Draws, variance_sides
from video_tcav.gram.corrections import Correction
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.representation import Representation
from video_tcav.gram.resampling import bootstrap_effects
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.significance.significance_test import DrawSettings, EffectDraws
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.concept_result import Measurement
from video_tcav.tcav.measure import corrected

_CHUNK_RUNS = 20
# The smallest p must be well below 5 % / 36, the first step of Holm in a run of 36 tests.
_PERMUTATIONS, _BOOTSTRAPS = 2999, 512
_CONCEPT_CLIPS, _RANDOM_CLIPS, _CLASS_CLIPS = 20, 60, 20
# Correlations between the responses of one clip: at two layers, and with its frozen twin.
_BETWEEN_LAYERS, _WITH_TWIN = 0.7, 0.5
_CORRECTIONS: tuple[Correction, ...] = ("holm", "maxt")
_MOST = 0.06
VERSIONS = ("none", "frozen", "motion")
_UNUSED_GATE = Representation(auc=np.nan, p_value=np.nan)


@dataclass(frozen=True, kw_only=True)
class RunDesign:
    """Runs without any effect.

    Attributes:
        name: what they are.
        spreads: standard deviation of the responses of each concept; that of random clips is 1.
        layers: how many.
    """

    name: str
    spreads: tuple[float, ...]
    layers: int = 3


@dataclass(frozen=True, kw_only=True)
class WholeRunRow:
    """How often a run has a corrected p of at most 0.05.

    Attributes:
        name: which runs.
        correction: `holm` or `maxt`.
        size: tests of a run.
        runs: how many.
        error: share of them with a false alarm.
    """

    name: str
    correction: str
    size: int
    runs: int
    error: float

    @property
    def holds(self) -> bool:
        """Whether the promise of a corrected p is kept, within the error of 2,000 runs."""
        return self.error <= _MOST


DESIGNS = (
    RunDesign(name="equal spreads", spreads=(1.0, 1.0, 1.0, 1.0)),
    RunDesign(name="spreads of 0.5 to 3", spreads=(0.5, 1.0, 2.0, 3.0)),
)


def whole_run_table(
    *, runs: int, seed: int = 0, jobs: int = 2, progress: bool = False, designs: Sequence[RunDesign] = DESIGNS
) -> tuple[WholeRunRow, ...]:
    """Simulate whole runs and count those with a false alarm; see `designs.design_table`."""
    chunks = [(start, min(_CHUNK_RUNS, runs - start)) for start in range(0, runs, _CHUNK_RUNS)]
    tasks = [(number, start, size) for number in range(len(designs)) for start, size in chunks]
    alarms: dict[int, list[dict[Correction, bool]]] = {}
    with progress_bar("whole runs", len(tasks), visible=progress) as advance:
        results = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_alarms)(designs[number], size, [seed, random_streams.SIMULATED_DESIGNS, start, number])
            for number, start, size in tasks
        )
        for (number, *_), chunk in zip(tasks, results, strict=True):
            alarms.setdefault(number, []).extend(chunk or [])
            advance(1)
    return tuple(
        WholeRunRow(
            name=design.name,
            correction=correction,
            size=design.layers * len(design.spreads) * len(VERSIONS),
            runs=runs,
            error=float(np.mean([run[correction] for run in alarms[number]])),
        )
        for number, design in enumerate(designs)
        for correction in _CORRECTIONS
    )


def _alarms(design: RunDesign, runs: int, seeds: Sequence[int]) -> list[dict[Correction, bool]]:
    """Whether each run has a false alarm, by correction; runs share permutations and resamples, as data sets do."""
    # statsmodels collects garbage at each correction, which takes longer than the rest unless what is loaded is left out
    gc.freeze()
    generator = np.random.default_rng(seeds)
    seed = int(generator.integers(2**31))
    random_responses = _responses(generator, runs, _RANDOM_CLIPS, design.layers)
    gradients = 1 + 0.5 * generator.standard_normal((runs, design.layers, _CLASS_CLIPS))
    total = len(design.spreads) * _CONCEPT_CLIPS + _RANDOM_CLIPS
    measured: dict[int, dict[CavKey, tuple[Measurement, Draws]]] = {run: {} for run in range(runs)}
    for number, spread in enumerate(design.spreads):
        concept_responses = spread * _responses(generator, runs, _CONCEPT_CLIPS, design.layers)
        responses = np.concatenate([concept_responses, random_responses], axis=1)
        # clips are numbered as in a run, so that all comparisons share the random numbers of the random clips
        concept_clips = number * _CONCEPT_CLIPS + np.arange(_CONCEPT_CLIPS)
        clips = np.concatenate([concept_clips, np.arange(total - _RANDOM_CLIPS, total)])
        is_concept = np.arange(len(clips)) < _CONCEPT_CLIPS
        comparison = Design(labels=is_concept, units=clips, groups=clips, n_units=total, n_groups_total=total)
        grams = {
            (run, CavKey(concept=str(number), twin=twin, layer=str(layer))): scalar_gram(
                responses[run, :, version, layer], gradients[run, layer]
            )
            for run in range(runs)
            for layer in range(design.layers)
            for version, twin in enumerate(VERSIONS[:2])
        }
        for (run, key), measurement in _measurements(grams, comparison, seed).items():
            measured[run][key] = measurement
    return [_run_alarms(run) for run in measured.values()]


def _run_alarms(measured: Mapping[CavKey, tuple[Measurement, Draws]]) -> dict[Correction, bool]:
    test = significance_test("studentised")
    return {
        correction: any(row.p_adjusted <= LEVEL for row in corrected(measured, correction, test))
        for correction in _CORRECTIONS
    }


def _responses(generator: np.random.Generator, runs: int, clips: int, layers: int) -> np.ndarray:
    """Normal responses of clips and their frozen twins at each layer, of variance 1, by run, clip, version and layer."""
    shared = generator.standard_normal((runs, clips, 1, 1))
    twin = np.sqrt(_WITH_TWIN) * shared + np.sqrt(1 - _WITH_TWIN) * generator.standard_normal((runs, clips, 2, 1))
    own = generator.standard_normal((runs, clips, 2, layers))
    return np.sqrt(_BETWEEN_LAYERS) * twin + np.sqrt(1 - _BETWEEN_LAYERS) * own


def _measurements(
    grams: Mapping[tuple[int, CavKey], Gram], design: Design, seed: int
) -> dict[tuple[int, CavKey], tuple[Measurement, Draws]]:
    """What `tcav.measure` computes, without the test of representation, which no correction reads."""
    fitter, test = cav_fitter("mean"), significance_test("studentised")
    settings = DrawSettings(permutations=_PERMUTATIONS, bootstraps=_BOOTSTRAPS, seed=seed)
    twins = {
        (run, replace(key, twin="motion")): ((run, key), (run, replace(key, twin="frozen")))
        for run, key in grams
        if key.twin == "none"
    }
    resamples = bootstrap_effects(fitter, grams, design, range(_CLASS_CLIPS), draws=_BOOTSTRAPS, seed=seed)
    label_draws = test.draw(fitter, grams, design, settings, twins)
    sides = variance_sides(grams, design, twins)
    fits = {}
    for key in grams:
        draws = EffectDraws(
            resamples=resamples[key],
            random_sets=np.zeros((1, _CLASS_CLIPS)),
            sides=sides[key],
            class_groups=_CLASS_CLIPS,
            test=label_draws[key],
        )
        fits[key] = ConceptFit(draws=draws, slopes=draws.by_clip, signed=draws.by_clip, gate=_UNUSED_GATE)
    fits |= {key: fits[clips].minus(fits[twin], sides[key], label_draws[key]) for key, (clips, twin) in twins.items()}
    measured = {}
    for (run, key), fit in fits.items():
        statistics = fit.statistics(design, test)
        measured[run, key] = (
            Measurement(
                key=key, negatives="as given", p_adjusted=statistics.p_value, family_size=1, **asdict(statistics)
            ),
            fit.kept_draws(),
        )
    return measured
