"""Tables of scores in Markdown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from video_tcav.rendered.rules import RULES

Row = Mapping[str, Any]


def attribution_table(rows: Iterable[Row]) -> list[str]:
    """One line a method: averages over the models that it applies to, and AUC by cause."""
    causes = [f"AUC {rule}" for rule in RULES]
    head = ("method", "of", "models", "AUC", *causes, "lift", "pointing", "gain", "others", "seconds")
    lines = []
    for row in rows:
        scores = [score for score in row["scores"] if score["clips"]]
        lifts = [score["energy"] / score["area"] for score in scores]
        gains = [score["deletion_elsewhere"] - score["deletion"] for score in scores]
        others = [score["deletion_other_clips"] - score["deletion"] for score in scores]
        stars = [_star(scores, name) for name in ("gain_low", "gain_other_clips_low")]
        lines.append(
            (
                row["method"].removeprefix("torchcam."),
                row["library"],
                f"{len(scores)}",
                f"{np.mean([score['auc'] for score in scores]):.2f}",
                *(_mean([score["auc"] for score in scores if score["rule"] == rule], "{:.2f}") for rule in RULES),
                f"{np.mean(lifts):.1f}×",
                f"{np.mean([score['pointing'] for score in scores]):.0%}",
                f"{np.mean(gains):+.2f}{stars[0]}",
                f"{np.mean(others):+.2f}{stars[1]}",
                _mean([score["seconds_per_clip"] for score in scores], "{:.2f}"),
            )
        )
    return _markdown(head, lines)


def concept_table(rows: Iterable[Row]) -> list[str]:
    """One line a method: causes found, what its strongest components reach on each model, stability and time."""
    rows = list(rows)
    models = [score["model"] for score in rows[0]["scores"]]
    head = (
        "method",
        "found",
        *(model.removeprefix("rendered:") for model in models),
        "stability",
        "directions",
        "seconds",
    )
    lines = []
    for row in rows:
        scores = row["scores"]
        cells = [
            f"{score['presence_auc']:.2f}"
            if score["rule"] == "scene" and score.get("presence_auc") is not None
            else f"{score['enrichment']:.1f}×"
            for score in scores
        ]
        bold = [f"**{cell}**" if score.get("is_found") else cell for cell, score in zip(cells, scores, strict=True)]
        lines.append(
            (
                row["method"],
                f"{row['causes_found']} of {row['models']}" if "causes_found" in row else "–",
                *bold,
                *(
                    _mean([score.get(name) for score in scores], "{:.2f}")
                    for name in ("stability", "direction_stability")
                ),
                _mean([score.get("seconds") for score in scores], "{:.1f}"),
            )
        )
    return _markdown(head, lines)


def _star(scores: Sequence[Row], name: str) -> str:
    """A star where the gain is not shown on each model."""
    return "" if all(score[name] is not None and score[name] > 0 for score in scores) else "*"


def _mean(values: Sequence[float | None], shape: str) -> str:
    """A dash where nothing was measured."""
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    return shape.format(np.mean(numbers)) if numbers else "–"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---" if number < 2 else "---:" for number in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)]
