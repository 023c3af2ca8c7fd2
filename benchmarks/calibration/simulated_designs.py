"""Simulated data sets with a known effect: unequal sizes and spreads, skewed responses, groups, class gradients around zero."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from benchmarks.calibration.outcomes import scalar_gram

from video_tcav.gram.arrays import make_design
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram

Distribution = Literal["normal", "t2", "lognormal", "mirrored"]
_LOGNORMAL_SD = np.sqrt((np.e - 1) * np.e)
_SAMPLERS: dict[Distribution, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda generator, size: generator.standard_normal(size),
    # two degrees of freedom: no variance
    "t2": lambda generator, size: generator.standard_t(2, size),
    # mean 0 and variance 1, skewness 6.2
    "lognormal": lambda generator, size: (generator.lognormal(size=size) - np.exp(0.5)) / _LOGNORMAL_SD,
    "mirrored": lambda generator, size: -(generator.lognormal(size=size) - np.exp(0.5)) / _LOGNORMAL_SD,
}


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Inner products of one simulated data set, and its design.

    Attributes:
        gram: K and C of the clips.
        design: labels and groups of the clips.
        class_clips: how many; each is a group of its own.
    """

    gram: Gram
    design: Design
    class_clips: int


@dataclass(frozen=True, kw_only=True)
class ClassGradients:
    """Gradients of a model at clips of its class: normal, and equal in distribution for all.

    Attributes:
        clips: how many class clips.
        mean: gradient along the response.
        spread: its standard deviation over clips.
    """

    clips: int = 20
    mean: float = 1.0
    spread: float = 0.5

    def sample(self, generator: np.random.Generator) -> np.ndarray:
        return self.mean + self.spread * generator.standard_normal(self.clips)


@dataclass(frozen=True, kw_only=True)
class PureGroups:
    """Concept and random clips in groups of one kind; a layer with one channel.

    Attributes:
        concept: number of concept groups.
        random: number of random groups.
        spread: standard deviation of concept responses; that of random ones is 1.
        shift: mean of concept responses; that of random ones is 0.
        concept_distribution: of the responses.
        random_distribution: likewise.
        clips: in each group.
        uneven: whether groups have from one to twice as many clips less one, in place of that many each.
        gradients: of the class clips.
    """

    concept: int
    random: int
    spread: float = 1.0
    shift: float = 0.0
    concept_distribution: Distribution = "normal"
    random_distribution: Distribution = "normal"
    clips: int = 1
    uneven: bool = False
    gradients: ClassGradients = ClassGradients()

    @property
    def effect(self) -> float:
        """The true one."""
        return self.gradients.mean * self.shift

    def sample(self, generator: np.random.Generator) -> DataSet:
        groups = self.concept + self.random
        sizes = generator.integers(1, 2 * self.clips, groups) if self.uneven else np.full(groups, self.clips)
        is_concept = np.arange(groups) < self.concept
        concept, random = _SAMPLERS[self.concept_distribution], _SAMPLERS[self.random_distribution]
        of_group = np.concatenate([concept(generator, self.concept), random(generator, self.random)])
        group_of = np.repeat(np.arange(groups), sizes)
        responses = of_group[group_of]
        if self.clips > 1:  # half of the variance is that of groups
            responses = np.sqrt(0.5) * (responses + generator.standard_normal(len(group_of)))
        labels = is_concept[group_of]
        responses = np.where(labels, self.spread * responses + self.shift, responses)
        return DataSet(
            gram=scalar_gram(responses, self.gradients.sample(generator)),
            design=make_design(labels, group_of.tolist()),
            class_clips=self.gradients.clips,
        )


@dataclass(frozen=True, kw_only=True)
class MixedGroups:
    """People who each appear with and without the concept, to each of whom it means something else; on average nothing.

    Attributes:
        people: how many groups hold both kinds.
        concept: concept clips of each.
        random: random clips of each.
        effect_spread: standard deviation over people of the difference that the concept makes.
        concept_people: groups that hold concept clips alone, as many as `concept` says.
        random_people: groups that hold random clips alone.
        gradients: of the class clips.
    """

    people: int
    concept: int
    random: int
    effect_spread: float = 1.0
    concept_people: int = 0
    random_people: int = 0
    gradients: ClassGradients = ClassGradients()

    @property
    def effect(self) -> float:
        return 0.0

    def sample(self, generator: np.random.Generator) -> DataSet:
        n_people = self.people + self.concept_people + self.random_people
        has_concept = np.arange(n_people) < self.people + self.concept_people
        has_random = (np.arange(n_people) < self.people) | ~has_concept
        people = np.arange(n_people)
        group_of = np.concatenate([np.repeat(people[has_concept], self.concept), np.repeat(people[has_random], self.random)])
        labels = np.arange(len(group_of)) < has_concept.sum() * self.concept
        person, difference = generator.standard_normal(n_people), generator.standard_normal(n_people)
        responses = person[group_of] + self.effect_spread * difference[group_of] * labels
        responses += generator.standard_normal(len(group_of))
        return DataSet(
            gram=scalar_gram(responses, self.gradients.sample(generator)),
            design=make_design(labels, group_of.tolist()),
            class_clips=self.gradients.clips,
        )


@dataclass(frozen=True, kw_only=True)
class ManyChannels:
    """A layer of many channels with noise in each, in activations and in gradients.

    The variance of the effect is one half that of the responses along the mean gradient, one half that of noise times noise:
    the part which a plain bootstrap counts three times.

    Attributes:
        concept: number of concept clips.
        random: number of random clips.
        channels: of the layer.
        effect: the true one; its standard error is about 0.37 at 20 against 60 clips and 20 class clips.
        class_clips: how many.
    """

    concept: int = 20
    random: int = 60
    channels: int = 1000
    effect: float = 0.0
    class_clips: int = 20

    def sample(self, generator: np.random.Generator) -> DataSet:
        activations = generator.standard_normal((self.concept + self.random, self.channels))
        activations[: self.concept, 0] += self.effect
        # noise of variance s² in d channels of n gradients has n/(d s²) = 1, as the mean gradient has length 1
        spread = np.sqrt(self.class_clips / self.channels)
        gradients = spread * generator.standard_normal((self.class_clips, self.channels))
        gradients[:, 0] += 1.0
        centred = activations - activations.mean(0)
        return DataSet(
            gram=Gram(kernel=centred @ centred.T, cross=gradients @ centred.T),
            design=make_design(np.arange(len(activations)) < self.concept),
            class_clips=self.class_clips,
        )


Simulation = PureGroups | MixedGroups | ManyChannels
