"""Frozen versions of the benchmark: their settings, and the digests that say whether clips and models are still the same.

What is drawn in whole numbers (factors, masks, classes) and the weights are compared exactly. Pixels are not: OpenCV rounds a
few of them by up to two grey levels otherwise on another processor. Of these, averages over cells of the picture are compared.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from video_tcav.benchmark.clips import CauseClips, ConceptClips, cause_clips, concept_clips
from video_tcav.benchmark.truth import BASELINES
from video_tcav.core.errors import InputError
from video_tcav.core.files import read_json
from video_tcav.models import VideoModel
from video_tcav.rendered import Rule

FROZEN = Path(__file__).with_name("frozen.json")
# Grey levels by which averages over a cell may differ. Processors differ by a thousandth; a limb that moves by a pixel in one
# clip of 24 changes a cell by a tenth.
TOLERANCE = 0.02
_CELLS = 4  # of a picture's height and width


@dataclass(frozen=True, kw_only=True)
class AttributionVersion:
    """Settings of one version of the benchmark of maps: a change of any makes another version.

    Attributes:
        name: of the version.
        clips: for each model.
        deletion_clips: the first of them, whose deletion is measured: the slowest measure by far.
        seed: of the clips, and of the moved maps.
        steps: of a deletion curve.
        layers: that are handed to a method, by architecture: the deepest stages.
    """

    name: str
    clips: int
    deletion_clips: int
    seed: int = 20261
    steps: int = 16
    layers: tuple[tuple[str, str], ...] = (("r2plus1d", "stages.3"), ("transformer", "blocks.3"))

    def clips_of(self, rule: Rule) -> CauseClips:
        """The clips of a rule."""
        return cause_clips(rule, self.clips, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class ConceptVersion:
    """Settings of one version of the benchmark of concepts.

    Attributes:
        name: of the version.
        find: clips of the class, and of other classes, in which components are looked for.
        score: clips of each on which they are scored.
        seed: of the clips.
        strongest: how many components count, by their order.
        top_share: of the voxels of new class clips, those with the largest values, that enrichment looks at.
        least_enrichment: from which on a component has found a cause that is a region.
        least_auc: from which on it has found a scene.
        layers: that are handed to a method, by architecture: one stage before the deepest, which is larger or as large.
    """

    name: str
    find: tuple[int, int]
    score: tuple[int, int]
    seed: int = 20262
    strongest: int = 3
    top_share: float = 0.05
    least_enrichment: float = 3.0
    least_auc: float = 0.9
    layers: tuple[tuple[str, str], ...] = (("r2plus1d", "stages.2"), ("transformer", "blocks.2"))

    def clips_of(self, rule: Rule) -> ConceptClips:
        """The sets of clips of a rule."""
        return concept_clips(rule, find=self.find, score=self.score, seed=self.seed)


ATTRIBUTION = (
    AttributionVersion(name="rendered-attribution-1", clips=24, deletion_clips=12),
    AttributionVersion(name="rendered-attribution-1-quick", clips=6, deletion_clips=4),
)
CONCEPTS = (
    ConceptVersion(name="rendered-concepts-1", find=(40, 60), score=(24, 36)),
    ConceptVersion(name="rendered-concepts-1-quick", find=(16, 24), score=(10, 15)),
)
Version = AttributionVersion | ConceptVersion


def fingerprint(version: Version, rule: Rule, clips: CauseClips | ConceptClips) -> dict[str, Any]:
    """What is kept of the clips of a rule: a digest of all that is exact, and averages of the pixels."""
    sets = [clips] if isinstance(clips, CauseClips) else [clips.class_clips, clips.random_clips, clips.new_clips]
    digest = hashlib.sha256(json.dumps([asdict(version), BASELINES[rule.name]], sort_keys=True).encode())
    for group in sets:
        rows = [[factors.to_dict(), label] for factors, label in zip(group.factors, group.labels, strict=True)]
        digest.update(json.dumps(rows, sort_keys=True).encode())
        digest.update(np.packbits(group.cause.numpy()).tobytes())
    return {"digest": digest.hexdigest(), "cells": [level for group in sets for level in _cell_levels(group.pixels)]}


def check_version(
    version: Version, chosen: Sequence[tuple[VideoModel, Rule]], clips: Mapping[str, CauseClips | ConceptClips]
) -> None:
    """Refuse models, or clips by the name of their rule, that are not those of the version.

    Raises:
        InputError: if they differ.
    """
    for model, rule in chosen:
        check_model(version, model)
        check_clips(version, rule, clips[rule.name])


def check_clips(version: Version, rule: Rule, clips: CauseClips | ConceptClips) -> None:
    """Refuse clips that are not those of the version.

    Raises:
        InputError: if they differ.
    """
    expected, measured = _frozen(version)["clips"][rule.name], fingerprint(version, rule, clips)
    same_cells = len(expected["cells"]) == len(measured["cells"]) and np.allclose(
        expected["cells"], measured["cells"], rtol=0, atol=TOLERANCE
    )
    if measured["digest"] != expected["digest"] or not same_cells:
        what = "pixels" if measured["digest"] == expected["digest"] else "factors, classes, masks or settings"
        raise InputError(
            f"`{version.name}` must be compared on its own clips. Got other {what} for the rule {rule.name}."
            " Install the release of video-tcav that has this version, with the packages of its constraints.txt."
        )


def check_model(version: Version, model: VideoModel) -> None:
    """Refuse a model whose weights are not those of the version.

    Raises:
        InputError: if they differ.
    """
    if model.weights_digest != _frozen(version)["models"][model.name]:
        raise InputError(
            f"`{version.name}` must be compared on its own models. Got other weights for {model.name}."
            " Install the release of video-tcav that has this version."
        )


def _cell_levels(pixels: Tensor) -> list[float]:
    """Averages over all clips and frames in cells of the picture, of each colour, and of changes between frames."""
    levels = pixels.float()
    pictures = [levels.mean((0, 1)), levels.diff(dim=1).abs().mean((0, 1, 2))[None]]
    cells = [F.adaptive_avg_pool2d(picture, _CELLS).flatten().tolist() for picture in pictures]
    return [round(level, 3) for level in (*cells[0], *cells[1])]


def _frozen(version: Version) -> Mapping[str, Any]:
    frozen = _frozen_versions()
    if version.name not in frozen:
        raise InputError(f"`version` must be one of {', '.join(frozen)}. Got {version.name!r}. Choose one of them.")
    return frozen[version.name]


@lru_cache(maxsize=1)
def _frozen_versions() -> Mapping[str, Any]:
    return read_json(FROZEN)
