"""Results in plain words: one sentence a concept, and what to beware of."""

import math
from collections.abc import Mapping, Sequence

from video_tcav.gram.significance import TTEST_WARNING
from video_tcav.gram.thresholds import LEVEL
from video_tcav.recording.sketched_rows import SketchError
from video_tcav.tcav.result import ConceptResult, TcavResult


def sentences(result: TcavResult) -> tuple[str, ...]:
    """One sentence for each comparison of the run, in the order of the results."""
    pairs = dict.fromkeys((one.concept, one.versus) for one in result.results)
    return tuple(_sentence([one for one in result.results if (one.concept, one.versus) == pair]) for pair in pairs)


def cautions(results: Sequence[ConceptResult], *, trained: bool, permutations: int) -> tuple[str, ...]:
    """What a reader must know before believing the results.

    Args:
        results: of one run.
        trained: whether the model's weights are known to be random (false).
        permutations: relabellings of the permutation test.
    """
    found = []
    if not trained:
        found.append("The model's weights are random: nothing here means anything. Give trained ones with --weights.")
    if results[0].significance == "ttest":
        found.append(TTEST_WARNING)
    first = {(one.concept, one.versus): one for one in results}
    found.extend(one for result in first.values() if (one := _out_of_reach(result, results, permutations)))
    found.extend(
        f"{_pair(result)}: clips do not move, so all were frozen to match, and there are no twins."
        for result in first.values()
        if result.negatives == "frozen"
    )
    found.extend(
        f"{_pair(result)}: clips do not move, and random clips do (--negatives moving): its CAV is also one of not moving."
        for result in first.values()
        if result.negatives == "moving"
    )
    found.extend(
        f"{one.concept}: groups hold concept and random clips in unequal shares, which alone gives {one.null_mean:+.2f} at "
        f"{one.layer}; p and z are measured from there. Balance the groups before reading the effect."
        for one in results
        if one.twin == "none" and abs(one.null_mean * one.z) > abs(one.effect - one.null_mean) > 0
    )
    return tuple(dict.fromkeys(found))


def sketch_cautions(errors: Mapping[str, SketchError]) -> tuple[str, ...]:
    """Layers whose sketch is much further from exact inner products than its bound."""
    return tuple(
        f"{layer}: inner products of sketched rows are off by {error.rms:.1%} in {error.rows} clips, where {error.bound:.1%} was "
        "to be expected. Use a larger --sketch before reading accuracies and magnitudes."
        for layer, error in errors.items()
        if error.rms > 2 * error.bound
    )


def _pair(one: ConceptResult) -> str:
    return one.concept if one.versus == "random" else f"{one.concept} rather than {one.versus}"


def _out_of_reach(result: ConceptResult, results: Sequence[ConceptResult], permutations: int) -> str | None:
    """Whether no p-value of this comparison could be significant, and what would mend that."""
    if result.significance != "permutation":
        return None
    kind = result.versus == "random"
    family = sum(one.twin == "none" and (one.versus == "random") == kind for one in results)
    factor = family if result.correction in {"holm", "bonferroni"} else 1
    after = "" if factor == 1 else f", which correction for {family} tests puts out of reach"
    if result.p_smallest * factor > LEVEL:
        return (
            f"{result.concept}: {result.n_groups} groups allow no p-value below {result.p_smallest:.2g}{after}. "
            "Add clips of other videos, or test fewer layers."
        )
    if factor > LEVEL * (permutations + 1):
        return (
            f"{permutations} permutations allow no p-value below {1 / (permutations + 1):.2g}{after}. "
            "Raise --permutations, or test fewer layers."
        )
    return None


def _sentence(results: Sequence[ConceptResult]) -> str:
    own = [one for one in results if one.twin == "none"]
    first = own[0]
    name = _pair(first)
    found = [one for one in own if one.p_adjusted <= LEVEL]
    seen = [one for one in own if one.represented]
    if not found and not seen:
        return f"{name}: not represented at {_layers(own)}, so nothing can be said about its role for {first.target}."
    if not found:
        largest = max(seen, key=lambda one: abs(one.effect))
        return (
            f"{name}: no effect on {first.target} found at {_layers(seen)} (largest {_effect(largest)}); "
            "that is not proof that it does not matter."
        )
    strongest = max(found, key=lambda one: abs(one.effect))
    verb = "speaks for" if strongest.effect > 0 else "speaks against"
    where = f"at {len(found)} of {len(own)} layers" if len(own) > 1 else f"at {strongest.layer}"
    mixed = "" if len({one.effect > 0 for one in found}) == 1 else " (the direction differs between layers)"
    most = f", most at {strongest.layer}" if len(found) > 1 else f", at {strongest.layer}" if len(own) > 1 else ""
    weak = "" if strongest.represented else " (a weak CAV: look at the clips)"
    why = _why(results, strongest.layer)
    return f"{name}: {verb} {first.target} {where}{mixed}{most}: {_effect(strongest)}{weak}{why}."


def _why(results: Sequence[ConceptResult], layer: str) -> str:
    at = {one.twin: one for one in results if one.layer == layer}
    changes = {"motion": "freezing the clips", "order": "playing the clips backwards"}
    parts = [_change(what, at["none"], at[name]) for name, what in changes.items() if name in at]
    return "".join(f"; {part}" for part in parts)


def _change(what: str, own: ConceptResult, difference: ConceptResult) -> str:
    """What a twin does to the effect: the twin's own effect is stated, which is right for any sign and size."""
    found = f"{difference.twin} effect {_effect(difference)}"
    if difference.p_adjusted > LEVEL:
        return f"{what} was not found to change it ({found})"
    return f"{what} brings it to {own.effect - difference.effect:+.{_decimals(own)}f} ({found})"


def _effect(one: ConceptResult) -> str:
    unit = units(one.against)
    test = "t-test, anti-conservative, " if one.significance == "ttest" else ""
    label = "p" if one.correction == "none" else "adjusted p"
    effect, interval = effect_text(one)
    return f"{effect} {unit} {interval}, {test}{label} {_p(one.p_adjusted)}"


def units(against: str) -> str:
    """What effects on a target of this kind are counted in."""
    return {"log_odds": "log-odds", "number": "units of the output"}.get(against, "logits")


def effect_text(one: ConceptResult) -> tuple[str, str]:
    """Effect and interval with as many decimals as it takes to tell them from zero, two at least."""
    effect, low, high = (f"{number:+.{_decimals(one)}f}" for number in (one.effect, one.effect_low, one.effect_high))
    return effect, f"[{low}, {high}]"


def _decimals(one: ConceptResult) -> int:
    largest = max(abs(number) for number in (one.effect, one.effect_low, one.effect_high))
    return 2 if largest == 0 else min(8, max(2, 1 - math.floor(math.log10(largest))))


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.001 else "< 0.001"


def _layers(results: Sequence[ConceptResult]) -> str:
    names = [one.layer for one in results]
    return names[0] if len(names) == 1 else f"any of {len(names)} layers" if len(names) > 3 else ", ".join(names)
