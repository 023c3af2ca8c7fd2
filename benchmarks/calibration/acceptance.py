"""Acceptance limits of a calibration, and whether its numbers keep them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from benchmarks.calibration.experiments import Agreement, Rejections
from scipy import stats

from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.settings import PLACES

DETECTION_SIZE = 40
# Claims about effects are judged with gradients at random clips (`--at random`); those at class clips are shown beside.
_JUDGED, _BESIDE = "random", "class"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One limit, and whether it is kept.

    Attributes:
        claim: the limit in words.
        found: what was measured.
        holds: whether it is within the limit; `None` where there is no limit or nothing was measured.
    """

    claim: str
    found: str
    holds: bool | None


def correlations(agreements: Sequence[Agreement]) -> dict[str, float]:
    """Correlations of TCAV with interventions, over all models, classes and factor values.

    Names are `effect` or `score` (the sign count), `pearson` (over all) or `rank` (Spearman, over those whose interventional
    effect is not nil), and where the gradient was taken: `effect_rank_random`.
    """
    table = pd.DataFrame([vars(agreement) for agreement in agreements])
    values = {}
    for at in PLACES:
        here = table[table["at"] == at]
        real = here[~here["nil"]]
        for name, column in (("effect", "tcav_effect"), ("score", "tcav_score")):
            values[f"{name}_pearson_{at}"] = float(stats.pearsonr(here[column], here["true_effect"]).statistic)
            values[f"{name}_rank_{at}"] = float(stats.spearmanr(real[column], real["true_effect"]).statistic)
    return values


def claims_of(rejections: Sequence[Rejections], agreements: Sequence[Agreement]) -> tuple[Claim, ...]:
    """Every claim: type I error, false alarms and power, then agreement with interventions."""
    table = pd.DataFrame([vars(row) for row in rejections])
    cors = correlations(agreements)
    return (
        *_error_claims(table[table["what"] == "type I"]),
        _power_claim(table[(table["what"] == "power") & (table["concept_clips"] == DETECTION_SIZE)]),
        _alarm_claim(table[table["what"] == "non-cause"]),
        *(
            Claim(
                claim=f"TCAV effect against interventional effect, {name}: at least {limit:.2f}",
                found=f"{cors[f'effect_{key}_{_JUDGED}']:.2f}, sign count {cors[f'score_{key}_{_JUDGED}']:.2f}; with gradients "
                f"at class clips {cors[f'effect_{key}_{_BESIDE}']:.2f}, sign count {cors[f'score_{key}_{_BESIDE}']:.2f}",
                holds=cors[f"effect_{key}_{_JUDGED}"] >= limit,
            )
            for name, key, limit in (("Pearson correlation", "pearson", 0.9), ("rank correlation", "rank", 0.85))
        ),
        _twin_claim(rejections, "motion effect", {"motion", "order"}),
        _twin_claim(rejections, "order effect", {"order"}),
    )


def _error_claims(errors: pd.DataFrame) -> tuple[Claim, ...]:
    ours = errors.loc[errors["test"] == "permutation", "rate"]
    paper = errors.loc[errors["test"] == "t-test", "rate"]
    return (
        Claim(
            claim="permutation test, type I error over all models, layers and CAV kinds: 4.5 to 5.5 %",
            found=f"{ours.mean():.2%}",
            holds=bool(0.045 <= ours.mean() <= 0.055),
        ),
        Claim(
            claim="the same in each of them: 3 to 7 %",
            found=f"{ours.min():.1%} to {ours.max():.1%} in {len(ours)}",
            holds=bool(ours.between(0.03, 0.07).all()),
        ),
        Claim(
            claim="the source paper's t-test on the same questions (nothing is promised)",
            found=f"{paper.mean():.1%}, from {paper.min():.0%} to {paper.max():.0%}",
            holds=None,
        ),
    )


def _power_claim(power: pd.DataFrame) -> Claim:
    lowest = power.groupby("at")["rate"].min()
    return Claim(
        claim=f"power at {DETECTION_SIZE} clips for the model's own cause, lowest of all classes: at least 95 %",
        found=f"{lowest[_JUDGED]:.0%}; with gradients at class clips {lowest[_BESIDE]:.0%}",
        holds=bool(lowest[_JUDGED] >= 0.95),
    )


def _alarm_claim(alarms: pd.DataFrame) -> Claim:
    if not len(alarms):
        return Claim(claim="rejections for factor values without an interventional effect", found="none", holds=None)
    rates = alarms.groupby("at")["rate"].mean()
    judged, beside = float(rates[_JUDGED]), float(rates[_BESIDE])
    return Claim(
        claim=f"rejections for {len(alarms) // 2} values of other factors without an interventional effect: at most 7 %",
        found=f"{judged:.1%}; with gradients at class clips {beside:.1%}",
        holds=judged <= 0.07,
    )


def _twin_claim(rejections: Sequence[Rejections], quantity: str, causes: set[str]) -> Claim:
    rows = [row for row in rejections if row.what == quantity and row.at == _JUDGED]
    right = [
        row.rate >= 0.95 and row.effect > 0 if row.model.rpartition("-")[2] in causes else row.low <= LEVEL
        for row in rows
    ]
    sizes = [f"{row.model.partition(':')[2]} {row.effect:+.2f} ({row.rate:.0%})" for row in rows]
    return Claim(
        claim=f"{quantity} in log-odds (and rejections): only where the rule is {' or '.join(sorted(causes))}",
        found=", ".join(sizes),
        holds=all(right) if rows else None,
    )
