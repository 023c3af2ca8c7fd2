"""Plain-language summary of a test: one sentence for each concept, and cautions."""

from collections.abc import Mapping, Sequence

from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.thresholds import LEVEL
from video_tcav.recording.sketched_rows import SketchError
from video_tcav.tcav.result import ConceptResult, TcavResult
from video_tcav.tcav.wording import comparison_name, effect_with_p, verb, with_decimals_of

_TWIN_ACTIONS = {"motion": "freezing the clips", "order": "playing the clips backwards"}
_STILL_CLIPS = {
    "frozen": "clips do not move, so all were frozen to match, and there are no twins.",
    "moving": "clips do not move, and random clips do (--negatives moving): its CAV is also one of not moving.",
}
"""Cautions on comparisons with still clips, by what was done about the negatives."""


def sentences(result: TcavResult) -> tuple[str, ...]:
    """One sentence for each comparison of the run, in the order of the results."""
    comparisons: dict[tuple[str, str], list[ConceptResult]] = {}
    for row in result.results:
        comparisons.setdefault((row.concept, row.versus), []).append(row)
    return tuple(_sentence(rows) for rows in comparisons.values())


def cautions(results: Sequence[ConceptResult], *, trained: bool, permutations: int) -> tuple[str, ...]:
    """What a reader must know before believing the results.

    Args:
        results: of one run.
        trained: whether the model's weights are known to be random (false).
        permutations: label permutations of the permutation test.
    """
    texts = []
    if not trained:
        texts.append("The model's weights are random: nothing here means anything. Give trained ones with --weights.")
    if warning := significance_test(results[0].significance).warning:
        texts.append(warning)
    comparisons = {(row.concept, row.versus): row for row in results}
    texts += [text for row in comparisons.values() if (text := _unreachable_level(row, results, permutations))]
    texts += [
        f"{_name(row)}: {words}"
        for negatives, words in _STILL_CLIPS.items()
        for row in comparisons.values()
        if row.negatives == negatives
    ]
    # `null_mean * z` compares the shift of the null with its standard deviation: z = (effect - null_mean) / deviation, so the
    # condition says that the null lies further from zero than one deviation.
    texts += [
        f"{row.concept}: groups hold concept and random clips in unequal shares, which alone gives {row.null_mean:+.2f} at "
        f"{row.layer}; p and z are measured from there. Balance the groups before reading the effect."
        for row in results
        if row.twin == "none" and abs(row.null_mean * row.z) > abs(row.effect - row.null_mean) > 0
    ]
    return tuple(dict.fromkeys(texts))


def sketch_cautions(errors: Mapping[str, SketchError]) -> tuple[str, ...]:
    """Layers whose sketch is much further from exact inner products than its bound."""
    return tuple(
        f"{layer}: inner products of sketched rows are off by {error.rms:.1%} in {error.rows} clips, where {error.bound:.1%} was "
        "to be expected. Use a larger --sketch before reading accuracies and magnitudes."
        for layer, error in errors.items()
        if error.rms > 2 * error.bound
    )


def _name(row: ConceptResult) -> str:
    return comparison_name(row.concept, row.versus)


def _unreachable_level(row: ConceptResult, results: Sequence[ConceptResult], permutations: int) -> str | None:
    """Says that no p-value of this comparison could be significant, and what would fix that."""
    if not significance_test(row.significance).permutes_labels:
        return None
    # Comparisons with random clips and those of two concepts are corrected as separate families.
    family = sum(
        other_row.twin == "none" and (other_row.versus == "random") == (row.versus == "random") for other_row in results
    )
    factor = family if row.correction in {"holm", "bonferroni"} else 1
    correction = "" if factor == 1 else f", which correction for {family} tests puts out of reach"
    if row.p_smallest * factor > LEVEL:
        return (
            f"{row.concept}: {row.n_groups} groups allow no p-value below {row.p_smallest:.2g}{correction}. "
            "Add clips of other videos, or test fewer layers."
        )
    if factor > LEVEL * (permutations + 1):
        return (
            f"{permutations} permutations allow no p-value below {1 / (permutations + 1):.2g}{correction}. "
            "Raise --permutations, or test fewer layers."
        )
    return None


def _sentence(results: Sequence[ConceptResult]) -> str:
    plain = [row for row in results if row.twin == "none"]
    name, target = _name(plain[0]), plain[0].target
    significant = [row for row in plain if row.p_adjusted <= LEVEL]
    represented = [row for row in plain if row.represented]
    if not significant and not represented:
        return f"{name}: not represented at {_layers(plain)}, so nothing can be said about its role for {target}."
    strongest = max(significant or represented, key=lambda row: abs(row.effect))
    if not significant:
        return (
            f"{name}: no effect on {target} found at {_layers(represented)} (largest {effect_with_p(strongest)}); "
            "that is not proof that it does not matter."
        )
    where = f"at {len(significant)} of {len(plain)} layers" if len(plain) > 1 else f"at {strongest.layer}"
    mixed = "" if len({row.effect > 0 for row in significant}) == 1 else " (the direction differs between layers)"
    most = (
        f", most at {strongest.layer}" if len(significant) > 1 else f", at {strongest.layer}" if len(plain) > 1 else ""
    )
    weak = "" if strongest.represented else " (a weak CAV: look at the clips)"
    twins = "".join(_twin_clauses(results, strongest.layer))
    return f"{name}: {verb(strongest.effect)} {target} {where}{mixed}{most}: {effect_with_p(strongest)}{weak}{twins}."


def _twin_clauses(results: Sequence[ConceptResult], layer: str) -> list[str]:
    """What each twin does to the effect at a layer: the twin's own effect is stated, which is right for any sign and size."""
    by_twin = {row.twin: row for row in results if row.layer == layer}
    clauses = []
    for twin, action in _TWIN_ACTIONS.items():
        if twin not in by_twin:
            continue
        difference = by_twin[twin]
        size = f"({twin} effect {effect_with_p(difference)})"
        if difference.p_adjusted > LEVEL:
            clauses.append(f"; {action} was not found to change it {size}")
        else:
            plain = by_twin["none"]
            remaining = with_decimals_of(plain, plain.effect - difference.effect)
            clauses.append(f"; {action} brings it to {remaining} {size}")
    return clauses


def _layers(results: Sequence[ConceptResult]) -> str:
    names = [row.layer for row in results]
    return names[0] if len(names) == 1 else f"any of {len(names)} layers" if len(names) > 3 else ", ".join(names)
