"""Cautions of an effect check on the results of a run: where effects do not predict edits, and which are out of range."""

from collections.abc import Sequence

from video_tcav.tcav.concept_result import ConceptResult
from video_tcav.tcav.effect_check.estimates import ESTIMATORS, Estimator
from video_tcav.tcav.effect_check.result import ESTIMATOR_NOUNS, EffectCheck, EstimateAgreement
from video_tcav.tcav.wording import comparison_name


def effect_check_cautions(check: EffectCheck, rows: Sequence[ConceptResult]) -> tuple[str, ...]:
    """One line an estimator that does not predict edits at some layers of the run, and one an effect that is out of range.

    Args:
        check: of the run's model, target and clips.
        rows: of the run.
    """
    lines = [*check.notes]
    for estimator in ESTIMATORS:
        lines += _untrusted_layers(check, estimator, rows)
    for row in rows:
        if row.twin == "none" and (text := check.range_warning(row.effect)):
            lines.append(f"{comparison_name(row.concept, row.versus)}: at {row.layer} an effect of {text}.")
    return tuple(dict.fromkeys(lines))


def _untrusted_layers(check: EffectCheck, estimator: Estimator, rows: Sequence[ConceptResult]) -> list[str]:
    layers = dict.fromkeys(row.layer for row in rows)
    measured = [check.get(layer, space=rows[0].space, at=rows[0].at, estimator=estimator) for layer in layers]
    untrusted = [each for each in measured if each is not None and not each.is_above_chance]
    if not untrusted:
        return []
    clauses = []
    for words, members in (
        ("no better than chance", [each for each in untrusted if each.looks_like_chance]),
        ("not shown to do so beyond chance", [each for each in untrusted if not each.looks_like_chance]),
    ):
        if members:
            clauses.append(f"{words} at {', '.join(map(_with_figures, members))}")
    best = check.best()
    better = "No estimate does." if best is None else f"{best.name.capitalize()} does at {_with_figures(best)}."
    noun = ESTIMATOR_NOUNS[estimator]
    return [
        f"{noun.capitalize()} on {check.target} predict what plain edits of its clips do: {'; '.join(clauses)}. {better}"
    ]


def _with_figures(agreement: EstimateAgreement) -> str:
    return f"{agreement.layer} ({agreement.signs_text} right, rank {agreement.rank:+.2f})"
