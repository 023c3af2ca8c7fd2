"""Benchmark of attribution methods: do maps of any origin lie on the true cause, and say what the model needs?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Method
from video_tcav.attribution.metrics.faithfulness import faithfulness, maps_of_other_clips
from video_tcav.attribution.metrics.localisation import auc_inside, energy_inside, pointing
from video_tcav.benchmark.clips import CauseClips
from video_tcav.benchmark.contract import AttributionFunction, NotApplicable, map_of_clip, network_for_method
from video_tcav.benchmark.methods import attribution_method
from video_tcav.benchmark.models import architecture_of, benchmark_models, benchmark_name
from video_tcav.benchmark.scores import BenchmarkScores, check_applies
from video_tcav.benchmark.truth import BASELINES
from video_tcav.benchmark.versions import ATTRIBUTION, AttributionVersion, check_version
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.explanation.verdicts import paired_comparison
from video_tcav.models import VideoModel
from video_tcav.rendered import Rule
from video_tcav.rendered.training import normalised

_NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class AttributionScore:
    """All measures of one method on one model; NaN where the method does not apply.

    Attributes:
        model: name of the model.
        rule: how it was trained.
        clips: that were explained, each for its own class.
        empty: clips of them whose map has no positive value; their energy is that of an even map.
        area: share of all voxels inside the true cause: energy and pointing of an uninformative map.
        energy: share of the positive values that lies inside the true cause.
        pointing: how often the largest value lies inside the true cause.
        auc: how often a voxel inside the cause has a larger value than one outside; 0.5 for an uninformative map.
        deletion: area under the probability as the most important voxels go, in the first of the clips; low is good.
        deletion_elsewhere: the same for maps as smooth in another place.
        deletion_other_clips: the same for the method's maps of other clips.
        gain_low: lower end of the 95 % interval, over clips, of `deletion_elsewhere` minus `deletion`.
        gain_other_clips_low: the same of `deletion_other_clips` minus `deletion`.
        seconds_per_clip: wall time of a map, on this machine.
        note: why the method does not apply; empty otherwise.
    """

    model: str
    rule: str
    clips: int = 0
    empty: int = 0
    area: float = _NAN
    energy: float = _NAN
    pointing: float = _NAN
    auc: float = _NAN
    deletion: float = _NAN
    deletion_elsewhere: float = _NAN
    deletion_other_clips: float = _NAN
    gain_low: float = _NAN
    gain_other_clips_low: float = _NAN
    seconds_per_clip: float = _NAN
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class AttributionScores(BenchmarkScores[AttributionScore]):
    """One method on the models of the benchmark; see `BenchmarkScores`."""

    FILES: ClassVar[str] = "attribution"

    @property
    def applies_to(self) -> tuple[AttributionScore, ...]:
        """The models to which the method applies."""
        return tuple(score for score in self.scores if score.clips)

    @property
    def auc(self) -> float:
        """Average over the models to which the method applies; 0.5 for uninformative maps, 1 for the truth."""
        return float(np.mean([score.auc for score in self.applies_to]))

    def by_rule(self) -> pd.DataFrame:
        """One row a rule: averages over its models, with gains in deletion; a last row over all models.

        `models` counts those to which the method applies; `not_better_elsewhere` and `not_better_other_clips` those on which
        it is not shown to be better at deletion than the same maps elsewhere, and than its maps of other clips.
        """
        table = self.to_frame()
        table = table[table["clips"] > 0].assign(
            gain=lambda rows: rows["deletion_elsewhere"] - rows["deletion"],
            gain_other_clips=lambda rows: rows["deletion_other_clips"] - rows["deletion"],
            not_better_elsewhere=lambda rows: ~(rows["gain_low"] > 0),
            not_better_other_clips=lambda rows: ~(rows["gain_other_clips_low"] > 0),
        )
        table["lift"] = table["energy"] / table["area"]
        means = [
            "area",
            "energy",
            "lift",
            "pointing",
            "auc",
            "deletion",
            "gain",
            "gain_other_clips",
            "seconds_per_clip",
        ]
        sums = ["not_better_elsewhere", "not_better_other_clips"]
        grouped = [*table.groupby("rule", sort=False), ("all", table)]
        return pd.DataFrame(
            [
                {"rule": rule, "models": len(rows), **rows[means].mean(), **rows[sums].sum().astype(int)}
                for rule, rows in grouped
            ]
        )

    def headline(self) -> dict[str, Any]:
        return {"auc": self.auc, "models": len(self.applies_to)}


def benchmark_attribution(
    method: str | AttributionFunction | Method,
    *,
    models: Sequence[str] | None = None,
    quick: bool = False,
    progress: bool = False,
) -> AttributionScores:
    """Score a method of attribution, of any origin, on models whose cause is known.

    Args:
        method: a function with the contract of `AttributionFunction`, or `PACKAGE:FUNCTION`, or the name of an entry point in
            `video_tcav.benchmark_attribution`; or a method of this package, or its name.
        models: such as `rendered:r2plus1d-motion`; all of the package if not given.
        quick: fewer clips, under a name of their own; not to be compared with the full benchmark.
        progress: whether to show a progress bar.

    Raises:
        InputError: for a method or model that does not exist, or if clips or models are not those of the version.
        PluginError: if the package of the method cannot be imported.
        MethodError: if the method raises, returns what is no map, changes the model, or applies to none.
    """
    version = ATTRIBUTION[quick]
    name, function = attribution_method(method)
    chosen = benchmark_models(models)
    clips = {rule.name: version.clips_of(rule) for _, rule in chosen}
    check_version(version, chosen, clips)
    scores = []
    steps = len(chosen) * (version.clips + version.deletion_clips)
    with progress_bar(f"{version.name} (maps, deletion curves)", steps, visible=progress) as advance:
        for model, rule in chosen:
            scores.append(_scored(version, name, function, model, rule, clips[rule.name], advance))
    check_applies(name, scores)
    return AttributionScores(
        benchmark=benchmark_name(version.name, len(chosen)),
        method=name,
        scores=tuple(scores),
        provenance=provenance(settings=asdict(version), models=[model.name for model, _ in chosen]),
    )


def score_maps(
    version: AttributionVersion, model: VideoModel, rule: Rule, clips: CauseClips, maps: Map
) -> AttributionScore:
    """All measures of maps that are there already, but for the time that they took."""
    energy, area = energy_inside(maps, clips.cause), clips.cause.float().mean((1, 2, 3))
    empty = ~energy.isfinite()
    first = slice(0, version.deletion_clips)
    curves = faithfulness(
        model,
        normalised(clips.pixels[first]),
        maps[first],
        clips.labels[first],
        baseline=BASELINES[rule.name],
        steps=version.steps,
        draws=1,
        seed=version.seed,
        checks=("deletion",),
        other_clips=maps_of_other_clips(maps[first]),
    )
    return AttributionScore(
        model=model.name,
        rule=rule.name,
        clips=len(maps),
        empty=int(empty.sum()),
        area=_mean(area),
        # A map that shows nothing must not do better than one that is wrong: it counts as an even one.
        energy=_mean(torch.where(empty, area, energy)),
        pointing=_mean(pointing(maps, clips.cause)),
        auc=_mean(auc_inside(maps, clips.cause)),
        deletion=_mean(curves.deletion),
        deletion_elsewhere=_mean(curves.deletion_elsewhere),
        deletion_other_clips=_mean(curves.deletion_other_clips),
        gain_low=paired_comparison(curves.deletion_gain.numpy()).low,
        gain_other_clips_low=paired_comparison(curves.deletion_gain_other_clips.numpy()).low,
    )


def _scored(
    version: AttributionVersion,
    name: str,
    method: AttributionFunction | Method,
    model: VideoModel,
    rule: Rule,
    clips: CauseClips,
    advance: Advance,
) -> AttributionScore:
    """A method on one model."""
    layer, inputs = dict(version.layers)[architecture_of(model)], normalised(clips.pixels)
    targets = [model.class_index(label) for label in clips.labels]
    maps, seconds = [], 0.0
    try:
        with network_for_method(model, name) as network:
            for clip, target in zip(inputs.split(1), targets, strict=True):
                start = perf_counter()
                maps.append(map_of_clip(method, name, model, network, layer=layer, clip=clip, target=target))
                seconds += perf_counter() - start
                advance(1)
    except NotApplicable as reason:
        advance(version.clips + version.deletion_clips - len(maps))
        return AttributionScore(model=model.name, rule=rule.name, note=str(reason))
    score = score_maps(version, model, rule, clips, torch.cat(maps))
    advance(version.deletion_clips)
    return replace(score, seconds_per_clip=seconds / len(maps))


def _mean(values: Float[Tensor, " clip"]) -> float:
    mean = float(values.double().mean())
    assert not math.isnan(mean)  # empty maps and masks are dealt with before
    return mean
