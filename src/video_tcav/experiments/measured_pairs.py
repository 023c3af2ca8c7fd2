"""Pairs in an experiment: clips with and without a concept, measured once a model and target, beside the concept's effects."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from video_tcav.core.files import read_json, write_json
from video_tcav.experiments.analyses import PAIRS, Analysis, AnalysisKey
from video_tcav.experiments.clips import ClipSets
from video_tcav.experiments.run_context import RunContext
from video_tcav.experiments.same_clips import check_same_digests
from video_tcav.media import VideoSource
from video_tcav.media.digest import content_digests, source_digest
from video_tcav.tcav import pairs


@dataclass(frozen=True, kw_only=True)
class PairedRow:
    """What pairs show of one concept, beside what a test without pairs says at one layer.

    Attributes:
        model: its name in the experiment.
        target: class.
        concept: the concept.
        layer: where paired estimate and effect are of.
        n_pairs: pairs that were measured.
        n_groups: independent groups of them.
        n_changed: pairs of which the concept changes the first class.
        truth: mean over pairs of the target with the concept less that without it.
        truth_low: lower end of its 95 % interval.
        truth_high: upper end.
        paired: the slope at each clip times its own shift, the mean of both clips.
        paired_low: lower end of its 95 % interval.
        paired_high: upper end.
        effect: of the test, from all concept and random clips; NaN where it has none.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        remark: that the effect is not what pairs show; empty where it is.
    """

    model: str
    target: str
    concept: str
    layer: str
    n_pairs: int
    n_groups: int
    n_changed: int
    truth: float
    truth_low: float
    truth_high: float
    paired: float
    paired_low: float
    paired_high: float
    effect: float
    effect_low: float
    effect_high: float
    remark: str


def measure_pairs(context: RunContext, clips: ClipSets, key: AnalysisKey, folder: Path) -> None:
    """Measure the pairs of every concept that has some, in every space, and write them into the folder of an analysis."""
    experiment = context.experiment
    if not clips.pairs:
        return
    measured = {
        concept: pairs(
            context.models[key.model],
            target=key.target,
            with_concept=with_concept,
            without=without,
            layers=experiment.layers,
            space=experiment.spaces,
            against=experiment.against,
            group=experiment.group,
            intervene_at=experiment.intervention_settings(key.model, key.target).intervene_at,
            seed=experiment.seed,
            recording=context.recording(key.space),
            progress=context.progress,
        ).to_dict()
        for concept, (with_concept, without) in clips.pairs.items()
    }
    write_json(folder / PAIRS, {"clips": content_digests(_sources(clips), source_digest), "pairs": measured})


def check_same_pairs(folder: Path, clips: ClipSets) -> None:
    """Refuse to resume a run with other clips of pairs.

    Raises:
        ExperimentError: if a file was added, removed or changed.
    """
    if (folder / PAIRS).exists():
        check_same_digests(folder, read_json(folder / PAIRS)["clips"], _sources(clips))


def _sources(clips: ClipSets) -> Sequence[VideoSource]:
    return [source for sides in clips.pairs.values() for side in sides for source in side]


def paired_rows(analyses: Sequence[Analysis]) -> tuple[PairedRow, ...]:
    """A row a model, target, concept and layer, of the analyses that hold pairs: those that judge hypotheses."""
    return tuple(row for analysis in analyses for row in _rows(analysis))


def _rows(analysis: Analysis) -> Iterator[PairedRow]:
    space = analysis.which.space
    for concept, measured in analysis.pairs.items():
        for layer in dict.fromkeys(stored.result.layer for stored in analysis.found):
            stored, estimate = analysis.get(concept, layer), measured.get(layer, space=space)
            if estimate is None:
                continue
            result = None if stored is None else stored.result
            effects = (math.nan,) * 3 if result is None else (result.effect, result.effect_low, result.effect_high)
            yield PairedRow(
                model=analysis.which.model,
                target=analysis.which.target,
                concept=concept,
                layer=layer,
                n_pairs=len(measured.pairs),
                n_groups=measured.n_groups,
                n_changed=measured.changed,
                truth=measured.truth,
                truth_low=measured.truth_low,
                truth_high=measured.truth_high,
                paired=estimate.effect,
                paired_low=estimate.effect_low,
                paired_high=estimate.effect_high,
                effect=effects[0],
                effect_low=effects[1],
                effect_high=effects[2],
                remark=measured.remark(effects[0]) or "",
            )


def pairs_frame(rows: Sequence[PairedRow]) -> pd.DataFrame:
    """One row a model, target, concept and layer."""
    return pd.DataFrame([asdict(row) for row in rows])


def pairs_records(analyses: Sequence[Analysis]) -> list[dict[str, Any]]:
    """All that was measured of each model, target and concept, with every estimate and pair."""
    return [
        {"model": analysis.which.model, "concept": concept, **measured.to_dict()}
        for analysis in analyses
        for concept, measured in analysis.pairs.items()
    ]
