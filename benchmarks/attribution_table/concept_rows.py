"""Concept maps of planted causes: the concept of a clip is its own class's cause, learned from rendered clips of other seeds.

The CAV is learned on whichever network is explained, so that a network with random weights has one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch

from video_tcav.attribution import ClampMap, ConceptAxis, ConceptMap
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method
from video_tcav.core import random_streams
from video_tcav.models import VideoModel
from video_tcav.models.hooks import LARGEST_BATCH, record_activations
from video_tcav.models.targets import Target
from video_tcav.rendered import Rule, render, rule_of, sample_factors
from video_tcav.rendered.training import normalised

_CONCEPT_CLIPS, _RANDOM_CLIPS = 16, 24
Axes = dict[str, ConceptAxis]  # by layer
# By network, then by class and seed: the rows of the table share the CAVs of a network.
_LEARNED: WeakKeyDictionary[VideoModel, dict[tuple[int, int], Axes]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class PlantedConceptMap(Method):
    """The concept map of the cause of the class that is explained.

    Attributes:
        kind: gradient ⊙ CAV, or what adds up to the clamp effect.
        stage: at which of the network's stages, -1 for the deepest.
        seed: of the clips that CAVs are learned from.
    """

    name: ClassVar[str] = "planted concept"
    help: ClassVar[str] = "A concept map of the true cause"
    kind: Literal["slope", "clamp"] = "slope"
    stage: int = -1
    seed: int = 0

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """By the CAV of the class, learned at the first call."""
        layer = model.stages()[self.stage]
        axis = planted_axes(model, target.class_index, self.seed)[layer]
        method = ClampMap(axes={layer: axis}) if self.kind == "clamp" else ConceptMap(cavs={layer: axis.vector})
        return method.attribute(model, clips, target, advance)

    def learn(self, model: VideoModel, targets: Sequence[int]) -> None:
        """Learn the CAVs of these classes now: their passes are no cost of a map."""
        for class_index in set(targets):
            planted_axes(model, class_index, self.seed)


def concept_rows(seed: int = 0) -> dict[str, PlantedConceptMap]:
    """Both kinds of concept map, at the deepest stage as all other layers of the table, and at the first."""
    rows = {}
    for place, stage in (("", -1), (" (first)", 0)):
        rows[f"{ConceptMap.name}{place}"] = PlantedConceptMap(kind="slope", stage=stage, seed=seed)
        rows[f"{ClampMap.name}{place}"] = PlantedConceptMap(kind="clamp", stage=stage, seed=seed)
    return rows


def planted_axes(model: VideoModel, class_index: int, seed: int) -> Axes:
    """At each stage, the CAV from clips without a class's cause to clips with it (difference of means)."""
    learned = _LEARNED.setdefault(model, {})
    key = class_index, seed
    if key not in learned:
        with_cause, without = _concept_clips(model.name.rpartition("-")[2], model.classes[class_index], seed)
        learned[key] = {}
        rows = [_stages_of(model, clips) for clips in (with_cause, without)]
        for layer in model.stages():
            concept, random = (of_clips[layer].double() for of_clips in rows)
            difference = concept.mean(0) - random.mean(0)
            unit = difference / difference.norm()
            learned[key][layer] = ConceptAxis(
                vector=unit.float(),
                concept_mean=float((concept @ unit).mean()),
                random_mean=float((random @ unit).mean()),
            )
    return learned[key]


@lru_cache(maxsize=8)  # classes of a rule
def _concept_clips(rule_name: str, label: str, seed: int) -> tuple[Clips, Clips]:
    """Prepared clips with a class's cause, and clips with those of other classes; all else is drawn alike."""
    rule = rule_of(rule_name)
    cause = rule.classes[label]
    others = [value for value in rule.classes.values() if value != cause]
    numbers = np.random.default_rng([seed, random_streams.PLANTED_CONCEPTS, rule.labels.index(label)])
    concept_seed, random_seed = numbers.integers(2**31, size=2).tolist()
    return (
        _rendered(rule, _CONCEPT_CLIPS, [cause], concept_seed),
        _rendered(rule, _RANDOM_CLIPS, others, random_seed),
    )


def _rendered(rule: Rule, count: int, causes: Sequence[str], seed: int) -> Clips:
    allowed: dict[str, Any] = {"motion": rule.motions(), rule.cause: causes}
    return normalised(torch.stack([render(factors).clip for factors in sample_factors(count, seed=seed, **allowed)]))


def _stages_of(model: VideoModel, clips: Clips) -> dict[str, torch.Tensor]:
    """Activations at all stages, one row a clip."""
    batches = [record_activations(model, model.stages(), batch) for batch in clips.split(LARGEST_BATCH)]
    return {layer: torch.cat([batch[layer].flatten(1) for batch in batches]) for layer in model.stages()}
