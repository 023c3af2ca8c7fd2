"""Runs of tests as `video-tcav test --out` writes them, without a model."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.core.files import write_json
from video_tcav.tcav import ConceptResult, TcavResult

LAYERS = ("layer3", "layer4")


def result_of(concept: str, layer: str, effect: float, **changed: Any) -> ConceptResult:
    """One result; `changed` are other fields of it."""
    found: dict[str, Any] = {
        "target": "playing tennis",
        "concept": concept,
        "versus": "random",
        "twin": "none",
        "layer": layer,
        "space": "flatten",
        "cav": "mean",
        "against": "log_odds",
        "at": "class",
        "negatives": "as given",
        "tcav_score": 0.9,
        "tcav_score_std": 0.05,
        "tcav_magnitude": 0.1,
        "effect": effect,
        "effect_low": effect - 0.4,
        "effect_high": effect + 0.5,
        "standard_error": 0.2,
        "z": 4.0,
        "p_value": 0.0004,
        "p_perm": 0.0004,
        "p_t": 0.0003,
        "p_adjusted": 0.0008,
        "family_size": 2,
        "p_smallest": 0.0001,
        "null_mean": 0.0,
        "correction": "holm",
        "significance": "studentised",
        "cav_auc": 0.93,
        "p_represented": 0.001,
        "represented": True,
        "region_auc": math.nan,
        "p_region": math.nan,
        "n_class_clips": 20,
        "n_concept_clips": 4,
        "n_random_clips": 40,
        "n_groups": 43,
        "n_concept_groups": 3,
        "fewest_groups": 3,
        "freedom": 2.0,
    }
    return ConceptResult(**(found | changed))


def write_run(
    folder: Path,
    clips: Mapping[str, Sequence[str | None]],
    *,
    results: Sequence[ConceptResult] | None = None,
    warnings: Sequence[str] = (),
    model: str = "torchvision:swin3d_t",
    created: str = "2026-01-02T03:04:05+00:00",
    report: str | None = None,
) -> Path:
    """A run's folder. `clips` are the digests of each concept; the second layer has the larger effect."""
    if results is None:
        results = [
            one
            for number, concept in enumerate(clips)
            for one in (
                result_of(concept, "layer3", 0.5 - number),
                result_of(concept, "layer4", 1.73 - 2 * number),
                result_of(concept, "layer4", 9.0, represented=False, versus="other"),
                result_of(concept, "layer4", 1.25 - number, twin="motion", p_adjusted=0.02),
            )
        ]
    provenance = {
        "created": created,
        "model": {"name": model, "weights": "ab" * 32, "trained": True},
        "clips": {"gradient": {}, "random": {}}
        | {name: {f"{name}-{n}.mp4": one for n, one in enumerate(digests)} for name, digests in clips.items()},
    }
    # a run has one target; files that others put together may hold several
    of_first = [row for row in results if row.target == results[0].target]
    made = TcavResult.of_rows(of_first, warnings=warnings, provenance=provenance).to_dict()
    made["results"] = [
        row for each in results for row in TcavResult.of_rows([each], provenance=provenance).to_dict()["results"]
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", made)
    if report is not None:
        (folder / "report.html").write_text(report)
    return folder
