"""Class and random clips of the rendered world for discovery, with their truth per pixel and the model's own answers on twins."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float

from video_tcav.concepts import Twin, twin_clip
from video_tcav.discovery.component import ComponentKind
from video_tcav.models import VideoModel, load_model, parse_target
from video_tcav.rendered import Factors, RenderedClip, Rule, render, rule_of, sample_factors
from video_tcav.rendered.training import BATCH, normalised

CLASS_CLIPS, RANDOM_CLIPS = 60, 120
# Seeds that a world has for itself: of its random clips, of its class clips.
_SEEDS = 1000
# Clips that the model's own answers on twins are taken from: its kind is plain from a third of them.
_EVERY = 3
# The class of each rule that is explained.
TARGETS = {
    "motion": "playing tennis",
    "scene": "playing tennis",
    "object": "playing tennis",
    "order": "sitting down",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class DiscoveryWorld:
    """Clips for one model.

    Attributes:
        model: the model.
        rule: how it was trained.
        target: the class that is explained.
        rendered: class clips, then random clips.
    """

    model: VideoModel
    rule: Rule
    target: str
    rendered: tuple[RenderedClip, ...]

    @classmethod
    def sample(
        cls, name: str, seed: int, *, class_clips: int = CLASS_CLIPS, random_clips: int = RANDOM_CLIPS
    ) -> "DiscoveryWorld":
        """Clips of a class and of any class for `r2plus1d-motion` and the like."""
        rule = rule_of(name.partition("-")[2])
        target = TARGETS[rule.name]
        drawn = sample_factors(class_clips, seed=_SEEDS * seed + 2, motion=rule.motions())
        of_class = [clip.with_factor(rule.cause, rule.classes[target]) for clip in drawn]
        clips = [*of_class, *sample_factors(random_clips, seed=_SEEDS * seed + 1, motion=rule.motions())]
        model = load_model(f"rendered:{name}")
        return cls(model=model, rule=rule, target=target, rendered=tuple(map(render, clips)))

    @property
    def clips(self) -> list[Factors]:
        return [rendered.factors for rendered in self.rendered]

    def named(self, of_class: slice) -> list[tuple[str, torch.Tensor]]:
        """Clips in memory, with names."""
        return [(f"clip {number}", self.rendered[number].clip) for number in range(len(self.rendered))[of_class]]

    @cached_property
    def has_cause(self) -> Bool[np.ndarray, " clip"]:
        """Whether a clip has the value of the factor that makes the class."""
        value = self.rule.classes[self.target]
        return np.asarray([getattr(clip, self.rule.cause) == value for clip in self.clips])

    def mask(self, number: int) -> Bool[np.ndarray, "time height width"]:
        """Where a clip has the cause: the object, or what of figure and object moves from frame to frame."""
        rendered = self.rendered[number]
        if self.rule.cause == "object":
            return rendered.mask("object").numpy()
        labels = rendered.labels.numpy()
        moves = np.zeros(labels.shape, dtype=bool)
        moves[1:] = labels[1:] != labels[:-1]
        return moves

    @cached_property
    def answers(self) -> Mapping[Twin, float]:
        """What the model itself keeps of the difference between clips with and without the cause when they are changed."""
        inputs = normalised(torch.stack([rendered.clip for rendered in self.rendered[::_EVERY]]))
        plain = self._difference(inputs)
        twins: tuple[Twin, ...] = ("frozen", "reversed")
        return {twin: self._difference(twin_clip(inputs, twin, time_dim=2)) / plain for twin in twins}

    @property
    def true_kind(self) -> ComponentKind:
        """By the model's own answers, without any component."""
        if self.answers["reversed"] < 0.5:
            return "order"
        return "appearance" if self.answers["frozen"] > 0.5 else "motion"

    def _difference(self, inputs: Float[torch.Tensor, "clip ..."]) -> float:
        target = parse_target(self.model, self.target, "log_odds")
        with torch.no_grad():
            odds = torch.cat([target(self.model.logits(batch)) for batch in inputs.split(BATCH)]).numpy()
        has_cause = self.has_cause[::_EVERY]
        return float(odds[has_cause].mean() - odds[~has_cause].mean())
