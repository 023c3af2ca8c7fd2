"""Simulated data sets with a known effect: unequal sizes and spreads, skewed responses, groups, class gradients around zero.

A simulation first makes a design, then any number of data sets of it: all of one call share permutations and resamples.
"""

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

    @property
    def class_clips(self) -> int:
        return self.gradients.clips

    def design(self, generator: np.random.Generator) -> Design:
        groups = self.concept + self.random
        sizes = generator.integers(1, 2 * self.clips, groups) if self.uneven else np.full(groups, self.clips)
        group_of = np.repeat(np.arange(groups), sizes)
        return make_design(group_of < self.concept, group_of.tolist())

    def gram(self, design: Design, generator: np.random.Generator) -> Gram:
        concept, random = _SAMPLERS[self.concept_distribution], _SAMPLERS[self.random_distribution]
        of_group = np.concatenate([concept(generator, self.concept), random(generator, self.random)])
        responses = of_group[design.groups]
        if self.clips > 1:  # half of the variance is that of groups
            responses = np.sqrt(0.5) * (responses + generator.standard_normal(len(responses)))
        responses = np.where(design.labels, self.spread * responses + self.shift, responses)
        return scalar_gram(responses, self.gradients.sample(generator))


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

    @property
    def class_clips(self) -> int:
        return self.gradients.clips

    def design(self, generator: np.random.Generator) -> Design:
        people = np.arange(self.people + self.concept_people + self.random_people)
        is_random_alone = people >= self.people + self.concept_people
        has_random = (people < self.people) | is_random_alone
        concept = np.repeat(people[~is_random_alone], self.concept)
        group_of = np.concatenate([concept, np.repeat(people[has_random], self.random)])
        return make_design(np.arange(len(group_of)) < len(concept), group_of.tolist())

    def gram(self, design: Design, generator: np.random.Generator) -> Gram:
        person, difference = generator.standard_normal((2, design.n_groups_total))
        responses = person[design.groups] + self.effect_spread * difference[design.groups] * design.labels
        responses += generator.standard_normal(len(responses))
        return scalar_gram(responses, self.gradients.sample(generator))


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

    def design(self, generator: np.random.Generator) -> Design:
        return make_design(np.arange(self.concept + self.random) < self.concept)

    def gram(self, design: Design, generator: np.random.Generator) -> Gram:
        activations = generator.standard_normal((len(design.labels), self.channels))
        activations[design.labels, 0] += self.effect
        # noise of variance s² in d channels of n gradients has n/(d s²) = 1, as the mean gradient has length 1
        spread = np.sqrt(self.class_clips / self.channels)
        gradients = spread * generator.standard_normal((self.class_clips, self.channels))
        gradients[:, 0] += 1.0
        centred = activations - activations.mean(0)
        return Gram(kernel=centred @ centred.T, cross=gradients @ centred.T)


Simulation = PureGroups | MixedGroups | ManyChannels
