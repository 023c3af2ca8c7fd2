"""Plain-language summary of a test: one sentence for each concept."""

from collections.abc import Sequence
from math import isfinite

from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.concept_result import ConceptResult
from video_tcav.tcav.effect_check.result import EffectCheck
from video_tcav.tcav.wording import (
    comparison_name,
    effect_with_p,
    p_equals,
    step_disagrees,
    step_remark,
    verb,
    with_decimals_of,
)

_TWIN_ACTIONS = {"motion": "freezing the clips", "order": "playing the clips backwards"}


def sentences(results: Sequence[ConceptResult], effect_check: EffectCheck | None = None) -> tuple[str, ...]:
    """One sentence for each comparison of a `TcavResult`, or of some rows of it, in their order.

    Args:
        results: of a run.
        effect_check: of the run, which says where its effects are not to be believed; that of a `TcavResult` if not given.
    """
    # by name: a result imports this module for its summary
    effect_check = effect_check or getattr(results, "effect_check", None)
    # a slice of a result may hold the twins of a concept alone
    return tuple(_sentence(rows, effect_check) for rows in _by_comparison(results) if _plain(rows))


def strongest_results(results: Sequence[ConceptResult]) -> tuple[ConceptResult, ...]:
    """Of each comparison the layer with the largest significant effect; where none is, the largest of a represented concept."""
    return tuple(_strongest(_plain(rows)) for rows in _by_comparison(results) if _plain(rows))


def _by_comparison(results: Sequence[ConceptResult]) -> list[list[ConceptResult]]:
    comparisons: dict[tuple[str, str], list[ConceptResult]] = {}
    for row in results:
        comparisons.setdefault((row.concept, row.versus), []).append(row)
    return list(comparisons.values())


def _plain(results: Sequence[ConceptResult]) -> list[ConceptResult]:
    return [row for row in results if row.twin == "none"]


def _strongest(plain: Sequence[ConceptResult]) -> ConceptResult:
    significant = [row for row in plain if row.p_adjusted <= LEVEL]
    represented = [row for row in plain if row.represented]
    return max(significant or represented or plain, key=lambda row: abs(row.effect))


def _sentence(results: Sequence[ConceptResult], check: EffectCheck | None) -> str:
    plain = _plain(results)
    name, target = comparison_name(plain[0].concept, plain[0].versus), plain[0].target
    significant = [row for row in plain if row.p_adjusted <= LEVEL]
    represented = [row for row in plain if row.represented]
    if not significant and not represented:
        first = plain[0]
        return (
            f"{name}: its clips and {_others(first)} are not shown to differ along one direction at {_layers(plain)} "
            f"({first.cav} CAV, {first.space}){_region(plain)}, so this CAV cannot say what it does to {target}."
        )
    strongest = _strongest(plain)
    if not significant:
        return (
            f"{name}: no effect on {target} found at {_layers(represented)} (largest {effect_with_p(strongest)}"
            f"{_what_decided(strongest)}); that is not proof that it does not matter"
            f"{_step_clause(represented, strongest, check)}{_doubts(strongest, check)}."
        )
    where = f"at {len(significant)} of {len(plain)} layers" if len(plain) > 1 else f"at {strongest.layer}"
    mixed = "" if len({row.effect > 0 for row in significant}) == 1 else " (the direction differs between layers)"
    most = (
        f", most at {strongest.layer}" if len(significant) > 1 else f", at {strongest.layer}" if len(plain) > 1 else ""
    )
    weak = "" if strongest.represented else f" (a weak CAV: {_weakness(strongest)}; look at the clips)"
    step, twins = _step_clause(plain, strongest, check), "".join(_twin_clauses(results, strongest.layer))
    clauses = f"{weak}{step}{twins}{_doubts(strongest, check)}"
    return f"{name}: {verb(strongest.effect)} {target} {where}{mixed}{most}: {effect_with_p(strongest)}{clauses}."


def _doubts(row: ConceptResult, check: EffectCheck | None) -> str:
    """What edits of the clips themselves say against an effect."""
    remarks = () if check is None else check.remarks(row.layer, row.effect, space=row.space, at=row.at)
    return "".join(f"; {remark}" for remark in remarks)


def _step_clause(results: Sequence[ConceptResult], strongest: ConceptResult, check: EffectCheck | None) -> str:
    """That a whole step says something else than the slope, at the layer that is spoken of or at the deepest with a step."""
    differing = [row for row in results if step_disagrees(row)]
    if not differing:
        return _uncompared(results, strongest) if check is None else ""
    row = strongest if strongest in differing else differing[-1]
    where = (
        ""
        if row.layer == strongest.layer
        else f"at {row.layer}, where the slope is {with_decimals_of(row, row.effect)}, "
    )
    return f"; {where}{step_remark(row)}"


def _uncompared(results: Sequence[ConceptResult], strongest: ConceptResult) -> str:
    """That a slope is all there is at the layer that is spoken of, in a run that takes steps at another one."""
    has_steps = any(isfinite(row.step) for row in results)
    if not has_steps or isfinite(strongest.step) or strongest.p_adjusted > LEVEL:
        return ""
    return f"; no step was taken at {strongest.layer}, and no edit compared with this slope (--check-effects does)"


def _others(row: ConceptResult) -> str:
    return "random clips" if row.versus == "random" else f"those of {row.versus}"


def _region(results: Sequence[ConceptResult]) -> str:
    """That clips differ as a region, where they do and no direction tells them apart."""
    regions = [row for row in results if row.p_region <= LEVEL]  # NaN, where a direction does, is no such row
    if not regions:
        return ""
    best = max(regions, key=lambda row: row.region_auc)
    return f", but do as a region (AUC {best.region_auc:.2f}{f' at {best.layer}' if len(results) > 1 else ''})"


def _weakness(row: ConceptResult) -> str:
    return f"its clips and {_others(row)} are not shown to differ along one direction{_region([row])}"


def _what_decided(row: ConceptResult) -> str:
    """Which question of two kept an effect from being significant, where the other would not have."""
    perm_is_low, t_is_low = row.p_perm <= LEVEL, row.p_t <= LEVEL
    if not significance_test(row.significance).resamples_groups or perm_is_low == t_is_low:
        return ""
    if perm_is_low:
        return (
            f"; the clips do differ for the response, p_perm {p_equals(row.p_perm)}, but other clips of concept or class might "
            f"not show it, p_t {p_equals(row.p_t)}"
        )
    return f"; p_perm {p_equals(row.p_perm)} decides: permuted labels give as much, though p_t {p_equals(row.p_t)}"


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
