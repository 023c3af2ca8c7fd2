"""One comparison at several layers: every version of its clips, and what sets motion and order apart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.concept_test import ConceptFit, Draws, TestSettings, fit_concept
from video_tcav.gram.corrections import Correction, adjust
from video_tcav.gram.gram import Gram
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.result import Measurement

DIFFERENCES = {"motion": "frozen", "order": "reversed"}
"""Effect(concept) − effect(twin), by the name that stands for `twin` in results."""


def measure(
    comparison: Comparison,
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    settings: TestSettings,
    advance: Advance = no_progress,
) -> dict[CavKey, tuple[Measurement, Draws]]:
    """All results of one comparison: each layer, each version, and the motion and order effects; p-values not yet corrected.

    Args:
        comparison: which rows stand for the concept, which for its negatives.
        grams: K and C of all recorded clips, by layer.
        class_groups: group of each class clip.
        settings: how to measure.
        advance: told how many draws were done.
    """
    # all versions at all layers at once: they share labels, and with them permutations and resamples
    own_grams = {
        comparison.key(layer, version): gram.of_rows(rows)
        for layer, gram in grams.items()
        for version, rows in comparison.rows.items()
    }
    fits = fit_concept(own_grams, comparison.design, class_groups, settings, advance)
    measured = {}
    for layer in grams:
        plain = fits[comparison.key(layer)]
        by_twin = {version: fits[comparison.key(layer, version)] for version in comparison.rows}
        # twins were permuted and resampled with their clips, so that draws can be subtracted one by one
        by_twin |= {name: plain.minus(by_twin[twin]) for name, twin in DIFFERENCES.items() if twin in by_twin}
        for twin, fit in by_twin.items():
            key = comparison.key(layer, twin)
            measured[key] = (_measurement(key, comparison, fit, settings), fit.kept_draws(settings.test))
    return measured


def _measurement(key: CavKey, comparison: Comparison, fit: ConceptFit, settings: TestSettings) -> Measurement:
    statistics = fit.statistics(comparison.design, settings.test)
    return Measurement(key=key, negatives=comparison.negatives, p_adjusted=statistics.p_value, **asdict(statistics))


def corrected(measured: Mapping[CavKey, tuple[Measurement, Draws]], correction: Correction) -> tuple[Measurement, ...]:
    """Adjust p-values within each family: all concepts and layers that answer one question.

    A question is a twin (or the motion or order effect), against random clips or against other concepts.
    """
    # corrected together are the tests that a reader compares: another twin or another opponent is another question
    families: dict[tuple[str, bool], list[CavKey]] = {}
    for key in measured:
        families.setdefault((key.twin, key.against_random), []).append(key)
    adjusted: dict[CavKey, float] = {}
    for keys in families.values():
        members = [measured[key] for key in keys]
        p_values = adjust(
            [measurement.p_value for measurement, _ in members],
            correction,
            observed=[measurement.effect for measurement, _ in members],
            nulls=[draws.null for _, draws in members],
        )
        adjusted |= zip(keys, p_values, strict=True)
    return tuple(replace(measurement, p_adjusted=float(adjusted[key])) for key, (measurement, _) in measured.items())
