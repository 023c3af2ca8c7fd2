"""Rows of the results page: each is measured once, and kept as JSON until its folder is deleted."""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.discovery_baselines import BASELINES
from benchmarks.foreign.peers import PEERS
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import to_clip
from video_tcav.attribution.methods import METHODS
from video_tcav.benchmark import benchmark_attribution, benchmark_concepts
from video_tcav.benchmark.attribution import score_maps
from video_tcav.benchmark.component_scores import enrichment
from video_tcav.benchmark.models import benchmark_models
from video_tcav.benchmark.truth import truth_maps
from video_tcav.benchmark.versions import ATTRIBUTION, CONCEPTS, AttributionVersion, ConceptVersion
from video_tcav.core.files import read_json, write_json

# Methods of many passes: a third of a second to two seconds a map, on two idle cores.
SLOW = ("scorecam", "ablationcam", "smoothgrad", "occlusion", "rise", "temporalmask", "extremal", "Occlusion")
# Grids of the layers that are handed to methods of discovery: what is found there cannot be finer.
_GRIDS = {"r2plus1d": (4, 4, 4), "transformer": (8, 4, 4)}
TRUTH = "the truth itself"
LIMIT = "the truth on the layer's grid"
Row = Mapping[str, Any]


def attribution_rows(folder: Path, *, quick: bool, slow: bool) -> Iterator[Row]:
    """The truth, plain maps, methods of this package, peers."""
    yield _kept(folder, TRUTH, lambda: {"library": "", **_truth(ATTRIBUTION[quick])})
    plain = {name: row for name, row in PEERS.items() if row[0] == "plain"}
    methods = {**plain, **{name: ("video-tcav", name) for name in METHODS}, **PEERS}
    for name, (library, method) in methods.items():
        if name in SLOW and not slow:
            continue
        # With the library: some file systems do not tell GradCAM from gradcam.
        yield _kept(folder, f"{library} {name}", lambda name=name, library=library, method=method: {
            "library": library,
            **benchmark_attribution(method, quick=quick, progress=True).to_dict(),
            "method": name,
        })  # fmt: skip


def concept_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """What the layers' grids allow at most, then the baselines."""
    yield _kept(folder, LIMIT, lambda: _limit(CONCEPTS[quick]))
    methods: dict[str, Any] = {**BASELINES}
    if find_spec("video_tcav.discovery") is not None:
        methods["video-tcav discover"] = "benchmarks.foreign.own_discovery:discovered"
    for name, method in methods.items():
        yield _kept(folder, name, lambda name=name, method=method: {
            **benchmark_concepts(method, quick=quick, progress=True).to_dict(),
            "method": name,
        })  # fmt: skip


def _kept(folder: Path, name: str, measure: Callable[[], dict[str, Any]]) -> Row:
    """A row that was measured before, or now."""
    path = folder / f"{name}.json"
    if not path.exists():
        write_json(path, measure())
    return read_json(path)


def _truth(version: AttributionVersion) -> dict[str, Any]:
    """Maps of the true cause, scored as all others."""
    scores = []
    for model, rule in benchmark_models():
        clips = version.clips_of(rule)
        scores.append(vars(score_maps(version, model, rule, clips, truth_maps(clips.cause))))
    auc = float(np.mean([score["auc"] for score in scores]))
    return {"benchmark": version.name, "method": TRUTH, "auc": auc, "models": len(scores), "scores": scores}


def _limit(version: ConceptVersion) -> dict[str, Any]:
    """Enrichment of the cause itself, averaged over the cells of the layer's grid."""
    scores = []
    for model, rule in benchmark_models():
        clips = version.clips_of(rule)
        cause = clips.new_clips.cause[clips.new_is_class]
        grid = _GRIDS[model.name.removeprefix("rendered:").partition("-")[0]]
        cells = F.adaptive_avg_pool3d(cause[:, None].float(), grid)[:, 0]
        maps = to_clip(cells, (cause.shape[1], cause.shape[2], cause.shape[3]))
        value = enrichment(maps, torch.as_tensor(cause), top_share=version.top_share)
        scores.append({"model": model.name, "rule": rule.name, "enrichment": value})
    return {"benchmark": version.name, "method": LIMIT, "scores": scores}
