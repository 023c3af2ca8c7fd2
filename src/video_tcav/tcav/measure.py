"""One comparison at several layers: every version of its clips, and what sets motion and order apart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.concept_test import ConceptFit, Draws, TestSettings, fit_concept
from video_tcav.gram.corrections import Correction, adjust, max_t
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance.significance_test import SignificanceTest
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import Measurement

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
    twins = {
        comparison.key(layer, name): (comparison.key(layer), comparison.key(layer, twin))
        for layer in grams
        for name, twin in DIFFERENCES.items()
        if twin in comparison.rows
    }
    fits = fit_concept(own_grams, comparison.design, class_groups, settings, twins, advance)
    # by layer, and there each version before the differences
    order = sorted(fits, key=lambda key: list(grams).index(key.layer))
    return {key: (_measurement(key, comparison, fits[key], settings), fits[key].kept_draws()) for key in order}


def _measurement(key: CavKey, comparison: Comparison, fit: ConceptFit, settings: TestSettings) -> Measurement:
    statistics = fit.statistics(comparison.design, settings.test)
    return Measurement(
        key=key, negatives=comparison.negatives, p_adjusted=statistics.p_value, family_size=1, **asdict(statistics)
    )


def corrected(
    measured: Mapping[CavKey, tuple[Measurement, Draws]], correction: Correction, test: SignificanceTest
) -> tuple[Measurement, ...]:
    """Adjust the p-values of a run for all its tests: every concept, opponent, layer, twin, motion and order effect.

    A reader sees them in one table and looks for what is significant, so the table as a whole keeps the level.
    """
    adjusted = _adjusted(list(measured.values()), correction, test)
    return tuple(
        replace(measurement, p_adjusted=p_value, family_size=len(measured))
        for (measurement, _), p_value in zip(measured.values(), adjusted, strict=True)
    )


def _adjusted(
    measured: Sequence[tuple[Measurement, Draws]], correction: Correction, test: SignificanceTest
) -> list[float]:
    if correction != "maxt":
        return adjust([measurement.p_value for measurement, _ in measured], correction)
    drawn = [draws for _, draws in measured]
    p_values = max_t([draws.statistic for draws in drawn], [draws.null_statistics for draws in drawn])
    if not test.resamples_groups:
        return p_values
    # the second question has no permutations; each family-wise answer must be significant
    second = adjust([measurement.p_t for measurement, _ in measured], "holm")
    return [max(pair) for pair in zip(p_values, second, strict=True)]
