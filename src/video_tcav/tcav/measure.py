"""One comparison at several layers: effects, intervals, p-values, TCAV scores and the CAV gate, in Gram space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs import CavKind, fit_cavs, unit_coefficients
from video_tcav.gram.effects import clip_effects, tcav_magnitude, tcav_score
from video_tcav.gram.gate import GATE_PERMUTATIONS, CavGate, cav_gates
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance import (
    Advance,
    Correction,
    Inner,
    Significance,
    adjust,
    bootstrap_effects,
    inner_of,
    percentile_interval,
    permutation_null,
    permutation_p,
    random_set_effects,
    random_set_ttest,
    z_score,
)
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.result import ConceptResult

DIFFERENCES = {"motion": "frozen", "order": "reversed"}
Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run measures, see `run_tcav`."""

    target: str
    against: str
    at: str
    space: Space
    cav: CavKind
    correction: Correction
    significance: Significance
    permutations: int
    random_sets: int
    bootstraps: int
    seed: int

    def steps(self) -> int:
        """Draws for one comparison, layer and twin."""
        permuting = self.significance == "permutation"
        sets = self.random_sets * (1 if permuting else 2)
        return sets + self.bootstraps + min(self.permutations, GATE_PERMUTATIONS) + permuting * self.permutations


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A result and the draws behind it.

    Attributes:
        result: the numbers.
        by_clip: effect at each class clip; their average is the effect.
        null: effects under relabelling, behind the p-value; none under the t-test.
        bootstrap: effects in resamples of the groups, behind the interval. Two runs on the same clips with the same seed
            saw the same relabellings and resamples, so that both can be subtracted draw by draw.
    """

    result: ConceptResult
    by_clip: Float[np.ndarray, " class_clip"]
    null: Float[np.ndarray, " draw"]
    bootstrap: Float[np.ndarray, " draw"]


@dataclass(frozen=True, kw_only=True)
class _Draws:
    """Everything that was drawn for one layer and version, or the difference of two."""

    by_clip: Float[np.ndarray, " class_clip"]
    null: Float[np.ndarray, " draw"]
    bootstrap: Float[np.ndarray, " draw"]
    sets: Float[np.ndarray, "set class_clip"]
    random_sets: Float[np.ndarray, "set class_clip"]

    def minus(self, other: "_Draws") -> "_Draws":
        """The difference, draw by draw: both saw the same relabellings, resamples and random sets."""
        return _Draws(
            by_clip=self.by_clip - other.by_clip,
            null=self.null - other.null,
            bootstrap=self.bootstrap - other.bootstrap,
            sets=self.sets - other.sets,
            random_sets=self.random_sets - other.random_sets,
        )


def measure(
    comparison: Comparison,
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    settings: Settings,
    advance: Advance = lambda _draws: None,
) -> list[Measured]:
    """All results of one comparison: each layer, each version, and the motion and order effects."""
    inner = {
        (layer, version): inner_of(gram, rows)
        for layer, gram in grams.items()
        for version, rows in comparison.rows.items()
    }
    draws = _draw(comparison, inner, class_groups, settings, advance)
    gates = cav_gates(
        settings.cav,
        {place: one.kernel for place, one in inner.items()},
        comparison.design,
        permutations=min(settings.permutations, GATE_PERMUTATIONS),
        seed=settings.seed,
        advance=advance,
    )
    derivatives = {place: directional_derivatives(settings.cav, one, comparison) for place, one in inner.items()}
    measured = []
    for layer in grams:
        own = (layer, "none")
        for version in comparison.rows:
            place = (layer, version)
            signs = derivatives[place]
            measured.append(_result(comparison, place, draws[place], signs, signs, gates[place], settings))
        for name, twin in DIFFERENCES.items():
            if twin in comparison.rows:
                both = draws[own].minus(draws[layer, twin])
                slope = derivatives[own] - derivatives[layer, twin]
                measured.append(_result(comparison, (layer, name), both, both.by_clip, slope, gates[own], settings))
    return measured


def directional_derivatives(kind: CavKind, inner: Inner, comparison: Comparison) -> Float[np.ndarray, " class_clip"]:
    """Gradient · unit CAV for each class clip; all zero where the layer does not tell the clips apart."""
    alphas = fit_cavs(kind, inner.kernel, comparison.design.labels[None])
    return (unit_coefficients(inner.kernel, alphas) @ inner.cross.T)[0]


def _draw(
    comparison: Comparison,
    inner: Mapping[Place, Inner],
    class_groups: Sequence[int],
    settings: Settings,
    advance: Advance,
) -> dict[Place, _Draws]:
    design, kind, seed = comparison.design, settings.cav, settings.seed
    permuting = settings.significance == "permutation"
    boots = bootstrap_effects(kind, inner, design, class_groups, draws=settings.bootstraps, seed=seed, advance=advance)
    empty = np.zeros(0)
    nulls = dict.fromkeys(inner, empty)
    if permuting:
        nulls = permutation_null(kind, inner, design, permutations=settings.permutations, seed=seed, advance=advance)
    found = {}
    for place, one in inner.items():
        sets, labels = settings.random_sets, design.labels
        found[place] = _Draws(
            by_clip=clip_effects(kind, one.kernel, one.cross, labels[None])[0],
            null=nulls[place],
            bootstrap=boots[place],
            sets=random_set_effects(kind, one, labels, sets=sets, seed=seed, advance=advance),
            random_sets=empty[:, None]
            if permuting
            else random_set_effects(kind, one, labels, sets=sets, seed=seed, against_random=True, advance=advance),
        )
    return found


def _result(
    comparison: Comparison,
    place: Place,
    draws: _Draws,
    signs: Float[np.ndarray, " class_clip"],
    derivatives: Float[np.ndarray, " class_clip"],
    gate: CavGate,
    settings: Settings,
) -> Measured:
    effect = float(draws.by_clip.mean())
    low, high = percentile_interval(draws.bootstrap)
    if settings.significance == "permutation":
        z, p_value = z_score(effect, draws.null), permutation_p(effect, draws.null)
    else:
        z, p_value = random_set_ttest(draws.sets, draws.random_sets)
    design = comparison.design
    result = ConceptResult(
        target=settings.target,
        concept=comparison.concept,
        versus=comparison.versus,
        twin=place[1],
        layer=place[0],
        space=settings.space,
        cav=settings.cav,
        against=settings.against,
        at=settings.at,
        negatives=comparison.negatives,
        tcav_score=float(tcav_score(signs)),
        tcav_score_std=float(tcav_score(draws.sets).std()),
        tcav_magnitude=float(tcav_magnitude(derivatives)),
        effect=effect,
        effect_low=low,
        effect_high=high,
        z=z,
        p_value=p_value,
        p_adjusted=p_value,
        p_smallest=design.smallest_p(),
        null_mean=float(draws.null.mean()) if draws.null.size else 0.0,
        correction=settings.correction,
        significance=settings.significance,
        cav_accuracy=gate.accuracy,
        cav_p_value=gate.p_value,
        represented=gate.represented,
        n_class_clips=len(derivatives),
        n_concept_clips=int(design.labels.sum()),
        n_random_clips=int((~design.labels).sum()),
        n_groups=design.n_groups,
        n_concept_groups=design.n_concept_groups,
    )
    return Measured(result=result, by_clip=draws.by_clip, null=draws.null, bootstrap=draws.bootstrap)


def corrected(measured: Sequence[Measured], correction: Correction) -> tuple[ConceptResult, ...]:
    """Adjust p-values within each family: all concepts and layers that answer one question.

    A question is a twin (or the motion or order effect), against random clips or against other concepts.
    """
    families: dict[tuple[str, bool], list[int]] = {}
    for index, one in enumerate(measured):
        families.setdefault((one.result.twin, one.result.versus == "random"), []).append(index)
    results = [one.result for one in measured]
    for members in families.values():
        adjusted = adjust(
            [results[index].p_value for index in members],
            correction,
            observed=[results[index].effect for index in members],
            nulls=[measured[index].null for index in members],
        )
        for index, p_adjusted in zip(members, adjusted, strict=True):
            results[index] = replace(results[index], p_adjusted=float(p_adjusted))
    return tuple(results)
