"""An effect check written by hand: slopes are wrong at the deepest layer, and steps right at the first."""

from video_tcav.tcav import EditTruth, EffectCheck, EstimateAgreement
from video_tcav.tcav.effect_check.estimates import Estimator

TRUTHS = {"bright": -0.2, "blur": -4.1, "frozen": -7.5, "mirror": 1.4}


def agreement(layer: str, estimator: Estimator, *, right: int, signs_low: float, rank: float, rank_low: float):
    return EstimateAgreement(
        layer=layer,
        space="flatten",
        at="class",
        estimator=estimator,
        predictions=(-0.1, 2.0, -3.0, 1.0),
        right=right,
        counted=10,
        signs_low=signs_low,
        signs_high=0.98,
        rank=rank,
        rank_low=rank_low,
        rank_high=0.95,
    )


def effect_check(target: str = "playing tennis", first: str = "stages.0", deepest: str = "stages.1") -> EffectCheck:
    return EffectCheck(
        target=target,
        against="log_odds",
        threshold=0.5,
        edits=tuple(
            EditTruth(edit=edit, truth=truth, truth_low=truth - 1, truth_high=truth + 1, n_clips=20)
            for edit, truth in TRUTHS.items()
        ),
        agreements=(
            agreement(first, "slope", right=7, signs_low=0.39, rank=0.4, rank_low=-0.2),
            agreement(first, "step", right=9, signs_low=0.62, rank=0.8, rank_low=0.4),
            agreement(deepest, "slope", right=5, signs_low=0.24, rank=0.12, rank_low=-0.5),
        ),
        n_clips=20,
        n_groups=16,
        n_random_clips=20,
        n_rerun=8,
        target_low=-9.0,
        target_high=6.0,
        notes=("steps and clamps could not be checked at stages.1: it runs twice",),
    )
