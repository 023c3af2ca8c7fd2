"""Small results, made without any model."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from benchmarks.calibration.calibration import Calibration
from benchmarks.calibration.experiments import Agreement, Rejections

from video_tcav.demo.demo import DemoModel, DemoResult, Meaningless, Verdict
from video_tcav.explanation import Explanation
from video_tcav.media import find_videos, write_video
from video_tcav.prediction import Label, Prediction
from video_tcav.rendered import sample_factors
from video_tcav.tcav import ConceptResult, TcavResult

LAYERS = ("stages.0", "stages.1")
ALL_MODELS = tuple(
    f"rendered:{architecture}-{rule}"
    for architecture in ("r2plus1d", "transformer")
    for rule in ("motion", "scene", "object", "order")
)
_MOVING = ("none", "frozen", "reversed", "motion", "order")


def concept_result(concept: str, twin: str, layer: str, effect: float, *, moves: bool = True) -> ConceptResult:
    return ConceptResult(
        target="playing tennis",
        concept=concept,
        versus="random",
        twin=twin,
        layer=layer,
        space="flatten",
        cav="mean",
        against="log_odds",
        at="class",
        negatives="as given" if moves else "frozen",
        tcav_score=1.0 if effect > 1 else 0.5,
        tcav_score_std=0.1,
        tcav_magnitude=0.2,
        effect=effect,
        effect_low=effect - 0.6,
        effect_high=effect + 0.6,
        standard_error=0.3,
        z=effect,
        p_value=0.0001 if abs(effect) > 1 else 0.4,
        p_perm=0.0001 if abs(effect) > 1 else 0.4,
        p_t=0.00005 if abs(effect) > 1 else 0.3,
        p_adjusted=0.0016 if abs(effect) > 1 else 1.0,
        family_size=8,
        p_smallest=1e-9,
        null_mean=0.0,
        correction="holm",
        significance="studentised",
        cav_auc=0.9,
        p_represented=0.01 if abs(effect) > 1 else 0.4,
        region_auc=math.nan if abs(effect) > 1 else 0.55,
        p_region=math.nan if abs(effect) > 1 else 0.3,
        represented=abs(effect) > 1,
        n_class_clips=4,
        n_concept_clips=6,
        n_random_clips=12,
        n_groups=18,
        n_concept_groups=6,
        fewest_groups=4,
        freedom=3.0,
    )


def tcav_result(effects: dict[str, float], *, stills: Sequence[str] = ()) -> TcavResult:
    """One concept a name; all of its effect is motion, unless it is still."""
    results = []
    for concept, effect in effects.items():
        for twin in ("none",) if concept in stills else _MOVING:
            for depth, layer in enumerate(LAYERS, start=1):
                own = effect * depth / len(LAYERS) if twin in ("none", "reversed", "motion") else 0.0
                results.append(concept_result(concept, twin, layer, own, moves=concept not in stills))
    return TcavResult.of_rows(
        results,
        warnings=("court: its clips do not move.",),
        provenance={
            "video_tcav": "0.1.0",
            "python": "3.11.7",
            "packages": {"torch": "2.6.0"},
            "model": {"name": "sample", "weights": "0123456789abcdef"},
            "settings": {"layers": list(LAYERS), "seed": 0},
        },
        seconds={"passes": 1.0},
    )


def demo_explanation(folder: Path, hottest: int) -> Explanation:
    """A map of a clip of eight frames that is hot in the upper left of one frame, and a little so in all."""
    path = folder / "clips" / "class" / "000.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True)
        write_video(path, torch.full((8, 3, 32, 32), 90, dtype=torch.uint8), fps=8)
    values = torch.full((8, 32, 32), 0.1)
    values[hottest, :16, :16] = 4.0
    return Explanation(
        source=find_videos(path)[0],
        window=0,
        method="hirescam",
        concept="",
        layer="stages.1",
        target="playing tennis",
        against="log_odds",
        value=5.0,
        probability=0.99,
        part="whole",
        motion_share=math.nan,
        deletion=math.nan,
        deletion_elsewhere=math.nan,
        deletion_other_clips=math.nan,
        peak_s=hottest / 8,
        values=values,
        seen=(0.0, 0.0, 32.0, 32.0),
        frame_indices=tuple(range(8)),
    )


def demo_model(
    letter: str, spec: str, effects: dict[str, float], explanation: Explanation, *, off_court: float, no_swing: float
) -> DemoModel:
    concept, effect = max(effects.items(), key=lambda item: item[1])
    labels = (Label(label="playing tennis", probability=0.99),)
    return DemoModel(
        letter=letter,
        spec=spec,
        predictions=tuple(Prediction(path=f"{number}.mp4", labels=labels) for number in range(4)),
        called=4,
        off_court=off_court,
        no_swing=no_swing,
        result=tcav_result(effects, stills=("court", "racket")),
        verdict=Verdict(
            concept=concept,
            effect=effect,
            p_value=0.0016,
            moves=concept == "swing",
            motion_effect=effect,
            sentence=f"Model {letter} relies on the {concept} ({effect:+.1f} log-odds, p = 0.0016).",
        ),
        explanation=explanation,
    )


def sample_demo(folder: Path, *, other: str = "wave") -> DemoResult:
    """A demo with two models and four concepts, one of them with a name of choice."""
    return DemoResult(
        seed=7,
        folder=folder,
        models=(
            demo_model(
                "A",
                "rendered:r2plus1d-motion",
                {"swing": 7.5, other: -2.9, "court": 0.1, "racket": 0.0},
                demo_explanation(folder, 5),
                off_court=1.0,
                no_swing=0.0,
            ),
            demo_model(
                "B",
                "rendered:r2plus1d-scene",
                {"swing": 0.1, other: 0.0, "court": 10.5, "racket": -0.1},
                demo_explanation(folder, 1),
                off_court=0.0,
                no_swing=0.95,
            ),
        ),
        meaningless=Meaningless(draws=200, ttest=0.69, permutation=0.055, studentised=0.035),
        shown={
            "class": tuple(sample_factors(2, seed=1, motion="swing", object="racket", scene="court")),
            "swing": tuple(sample_factors(1, seed=2, motion="swing")),
            other: tuple(sample_factors(1, seed=3, motion="wave")),
            "court": tuple(sample_factors(1, seed=4, scene="court")),
            "random": tuple(sample_factors(1, seed=5)),
        },
    )


def sample_calibration(models: Sequence[str] = ALL_MODELS[:2]) -> Calibration:
    """Numbers as they should be: the permutation test near 5 %, power that rises, effects that agree."""
    generator = np.random.default_rng(3)
    rejections = [row for model in models for row in _rejections(model, generator)]
    agreements = [row for model in models for row in _agreements(model, generator)]
    return Calibration(rejections=tuple(rejections), agreements=tuple(agreements), provenance={})


def _rejections(model: str, generator: np.random.Generator) -> list[Rejections]:
    def row(what: str, rate: float, **fields: object) -> Rejections:
        usual = {
            "at": "random",
            "test": "permutation",
            "layer": LAYERS[-1],
            "cav": "mean",
            "target": "playing tennis",
            "concept": "",
        }
        found = {"concept_clips": 20, "draws": 100, **usual, **fields}
        return Rejections(model=model, what=what, rate=rate, low=max(0, rate - 0.02), high=min(1, rate + 0.02), **found)

    rows = [
        row("type I", float(middle + generator.normal(0, spread)), test=test, layer=layer, cav=cav)
        for cav in ("mean", "ridge", "logistic", "svm")
        for layer in ("stages.0", "stages.1", "stages.2", "stages.3")
        for test, middle, spread in (("permutation", 0.05, 0.006), ("t-test", 0.67, 0.03))
    ]
    rows += [
        row("power", float(1 - np.exp(-size / scale)) * share, concept_clips=size, target=target, at=at)
        for at, share in (("random", 1.0), ("class", 0.5))
        for size in (5, 10, 20, 40, 100)
        for target, scale in (("playing tennis", 4 + 3 * generator.random()), ("dancing", 9))
    ]
    rows += [row("non-cause", rate, concept_clips=40, at=at) for at, rate in (("random", 0.05), ("class", 0.3))]
    for what, causes in (("motion effect", ("motion", "order")), ("order effect", ("order",))):
        there = model.rpartition("-")[2] in causes
        rows.append(row(what, 1.0 if there else 0.05, effect=7.0 if there else 0.01, concept="motion swing"))
    return rows


def _agreements(model: str, generator: np.random.Generator) -> list[Agreement]:
    cause = {"order": "motion"}.get(model.rpartition("-")[2], model.rpartition("-")[2])
    found = []
    for factor, count in (("motion", 8), ("object", 4), ("scene", 5)):
        for number in range(count):
            true = float((12 if number == 0 else -3) + generator.normal(0, 1)) if factor == cause else 0.0
            found += [
                Agreement(
                    model=model,
                    target="playing tennis",
                    factor=factor,
                    value=str(number),
                    at=at,
                    tcav_effect=(0.8 if at == "random" else -0.1) * true + float(generator.normal(0, 0.4)),
                    tcav_score=float(true > 0),
                    true_effect=true,
                    true_error=0.1,
                    nil=factor != cause,
                )
                for at in ("random", "class")
            ]
    return found
